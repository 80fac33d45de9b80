"""What is installed from a wheel or a source distribution finds the shelf of its release."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from automl_cells.zoo import Shelf

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "blockqnn_found_digits/digits-v1"
PROGRAM = """
import automl_cells
from automl_cells.zoo import default_shelf
shelf = default_shelf()
print(automl_cells.__file__)
print(shelf.place)
print(*[item.address for item in shelf.list()], shelf.verify())
"""


def command(*arguments, cwd, **environment):
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    done = subprocess.run(
        [str(argument) for argument in arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """A wheel and a source distribution of this code with one entry on the shelf, among things that stay behind."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md"):
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "automl_cells", source / "automl_cells", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "zoo" / ENTRY, source / "zoo" / ENTRY)
    Shelf(source / "zoo").reindex()
    derived = ["derived.json", "parity.json", "model.onnx", "model.int8.onnx", "model.tflite", "savedmodel/saved.pb"]
    for name in [f"{ENTRY}/{file}" for file in derived] + ["web/index.html", "web/page.json", "README.md"]:
        (source / "zoo" / name).parent.mkdir(parents=True, exist_ok=True)
        (source / "zoo" / name).write_text("{}")
    command(sys.executable, "setup.py", "-q", "sdist", "-d", out, "bdist_wheel", "-d", out, cwd=source)
    (wheel,), (archive,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, archive


def expected():
    names = [path.name for path in (ROOT / "zoo" / ENTRY).iterdir() if path.is_file()]
    manifest = ["README.md", "drawing.svg", "genotype.json", "history.json", "manifest.json", "metrics.json"]
    manifest += ["model.json", "model.weights.h5"]
    assert set(manifest) <= set(names)
    return {"README.md", "index.json", *(f"{ENTRY}/{name}" for name in manifest)}


@pytest.mark.slow
def test_both_hold_the_immutable_files_of_the_shelf(distributions):
    wheel, archive = distributions
    with zipfile.ZipFile(wheel) as file:
        names = [name.partition(".data/data/share/automl_cells/shelf/")[2] for name in file.namelist()]
    assert set(names) - {""} == expected()
    with tarfile.open(archive) as file:
        names = [name.partition("/zoo/")[2] for name in file.getnames() if file.getmember(name).isfile()]
        top = archive.name.removesuffix(".tar.gz")
        of_shelf = {name for name in names if name and not name.endswith(".py") and not name.startswith("structures")}
        assert of_shelf == expected()
        assert f"{top}/MANIFEST.in" in file.getnames()


@pytest.mark.slow
def test_both_hold_what_the_page_of_a_report_is_made_of(distributions):
    wheel, archive = distributions
    folder = "automl_cells/report/page/assets/"
    wanted = {path.name for path in (ROOT / folder).iterdir()}
    assert {"page.html", "page.css", "base.js"} <= wanted
    with zipfile.ZipFile(wheel) as file:
        assert {name.partition(folder)[2] for name in file.namelist()} - {""} == wanted
    with tarfile.open(archive) as file:
        assert {name.partition(folder)[2] for name in file.getnames()} - {""} == wanted


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["target", "venv"])
def test_an_installation_finds_its_shelf(distributions, tmp_path, kind):
    wheel, _ = distributions
    place, python, environment = tmp_path / "place", sys.executable, {"AUTOML_CELLS_ZOO": ""}
    install = ["install", "-q", "--no-deps", "--no-index"]
    if kind == "target":
        command(python, "-m", "pip", *install, "--target", place, wheel, cwd=tmp_path)
        environment["PYTHONPATH"] = str(place)
    else:
        venv.create(place, with_pip=False)
        command(python, "-m", "pip", "--python", place, *install, wheel, cwd=tmp_path)
        python = next(path for path in (place / "bin" / "python", place / "Scripts" / "python.exe") if path.exists())
        # the packages that ours needs, behind what is installed in the environment itself
        packages = Path(pytest.__file__).parents[1]
        (site,) = {path.parent for path in place.rglob("automl_cells") if (path / "__init__.py").is_file()}
        (site / "others.pth").write_text(f"{packages}\n")
    found, shelf, rest = command(python, "-c", PROGRAM, cwd=tmp_path, **environment).splitlines()
    assert Path(found).is_relative_to(place)
    assert Path(shelf) == (place / "share" / "automl_cells" / "shelf").resolve()
    assert rest == f"{ENTRY} []"
