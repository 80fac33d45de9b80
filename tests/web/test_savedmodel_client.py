"""examples/deploy/savedmodel_client.py: a SavedModel as TensorFlow Serving would see it."""

import json

import numpy as np
import pytest

from tests.web.conftest import ROOT, script


@pytest.fixture(scope="module")
def client():
    return script(ROOT / "examples" / "deploy" / "savedmodel_client.py")


@pytest.fixture(scope="module")
def savedmodel(tmp_path_factory):
    from automl_cells import zoo

    folder = tmp_path_factory.mktemp("deployed")
    entry = zoo.Shelf(ROOT / "zoo").find("blockqnn_found_digits/digits")
    zoo.export_entry(entry, ["savedmodel"], folder)
    return folder / "savedmodel"


def test_the_request_the_layout_and_the_answers(client, savedmodel, tmp_path, capsys):
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    body = tmp_path / "body.json"
    arguments = ["--images", tmp_path / "images.npy", "--name", "digits", "--to", tmp_path / "models", "--body", body]
    client.main([str(savedmodel), *map(str, arguments)])
    said = capsys.readouterr().out
    assert "serving_default: image float32 (None, 8, 8, 1) -> probabilities" in said
    assert "POST http://localhost:8501/v1/models/digits:predict" in said
    np.testing.assert_array_equal(np.float32(json.loads(body.read_text())["instances"]), images)
    served = client.load(tmp_path / "models" / "digits")  # finds version 1
    assert served.folder.name == "1"
    np.testing.assert_allclose(served(images).sum(-1), 1, atol=1e-5)
    client.main([str(savedmodel), "--name", "digits", "--to", str(tmp_path / "models")])
    assert sorted(path.name for path in (tmp_path / "models" / "digits").iterdir()) == ["1", "2"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "Expected the folder of a SavedModel"),
        ([], "Expected SAVEDMODEL"),
        (["{model}", "--name", "../x", "--to", "models"], "Expected --name of letters"),
        (["{model}", "--images", "missing.npy"], "Expected a .npy file. Received: missing.npy"),
        (["{model}", "--images", "flat.npy"], "Expected images of shape (None, 8, 8, 1). Received: (3,)"),
    ],
)
def test_bad_input_is_one_line_and_status_2(client, savedmodel, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    np.save("flat.npy", np.zeros(3))
    with pytest.raises(SystemExit) as ended:
        client.main([argument.format(model=savedmodel) for argument in arguments])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "models").exists()
