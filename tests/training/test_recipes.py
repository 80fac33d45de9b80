import json
import re
import subprocess
import sys

import pytest

from automl_cells.errors import TrainingError
from automl_cells.training import Recipe, recipe, recipe_names
from automl_cells.training.recipes import from_document


@pytest.mark.parametrize("name", recipe_names())
def test_every_packaged_recipe_is_valid_and_bears_its_name_and_source(name):
    assert recipe(name).name == name
    assert len(recipe(name).source) > 20
    document = recipe(name).model_dump(mode="json")
    assert from_document(json.loads(json.dumps(document))) == recipe(name)


def test_the_recipes_of_the_papers_are_there():
    assert set(recipe_names()) >= {
        "blockqnn_cifar",
        "blockqnn_imagenet",
        "nasnet_cifar",
        "nasnet_imagenet",
        "nasnet_imagenet_mobile",
        "metaqnn_cifar10",
        "metaqnn_svhn",
        "metaqnn_mnist",
        "plain",
        "fast",
        "fast_no_flip",
    }


@pytest.mark.parametrize("name", ["plain", "fast_no_flip", "metaqnn_mnist", "metaqnn_svhn"])
def test_digits_are_not_mirrored(name):
    assert "horizontal_flip" not in [step.op for step in recipe(name).augmentation]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("blockqnn_cifar", {"epochs": 300, "batch_size": 128, "momentum": 0.9, "l2": 5e-4}),
        ("blockqnn_imagenet", {"epochs": 90, "batch_size": 256, "momentum": 0.9, "l2": 1e-4}),
        ("nasnet_cifar", {"epochs": 600, "batch_size": 32, "momentum": 0.9, "l2": 5e-4, "clip_norm": 5}),
        ("nasnet_imagenet", {"rho": 0.9, "epsilon": 1, "l2": 5e-5, "clip_norm": 10, "dropout": 0.5, "ema": 0.9999}),
        ("nasnet_imagenet_mobile", {"learning_rate": 2, "l2": 4e-5, "batch_norm_momentum": 0.9997}),
        ("metaqnn_cifar10", {"epochs": 300, "batch_size": 128, "momentum": 0.9, "l2": 5e-4, "chain_dropout": (0, 0.5)}),
        ("metaqnn_svhn", {"epochs": 40, "learning_rate": 0.025, "chain_dropout": (0, 0.5)}),
        ("metaqnn_mnist", {"chain_dropout": (0.3, 0.5)}),
        ("metaqnn_mnist", {"epochs": 40, "optimizer": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}),
    ],
)
def test_values_of_the_papers(name, values):
    found = recipe(name)
    assert {field: getattr(found, field) for field in values} == values
    assert found.weight_decay == 0  # what papers call weight decay is coupled: l2
    assert found.optimizer != "sgd" or not found.nesterov


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
        ({"epoch": 3}, r"Expected the fields .*'epochs'.*'learning_rate'.*Received: epoch$"),
        ({"epochs": 0}, "valid epochs: .*Received: 0$"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"optimizer": "lion"}, "'adam', 'adamw' or 'rmsprop'.*Received: 'lion'"),
        ({"schedule": "triangle"}, "'constant', 'cosine', 'linear', 'step' or 'exponential'"),
        ({"schedule": "step"}, "steps belong to.*Received: {'schedule': 'step'"),
        ({"steps": [0.5]}, r"steps belong to.*Received: {'schedule': 'cosine', 'steps': \[0.5\]"),
        ({"schedule": "step", "steps": [0.5, 0.5]}, "steps must increase"),
        ({"schedule": "step", "steps": [0.5, 1.0]}, "valid steps.1: .*Received: 1.0$"),
        ({"schedule": "step", "steps": [0.5], "step_factor": [0.1, 0.1]}, "one number, or one for each of the 1 steps"),
        ({"schedule": "step", "steps": [0.5], "step_factor": 1.5}, "valid step_factor: .*Received: 1.5$"),
        ({"schedule": "step", "steps": [0.5], "step_factor": [0]}, "valid step_factor.0: .*Received: 0$"),
        ({"step_factor": 0.5}, "step_factor belongs to the schedule 'step'"),
        ({"step_factor": []}, "step_factor belongs to the schedule 'step'"),
        ({"schedule": "exponential", "decay_rate": 0.9}, "decay_epochs belongs to the schedule 'exponential'"),
        ({"schedule": "exponential", "decay_epochs": 2}, "decay_rate belongs to the schedule 'exponential'"),
        ({"decay_rate": 0.9}, "decay_rate belongs to the schedule 'exponential', and only to it"),
        ({"decay_epochs": 2}, "decay_epochs belongs to the schedule 'exponential', and only to it"),
        ({"schedule": "exponential", "decay_rate": 1, "decay_epochs": 2}, "valid decay_rate: .*Received: 1$"),
        ({"warmup": 1}, "valid warmup"),
        ({"dropout": 1}, "valid dropout"),
        ({"l2": -1e-4}, "valid l2: .*Received: -0.0001$"),
        ({"epsilon": 0}, "valid epsilon"),
        ({"rho": 1}, "valid rho"),
        ({"beta_2": 1}, "valid beta_2"),
        ({"precision": "float16"}, "'float32', 'bfloat16' or 'auto'"),
        ({"class_weights": "equal"}, "valid class_weights: .*'none' or 'balanced'.*Received: 'equal'"),
        ({"class_weights": [1]}, r"valid class_weights: .*at least 2 items.*Received: \[1\]"),
        ({"class_weights": [1, 0]}, "valid class_weights.1: .*greater than 0.*Received: 0$"),
        ({"augmentation": [{"op": "blur"}]}, "augmentation.0: .*Received: {'op': 'blur'}"),
        ({"augmentation": [{"op": "cutout", "size": 0}]}, "valid augmentation.0.cutout.size: .*Received: 0$"),
        (
            {"augmentation": [{"op": "translation", "pixels": 1, "degrees": 1}]},
            r"Expected the fields \['fill', 'op', 'pixels'\]. Received: augmentation.0.translation.degrees$",
        ),
    ],
)
def test_what_is_not_valid_is_refused_by_name(changes, message):
    with pytest.raises(TrainingError, match=message):
        recipe("plain", **changes)


def test_fields_of_another_schedule_may_stand_there_as_they_are_by_default():
    document = recipe("plain", schedule="linear", warmup=0.3).model_dump(mode="json")
    assert (document["step_factor"], document["steps"], document["decay_rate"]) == (0.1, [], None)
    assert from_document(document).schedule == "linear"


def test_factors_and_class_weights_may_be_one_or_many():
    chosen = recipe("plain", schedule="step", steps=[0.2, 0.6], step_factor=[0.5, 0.1], class_weights=[1, 2.5, 3])
    assert (chosen.step_factor, chosen.class_weights) == ((0.5, 0.1), (1, 2.5, 3))
    again = recipe(chosen, step_factor=0.2, class_weights="balanced")
    assert (again.step_factor, again.class_weights) == (0.2, "balanced")
    assert from_document(json.loads(json.dumps(chosen.model_dump(mode="json")))) == chosen


def test_a_bad_file_is_named(tmp_path):
    document = {**recipe("plain").model_dump(mode="json"), "lr": 0.1}
    (tmp_path / "mine.json").write_text(json.dumps(document))
    with pytest.raises(TrainingError, match=r"mine\.json: Expected the fields .*'learning_rate'.*Received: lr$"):
        recipe(tmp_path / "mine.json")


@pytest.mark.parametrize("document", [[], 3, None, "plain"])
def test_what_is_no_object_is_no_recipe(document):
    with pytest.raises(TrainingError, match=f"valid dictionary.*Received: {re.escape(repr(document))}"):
        from_document(document)


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


def test_the_document_of_a_recipe_is_as_it_was_before_there_were_cells():
    """So that a training that was begun then can be continued."""
    document = recipe("plain").model_dump(mode="json")
    assert not {"drop_path_keep", "auxiliary_weight"} & set(document)
    assert from_document(document) == recipe("plain")
    cells = recipe("plain", drop_path_keep=0.6, auxiliary_weight=0.4)
    document = cells.model_dump(mode="json")
    assert (document["drop_path_keep"], document["auxiliary_weight"]) == (0.6, 0.4)
    assert from_document(document) == cells


def test_nasnets_recipes_drop_paths_and_have_the_auxiliary_head():
    found = {name: (recipe(name).drop_path_keep, recipe(name).auxiliary_weight) for name in recipe_names()}
    assert {name: pair for name, pair in found.items() if pair != (1.0, 0.0)} == {
        "nasnet_cifar": (0.6, 0.4),
        "nasnet_imagenet": (0.7, 0.4),
        "nasnet_imagenet_mobile": (1.0, 0.4),
    }
