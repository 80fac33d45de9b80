"""A server of zoo/web with real models of the shelf, and Debian's Chromium to look at it."""

import importlib.util
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "zoo" / "web"
MODELS = {"mnist": "blockqnn_mnist/mnist", "cifar": "blockqnn_cifar_small/cifar10"}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def script(path):
    """A script of the project as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, path.stem, module)  # where NamedTuple looks for its module
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def serve_web():
    return script(ROOT / "tools" / "serve_web.py")


@pytest.fixture(scope="session")
def classify():
    return script(ROOT / "examples" / "deploy" / "classify.py")


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A folder with mnist/model.onnx and cifar/model.onnx."""
    from automl_cells import zoo

    folder = tmp_path_factory.mktemp("models")
    shelf = zoo.Shelf(ROOT / "zoo")
    rng = np.random.default_rng(0)
    for name, address in MODELS.items():
        entry = shelf.find(address)
        images = rng.integers(0, 256, (8, *entry.template.input_shape), np.uint8)
        images[0], images[1] = 0, 255
        zoo.export_entry(entry, ["onnx"], folder / name, data=images)
    return folder


@pytest.fixture(scope="session")
def site(serve_web, models):
    """The address of a running server."""
    server = serve_web.make_server(models=models)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make test-web")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine (on Debian: apt-get install chromium)")
    if not (PAGE / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("onnxruntime-web is not installed: make test-web")
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=program, chromium_sandbox=False)
        yield opened
        opened.close()


@pytest.fixture
def page(browser, site):
    """A new page, whose errors and requests elsewhere fail the test at its end."""
    context = browser.new_context(viewport={"width": 1000, "height": 860})
    context.set_default_timeout(30_000)
    opened = context.new_page()
    wrong = []
    opened.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on(
        "request",
        lambda request: None if request.url.startswith((site, "blob:", "data:")) else wrong.append(request.url),
    )
    yield opened
    context.close()
    assert wrong == []
