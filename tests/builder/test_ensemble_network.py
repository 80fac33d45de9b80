"""Networks of ensembles: the members side by side on one image, and the average of their probabilities."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from automl_cells.builder import build, cost, ensemble_network, plan, template
from automl_cells.builder.keras_model import ScheduledDropPath
from automl_cells.builder.plan import MAX_PLAN_LAYERS, TooManyParametersError
from automl_cells.errors import ExportError, TemplateError
from automl_cells.export.deployable import fold_batch_normalization, output_name, with_output
from automl_cells.genotypes import BlockGenotype, ChainGenotype, EnsembleGenotype, Genotype
from tests.builder.cells import both, one_of

LINEAR = ChainGenotype.from_text("SM")
POOLED = ChainGenotype.from_text("C(4,3,1),P(2,2),SM")
AVERAGED = ChainGenotype.from_text("C(4,3,1),GAP,SM")
CONV = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
POOL = BlockGenotype.from_codes([(1, 2, 3, 0, 0), (2, 1, 1, 0, 0), (3, 7, 0, 0, 0)])
SIZE: dict[str, Any] = {"input_shape": (8, 8, 1), "classes": 3}
CHAIN_FRAME = template("chain", kind="chain", **SIZE)
BLOCK_FRAME = template("cifar", repeats=1, filters=(2, 4), **SIZE)
CELL_FRAME = template("cifar", kind="cell", repeats=1, filters=(2, 4), **SIZE)
CHAINS = EnsembleGenotype((LINEAR, POOLED))
BLOCKS = EnsembleGenotype((CONV, POOL, CONV))  # one of them twice, with other weights
CELLS = EnsembleGenotype((one_of("sep_conv_3x3"), both((0, 1, "conv_3x3", "identity", "concat"))))
every_kind = pytest.mark.parametrize(
    ("genotype", "frame"),
    [(CHAINS, CHAIN_FRAME), (BLOCKS, BLOCK_FRAME), (CELLS, CELL_FRAME)],
    ids=["chain", "block", "cell"],
)


def with_random_weights(model: keras.Model, seed: int) -> keras.Model:
    """Statistics of batch normalisation and biases included, so that each member says something of its own."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        low = 0.5 if variable.path.endswith(("variance", "gamma")) else -0.5
        variable.assign(random.uniform(low, low + 1, variable.shape))
    return model


def outputs(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(images))


def filled(genotype: EnsembleGenotype, frame: Any, **words: Any) -> tuple[keras.Model, list[keras.Model]]:
    """The ensemble with the weights of its members, found by their names, and the members."""
    members = [with_random_weights(build(member, frame), seed) for seed, member in enumerate(genotype.members, start=1)]
    values = {
        f"member{number}_{variable.path}": variable.value
        for number, member in enumerate(members, start=1)
        for variable in member.weights
    }
    model = build(genotype, frame, **words)
    assert {variable.path for variable in model.weights} == set(values)
    for variable in model.weights:
        variable.assign(values[variable.path])
    return model, members


def test_the_plan_of_two_chains_by_hand() -> None:
    layers = plan(CHAINS, CHAIN_FRAME)
    assert [(layer.name, layer.op, layer.inputs, layer.shape) for layer in layers] == [
        ("input", "input", (), (8, 8, 1)),
        ("member1_flatten", "flatten", (0,), (1, 1, 64)),
        ("member1_predictions", "dense", (1,), (1, 1, 3)),
        ("member1_probabilities", "softmax", (2,), (1, 1, 3)),
        ("member2_layer1_conv", "conv", (0,), (8, 8, 4)),
        ("member2_layer1_conv_relu", "relu", (4,), (8, 8, 4)),
        ("member2_layer2_pool", "max_pool", (5,), (4, 4, 4)),
        ("member2_flatten", "flatten", (6,), (1, 1, 64)),
        ("member2_predictions", "dense", (7,), (1, 1, 3)),
        ("member2_probabilities", "softmax", (8,), (1, 1, 3)),
        ("probabilities", "average", (3, 9), (1, 1, 3)),
    ]


def test_the_cost_of_two_chains_by_hand() -> None:
    linear = 64 * 3
    convolution, classifier = 9 * 4, 4 * 4 * 4 * 3
    found = cost(plan(CHAINS, CHAIN_FRAME))
    assert found.parameters == found.total_parameters == linear + 3 + convolution + 4 + classifier + 3
    assert found.flops == linear + 64 * convolution + classifier


@every_kind
def test_the_members_share_the_input_and_nothing_else(genotype: EnsembleGenotype, frame: Any) -> None:
    layers = plan(genotype, frame)
    alone = [plan(member, frame) for member in genotype.members]
    assert len({layer.name for layer in layers}) == len(layers)
    assert [position for position, layer in enumerate(layers) if not layer.inputs] == [0]
    assert len(layers) == 1 + sum(len(member) - 1 + 1 for member in alone) + 1
    start = 1
    for number, member in enumerate(alone, start=1):
        places = [0, *range(start, start + len(member) - 1)]
        for layer, place in zip(member[1:], places[1:], strict=True):
            inputs = tuple(places[source] for source in layer.inputs)
            assert layers[place] == layer._replace(name=f"member{number}_{layer.name}", inputs=inputs)
        start = places[-1] + 2
        softmax = layers[start - 1]
        assert (softmax.name, softmax.op) == (f"member{number}_probabilities", "softmax")
        assert softmax.inputs == (places[-1],)
    assert layers[-1].inputs == tuple(place for place, layer in enumerate(layers) if layer.op == "softmax")


@every_kind
def test_parameters_and_flops_are_those_of_the_members_together(genotype: EnsembleGenotype, frame: Any) -> None:
    alone = [cost(plan(member, frame)) for member in genotype.members]
    found = cost(plan(genotype, frame))
    assert found == tuple(map(sum, zip(*alone, strict=True)))
    model = build(genotype, frame)
    assert model.count_params() == found.total_parameters
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_weights) == found.parameters


@every_kind
def test_the_output_is_the_mean_of_the_members(genotype: EnsembleGenotype, frame: Any) -> None:
    model, members = filled(genotype, frame)
    assert (model.input_shape, model.output_shape) == ((None, 8, 8, 1), (None, 3))
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    alone = [outputs(member, images) for member in members]
    assert all(np.abs(alone[0] - other).max() > 0.01 for other in alone[1:])
    np.testing.assert_allclose(outputs(model, images), np.mean(alone, axis=0), atol=1e-6)
    np.testing.assert_allclose(outputs(model, images).sum(axis=1), 1, atol=1e-6)


def test_a_chain_that_ends_in_a_global_average_is_a_member_like_any_other() -> None:
    model, members = filled(EnsembleGenotype((AVERAGED, LINEAR, AVERAGED)), CHAIN_FRAME)
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 1)).astype(np.float32)
    expected = np.mean([outputs(member, images) for member in members], axis=0)
    np.testing.assert_allclose(outputs(model, images), expected, atol=1e-6)


def test_an_ensemble_of_blocks_takes_images_of_any_size() -> None:
    frame = template(BLOCK_FRAME, input_shape=(None, None, 1))
    model, members = filled(BLOCKS, frame)
    assert cost(plan(BLOCKS, frame)).flops is None
    for side in ((9, 9), (8, 13)):
        images = np.random.default_rng(0).normal(size=(2, *side, 1)).astype(np.float32)
        expected = np.mean([outputs(member, images) for member in members], axis=0)
        np.testing.assert_allclose(outputs(model, images), expected, atol=1e-6)


@every_kind
def test_it_is_made_of_stock_layers_and_made_again_of_its_config(genotype: EnsembleGenotype, frame: Any) -> None:
    model, _ = filled(genotype, frame)
    assert {type(layer).__module__.partition(".")[0] for layer in model.layers} == {"keras"}
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(outputs(again, images), outputs(model, images), atol=1e-7)


def test_it_is_named_after_its_hash_unless_told_otherwise() -> None:
    assert build(CHAINS, CHAIN_FRAME).name == f"ensemble_{CHAINS.hash[7:15]}"
    assert build(CHAINS, CHAIN_FRAME, name="best_two").name == "best_two"


def test_it_can_be_built_on_a_tensor() -> None:
    image = keras.Input((8, 8, 1), name="mine")
    model = build(CHAINS, CHAIN_FRAME, input_tensor=keras.layers.Rescaling(2.0)(image))
    plain = build(CHAINS, CHAIN_FRAME)
    plain.set_weights(model.get_weights())
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(outputs(model, images), outputs(plain, 2 * images), atol=1e-6)


@pytest.mark.parametrize(("genotype", "name"), [(CHAINS, "chain"), (BLOCKS, "cifar"), (CELLS, "cifar")])
def test_the_usual_template_is_that_of_the_members(genotype: EnsembleGenotype, name: str) -> None:
    sizes: dict[str, Any] = {"filter_multiplier": 0.1, "input_shape": (8, 8, 1), "classes": 3}
    frame = template(name, kind=genotype.members[0].kind, **sizes)
    assert build(genotype, **sizes).count_params() == cost(plan(genotype, frame)).total_parameters


@pytest.mark.parametrize(
    ("genotype", "frame", "message"),
    [
        (CHAINS, BLOCK_FRAME, r"a template for a chain\. Received: cifar, a BlockTemplate"),
        (BLOCKS, CELL_FRAME, r"a template for a block\. Received: cifar, a CellTemplate"),
        (CELLS, CHAIN_FRAME, r"a template for a cell\. Received: chain, a ChainTemplate"),
    ],
)
def test_a_template_for_another_kind_is_refused(genotype: EnsembleGenotype, frame: Any, message: str) -> None:
    for make in (plan, build):
        with pytest.raises(TemplateError, match=message):
            make(genotype, frame)


NO_BODY = r"an ensemble with its tops and nothing for training"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"include_top": False}, NO_BODY),
        ({"include_top": False, "pooling": "avg"}, NO_BODY),
        ({"include_top": False, "features": True}, NO_BODY),
        ({"features": True}, r"include_top=False and pooling=None with features=True"),
        ({"pooling": "sum"}, r"pooling None, 'avg' or 'max'\. Received: 'sum'"),
        ({"auxiliary": True}, NO_BODY),
    ],
)
@every_kind
def test_there_is_no_body_and_nothing_for_training(
    genotype: EnsembleGenotype, frame: Any, words: dict[str, Any], message: str
) -> None:
    for make in (plan, build):
        with pytest.raises(TemplateError, match=message):
            make(genotype, frame, **words)


def test_no_paths_are_dropped_and_no_dropout_stands_inside() -> None:
    for words in ({"drop_path": True}, {"chain_dropout": (0.0, 0.5)}):
        for genotype, frame in ((CELLS, CELL_FRAME), (CHAINS, CHAIN_FRAME)):
            with pytest.raises(TemplateError, match=NO_BODY):
                plan(genotype, frame, **words)
    with pytest.raises(TemplateError, match=NO_BODY):
        build(CELLS, CELL_FRAME, drop_path=ScheduledDropPath(0.9, 10))
    with pytest.raises(TemplateError, match=NO_BODY):
        build(CHAINS, CHAIN_FRAME, chain_dropout=(0.1, 0.5))


@pytest.mark.parametrize("activation", [None, "sigmoid", "linear"])
def test_the_activation_is_always_softmax(activation: str | None) -> None:
    with pytest.raises(TemplateError, match=rf"classifier_activation='softmax' and .*Received: .*={activation!r}"):
        build(CHAINS, CHAIN_FRAME, classifier_activation=activation)


def test_planning_stops_at_the_limit_of_parameters() -> None:
    """The weights of the linear chain are 192, those of the other 36 + 192, biases not counted."""
    for genotype in (CHAINS, EnsembleGenotype((POOLED, LINEAR))):
        for limit in (191, 227):
            with pytest.raises(TooManyParametersError, match=r"within the limit of parameters"):
                plan(genotype, CHAIN_FRAME, max_params=limit)
        both = cost(plan(genotype, CHAIN_FRAME)).parameters
        assert plan(genotype, CHAIN_FRAME, max_params=both) == plan(genotype, CHAIN_FRAME)
        with pytest.raises(TooManyParametersError, match=r"within the limit of parameters"):
            plan(genotype, CHAIN_FRAME, max_params=both - 1)  # all members together count


def test_more_than_two_thousand_million_parameters_are_refused() -> None:
    huge: Genotype = ChainGenotype.from_text("FC(16384),FC(16384),SM")  # 285 million
    assert cost(plan(huge, CHAIN_FRAME)).parameters < 300_000_000
    with pytest.raises(TemplateError, match=r"at most 2,000,000,000 parameters\. Received: 2,"):
        build(EnsembleGenotype((huge,) * 8), CHAIN_FRAME)


def test_an_ensemble_has_no_more_layers_than_any_network_should_have(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ensemble_network.MAX_PLAN_LAYERS == MAX_PLAN_LAYERS
    frame = template("cifar", repeats=64, filters=(1, 1), **SIZE)
    wide = BlockGenotype.from_codes([*((i, 1, 1, 0, 0) for i in range(1, 6)), (6, 7, 0, 0, 0)])
    alone = len(plan(wide, frame))
    assert MAX_PLAN_LAYERS / 32 < alone < MAX_PLAN_LAYERS
    with pytest.raises(TemplateError, match=r"a network of at most 20000 layers\. Received: more$"):
        plan(EnsembleGenotype((wide,) * 32), frame)
    layers = plan(CHAINS, CHAIN_FRAME)
    monkeypatch.setattr(ensemble_network, "MAX_PLAN_LAYERS", len(layers))
    assert plan(CHAINS, CHAIN_FRAME) == layers
    monkeypatch.setattr(ensemble_network, "MAX_PLAN_LAYERS", len(layers) - 2)
    with pytest.raises(TemplateError, match=rf"a network of at most {len(layers) - 2} layers"):
        plan(CHAINS, CHAIN_FRAME)


@every_kind
def test_what_is_deployed_gives_probabilities_and_has_no_logits(genotype: EnsembleGenotype, frame: Any) -> None:
    model = build(genotype, frame)
    assert output_name(model) == "probabilities"
    assert with_output(model, None) is model
    assert with_output(model, "probabilities") is model
    with pytest.raises(ExportError, match=r"Received: 'logits' of a model that gives probabilities, averaged over sev"):
        with_output(model, "logits")
    with pytest.raises(ExportError, match=r"Received: 'scores' of a model that gives probabilities, averaged over sev"):
        with_output(model, "scores")


def test_an_average_of_anything_but_probabilities_is_no_ensemble() -> None:
    image = keras.Input((4,))
    dense = [keras.layers.Dense(3)(image) for _ in range(2)]
    softmax = [keras.layers.Softmax()(tensor) for tensor in dense]
    for tensors, name in ((softmax, "probabilities"), (dense, "features"), ([softmax[0], dense[1]], "features")):
        assert output_name(keras.Model(image, keras.layers.Average()(tensors))) == name
    with pytest.raises(ExportError, match=r"Received: 'probabilities' of a model that gives features$"):
        with_output(keras.Model(image, keras.layers.Average()(dense)), "probabilities")


@pytest.mark.parametrize(("genotype", "frame"), [(BLOCKS, BLOCK_FRAME), (CELLS, CELL_FRAME)], ids=["block", "cell"])
def test_batch_normalisation_is_folded_in_every_member_as_alone(genotype: EnsembleGenotype, frame: Any) -> None:
    def kept(network: keras.Model) -> set[str]:
        return {layer.name for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)}

    model, members = filled(genotype, frame)
    folded = fold_batch_normalization(model)
    assert output_name(folded) == "probabilities"
    alone = [kept(fold_batch_normalization(member)) for member in members]
    assert kept(folded) == {f"member{number}_{name}" for number, names in enumerate(alone, 1) for name in names}
    assert len(kept(folded)) < len(kept(model)) / 3
    images = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype(np.float32)
    np.testing.assert_allclose(outputs(folded, images), outputs(model, images), atol=1e-5)
