"""Plans and their cost: shapes, the rules that the paper leaves open, and the numbers that it publishes."""

from __future__ import annotations

from typing import Any

import pytest

from automl_cells.builder import Cost, Layer, Plan, cost, plan, template
from automl_cells.builder.plan import TooManyParametersError
from automl_cells.errors import GenotypeError, TemplateError
from automl_cells.genotypes import BlockGenotype, load
from automl_cells.genotypes.block import Code, terminal

EMPTY = BlockGenotype(())


def block(*codes: tuple[int, int, int, int, int]) -> BlockGenotype:
    return BlockGenotype.from_codes([*codes, terminal(len(codes) + 1)])


def small(genotype: BlockGenotype, plan_options: dict[str, Any] | None = None, **options: Any) -> Plan:
    """One stage of one block of 8 filters on 8×8×3 images, 10 classes, with changes."""
    sizes = {"repeats": 1, "filters": (8,), "input_shape": (8, 8, 3), "classes": 10, **options}
    return plan(genotype, template("cifar", **sizes), **(plan_options or {}))


def rows(layers: Plan) -> list[tuple[str, tuple[int, ...], int]]:
    """(op, inputs, channels) of every layer."""
    return [(layer.op, layer.inputs, layer.shape[2]) for layer in layers]


STEM = [("input", (), 3), ("conv", (0,), 8), ("batch_norm", (1,), 8)]


def test_block_qnn_s_costs_what_the_paper_says() -> None:
    # The paper's table: 6.1 M parameters.
    layers = plan(load("block_qnn_s"), template("cifar", repeats=2, filters=(32, 64, 128)))
    assert cost(layers) == Cost(parameters=6_125_866, total_parameters=6_133_994, flops=858_627_584)


def test_block_qnn_s_on_imagenet() -> None:
    found = cost(plan(load("block_qnn_s"), template("imagenet")))
    assert (found.parameters, found.flops) == (162_805_288, 23_621_918_720)


def test_an_empty_block_by_hand() -> None:
    layers = small(EMPTY, filters=(8, 4))
    assert rows(layers) == [
        *STEM,
        ("max_pool", (2,), 8),  # between the stages
        ("relu", (3,), 8),
        ("global_average_pool", (4,), 8),
        ("dense", (5,), 10),
    ]
    # Convolution 3·3·3·8 = 216, BN 2·8, dense 8·10 + 10 = 90; BN keeps 2·8 statistics; the convolution is applied at
    # 8·8 places, the dense layer once.
    assert cost(layers) == (216 + 16 + 90, 216 + 32 + 90, 216 * 64 + 80)


def test_a_block_by_hand() -> None:
    # Figure 2's residual block: identity, two pre-activation convolutions, add. No layer for the identity.
    layers = small(block((1, 4, 0, 0, 0), (2, 1, 3, 1, 0), (3, 1, 1, 2, 0), (4, 5, 0, 1, 3)))
    assert rows(layers) == [
        *STEM,
        ("relu", (2,), 8),
        ("conv", (3,), 8),
        ("batch_norm", (4,), 8),
        ("relu", (5,), 8),
        ("conv", (6,), 8),
        ("batch_norm", (7,), 8),
        ("add", (2, 8), 8),
        ("relu", (9,), 8),
        ("global_average_pool", (10,), 8),
        ("dense", (11,), 10),
    ]
    kernels = 216 + 8 * 8 * 9 + 8 * 8
    assert cost(layers) == (kernels + 3 * 16 + 90, kernels + 3 * 32 + 90, kernels * 64 + 80)


def test_pooling_identity_and_their_kernels() -> None:
    # Poolings of kernel 1 at stride 1 and identities are no layers; the leaves are concatenated.
    layers = small(block((1, 2, 1, 0, 0), (2, 3, 1, 0, 0), (3, 2, 3, 1, 0), (4, 3, 3, 2, 0), (5, 4, 0, 0, 0)))
    assert rows(layers)[3:6] == [("max_pool", (2,), 8), ("avg_pool", (2,), 8), ("concat", (3, 4, 2), 24)]
    assert [(layer.kernel, layer.stride) for layer in layers[3:5]] == [(3, 1), (3, 1)]


def test_one_relu_for_all_convolutions_of_one_output() -> None:
    layers = small(block((1, 1, 1, 0, 0), (2, 1, 3, 0, 0), (3, 1, 5, 0, 0)))
    assert [layer.inputs for layer in layers if layer.op == "conv"] == [(0,), (3,), (3,), (3,)]


def test_add_widens_the_narrower_by_hand() -> None:
    # add(input: 8 channels, concat: 16): ReLU, 1×1 convolution 8 → 16 and BN of the input, 8·16 + 2·16 parameters more.
    layers = small(block((1, 6, 0, 0, 0), (2, 5, 0, 0, 1)))
    assert rows(layers)[3:-3] == [
        ("concat", (2, 2), 16),
        ("relu", (2,), 8),
        ("conv", (4,), 16),
        ("batch_norm", (5,), 16),
        ("add", (6, 3), 16),
    ]
    assert layers[5].kernel == 1
    # Head: 16·10 + 10.
    assert cost(layers) == (216 + 16 + 128 + 32 + 170, 216 + 32 + 128 + 64 + 170, (216 + 128) * 64 + 160)


@pytest.mark.parametrize(("one", "two", "inputs"), [(0, 1, (6, 3)), (1, 0, (3, 6))])
def test_add_keeps_the_order_of_its_predecessors(one: int, two: int, inputs: tuple[int, int]) -> None:
    layers = small(block((1, 6, 0, 0, 0), (2, 5, 0, one, two)))
    assert [layer.inputs for layer in layers if layer.op == "add"] == [inputs]


def test_add_of_equal_widths_widens_nothing() -> None:
    layers = small(block((1, 5, 0, 0, 0)))
    assert rows(layers)[3:-3] == [("add", (2, 2), 8)]


def test_leaves_are_concatenated_and_later_blocks_read_the_wider_map() -> None:
    layers = small(block((1, 1, 1, 0, 0), (2, 1, 3, 0, 0)), repeats=2)
    kernels = {layer.name: layers[layer.inputs[0]].shape[2] for layer in layers if layer.op == "conv"}
    assert kernels == {
        "stem1_conv": 3,
        "stage1_block1_layer1_conv": 8,
        "stage1_block1_layer2_conv": 8,
        "stage1_block2_layer1_conv": 16,
        "stage1_block2_layer2_conv": 16,
    }


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((32, 32), [(32, 32), (16, 16), (8, 8)]),
        ((33, 7), [(33, 7), (17, 4), (9, 2)]),  # halves are rounded up
        ((1, 1), [(1, 1), (1, 1), (1, 1)]),
        ((None, None), [(None, None)] * 3),
        ((None, 5), [(None, 5), (None, 3), (None, 2)]),
    ],
)
def test_sizes_of_the_stages(size: tuple, expected: list[tuple]) -> None:
    layers = small(block((1, 2, 3, 0, 0)), filters=(8, 8, 8), input_shape=(*size, 3))
    assert [layer.shape[:2] for layer in layers if layer.name.endswith("layer1_max_pool")] == expected
    found = cost(layers)
    assert (found.flops is None) == (None in size)
    assert found.parameters == 216 + 16 + 90


def test_imagenet_stem() -> None:
    layers = plan(EMPTY, template("imagenet", filters=(4,), input_shape=(225, 224, 3)))
    assert [(layer.op, layer.shape) for layer in layers[:7]] == [
        ("input", (225, 224, 3)),
        ("conv", (225, 224, 4)),
        ("batch_norm", (225, 224, 4)),
        ("max_pool", (113, 112, 4)),
        ("conv", (113, 112, 4)),
        ("batch_norm", (113, 112, 4)),
        ("max_pool", (57, 56, 4)),
    ]


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({}, ("dense", (1, 1, 10))),
        ({"include_top": False}, ("relu", (8, 8, 8))),
        ({"include_top": False, "pooling": "avg"}, ("global_average_pool", (1, 1, 8))),
        ({"include_top": False, "pooling": "max"}, ("global_max_pool", (1, 1, 8))),
        ({"include_top": True, "pooling": "max"}, ("dense", (1, 1, 10))),
    ],
)
def test_the_end_of_the_network(options: dict[str, Any], last: tuple) -> None:
    layers = small(EMPTY, options)
    assert (layers[-1].op, layers[-1].shape) == last


@pytest.mark.parametrize("name", ["block_qnn_a", "block_qnn_b", "block_qnn_s"])
def test_names_are_unique_and_layers_in_order(name: str) -> None:
    layers = plan(load(name), template("imagenet"))
    assert len({layer.name for layer in layers}) == len(layers)
    assert all(source < position for position, layer in enumerate(layers) for source in layer.inputs)
    assert all(isinstance(layer, Layer) for layer in layers)


def test_too_many_layers_are_refused() -> None:
    many = BlockGenotype(tuple(Code(index, 1, 1, index - 1, 0) for index in range(1, 129)))
    with pytest.raises(TemplateError, match=r"at most 20000 layers\. Received: more"):
        plan(many, template("imagenet", repeats=64, filters=(4,) * 8))


def test_an_unknown_pooling_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"pooling None, 'avg' or 'max'\. Received: 'sum'"):
        small(EMPTY, {"pooling": "sum"})


def test_a_genotype_without_a_planner_is_refused() -> None:
    class Alien:
        kind = "alien"

    with pytest.raises(GenotypeError, match=r"a kind among \['block'.*\]\. Received: alien"):
        plan(Alien(), template())


def test_planning_stops_at_the_limit_of_parameters():
    block = load("block_qnn_s")
    frame = template("cifar")
    weights = sum(
        max(1, layer.kernel) ** 2 * layers[layer.inputs[0]].shape[2] * layer.shape[2]
        for layers in [plan(block, frame)]
        for layer in layers
        if layer.op in ("conv", "dense")
    )
    assert plan(block, frame, max_params=weights) == plan(block, frame)
    with pytest.raises(TooManyParametersError, match="within the limit of parameters"):
        plan(block, frame, max_params=weights - 1)
