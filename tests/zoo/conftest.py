import logging
import shutil
import threading
import uuid

import keras
import numpy as np
import pytest

from automl_cells.builder import build
from automl_cells.datasets import load
from automl_cells.training import entry as training_entry
from automl_cells.training import recipe, save_weights
from automl_cells.zoo import Entry, RemoteShelf, Shelf
from automl_cells.zoo.catalogue import Structure, structures
from automl_cells.zoo.remote.store import Patience
from tests.zoo.remote.store_server import serving

TINY = Structure(
    name="tiny_blocks",
    title="Block-QNN-B, tiny",
    genotype="block_qnn_b",
    template="cifar",
    repeats=1,
    filters=(4, 6),
    input_shape=(8, 8, 1),
    classes=10,
)
PROVENANCE = {
    "space": {"name": "blockqnn", "options": {"layers": 5}},
    "strategy": {"name": "q_learning", "options": {}},
    "candidates": 24,
    "trial": 17,
    "seed": 3,
    "search_seconds": 81.4,
    "reward": {"name": "blockqnn_early_stop", "value": 93.25},
    "protocol": "blockqnn",
}
METRICS = {
    "test_accuracy": 91.25,
    "validation_accuracy": 92.5,
    "epochs": 40,
    "best_epoch": 33,
    "seed": 1,
    "seconds": 62.0,
    "training_images": 1212,
    "test_images": 450,
    "versions": {"python": "3.11.1", "keras": "3.15.1"},
}


def write_entry(folder, genotype=None, template=None, seed=0, provenance=PROVENANCE, metrics=METRICS, **words):
    """A training run with random weights and statistics, written by the training's own functions."""
    genotype, template = genotype or TINY.load_genotype(), template or TINY.make_template()
    keras.utils.set_random_seed(seed)
    model = build(genotype, template)
    random = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.path.endswith(("moving_mean", "moving_variance", "gamma", "beta")):
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
    words = {"name": "tiny_blocks", "tag": "digits", **words}
    document = training_entry.model_document(words["name"], words["tag"], template, load("digits"), recipe("plain"))
    document["labels"] = [str(label) for label in range(template.classes)]
    partial = folder / "partial"
    save_weights(model, partial / training_entry.WEIGHTS)
    costs = training_entry.costs(genotype, template)
    history = {"loss": [2.0, 1.0]}
    training_entry.complete_entry(
        partial, folder / "entry", genotype, provenance, document, {**metrics, **costs}, history
    )
    return folder


@pytest.fixture(scope="session", autouse=True)
def tiny():
    """A structure small enough for tests, known to the zoo like those in structures.json."""
    structures()["tiny_blocks"] = TINY
    yield TINY
    del structures()["tiny_blocks"]


@pytest.fixture(scope="session")
def make_run():
    return write_entry


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A finished training run. Not to be changed."""
    return write_entry(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def other_run(tmp_path_factory):
    """The same structure with other weights. Not to be changed."""
    return write_entry(tmp_path_factory.mktemp("other"), seed=1)


@pytest.fixture(scope="session")
def published_once(tmp_path_factory, run):
    folder = tmp_path_factory.mktemp("shelf") / "shelf"
    Shelf(folder).publish(run)
    return folder


@pytest.fixture
def shelf(tmp_path, published_once):
    """A shelf of its own for each test, with tiny_blocks/digits-v1 on it."""
    shutil.copytree(published_once, tmp_path / "shelf")
    return Shelf(tmp_path / "shelf")


@pytest.fixture
def entry_copy(tmp_path, run):
    """An entry that the test may damage."""
    return shutil.copytree(run / "entry", tmp_path / "copy")


QUICK = Patience(connect=5, read=5, attempts=3, backoff=0)
"""For stores on this machine."""


@pytest.fixture
def server(shelf, monkeypatch):
    """A web server with a shelf, see `tests.zoo.remote.store_server`."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("AUTOML_CELLS_OFFLINE", raising=False)
    with serving(shelf.folder) as server:
        yield server


@pytest.fixture
def web(server, tmp_path):
    """The shelf behind `server`."""
    return RemoteShelf(server.address, cache=tmp_path / "cache", patience=QUICK)


def one_at_a_time(app):
    """S3 decides at one place whether a file can be created; this stand-in would do so in two threads at once."""
    lock = threading.Lock()

    def locked(*arguments):
        with lock:
            return app(*arguments)

    return locked


@pytest.fixture(scope="module")
def s3():
    """An S3 interface with a bucket, and keys in the environment as a user would have them."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = one_at_a_time(server._server.app)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "no_proxy": "127.0.0.1",
        }.items():
            patch.setenv(name, value)
        import s3fs

        bucket = f"bucket-{uuid.uuid4().hex}"  # moto keeps buckets as long as the process lives
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
        yield f"s3://{bucket}"
    server.stop()


@pytest.fixture(params=["s3", "memory", "file"])
def address(request):
    """A new place in each kind of store."""
    name = uuid.uuid4().hex
    if request.param == "s3":
        return f"{request.getfixturevalue('s3')}/{name}"
    if request.param == "memory":
        return f"memory://{name}/zoo"
    return request.getfixturevalue("tmp_path").as_uri() + "/zoo"


@pytest.fixture
def remote(address, tmp_path, monkeypatch):
    monkeypatch.delenv("AUTOML_CELLS_OFFLINE", raising=False)
    return RemoteShelf(address, cache=tmp_path / "cache", patience=QUICK)


@pytest.fixture
def loads(monkeypatch):
    """Publishing without building a network each time."""
    monkeypatch.setattr(Entry, "load_model", lambda self: None)
