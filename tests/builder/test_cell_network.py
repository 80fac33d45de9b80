"""The plan of networks of cells: sizes that papers and keras.applications give, and small ones worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl_cells.builder import Plan, cost, feature_maps, plan, template
from automl_cells.builder.cell_network import smallest_image
from automl_cells.builder.penultimate import stage_filters
from automl_cells.errors import TemplateError
from automl_cells.genotypes import load
from automl_cells.genotypes.cell import OPERATIONS
from tests.builder.cells import both, one_of


def small(**changes: Any) -> Any:
    return template("cifar", kind="cell", **{"repeats": 1, "filters": (4, 8, 16), "input_shape": (8, 8, 3), **changes})


def named(layers: Plan) -> dict[str, Any]:
    found = {layer.name: layer for layer in layers}
    assert len(found) == len(layers)  # Keras wants different names
    return found


def reads(layers: Plan, name: str) -> list[str]:
    return [layers[position].name for position in named(layers)[name].inputs]


@pytest.mark.parametrize(
    ("name", "trainable", "total", "flops"),
    [
        # In all as keras.applications; multiply-adds: the paper's table 2 has 564 M and 23.8 B.
        ("imagenet_mobile", 5_289_978, 5_326_716, 563_638_816),
        ("imagenet", 88_753_150, 88_949_818, 23_783_414_658),
        ("cifar", 3_346_538, 3_383_786, 544_333_312),  # the paper's table 1: 3.3 M
    ],
)
def test_sizes_of_nasnet_a(name: str, trainable: int, total: int, flops: int) -> None:
    assert cost(plan(load("nasnet_a"), template(name, kind="cell"))) == (trainable, total, flops)


def test_a_network_of_one_block_by_hand() -> None:
    """conv_1x1 of h_i plus the identity of h_(i-1), one normal cell of 2 filters, nothing else."""
    genotype = both((0, 1, "conv_1x1", "identity", "add"))
    layers = plan(genotype, small(filters=(2,), classes=5))
    assert [layer.name for layer in layers] == [
        "input",
        "stem_conv",
        "stem_bn",  # 6 channels: 3 times 2
        "stem_bn_relu",
        "stage1_cell1_input_conv",
        "stage1_cell1_input_bn",
        "stage1_cell1_input_bn_relu",
        "stage1_cell1_block1_left_conv",
        "stage1_cell1_block1_left_bn",
        "stage1_cell1_block1_right_conv",  # the first cell has no h_(i-1): h_i as it came, 6 channels, made 2
        "stage1_cell1_block1_right_bn",
        "stage1_cell1_block1_add",
        "stage1_cell1_block1_add_relu",
        "average_pool",
        "predictions",
    ]
    assert reads(layers, "stage1_cell1_block1_right_conv") == ["stem_bn_relu"]
    kernels = 9 * 3 * 6 + 6 * 2 + 2 * 2 + 6 * 2
    norms = 2 * (6 + 2 + 2 + 2)
    assert cost(layers) == (kernels + norms + 2 * 5 + 5, kernels + 2 * norms + 2 * 5 + 5, 64 * kernels + 2 * 5)


def test_the_reduction_cell_doubles_the_filters_and_halves_the_map() -> None:
    layers = plan(load("nasnet_a"), small())
    found = named(layers)
    assert found["stage1_cell1_output"].shape == (8, 8, 24)
    assert found["reduction1_output"].shape == (4, 4, 4 * 8)
    assert found["stage2_cell1_output"].shape == (4, 4, 6 * 8)
    assert found["reduction2_output"].shape == (2, 2, 4 * 16)
    assert found["stage3_cell1_output"].shape == (2, 2, 96)


def test_which_map_the_first_cell_after_a_reduction_takes_beside() -> None:
    """keras.applications' large model has ``p`` from before the reduction cell, its mobile one that cell's input."""
    genotype = load("nasnet_a")
    stay = plan(genotype, template("imagenet_mobile", kind="cell", repeats=2))
    assert reads(stay, "stage2_cell1_before_conv1") == ["stage1_cell2_output_relu"]
    skip = plan(genotype, template("imagenet", kind="cell", repeats=2))
    assert reads(skip, "stage2_cell1_before_conv1") == ["stage1_cell1_output_relu"]
    for layers in (stay, skip):
        assert reads(layers, "stage2_cell2_before_conv") == ["reduction1_output_relu"]  # as large as h_i: a projection
        assert reads(layers, "stem_cell2_before_conv1") == ["stem_bn_relu"]


def test_what_is_done_twice_is_planned_once() -> None:
    found = named(plan(load("nasnet_a"), small()))
    assert "stage1_cell1_block4_left_pool" in found  # avg_pool_3x3 of h_(i-1), on both sides
    assert "stage1_cell1_block4_right_pool" not in found
    assert found["stage2_cell1_block4_add"].inputs[0] == found["stage2_cell1_block4_add"].inputs[1]


def test_states_that_reach_no_output_are_not_built() -> None:
    genotype = both((0, 0, "conv_3x3", "identity", "add"), (1, 1, "conv_1x1", "identity", "add"), concat=(2,))
    found = named(plan(genotype, small()))
    assert not any("block2" in name or "before" in name for name in found)


def test_cells_that_no_later_cell_reads_are_not_built() -> None:
    genotype = both((1, 1, "conv_3x3", "identity", "add"))  # each cell reads the one before the last
    layers = plan(genotype, small())
    found = named(layers)
    assert [name for name in found if name.endswith("add")] == [
        "stage1_cell1_block1_add",
        "stage2_cell1_block1_add",
        "stage3_cell1_block1_add",
    ]
    assert all(position < number for number, layer in enumerate(layers) for position in layer.inputs)


def test_inputs_that_are_outputs_are_made_to_match() -> None:
    genotype = both((0, 1, "identity", "identity", "add"), concat=(0, 1, 2))
    layers = plan(genotype, small())
    found = named(layers)
    assert found["stage1_cell1_output1_conv"].shape == (8, 8, 4)  # of the stem's 12 channels
    assert found["reduction1_output0_bn"].shape == found["reduction1_output1_bn"].shape == (4, 4, 8)
    assert found["reduction1_output"].shape == (4, 4, 24)
    assert reads(layers, "stage2_cell1_output")[0] == "stage2_cell1_input_bn"  # as wide as it must be


def test_concatenation_within_a_block_doubles_the_width() -> None:
    genotype = both((0, 0, "conv_1x1", "identity", "concat"), (2, 0, "identity", "max_pool_3x3", "add"), concat=(2, 3))
    found = named(plan(genotype, small()))
    assert found["stage1_cell1_block1_concat"].shape == (8, 8, 8)
    assert found["stage1_cell1_block2_left_conv"].shape == (8, 8, 4)  # an identity of 8 channels among 4 is none
    assert found["stage1_cell1_output"].shape == (8, 8, 12)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_keeps_or_halves_its_map(operation: str) -> None:
    found = named(plan(one_of(operation), small(input_shape=(7, 10, 3))))
    assert found["stage1_cell1_block1_add"].shape == (7, 10, 4)
    assert found["reduction1_block1_add"].shape == (4, 5, 8)
    assert found["reduction2_block1_add"].shape == (2, 3, 16)


def test_rectangular_and_dilated_convolutions_by_hand() -> None:
    kernels = {
        "conv_1x3_3x1": 2 * 3 * 16,
        "conv_1x7_7x1": 2 * 7 * 16,
        "dil_conv_3x3": 9 * 16,
        "sep_conv_5x5": 2 * (25 * 4 + 16),
    }
    base = cost(plan(both((0, 0, "identity", "identity", "add")), small(filters=(4,)))).parameters
    norms = {"conv_1x3_3x1": 2, "conv_1x7_7x1": 2, "dil_conv_3x3": 1, "sep_conv_5x5": 2}
    for operation, weights in kernels.items():
        genotype = both((0, 0, operation, "identity", "add"))
        assert cost(plan(genotype, small(filters=(4,)))).parameters == base + weights + norms[operation] * 2 * 4
    pair = named(plan(one_of("conv_1x7_7x1"), small()))
    assert pair["reduction1_block1_left_across_conv"].kernel == (1, 7)
    assert pair["reduction1_block1_left_across_conv"].stride == (1, 2)
    assert pair["reduction1_block1_left_down_conv"].kernel == (7, 1)
    assert pair["reduction1_block1_left_down_conv"].stride == (2, 1)
    dilated = named(plan(one_of("dil_conv_3x3"), small()))
    assert dilated["reduction1_block1_left_conv"].dilation == 2
    assert dilated["reduction1_block1_left_conv"].stride == 1  # Keras has no stride together with a dilation
    assert dilated["reduction1_block1_left_thin"].stride == 2


def test_feature_maps_of_all_scales() -> None:
    layers = plan(load("nasnet_a"), template("imagenet_mobile", kind="cell"), include_top=False, features=True)
    maps = feature_maps(layers)
    assert [each.stride for each in maps] == [2, 4, 8, 16, 32]
    assert maps[-1].shape == (7, 7, 1056)


def test_the_auxiliary_head_stands_beside_the_last_stage_but_one() -> None:
    layers = plan(load("nasnet_a"), template("cifar", kind="cell", repeats=2), auxiliary=True)
    found = named(layers)
    assert layers[-1].op == "outputs"
    assert [layers[position].name for position in layers[-1].inputs] == ["predictions", "auxiliary"]
    assert reads(layers, "auxiliary_pool") == ["stage2_cell2_output_relu"]
    assert found["auxiliary_pool"].shape == (4, 4, 384)  # (16 - 5) // 3 + 1
    assert found["auxiliary_conv1"].shape == (4, 4, 128)
    assert found["auxiliary_conv2"].shape == (1, 1, 768)
    assert found["auxiliary_conv2"].kernel == (4, 4)
    assert named(plan(load("nasnet_a"), small(), auxiliary=True))["auxiliary_conv2"].kernel == (4, 4)  # not pooled


def test_paths_are_dropped_after_operations_but_not_after_identities() -> None:
    layers = plan(load("nasnet_a"), small(), drop_path=True)
    dropped = [layer for layer in layers if layer.op == "drop_path"]
    # 8 of the 10 operations of the normal cell and 9 of the reduction cell are no identities.
    assert len(dropped) == 3 * 8 + 2 * 9
    assert sorted({round(layer.depth, 6) for layer in dropped}) == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert {layer.depth for layer in dropped if layer.name.startswith("reduction1")} == {0.4}
    stem = plan(load("nasnet_a"), template("imagenet_mobile", kind="cell"), drop_path=True)
    depths = sorted({layer.depth for layer in stem if layer.op == "drop_path"})
    np.testing.assert_allclose(depths, np.arange(1, 17) / 16)  # 12 normal, 2 + 2 reduction cells


def test_penultimate_filters() -> None:
    nasnet = load("nasnet_a")
    assert stage_filters(nasnet, 768) == (32, 64, 128)
    assert stage_filters(nasnet, 4032) == (168, 336, 672)
    for filters in ((44, 88, 176), (1, 2, 4)):
        layers = plan(nasnet, small(filters=filters))
        last = named(layers)["stage3_cell1_output"].shape[2]
        assert stage_filters(nasnet, last) == filters


@pytest.mark.parametrize(
    ("genotype", "penultimate", "message"),
    [
        ("nasnet_a", 1000, r"multiple of 24 \(the nearest is 1008\)\. Received: 1000"),
        ("nasnet_a", 5, r"multiple of 24 \(the nearest is 24\)\. Received: 5"),
        ("nasnet_a", 0, r"multiple of 24\. Received: 0"),
        ("nasnet_a", -24, r"multiple of 24\. Received: -24"),
        ("nasnet_a", True, r"multiple of 24.*Received: True"),
        ("nasnet_a", "768", r"multiple of 24\. Received: '768'"),
        ("pnasnet_5", 24, r"multiple of 20 \(the nearest is 20\)\. Received: 24"),
        ("block_qnn_s", 24, r"a cell genotype .* Received: kind block"),
    ],
)
def test_penultimate_filters_that_no_network_has(genotype: str, penultimate: Any, message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        stage_filters(load(genotype), penultimate)


def test_the_smallest_image() -> None:
    for name, side in (("cifar", 3), ("imagenet", 19), ("imagenet_mobile", 19)):
        frame = template(name, kind="cell", repeats=1)
        assert smallest_image(frame) == side
        plan(load("nasnet_a"), template(frame, input_shape=(side, None, 3)))
        with pytest.raises(TemplateError, match=rf"at least {side}x{side} for the template {name} .*Received: "):
            plan(load("nasnet_a"), template(frame, input_shape=(None, side - 1, 3)))


@pytest.mark.parametrize(
    ("genotype", "frame", "options", "message"),
    [
        ("nasnet_a", template("cifar"), {}, r"template for a cell\. Received: cifar, a BlockTemplate"),
        ("block_qnn_s", small(), {}, r"template for a block\. Received: cifar, a CellTemplate"),
        ("block_qnn_s", template("cifar"), {"auxiliary": True}, r"among \['cell'\] .*Received: a block"),
        ("nasnet_a", small(), {"drop_path": True, "include_top": False}, r"include_top=True .*include_top=False"),
        ("nasnet_a", small(filters=(4,)), {"auxiliary": True}, r"at least two stages .*Received: 1"),
        ("nasnet_a", small(input_shape=(None, 8, 3)), {"auxiliary": True}, r"an image size .*Received: .*None"),
    ],
)
def test_what_cannot_be_planned(genotype: str, frame: Any, options: dict[str, bool], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        plan(load(genotype), frame, **options)


def test_a_search_stops_planning_at_its_limit() -> None:
    with pytest.raises(TemplateError, match="within the limit of parameters"):
        plan(one_of("sep_conv_7x7"), template("cifar", kind="cell"), max_params=100_000)
