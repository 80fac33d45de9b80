import platformdirs
import pytest

from automl_cells.errors import ZooError
from automl_cells.zoo import RemoteShelf, default_shelf, locate, resolve


def checkout(tmp_path, monkeypatch, *files):
    """Pretend that the package stands in this folder."""
    module = tmp_path / "automl_cells" / "zoo" / "locate.py"
    monkeypatch.setattr(locate, "__file__", str(module))
    monkeypatch.delenv("AUTOML_CELLS_ZOO", raising=False)
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda name, appauthor: str(tmp_path / "data" / name))
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("")


def test_the_environment_comes_first(tmp_path, monkeypatch):
    checkout(tmp_path, monkeypatch, "pyproject.toml", "zoo/index.json")
    monkeypatch.setenv("AUTOML_CELLS_ZOO", str(tmp_path / "mine"))
    assert default_shelf().folder == tmp_path / "mine"


def test_the_environment_may_name_a_store(tmp_path, monkeypatch):
    checkout(tmp_path, monkeypatch, "pyproject.toml", "zoo/index.json")
    monkeypatch.setenv("AUTOML_CELLS_ZOO", "s3://bucket/zoo")
    shelf = default_shelf()
    assert isinstance(shelf, RemoteShelf)
    assert shelf.place == "s3://bucket/zoo"
    monkeypatch.setenv("AUTOML_CELLS_ZOO", "nope://x")
    with pytest.raises(ZooError, match="Received: 'nope://x'"):
        default_shelf()


def test_then_the_checkout(tmp_path, monkeypatch):
    checkout(tmp_path, monkeypatch, "pyproject.toml", "zoo/index.json")
    assert default_shelf().folder == tmp_path / "zoo"


def test_then_what_was_installed_with_the_package(tmp_path, monkeypatch):
    shelf = "lib/share/automl_cells/shelf/index.json"
    checkout(tmp_path / "lib", monkeypatch, "zoo/__init__.py")
    checkout(tmp_path, monkeypatch, "share/automl_cells/shelf/index.json")
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "lib" / "automl_cells" / "zoo" / "locate.py"))
    record = tmp_path / "lib" / "automl_cells-1.dist-info" / "RECORD"
    record.parent.mkdir()
    (record.parent / "METADATA").write_text("Metadata-Version: 2.1\nName: automl_cells\nVersion: 1\n")
    record.write_text("automl_cells/zoo/locate.py,,\n../share/automl_cells/shelf/index.json,,\n")
    assert default_shelf().folder == tmp_path / "share" / "automl_cells" / "shelf"
    (tmp_path / shelf).parent.mkdir(parents=True)
    (tmp_path / shelf).write_text("")
    assert default_shelf().folder == (tmp_path / shelf).parent
    (tmp_path / shelf).unlink()
    (tmp_path / "share" / "automl_cells" / "shelf" / "index.json").unlink()
    assert default_shelf().folder == tmp_path / "data" / "automl_cells" / "zoo"


@pytest.mark.parametrize("files", [("pyproject.toml",), ("zoo/__init__.py",)])
def test_then_the_user(tmp_path, monkeypatch, files):
    checkout(tmp_path, monkeypatch, *files)
    assert default_shelf().folder == tmp_path / "data" / "automl_cells" / "zoo"


def test_a_run_an_entry_and_an_address_mean_entries(run, shelf, monkeypatch):
    assert resolve(run).folder == run / "entry"
    assert resolve(str(run / "entry")).folder == run / "entry"
    assert resolve("tiny_blocks/digits", shelf).folder == shelf.folder / "tiny_blocks" / "digits-v1"
    monkeypatch.setenv("AUTOML_CELLS_ZOO", str(shelf.folder))
    assert str(resolve("tiny_blocks").address) == "tiny_blocks/digits-v1"


def test_a_folder_of_the_same_name_does_not_hide_an_address(shelf, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny_blocks").mkdir()
    assert str(resolve("tiny_blocks", shelf).address) == "tiny_blocks/digits-v1"


def test_anything_else_is_refused(shelf, tmp_path):
    (tmp_path / "unfinished" / "checkpoints").mkdir(parents=True)
    for word, message in (
        (tmp_path, "Expected the folder of a training run or of an entry, with model.json"),
        (tmp_path / "unfinished", "a training run that has finished"),
        ("not_there", "Expected a run, the folder of an entry, or an address: .*Received: not_there"),
        ("no such/Thing", "Expected a run, the folder of an entry, or an address"),
    ):
        with pytest.raises(ZooError, match=message):
            resolve(word, shelf)
