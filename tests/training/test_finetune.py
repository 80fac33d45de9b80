import json

import keras
import numpy as np
import pytest

from automl_cells.builder import build, template
from automl_cells.datasets import Preprocessing, from_arrays
from automl_cells.errors import DataError, TrainingError
from automl_cells.genotypes import BlockGenotype, serialization
from automl_cells.training import loop, phases, recipe, save_weights
from automl_cells.training.bodies import GenotypeBody
from automl_cells.training.checkpoints import State
from automl_cells.training.finetune import finetune
from automl_cells.training.phases import Settings

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
FRAME = template("cifar", repeats=1, filters=(4,), input_shape=(8, 8, 1), classes=5)  # of the pretraining
SHORT = recipe("finetune", epochs=2, batch_size=16, learning_rate=0.02, augmentation=[])
PREPROCESSING = Preprocessing((30.0,), (50.0,))
SETTINGS = Settings(head_epochs=2, body_rate=0.5, batch_norm="adapt")


def bars(channels=1, images=160):
    """Bright bars, upright (0) or lying (1)."""
    random = np.random.default_rng(0)
    labels = np.arange(images) % 2
    pictures = random.uniform(0, 60, (images, 6, 6, channels)).astype(np.uint8)
    for picture, label, place in zip(pictures, labels, random.integers(1, 5, images), strict=True):
        (picture[:, place] if label == 0 else picture[place])[...] = 200
    return from_arrays(pictures, labels, class_names=["upright", "lying"], name="bars")


def pretrained(path, frame=FRAME):
    """Random weights, and statistics that are not those of the bars."""
    keras.utils.set_random_seed(1)
    model = build(BLOCK, frame)
    for variable in model.weights:
        if variable.path.endswith("moving_mean"):
            variable.assign(np.full(variable.shape, 0.25, "float32"))
    save_weights(model, path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return pretrained(tmp_path_factory.mktemp("weights") / "model.weights.h5")


@pytest.fixture(scope="module")
def run(tmp_path_factory, weights):
    out = tmp_path_factory.mktemp("run") / "new"
    return tune(weights, out, name="small", provenance={"found": "by hand"})


def tune(weights, out, settings=SETTINGS, data=None, chosen=SHORT, **options):
    return finetune(BLOCK, FRAME, weights, PREPROCESSING, data or bars(), chosen, settings, out=out, **options)


def values(network):
    return {variable.path: np.array(variable.numpy()) for variable in network.weights}


def phase(run, name):
    """The weights by path at the end of a phase, which is the best of it if it is without validation images."""
    return phases.Checkpoints(run.out / "checkpoints", name).load()[1].best


def test_the_entry_has_the_new_size_and_classes_and_the_bodys_preprocessing(run, weights):
    document = json.loads((run.entry / "model.json").read_text())
    assert (document["template"]["input_shape"], document["template"]["classes"]) == ([6, 6, 1], 2)
    assert Preprocessing.from_document(document["preprocessing"]) == PREPROCESSING
    assert document["labels"] == ["upright", "lying"]
    assert (document["name"], document["tag"]) == ("small", "bars")
    assert serialization.from_file(run.entry / "genotype.json") == (BLOCK, {"found": "by hand"})
    assert (run.metrics["epochs"], run.metrics["training_images"]) == (4, 108)
    assert run.metrics["finetune"]["head_epochs"] == 2
    assert len(run.metrics["finetune"]["weights_sha256"]) == 64
    assert {len(series) for series in run.history.values()} == {4}
    assert run.model.input_shape == (None, 6, 6, 1)


def test_the_first_phase_changes_the_head_alone_and_the_second_all(tmp_path, weights):
    chosen = recipe(SHORT, validation_fraction=0)
    adapted = tune(weights, tmp_path / "adapt", chosen=chosen)
    start = values(
        GenotypeBody(BLOCK, template(FRAME, input_shape=(6, 6, 1), classes=2), weights).network(chosen, None)
    )
    after_head, after_all = phase(adapted, "head-"), phase(adapted, "")
    head = {name for name in start if name.startswith("predictions/")}
    assert len(head) == 2
    for name in start.keys() - head:
        np.testing.assert_array_equal(after_head[name], start[name])  # moving statistics among them
        assert np.abs(after_all[name] - after_head[name]).max() > 0, name
    for name in head:
        assert np.abs(after_head[name] - start[name]).max() > 0
    frozen = phase(tune(weights, tmp_path / "frozen", Settings(2, 0.5, "frozen"), chosen=chosen), "")
    for name in start.keys() - head:
        same = np.array_equal(frozen[name], after_head[name])
        assert same == ("moving" in name), name  # statistics stay, kernels, scales and offsets learn


def test_the_body_moves_by_its_share_of_the_learning_rate(tmp_path, weights):
    """One step of plain SGD: with a tenth of the rate the body moves a tenth as far, and the head as far."""
    chosen = recipe(
        SHORT, epochs=1, batch_size=120, optimizer="sgd", momentum=0.0, nesterov=False, weight_decay=0.0, warmup=0.0,
        schedule="constant", learning_rate=0.1, validation_fraction=0,
    )  # fmt: skip
    frame = template(FRAME, input_shape=(6, 6, 1), classes=2)
    keras.utils.set_random_seed(0)
    start = values(GenotypeBody(BLOCK, frame, weights).network(chosen, None))
    moved = {}
    for rate in (1.0, 0.1):
        after = phase(tune(weights, tmp_path / str(rate), Settings(0, rate, "frozen"), chosen=chosen), "")
        moved[rate] = {name: after[name] - start[name] for name in start}
    for name in start:
        share = 1.0 if name.startswith("predictions/") else 0.1
        np.testing.assert_allclose(moved[0.1][name], share * moved[1.0][name], rtol=1e-3, atol=1e-6)
    assert np.abs(moved[1.0]["stem1_conv/kernel"]).max() > 1e-5


@pytest.mark.parametrize(("name", "saves"), [("head", 1), ("all", 3)])
def test_a_finetuning_killed_in_either_phase_goes_on_as_if_nothing_had_happened(
    run, weights, tmp_path, monkeypatch, name, saves
):
    done = []

    def interrupt(self, *arguments):
        real(self, *arguments)
        done.append(1)
        if len(done) == saves:
            raise KeyboardInterrupt

    real = phases.Checkpoints.save
    with monkeypatch.context() as patch:
        patch.setattr(phases.Checkpoints, "save", interrupt)
        with pytest.raises(KeyboardInterrupt):
            tune(weights, tmp_path, name="small", provenance={"found": "by hand"})
    assert not (tmp_path / "entry").exists()
    with pytest.raises(TrainingError, match="told to resume"):
        tune(weights, tmp_path, name="small")
    with pytest.raises(TrainingError, match="Received: another finetune"):
        tune(weights, tmp_path, Settings(3, 0.5, "adapt"), name="small", resume=True)
    trained = []
    with monkeypatch.context() as patch:
        patch.setattr(phases.session.loop, "run", lambda *a, **k: trained.append(a[3]) or loop_run(*a, **k))
        resumed = tune(weights, tmp_path, name="small", resume=True)
    assert trained == ([2, 2] if name == "head" else [2])  # a finished phase is not even built again
    for series, expected in run.history.items():
        assert resumed.history[series] == pytest.approx(expected, abs=1e-4), series
    assert resumed.metrics["test_accuracy"] == run.metrics["test_accuracy"]


loop_run = loop.run


def test_a_finished_one_is_handed_back(run, weights, monkeypatch):
    monkeypatch.setattr(phases, "run", None)
    again = tune(weights, run.out, name="small", resume=True)
    assert (again.metrics, again.history) == (run.metrics, run.history)


def test_the_best_of_both_phases_is_kept():
    head = State(3, 30, 1.0, 2, 0.75, {"loss": [3, 2, 1]}, {"w": "head"})
    worse, equal = (
        State(2, 20, 1.0, 1, 0.5, {"loss": [5, 4]}, {"w": "all"}),
        State(2, 20, 1.0, 2, 0.75, {"loss": [5, 4]}, {"w": "all"}),
    )
    kept = phases.joined(head, worse)
    assert (kept.best, kept.best_epoch, kept.best_accuracy, kept.epoch, kept.step) == ({"w": "head"}, 2, 0.75, 5, 50)
    assert kept.history == {"loss": [3, 2, 1, 5, 4]}
    kept = phases.joined(head, equal)
    assert (kept.best, kept.best_epoch) == ({"w": "all"}, 5)
    kept = phases.joined(State(), worse)
    assert (kept.best, kept.best_epoch, kept.history) == ({"w": "all"}, 1, {"loss": [5, 4]})


def test_colour_images_for_a_grey_body_and_the_other_way_round(tmp_path, weights):
    chosen = recipe(SHORT, epochs=1)
    grey = tune(weights, tmp_path / "grey", Settings(1), bars(3), chosen)
    document = json.loads((grey.entry / "model.json").read_text())
    assert (document["template"]["input_shape"], document["tag"]) == ([6, 6, 1], "bars_grey")
    colours = template(FRAME, input_shape=(8, 8, 3))
    body = pretrained(tmp_path / "colour.weights.h5", colours)
    rgb = finetune(BLOCK, colours, body, None, bars(1), chosen, Settings(0), out=tmp_path / "rgb")
    document = json.loads((rgb.entry / "model.json").read_text())
    assert (document["template"]["input_shape"], document["tag"]) == ([6, 6, 3], "bars_rgb")
    assert document["preprocessing"]["mean"] == pytest.approx([np.mean(bars(1).x_train)] * 3)  # None: of the data
    with pytest.raises(DataError, match="Expected images with 1 channels"):
        tune(weights, tmp_path / "two", data=bars(2))
    with pytest.raises(TrainingError, match=r"a preprocessing for the 3 channels of bars_rgb\. Received: 1"):
        finetune(BLOCK, colours, body, PREPROCESSING, bars(1), chosen, out=tmp_path / "no")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((-1, 0.1, "adapt"), "head_epochs from 0"),
        ((1.5, 0.1, "adapt"), "head_epochs from 0"),
        ((1, 0.0, "adapt"), "body_rate above 0, at most 1. Received: 0.0"),
        ((1, 2, "adapt"), "body_rate"),
        ((1, 0.1, "thaw"), "'adapt' or 'frozen'. Received: 'thaw'"),
    ],
)
def test_settings_out_of_range(given, message):
    with pytest.raises(TrainingError, match=message):
        Settings(*given)


def test_weights_of_another_network(tmp_path, weights):
    wider = template(FRAME, filters=(4, 6))
    with pytest.raises(TrainingError, match=r"Received: .*missing"):
        finetune(BLOCK, wider, weights, PREPROCESSING, bars(), SHORT, SETTINGS, out=tmp_path / "run")
    with pytest.raises(TrainingError, match="Expected a readable file of weights"):
        tune(tmp_path / "none.h5", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_what_is_refused_leaves_no_folder(tmp_path, weights):
    with pytest.raises(TrainingError, match="batches of at most"):
        tune(weights, tmp_path / "run", Settings(1), bars(), recipe(SHORT, batch_size=5000))
    too_small = recipe(SHORT, augmentation=[{"op": "upsample_crop", "size": 2}])
    with pytest.raises(TrainingError, match=r"Expected an upsample_crop to a size of at least .*Received: 2$"):
        tune(weights, tmp_path / "run", Settings(1), bars(), too_small)
    (tmp_path / "rubbish.h5").write_bytes(b"rubbish")
    with pytest.raises(TrainingError, match="HDF5"):
        tune(tmp_path / "rubbish.h5", tmp_path / "run", Settings(1), bars(), SHORT)
    assert not (tmp_path / "run").exists()
