"""examples/deploy/classify.py: an ONNX file run by onnxruntime, numpy and pillow alone."""

import json
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from tests.web.conftest import ROOT

SCRIPT = ROOT / "examples" / "deploy" / "classify.py"
ALONE = """
import runpy, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("keras", "tensorflow", "automl_cells", "onnx", "tf2onnx"):
            raise ImportError(f"{name} must not be needed")

sys.meta_path.insert(0, Nothing())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(*arguments):
    command = [sys.executable, "-c", ALONE, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.png")
    return tmp_path / "picture.png"


def test_it_needs_no_framework_and_gives_what_the_graph_gives(models, picture):
    path = models / "mnist" / "model.onnx"
    done = run(path, picture, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    session = onnxruntime.InferenceSession(str(path))
    said = session.get_modelmeta().custom_metadata_map
    mean, std = (np.float32(json.loads(said[f"input_{name}"])) for name in ("mean", "std"))
    inputs = (np.asarray(Image.open(picture), np.float32).reshape(1, 28, 28, 1) - mean) / std
    (expected,) = session.run(None, {"image": inputs.astype(np.float32)})
    found = json.loads(done.stdout)["classes"]
    assert list(found.values()) == pytest.approx(sorted(expected[0].tolist(), reverse=True), abs=1e-5)
    assert next(iter(found)) == json.loads(said["labels"])[expected[0].argmax()]


def test_several_pictures_and_the_best_classes(models, picture):
    done = run(models / "cifar" / "model.onnx", picture, picture, "--top", "2")
    lines = done.stdout.splitlines()
    assert lines[0] == lines[3] == str(picture)
    assert [line.split()[1] for line in lines[1:3]] == ["%", "%"]
    assert len(lines) == 6


def test_an_export_with_its_preprocessing_and_logits(tmp_path, picture, classify, models):
    from automl_cells import zoo

    entry = zoo.Shelf(ROOT / "zoo").find("blockqnn_mnist/mnist")
    images = np.random.default_rng(0).integers(0, 256, (4, 28, 28, 1), np.uint8)
    zoo.export_entry(entry, ["onnx"], tmp_path, data=images, with_preprocessing=True, output="logits", size="any")
    inside, outside = classify.load_model(tmp_path / "model.onnx"), classify.load_model(models / "mnist" / "model.onnx")
    assert (inside.dtype, inside.logits, inside.size) == (np.uint8, True, (None, None))
    np.testing.assert_allclose(classify.classify(inside, images), classify.classify(outside, images), atol=1e-5)
    assert run(tmp_path / "model.onnx", picture).stderr.endswith("Received: none\n")  # no --size
    assert run(tmp_path / "model.onnx", picture, "--size", "32").returncode == 0


def test_dark_strokes_on_a_light_ground(classify, picture):
    light = classify.read_picture(picture, (28, 28), 1)
    np.testing.assert_array_equal(classify.read_picture(picture, (28, 28), 1, invert=True), 255 - light)


def _bare(path, models):
    proto = onnx.load(models / "mnist" / "model.onnx")
    del proto.metadata_props[:]
    onnx.save(proto, path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.onnx", "picture.png"], "Expected an ONNX file. Received: missing.onnx"),
        (["noise.onnx", "picture.png"], "Expected an ONNX file. Received: noise.onnx"),
        (["bare.onnx", "picture.png"], "Expected a JSON list of one or more under 'labels'"),
        (["model.onnx", "missing.png"], "Expected a picture. Received: missing.png"),
        (["model.onnx", "noise.onnx"], "Expected a picture. Received: noise.onnx"),
        (["model.onnx", "picture.png", "--top", "0"], "Expected --top from 1. Received: 0"),
        (["model.onnx", "picture.png", "--size", "30"], "Expected --size 28 or none. Received: 30"),
        (["model.onnx"], "Expected MODEL.onnx PICTURE"),
    ],
)
def test_bad_input_is_one_line_and_status_2(models, picture, monkeypatch, classify, capsys, arguments, message):
    monkeypatch.chdir(picture.parent)
    (picture.parent / "noise.onnx").write_bytes(b"noise")
    (picture.parent / "model.onnx").write_bytes((models / "mnist" / "model.onnx").read_bytes())
    _bare(picture.parent / "bare.onnx", models)
    with pytest.raises(SystemExit) as ended:
        classify.main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert said.err.count("\n") == 1
