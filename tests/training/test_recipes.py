import json
import subprocess
import sys

import pytest

from automl_cells.errors import TrainingError
from automl_cells.training import Recipe, recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_packaged_recipe_is_valid_and_bears_its_name(name):
    assert recipe(name).name == name


def test_overrides_change_fields_and_leave_the_recipe_alone():
    changed = recipe("plain", epochs=3, augmentation=[{"op": "translation", "pixels": 4}])
    assert (changed.epochs, changed.augmentation[0].pixels, changed.augmentation[0].fill) == (3, 4, "constant")
    assert recipe("plain").epochs != 3


def test_a_recipe_survives_json_and_a_file(tmp_path):
    changed = recipe("plain", name="mine", schedule="step", steps=[0.5, 0.75], ema=0.99)
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(changed.model_dump(mode="json")))
    assert recipe(file) == recipe(str(file)) == changed
    assert recipe(changed) is changed


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epoch": 3}, "Expected the fields .*'epochs'.*Received: epoch"),
        ({"epochs": 0}, "valid epochs.*Received: 0"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"optimizer": "adam"}, "'sgd' or 'adamw'.*Received: 'adam'"),
        ({"schedule": "step"}, "steps belong to"),
        ({"steps": [0.5]}, "steps belong to"),
        ({"schedule": "step", "steps": [0.5, 0.5]}, "steps must increase"),
        ({"augmentation": [{"op": "blur"}]}, "augmentation.0.*Received: "),
        ({"augmentation": [{"op": "translation", "pixels": 1, "degrees": 1}]}, "Received: augmentation.0"),
    ],
)
def test_what_is_not_valid_is_refused_by_name(changes, message):
    with pytest.raises(TrainingError, match=message):
        recipe("plain", **changes)


def test_an_unknown_name_lists_what_there_is(tmp_path):
    with pytest.raises(TrainingError, match=r"among .*'plain'.*Received: fancy"):
        recipe("fancy")
    with pytest.raises(TrainingError, match="No such file"):
        recipe(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(TrainingError, match="Expected a JSON file"):
        recipe(tmp_path / "bad.json")


def test_a_recipe_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        recipe("plain").epochs = 3
    assert isinstance(recipe("plain"), Recipe)


def test_reading_recipes_imports_no_framework():
    code = "import sys; from automl_cells.training import recipe; recipe('plain'); print('keras' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
