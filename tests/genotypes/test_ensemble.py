"""Ensembles as genotypes: JSON and back, a hash without order, one graph behind one input, bad input."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import (
    Block,
    BlockGenotype,
    Cell,
    CellGenotype,
    ChainGenotype,
    EnsembleGenotype,
    Genotype,
    NasBench201Genotype,
    dumps,
    load,
    loads,
    to_document,
)
from automl_cells.genotypes.drawing import draw_svg, draw_text
from automl_cells.genotypes.ensemble import MAX_MEMBERS, template_kind
from tests.genotypes.blocks import blocks
from tests.genotypes.cells import genotypes

SVG = "{http://www.w3.org/2000/svg}"
CONV_AND_ADD = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 5, 0, 0, 1), (3, 7, 0, 0, 0)])
IDENTITY = BlockGenotype.from_codes([(1, 4, 0, 0, 0), (2, 7, 0, 0, 0)])
LINEAR = ChainGenotype.from_text("SM")
AVERAGED = ChainGenotype.from_text("C(4,3,1),GAP,SM")
NORMAL = Cell((Block(0, 1, "sep_conv_3x3", "identity", "add"),))
REDUCTION = Cell((Block(1, 1, "conv_1x1", "conv_3x3", "concat"),), (0, 2))
CELLS = CellGenotype(NORMAL, REDUCTION)
SWAPPED = CellGenotype(REDUCTION, NORMAL)
PAIRS: dict[str, tuple[Genotype, Genotype]] = {
    "block": (CONV_AND_ADD, IDENTITY),
    "cell": (CELLS, SWAPPED),
    "chain": (LINEAR, AVERAGED),
}
every_kind = pytest.mark.parametrize("kind", PAIRS)
KINDS = r"\['block', 'cell', 'chain'\]"


def chains() -> st.SearchStrategy[ChainGenotype]:
    return st.integers(1, 64).map(lambda filters: ChainGenotype.from_text(f"C({filters},3,1),SM"))


def ensembles() -> st.SearchStrategy[EnsembleGenotype]:
    members = st.one_of(st.lists(kind, min_size=2, max_size=4) for kind in (blocks(5), genotypes(), chains()))
    return members.map(lambda found: EnsembleGenotype(tuple(found)))


@every_kind
def test_members_of_every_kind_survive_a_round_trip(kind: str) -> None:
    genotype = EnsembleGenotype(PAIRS[kind])
    assert EnsembleGenotype.from_body(json.loads(json.dumps(genotype.body()))) == genotype
    again = loads(dumps(genotype, {"trial": "3, 5"}))
    assert again == genotype
    assert again.hash == genotype.hash
    assert hash(again) == hash(genotype)
    assert isinstance(again, EnsembleGenotype)
    assert isinstance(again, Genotype)


@given(ensembles())
def test_json_and_back(genotype: EnsembleGenotype) -> None:
    again = loads(dumps(genotype))
    assert again == genotype
    assert again.hash == genotype.hash


def test_the_document_holds_each_member_with_its_kind() -> None:
    assert EnsembleGenotype((LINEAR, AVERAGED)).body() == {
        "members": [
            {"kind": "chain", "layers": ["SM"]},
            {"kind": "chain", "layers": ["C(4,3,1)", "GAP", "SM"]},
        ]
    }
    document = to_document(EnsembleGenotype((IDENTITY, IDENTITY)))
    assert document["kind"] == "ensemble"
    assert document["members"] == [{"kind": "block", "layers": [[1, 4, 0, 0, 0], [2, 7, 0, 0, 0]]}] * 2


def test_the_hash_is_that_of_the_sorted_hashes_of_the_members() -> None:
    members = (AVERAGED, LINEAR)
    text = "ensemble\n" + "\n".join(sorted(member.hash for member in members))
    assert EnsembleGenotype(members).hash == "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@every_kind
def test_the_hash_does_not_depend_on_the_order_of_the_members(kind: str) -> None:
    one, other = PAIRS[kind]
    assert EnsembleGenotype((one, other)).hash == EnsembleGenotype((other, one)).hash
    assert EnsembleGenotype((one, one, other)).hash == EnsembleGenotype((one, other, one)).hash


@every_kind
def test_other_members_or_other_numbers_of_them_have_other_hashes(kind: str) -> None:
    one, other = PAIRS[kind]
    members = [(one, other), (one, one), (other, other), (one, one, other), (one, other, other), (one, one, one)]
    assert len({EnsembleGenotype(those).hash for those in members} | {one.hash, other.hash}) == 8


@given(ensembles(), st.randoms(use_true_random=False))
def test_shuffled_members_have_the_same_hash(genotype: EnsembleGenotype, chance: Any) -> None:
    members = list(genotype.members)
    chance.shuffle(members)
    assert EnsembleGenotype(tuple(members)).hash == genotype.hash


def test_members_drawn_differently_that_are_the_same_architecture_have_the_same_hash() -> None:
    one = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 1, 5, 0, 0), (3, 7, 0, 0, 0)])
    same = BlockGenotype.from_codes([(1, 1, 5, 0, 0), (2, 1, 3, 0, 0), (3, 7, 0, 0, 0)])
    assert one != same
    assert EnsembleGenotype((one, IDENTITY)).hash == EnsembleGenotype((IDENTITY, same)).hash


def test_from_two_to_thirty_two_members() -> None:
    assert MAX_MEMBERS == 32
    assert len(loads(dumps(EnsembleGenotype((load("nasnet_a"),) * 32))).members) == 32
    for members in ((), (LINEAR,), (LINEAR,) * 33):
        with pytest.raises(GenotypeError, match=rf"from 2 to 32 members of an ensemble\. Received: {len(members)}$"):
            EnsembleGenotype(members)


NAS_BENCH_201 = NasBench201Genotype(("none",) * 6)


@pytest.mark.parametrize(
    ("members", "received"),
    [
        ((LINEAR, IDENTITY), r"\['block', 'chain'\]"),
        ((CELLS, CELLS, LINEAR), r"\['cell', 'chain'\]"),
        ((NAS_BENCH_201, NAS_BENCH_201), r"\['nasbench201'\]"),
        ((NAS_BENCH_201, IDENTITY), r"\['block', 'nasbench201'\]"),
        ((EnsembleGenotype((LINEAR, LINEAR)),) * 2, r"\['ensemble'\]"),
        ((LINEAR, EnsembleGenotype((LINEAR, LINEAR))), r"\['chain', 'ensemble'\]"),
    ],
)
def test_members_are_of_one_kind_that_can_be_built(members: tuple[Genotype, ...], received: str) -> None:
    with pytest.raises(GenotypeError, match=rf"members of one kind among {KINDS}\. Received: {received}$"):
        EnsembleGenotype(members)


GOOD = {"kind": "chain", "layers": ["SM"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"members": []}, r"from 2 to 32 members of an ensemble\. Received: 0$"),
        ({"members": [GOOD]}, r"from 2 to 32 members of an ensemble\. Received: 1$"),
        ({"members": [GOOD] * 33}, r"from 2 to 32 members of an ensemble\. Received: 33$"),
        ({"members": [None] * 5000}, r"from 2 to 32 members of an ensemble\. Received: 5000$"),
        ({"members": {"1": GOOD}}, r"the field 'members' as a list\. Received: \{'1'"),
        ({"members": "SM"}, r"the field 'members' as a list\. Received: 'SM'"),
        ({"members": None}, r"the field 'members' as a list\. Received: None"),
        ({"members": ...}, r"the field 'members', a list, and no other\. Received: \[\]"),
        ({"weights": [0.5, 0.5]}, r"the field 'members', a list, and no other\. Received: \['members', 'weights'\]"),
        ({"members": [GOOD, 3]}, rf"member 2 of a kind among {KINDS}\. Received: None"),
        ({"members": [GOOD, GOOD, ["SM"]]}, rf"member 3 of a kind among {KINDS}\. Received: None"),
        ({"members": [{"layers": ["SM"]}, GOOD]}, rf"member 1 of a kind among {KINDS}\. Received: None"),
        ({"members": [{**GOOD, "kind": "tree"}, GOOD]}, rf"member 1 of a kind among {KINDS}\. Received: 'tree'"),
        ({"members": [GOOD, {**GOOD, "kind": ["chain"]}]}, r"member 2 of a kind among .*Received: \['chain'\]"),
        ({"members": [GOOD, {"kind": "ensemble", "members": [GOOD, GOOD]}]}, r"member 2 of a kind.*'ensemble'"),
        (
            {"members": [GOOD, {"kind": "nasbench201", **NAS_BENCH_201.body()}]},
            r"member 2 of a kind among .*Received: 'nasbench201'",
        ),
        ({"members": [GOOD, {"kind": "block", **IDENTITY.body()}]}, r"members of one kind.*\['block', 'chain'\]"),
        (
            {"members": [{**GOOD, "name": "best"}, GOOD]},
            r"^Member 1: Expected the field 'layers'.*\['layers', 'name'\]",
        ),
        ({"members": [GOOD, {"kind": "chain"}]}, r"^Member 2: Expected the field 'layers', a list.*Received: \[\]"),
        ({"members": [GOOD, {"kind": "chain", "layers": ["C(4,3)", "SM"]}]}, r"^Member 2: .*layer 1, 'C\(4,3\)'"),
        ({"members": [GOOD] * 11 + [{"kind": "chain", "layers": []}]}, r"^Member 12: Expected a chain that ends with"),
        ({"members": [{"kind": "block", "layers": [[1, 1, 4, 0, 0], [2, 7, 0, 0, 0]]}] * 2}, r"^Member 1: .*kernel of"),
        ({"members": [{"kind": "cell", "normal": [], "reduction": []}, GOOD]}, r"^Member 1: normal cell: Expected a"),
        ({"members": [GOOD, GOOD]}, r"^Expected hash sha256:"),
    ],
)
def test_what_is_no_ensemble(change: dict[str, Any], message: str) -> None:
    document = to_document(EnsembleGenotype((LINEAR, AVERAGED))) | change
    text = json.dumps({name: value for name, value in document.items() if value is not ...})
    with pytest.raises(GenotypeError, match=message):
        loads(text)


def test_blocks_side_by_side_behind_one_input() -> None:
    graph = EnsembleGenotype((CONV_AND_ADD, IDENTITY)).graph()
    assert graph.labels == ("input", "conv 3", "add", "output", "identity", "output", "average")
    assert graph.predecessors == ((), (0,), (0, 1), (2,), (0,), (4,), (3, 5))


def test_a_member_that_hands_its_input_on_reads_the_one_input() -> None:
    graph = EnsembleGenotype((BlockGenotype(()), IDENTITY, BlockGenotype(()))).graph()
    assert graph.labels == ("input", "output", "identity", "output", "output", "average")
    assert graph.predecessors == ((), (0,), (0,), (2,), (0,), (1, 3, 4))


def test_chains_side_by_side_behind_one_input() -> None:
    graph = EnsembleGenotype((AVERAGED, LINEAR)).graph()
    assert graph.labels == ("input", "C(4,3,1)", "GAP", "SM", "SM", "average")
    assert graph.predecessors == ((), (0,), (1,), (2,), (0,), (3, 4))


def test_both_inputs_of_both_cells_of_every_member_are_the_one_input() -> None:
    graph = EnsembleGenotype((CELLS, SWAPPED)).graph()
    normal = ("sep_conv_3x3", "identity", "add", "output")
    reduction = ("conv_1x1", "conv_3x3", "concat", "output")
    assert graph.labels == ("input", *normal, *reduction, *reduction, *normal, "average")
    assert graph.predecessors == (
        (),
        *((0,), (0,), (1, 2), (3,)),
        *((0,), (0,), (5, 6), (0, 7)),  # the reduction cell hands its first input on
        *((0,), (0,), (9, 10), (0, 11)),
        *((0,), (0,), (13, 14), (15,)),
        (4, 8, 12, 16),
    )


@given(ensembles())
def test_the_graph_has_every_node_and_edge_of_the_parts_and_one_input(genotype: EnsembleGenotype) -> None:
    graph = genotype.graph()
    parts = [part for _, part in genotype.parts()]
    inner = [[label for label, before in zip(part.labels, part.predecessors, strict=True) if before] for part in parts]
    assert graph.labels == ("input", *(label for labels in inner for label in labels), "average")
    assert [node for node, before in enumerate(graph.predecessors) if not before] == [0]
    assert graph.edges == sum(part.edges for part in parts) + len(parts)
    ends, end = [], 0
    for labels in inner:
        end += len(labels)
        ends.append(end)
    assert graph.predecessors[-1] == tuple(ends)


def test_the_parts_are_those_of_the_members_by_number() -> None:
    assert EnsembleGenotype((CONV_AND_ADD, IDENTITY)).parts() == (
        ("1: block", CONV_AND_ADD.graph()),
        ("2: block", IDENTITY.graph()),
    )
    assert EnsembleGenotype((CELLS, SWAPPED)).parts() == (
        ("1: normal cell", NORMAL.graph()),
        ("1: reduction cell", REDUCTION.graph()),
        ("2: normal cell", REDUCTION.graph()),
        ("2: reduction cell", NORMAL.graph()),
    )
    assert [name for name, _ in EnsembleGenotype((LINEAR,) * 3).parts()] == ["1: chain", "2: chain", "3: chain"]


@every_kind
def test_an_ensemble_stands_in_the_template_of_its_members(kind: str) -> None:
    one, other = PAIRS[kind]
    assert template_kind(EnsembleGenotype((one, other))) == template_kind(one) == kind
    assert EnsembleGenotype((one, other)).kind == "ensemble"


def test_a_genotype_that_is_looked_up_has_its_own_kind_of_template() -> None:
    assert template_kind(NAS_BENCH_201) == "nasbench201"


@every_kind
def test_every_part_is_drawn_under_its_name(kind: str) -> None:
    parts = EnsembleGenotype(PAIRS[kind]).parts()
    root = ElementTree.fromstring(draw_svg(parts, "ensemble/digits"))
    groups = [group for group in root.iter(f"{SVG}g") if group.get("data-part") is not None]
    captions = [text.text for text in root.iter(f"{SVG}text") if text.get("class") == "caption"]
    assert captions == [name for name, _ in parts]
    for group, (_, part) in zip(groups, parts, strict=True):
        nodes = [node for node in group.iter(f"{SVG}g") if node.get("data-node") is not None]
        edges = [path for path in group.iter(f"{SVG}path") if path.get("data-edge") is not None]
        assert (len(nodes), len(edges)) == (len(part.labels), part.edges)


def test_members_as_text_one_below_the_other() -> None:
    assert draw_text(EnsembleGenotype((LINEAR, AVERAGED)).parts()) == (
        "1: chain\n"
        "○  0  input\n"
        "○  1  SM     ← 0\n"
        "\n"
        "2: chain\n"
        "○  0  input\n"
        "●  1  C(4,3,1)  ← 0\n"
        "●  2  GAP       ← 1\n"
        "○  3  SM        ← 2\n"
    )


@every_kind
def test_the_graph_of_the_whole_can_be_drawn_too(kind: str) -> None:
    graph = EnsembleGenotype(PAIRS[kind]).graph()
    last = len(graph.labels) - 1
    assert draw_text(graph).splitlines()[last].split()[1:3] == [str(last), "average"]
    root = ElementTree.fromstring(draw_svg(graph))
    nodes = [group for group in root.iter(f"{SVG}g") if group.get("data-node") is not None]
    assert len(nodes) == len(graph.labels)
