"""MetaQNN's space: which layers may come where, worked out by hand. The contract is in test_spaces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_cells.builder import plan, template
from automl_cells.errors import GenotypeError, SpaceError
from automl_cells.genotypes import ChainGenotype, load, load_with_provenance, published_names
from automl_cells.spaces import Action, MetaQNN, space
from tests.spaces.contract import walk

CONVOLUTIONS = [
    (1, 64, 1), (1, 64, 3), (1, 64, 5), (1, 128, 1), (1, 128, 3), (1, 128, 5),
    (1, 256, 1), (1, 256, 3), (1, 256, 5), (1, 512, 1), (1, 512, 3), (1, 512, 5),
]  # fmt: skip
POOLINGS = [(2, 5, 3), (2, 3, 2), (2, 2, 2)]
CONNECTED = [(3, 512, 0), (3, 256, 0), (3, 128, 0)]
AVERAGE, END = (4, 0, 0), (5, 0, 0)
CONV, WIDE = (1, 64, 1), (1, 512, 5)

PUBLISHED = [name for name in published_names() if name.startswith("metaqnn_")]


def of_size(side: int, **options: Any) -> MetaQNN:
    return MetaQNN((side, side, 3), **options)


def kernels(*allowed: int) -> list[Action]:
    return [action for action in CONVOLUTIONS if action[2] in allowed]


def chain(text: str) -> ChainGenotype:
    return ChainGenotype.from_text(text)


def test_first_comes_no_pooling_and_on_large_images_no_connected_layer() -> None:
    assert list(of_size(32).actions(())) == [*CONVOLUTIONS, AVERAGE, END]
    assert list(of_size(8).actions(())) == [*CONVOLUTIONS, AVERAGE, END]


def test_on_images_below_eight_pixels_a_connected_layer_may_come_first() -> None:
    assert list(of_size(7).actions(())) == [*CONVOLUTIONS, *CONNECTED, AVERAGE, END]


def test_after_a_convolution_a_pooling_may_come() -> None:
    for last in CONVOLUTIONS:
        assert list(of_size(32).actions((last,))) == [*CONVOLUTIONS, *POOLINGS, AVERAGE, END]
        assert list(of_size(7).actions((last,))) == [*CONVOLUTIONS, *POOLINGS, *CONNECTED, AVERAGE, END]


def test_after_a_pooling_comes_no_other() -> None:
    for last in POOLINGS:  # 32 → 10, 15 or 16
        assert list(of_size(32).actions((CONV, last))) == [*CONVOLUTIONS, AVERAGE, END]
    assert list(of_size(14).actions((CONV, (2, 2, 2)))) == [*CONVOLUTIONS, *CONNECTED, AVERAGE, END]  # 7
    assert list(of_size(10).actions((CONV, (2, 5, 3)))) == [*kernels(1), *CONNECTED, AVERAGE, END]  # 2


def test_connected_layers_become_no_wider_and_are_two_at_most() -> None:
    where = of_size(7)
    assert list(where.actions(((3, 512, 0),))) == [*CONNECTED, END]
    assert list(where.actions(((3, 256, 0),))) == [(3, 256, 0), (3, 128, 0), END]
    assert list(where.actions((CONV, (3, 128, 0)))) == [(3, 128, 0), END]
    for second in CONNECTED:
        assert list(where.actions(((3, 512, 0), second))) == [END]


def test_after_the_global_average_comes_the_end_alone() -> None:
    for side in (1, 7, 32):
        assert list(of_size(side).actions((AVERAGE,))) == [END]
        assert list(of_size(side).actions((CONV, AVERAGE))) == [END]


def test_the_last_layer_of_all_is_followed_by_an_end_alone() -> None:
    where = of_size(7, max_depth=2)
    assert list(where.actions((CONV,))) == [*CONVOLUTIONS, *POOLINGS, *CONNECTED, AVERAGE, END]
    assert list(where.actions((CONV, CONV))) == [AVERAGE, END]
    assert list(where.actions((CONV, (2, 2, 2)))) == [AVERAGE, END]
    assert list(where.actions((CONV, (3, 512, 0)))) == [END]
    assert list(where.actions((CONV, CONV, AVERAGE))) == [END]


@pytest.mark.parametrize("last", [0, 64])
@pytest.mark.parametrize(
    ("side", "allowed", "poolings"),
    [
        (1, (1,), []),
        (2, (1,), [(2, 2, 2)]),
        (3, (1, 3), [(2, 3, 2), (2, 2, 2)]),
        (4, (1, 3), [(2, 3, 2), (2, 2, 2)]),
        (5, (1, 3, 5), POOLINGS),
        (6, (1, 3, 5), POOLINGS),
    ],
)
def test_a_window_must_fit_into_the_map(side: int, allowed: tuple[int, ...], poolings: list[Action], last: int) -> None:
    state = ((1, last, 1),) if last else ()
    expected = [*kernels(*allowed), *(poolings if last else []), *CONNECTED, AVERAGE, END]
    assert list(of_size(side).actions(state)) == expected


def test_of_an_oblong_image_the_smaller_side_counts() -> None:
    for shape in ((32, 3, 1), (3, 32, 1)):
        assert list(MetaQNN(shape).actions((CONV,))) == [
            *kernels(1, 3), (2, 3, 2), (2, 2, 2), *CONNECTED, AVERAGE, END,
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("side", "pooling", "size"),
    # ⌈(n - kernel + 1) / stride⌉
    [
        (32, (2, 5, 3), 10),  # ⌈28 / 3⌉
        (32, (2, 3, 2), 15),  # 30 / 2
        (32, (2, 2, 2), 16),  # ⌈31 / 2⌉
        (28, (2, 3, 2), 13),
        (28, (2, 5, 3), 8),
        (7, (2, 2, 2), 3),
        (5, (2, 5, 3), 1),
        (6, (2, 5, 3), 1),  # ⌈2 / 3⌉
        (3, (2, 3, 2), 1),
        (2, (2, 2, 2), 1),
    ],
)
def test_sizes_of_maps_after_a_pooling(side: int, pooling: Action, size: int) -> None:
    where = of_size(side)
    assert where.map_size(()) == where.map_size((CONV, WIDE)) == side
    assert where.map_size((CONV, pooling)) == where.map_size((CONV, pooling, CONV)) == size


def test_what_the_table_sees_of_a_state() -> None:
    where = of_size(32)
    half = (CONV, (2, 2, 2))
    quarter = (*half, CONV, (2, 2, 2))
    assert where.key(()) == (0, None, 0, 2)
    assert where.key((CONV,)) == (1, CONV, 0, 2)
    assert where.key(half) == (2, (2, 2, 2), 0, 2)  # 16
    assert where.key(quarter) == (4, (2, 2, 2), 0, 2)  # 8
    assert where.key((*quarter, WIDE, (2, 2, 2))) == (6, (2, 2, 2), 0, 1)  # 4
    assert where.key((*quarter, WIDE, (2, 3, 2))) == (6, (2, 3, 2), 0, 0)  # 3


@pytest.mark.parametrize(("side", "where"), [(1, 0), (3, 0), (4, 1), (7, 1), (8, 2), (9, 2), (224, 2)])
def test_the_bounds_of_the_bins(side: int, where: int) -> None:
    assert of_size(side).key(()) == (0, None, 0, where)
    assert of_size(side).key((CONV,)) == (1, CONV, 0, where)


def test_connected_layers_are_counted_and_have_no_bin() -> None:
    for side in (3, 7):
        where = of_size(side)
        assert where.key((CONV, (3, 128, 0))) == (2, (3, 128, 0), 1, 0)
        assert where.key((CONV, (3, 512, 0), (3, 128, 0))) == (3, (3, 128, 0), 2, 0)


def test_layers_before_the_last_are_not_seen() -> None:
    where = of_size(32)
    assert where.key((CONV, WIDE)) == where.key((WIDE, WIDE)) != where.key((WIDE, CONV))
    assert where.key((CONV, CONV)) != where.key((CONV,))  # the depth is


def test_a_multiplier_scales_filters_and_neurons() -> None:
    where = of_size(7, filter_multiplier=0.1)  # 6.4, 12.8, 25.6, 51.2; 51.2, 25.6, 12.8
    assert list(where.actions(())) == [
        *((1, width, kernel) for width in (6, 13, 26, 51) for kernel in (1, 3, 5)),
        (3, 51, 0), (3, 26, 0), (3, 13, 0), AVERAGE, END,
    ]  # fmt: skip
    assert list(where.actions(((3, 26, 0),))) == [(3, 26, 0), (3, 13, 0), END]
    assert where.factor_sizes == of_size(7).factor_sizes == (12 + 3 + 3 + 2,)
    double = of_size(32, filter_multiplier=2)
    assert {action[1] for action in double.actions(()) if action[0] == 1} == {128, 256, 512, 1024}


def test_widths_that_a_multiplier_makes_equal_are_offered_once() -> None:
    where = of_size(7, filter_multiplier=0.001)  # all below a half: at least 1
    assert list(where.actions(())) == [(1, 1, 1), (1, 1, 3), (1, 1, 5), (3, 1, 0), AVERAGE, END]
    assert where.factor_sizes == (3 + 3 + 1 + 2,)


def test_factors_number_the_layers_of_table_1() -> None:
    where = of_size(7)
    everything = [*CONVOLUTIONS, *POOLINGS, *CONNECTED, AVERAGE, END]
    assert [where.factors(action) for action in everything] == [(number,) for number in range(20)]


def test_a_genotype_by_hand() -> None:
    where = of_size(28)
    text = "C(64,1,1),C(256,3,1),P(2,2),C(512,3,1),P(5,3),C(128,1,1),FC(512),FC(128),SM(10)"
    decisions = (
        (1, 64, 1), (1, 256, 3), (2, 2, 2), (1, 512, 3), (2, 5, 3), (1, 128, 1), (3, 512, 0), (3, 128, 0), (5, 0, 0),
    )  # fmt: skip
    assert where.decisions(chain(text)) == decisions
    assert where.genotype(where.replay(decisions)[-1]) == chain(text)
    assert where.is_terminal(decisions)
    assert not where.is_terminal(decisions[:-1])
    assert where.decisions(chain("SM")) == (END,)
    assert where.decisions(chain("GAP,SM")) == (AVERAGE, END)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_papers_networks_are_in_its_space(name: str) -> None:
    genotype, provenance = load_with_provenance(name)
    depth = 18 if "cifar10" in name else 12
    where = MetaQNN(tuple(provenance["input_shape"]), max_depth=depth)
    states = where.replay(where.decisions(genotype))
    assert where.genotype(states[-1]) == genotype


def test_defaults_are_the_papers() -> None:
    where = space("metaqnn", (28, 28, 1), 10)
    assert isinstance(where, MetaQNN)
    assert (where.size, where.max_depth, where.kind) == (28, 12, "chain")
    twelve = (CONV,) * 12
    assert list(where.actions(twelve[1:])) == [*CONVOLUTIONS, *POOLINGS, AVERAGE, END]
    assert list(where.actions(twelve)) == [AVERAGE, END]


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        (None, {}, r"the size of the images for the space metaqnn\. Received: None"),
        ((None, None, 3), {}, r"the size of the images .* Received: \(None, None, 3\)"),
        ((None, 32, 3), {}, r"the size of the images .* Received: \(None, 32, 3\)"),
        ((32, 0, 3), {}, r"the size of the images .* Received: \(32, 0, 3\)"),
        ((32.0, 32, 3), {}, r"the size of the images .* Received: \(32\.0, 32, 3\)"),
        ((32, 32, 3), {"max_depth": 0}, r"max_depth from 1 to 127\. Received: 0"),
        ((32, 32, 3), {"max_depth": 128}, r"max_depth from 1 to 127\. Received: 128"),
        ((32, 32, 3), {"max_depth": 12.0}, r"max_depth from 1 to 127\. Received: 12\.0"),
        ((32, 32, 3), {"max_depth": True}, r"max_depth from 1 to 127\. Received: True"),
        ((32, 32, 3), {"max_depth": "12"}, r"max_depth from 1 to 127\. Received: '12'"),
        ((32, 32, 3), {"filter_multiplier": 0}, r"filter_multiplier from 0\.001 to 16\. Received: 0"),
        ((32, 32, 3), {"filter_multiplier": 17}, r"filter_multiplier from 0\.001 to 16\. Received: 17"),
        ((32, 32, 3), {"filter_multiplier": float("nan")}, r"filter_multiplier from .* Received: nan"),
        ((32, 32, 3), {"filter_multiplier": True}, r"filter_multiplier from .* Received: True"),
        ((32, 32, 3), {"filter_multiplier": "1"}, r"filter_multiplier from .* Received: '1'"),
        ((32, 32, 3), {"depth": 12}, r"options .* among \['filter_multiplier', 'max_depth'\]\. Received: depth"),
    ],
)  # fmt: skip
def test_options_that_make_no_space(shape: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpaceError, match=message):
        space("metaqnn", shape, 10, **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P(2,2),SM", r"layer 1 of the chain among .* metaqnn allows there: C\(6,1,1\), .*, GAP, SM\. .*: P\(2,2\)"),
        ("FC(13),SM", r"layer 1 of the chain among .* Received: FC\(13\)"),
        ("C(13,3,1),C(13,3,2),SM", r"layer 2 of the chain among .* Received: C\(13,3,2\)"),
        ("C(64,3,1),SM", r"layer 1 of the chain among .* Received: C\(64,3,1\)"),
        ("C(13,7,1),SM", r"layer 1 of the chain among .* Received: C\(13,7,1\)"),
        ("C(13,3,1),P(3,3),SM", r"layer 2 of the chain among .* Received: P\(3,3\)"),
        ("C(13,3,1),P(2,2),FC(51),SM", r"layer 3 of the chain among .*, C\(51,5,1\), GAP, SM\. Received: FC\(51\)"),
        ("C(6,1,1),P(5,3),FC(13),FC(26),SM", r"layer 4 .* allows there: FC\(13\), SM\. Received: FC\(26\)"),
        ("C(6,1,1),P(5,3),FC(51),FC(51),FC(51),SM", r"layer 5 .* allows there: SM\. Received: FC\(51\)"),
        ("C(6,1,1),P(5,3),C(6,5,1),SM", r"layer 3 of the chain among .* Received: C\(6,5,1\)"),
        (5 * "C(6,1,1)," + "C(6,1,1),SM", r"layer 6 of the chain .* there: GAP, SM\. Received: C\(6,1,1\)"),
        (5 * "C(6,1,1)," + "FC(13),SM", r"layer 6 of the chain .* there: GAP, SM\. Received: FC\(13\)"),
    ],
)  # fmt: skip
def test_chains_that_the_space_cannot_make(text: str, message: str) -> None:
    where = of_size(16, max_depth=5, filter_multiplier=0.1)  # P(5,3) makes 4 and P(2,2) makes 8
    with pytest.raises(GenotypeError, match=rf"^Expected {message}"):
        where.decisions(chain(text))


def test_other_kinds_of_genotypes_are_refused() -> None:
    with pytest.raises(GenotypeError, match=r"Expected a chain for the space metaqnn\. Received: a block"):
        of_size(32).decisions(load("block_qnn_s"))


@settings(max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
    st.integers(1, 18),
    st.sampled_from([0.01, 0.25, 1]),
    st.integers(0, 2**32 - 1),
)
def test_whatever_is_drawn_can_be_planned(
    shape: tuple[int, int, int], depth: int, multiplier: float, seed: int
) -> None:
    where = MetaQNN(shape, depth, multiplier)
    states, decisions = walk(where, np.random.default_rng(seed))
    genotype = where.genotype(states[-1])
    assert len(genotype.layers) <= depth + 1  # the global average may follow the last layer of all
    assert where.decisions(genotype) == tuple(decisions)
    layers = plan(genotype, template("chain", kind="chain", input_shape=shape, classes=7))
    assert layers[-1].shape == (1, 1, 7)
    shapes = {layer.name: layer.shape for layer in layers}
    for number, action in enumerate(decisions, start=1):
        if action[0] in (1, 2):  # what the space counts is what the network has
            name = f"layer{number}_conv" if action[0] == 1 else f"layer{number}_pool"
            assert min(shapes[name][:2]) == where.map_size(states[number]) >= 1
