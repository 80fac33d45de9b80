"""Peak activation memory, by hand on small plans, and against a plain simulation on published genotypes."""

from __future__ import annotations

import pytest

from automl_cells.builder import Layer, Plan, plan, template
from automl_cells.builder.memory import peak_memory
from automl_cells.builder.plan import PlanBuilder
from automl_cells.genotypes import load

IMAGE = (4, 4, 2)  # 32 values


def test_a_chain_needs_two_neighbours_at_once_by_hand() -> None:
    net = PlanBuilder(IMAGE)
    wide = net.conv("wide", 0, 5, 3)  # 32 + 80 values
    narrow = net.conv("narrow", wide, 3, 3, 2)  # 80 + 12; the image is dead
    net.conv("last", narrow, 10, 1)  # 12 + 40
    assert peak_memory(net.plan()) == 4 * 112


def test_a_tensor_lives_until_its_last_reader_has_run_by_hand() -> None:
    net = PlanBuilder(IMAGE)
    first = net.conv("first", 0, 4, 1)  # 32 + 64
    second = net.conv("second", first, 4, 1)  # 64 + 64
    third = net.conv("third", second, 4, 1)  # with the first, which `sum` reads: 64 + 64 + 64
    net.add("sum", (first, third))  # 64 + 64 + 64; the second is dead
    assert peak_memory(net.plan()) == 4 * 192
    longer = PlanBuilder(IMAGE)
    first = longer.conv("first", 0, 4, 1)
    second = longer.conv("second", first, 4, 1)
    third = longer.conv("third", second, 4, 1)
    longer.add("sum", (first, second, third))  # all three and the sum
    assert peak_memory(longer.plan()) == 4 * 256


def test_the_image_counts_as_long_as_it_is_read_by_hand() -> None:
    net = PlanBuilder((4, 4, 1))
    left = net.conv("left", 0, 1, 1)
    right = net.conv("right", 0, 1, 1)  # 16 + 16 + 16
    net.concat("both", (left, right))  # 16 + 16 + 32: the image is dead
    assert peak_memory(net.plan()) == 4 * 64


def test_nothing_is_done_in_place() -> None:
    net = PlanBuilder(IMAGE)
    net.relu(net.batch_norm("bn", net.conv("conv", 0, 10, 1)))  # 160 + 160, twice
    assert peak_memory(net.plan()) == 4 * 320


def test_one_tensor_read_twice_by_a_layer_is_one_tensor() -> None:
    net = PlanBuilder(IMAGE)
    net.add("double", (0, 0))
    assert peak_memory(net.plan()) == 4 * 64


def test_a_separable_convolution_holds_the_map_of_the_depthwise_one_by_hand() -> None:
    net = PlanBuilder(IMAGE)
    net.separable_conv("separable", 0, 1, 3)  # 32 + 32 for the depthwise, then 32 + 16 without the image
    assert peak_memory(net.plan()) == 4 * 64
    wide = PlanBuilder(IMAGE)
    wide.separable_conv("separable", 0, 8, 3, 2)  # 32 + 4·2 = 40, then 8 + 4·8 = 40
    assert peak_memory(wide.plan()) == 4 * 40
    kept = PlanBuilder(IMAGE)
    kept.add("sum", (kept.separable_conv("separable", 0, 2, 3), 0))  # the image stays: 32 + 32 + 32
    assert peak_memory(kept.plan()) == 4 * 96


def test_self_attention_holds_the_scores_of_all_pairs_twice_by_hand() -> None:
    net = PlanBuilder(IMAGE)
    net.self_attention("attention", 0, 2, 3)
    # Queries, keys, values: 16 · 6 = 96 values each; scores 2 · 16² = 512. While the softmax is taken there are scores,
    # softmax and values; the image, queries and keys are dead.
    assert peak_memory(net.plan()) == 4 * (512 + 512 + 96)


def test_what_acts_in_training_only_needs_no_memory() -> None:
    net = PlanBuilder(IMAGE)
    dropped = net.dropout("dropout", net.conv("conv", 0, 4, 1), 0.5)
    net.conv("last", net.drop_path("path", dropped, 0.5), 4, 1)
    assert peak_memory(net.plan()) == 4 * (64 + 64)


def test_every_output_is_kept_to_the_end_by_hand() -> None:
    net = PlanBuilder(IMAGE)
    first = net.conv("first", 0, 4, 1)  # 32 + 64
    second = net.conv("second", first, 4, 1)
    third = net.conv("third", second, 1, 1)  # 64 for an output, 64, 16
    net.outputs("outputs", (first, third))
    assert peak_memory(net.plan()) == 4 * (64 + 64 + 16)


def test_the_order_of_the_layers_is_the_plan_s() -> None:
    """The same network needs less if the path that shrinks a large map runs before another large map is made."""
    late = PlanBuilder((4, 4, 1))
    one, other = late.conv("one", 0, 10, 1), late.conv("other", 0, 10, 1)
    late.add("sum", (late.conv("one_small", one, 1, 1), late.conv("other_small", other, 1, 1)))
    early = PlanBuilder((4, 4, 1))
    small = early.conv("one_small", early.conv("one", 0, 10, 1), 1, 1)
    early.add("sum", (small, early.conv("other_small", early.conv("other", 0, 10, 1), 1, 1)))
    assert peak_memory(late.plan()) == 4 * (160 + 160 + 16)  # both large maps, and the image or a small map
    assert peak_memory(early.plan()) == 4 * (160 + 16 + 16)


def test_where_the_size_is_open_there_is_no_number() -> None:
    frame = template("cifar", repeats=1, filters=(4,), input_shape=(None, None, 3))
    assert peak_memory(plan(load("block_qnn_s"), frame)) is None


def test_an_operation_that_is_not_known_is_not_guessed() -> None:
    with pytest.raises(AssertionError, match="'fourier' is not known"):
        peak_memory((Layer("input", "input", (), IMAGE), Layer("fourier", "fourier", (0,), IMAGE)))


def simulated(layers: Plan) -> int:
    """For each layer the sum of what was written before and is read now or later, and of what it writes."""
    sizes = [layer.shape[0] * layer.shape[1] * layer.shape[2] for layer in layers]
    return 4 * max(
        sizes[now]
        + sum(sizes[old] for old in range(now) if any(old in layers[later].inputs for later in range(now, len(layers))))
        for now in range(len(layers))
    )


@pytest.mark.parametrize("name", ["block_qnn_s", "block_qnn_b", "metaqnn_mnist_1"])
def test_networks_without_separable_convolutions_agree_with_a_simulation(name: str) -> None:
    genotype = load(name)
    frame = template(None, kind=genotype.kind, input_shape=(28, 28, 1), classes=10)
    layers = plan(genotype, frame)
    assert peak_memory(layers) == simulated(layers)


def test_separable_convolutions_never_make_it_less() -> None:
    layers = plan(load("nasnet_a"), template("cifar", kind="cell", repeats=1, filters=(8, 16)))
    assert peak_memory(layers) >= simulated(layers) > 0
