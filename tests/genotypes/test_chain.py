"""Chains: MetaQNN's notation, what it allows and refuses, and the twenty networks of the paper's tables A1 to A3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import ChainGenotype, dumps, load, load_with_provenance, loads, published_names, write
from automl_cells.genotypes.catalogue import is_known
from automl_cells.genotypes.chain import MAX_LAYERS, TERMINAL, ChainLayer, is_chain_text
from tests.genotypes.chains import chains, spaced

# Baker et al., arXiv 1611.02167v2, tables A1 (CIFAR-10), A2 (SVHN) and A3 (MNIST): network, test error in per cent,
# parameters in millions.
PUBLISHED = {
    "cifar10": [
        ("C(512,5,1),C(256,3,1),C(256,5,1),C(256,3,1),P(5,3),C(512,3,1),C(512,5,1),P(2,2),SM(10)", 6.92, 11.18),
        ("C(128,1,1),C(512,3,1),C(64,1,1),C(128,3,1),P(2,2),C(256,3,1),P(2,2),C(512,3,1),P(3,2),SM(10)", 8.78, 2.17),
        ("C(128,3,1),C(128,1,1),C(512,5,1),P(2,2),C(128,3,1),P(2,2),C(64,3,1),C(64,5,1),SM(10)", 8.88, 2.42),
        ("C(256,3,1),C(256,3,1),P(5,3),C(256,1,1),C(128,3,1),P(2,2),C(128,3,1),SM(10)", 9.24, 1.10),
        ("C(128,5,1),C(512,3,1),P(2,2),C(128,1,1),C(128,5,1),P(3,2),C(512,3,1),SM(10)", 11.63, 1.66),
    ],
    "svhn": [
        (
            "C(128,3,1),P(2,2),C(64,5,1),C(512,5,1),C(256,3,1),C(512,3,1),P(2,2),C(512,3,1),C(256,5,1),C(256,3,1),"
            "C(128,5,1),C(64,3,1),SM(10)",
            2.24,
            9.81,
        ),
        (
            "C(128,1,1),C(256,5,1),C(128,5,1),P(2,2),C(256,5,1),C(256,1,1),C(256,3,1),C(256,3,1),C(256,5,1),"
            "C(512,5,1),C(256,3,1),C(128,3,1),SM(10)",
            2.28,
            10.38,
        ),
        (
            "C(128,5,1),C(128,3,1),C(64,5,1),P(5,3),C(128,3,1),C(512,5,1),C(256,5,1),C(128,5,1),C(128,5,1),"
            "C(128,3,1),SM(10)",
            2.32,
            6.83,
        ),
        (
            "C(128,1,1),C(256,5,1),C(128,5,1),C(256,3,1),C(256,5,1),P(2,2),C(128,1,1),C(512,3,1),C(256,5,1),P(2,2),"
            "C(64,5,1),C(64,1,1),SM(10)",
            2.35,
            6.99,
        ),
        (
            "C(128,1,1),C(256,5,1),C(128,5,1),C(256,5,1),C(256,5,1),C(256,1,1),P(3,2),C(128,1,1),C(256,5,1),"
            "C(512,5,1),C(256,3,1),C(128,3,1),SM(10)",
            2.36,
            10.05,
        ),
    ],
    "mnist": [
        ("C(64,1,1),C(256,3,1),P(2,2),C(512,3,1),C(256,1,1),P(5,3),C(256,3,1),C(512,3,1),FC(512),SM(10)", 0.35, 5.59),
        (
            "C(128,3,1),C(64,1,1),C(64,3,1),C(64,5,1),P(2,2),C(128,3,1),P(3,2),C(512,3,1),FC(512),FC(128),SM(10)",
            0.38,
            7.43,
        ),
        (
            "C(512,1,1),C(128,3,1),C(128,5,1),C(64,1,1),C(256,5,1),C(64,1,1),P(5,3),C(512,1,1),C(512,3,1),C(256,3,1),"
            "C(256,5,1),C(256,5,1),SM(10)",
            0.40,
            8.28,
        ),
        (
            "C(64,3,1),C(128,3,1),C(512,1,1),C(256,1,1),C(256,5,1),C(128,3,1),P(5,3),C(512,1,1),C(512,3,1),"
            "C(128,5,1),SM(10)",
            0.41,
            6.27,
        ),
        (
            "C(64,3,1),C(128,1,1),P(2,2),C(256,3,1),C(128,5,1),C(64,1,1),C(512,5,1),C(128,5,1),C(64,1,1),C(512,5,1),"
            "C(256,5,1),C(64,5,1),SM(10)",
            0.43,
            8.10,
        ),
        (
            "C(64,1,1),C(256,5,1),C(256,5,1),C(512,1,1),C(64,3,1),P(5,3),C(256,5,1),C(256,5,1),C(512,5,1),C(64,1,1),"
            "C(128,5,1),C(512,5,1),SM(10)",
            0.44,
            9.67,
        ),
        (
            "C(128,3,1),C(512,3,1),P(2,2),C(256,3,1),C(128,5,1),C(64,1,1),C(64,5,1),C(512,5,1),GAP(10),SM(10)",
            0.44,
            3.52,
        ),
        (
            "C(256,3,1),C(256,5,1),C(512,3,1),C(256,5,1),C(512,1,1),P(5,3),C(256,3,1),C(64,3,1),C(256,5,1),"
            "C(512,3,1),C(128,5,1),C(512,5,1),SM(10)",
            0.46,
            12.42,
        ),
        (
            "C(512,5,1),C(128,5,1),C(128,5,1),C(128,3,1),C(256,3,1),C(512,5,1),C(256,3,1),C(128,3,1),SM(10)",
            0.55,
            7.25,
        ),
        (
            "C(64,5,1),C(512,5,1),P(3,2),C(256,5,1),C(256,3,1),C(256,3,1),C(128,1,1),C(256,3,1),C(256,5,1),C(64,1,1),"
            "C(256,3,1),C(64,3,1),SM(10)",
            0.56,
            7.55,
        ),
    ],
}
IMAGES = {"cifar10": [32, 32, 3], "svhn": [32, 32, 3], "mnist": [28, 28, 1]}
ROWS = {
    f"metaqnn_{dataset}_{row}": (dataset, row, *published)
    for dataset, networks in PUBLISHED.items()
    for row, published in enumerate(networks, start=1)
}


def chain(text: str) -> ChainGenotype:
    return ChainGenotype.from_text(text)


def test_all_twenty_published_networks_are_there_and_no_other() -> None:
    assert len(ROWS) == 20
    assert {name for name in published_names() if name.startswith("metaqnn")} == set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_published_network_is_the_papers(name: str) -> None:
    dataset, row, text, error, millions = ROWS[name]
    genotype, provenance = load_with_provenance(name)
    assert isinstance(genotype, ChainGenotype)
    assert genotype.text(classes=10) == text
    assert genotype == load(text) == chain(text)
    table = {"cifar10": "A1", "svhn": "A2", "mnist": "A3"}[dataset]
    assert provenance["source"].endswith(f"arXiv 1611.02167v2, table {table}, row {row}")
    assert provenance["dataset"] == dataset
    assert provenance["input_shape"] == IMAGES[dataset]
    assert provenance["classes"] == 10
    assert provenance["published_results"] == {f"{dataset}_error_percent": error, "parameters_millions": millions}


def test_published_networks_differ_and_their_hashes_stay() -> None:
    assert len({load(name).hash for name in ROWS}) == 20
    # In files that people keep: a change of it is a change of the format.
    assert load("metaqnn_cifar10_1").hash == "sha256:2cba49e8bce334e5f2c2fc40ae114db1a02776fc0f5f56da80b6735400c40908"


def test_the_layers_of_a_text_by_hand() -> None:
    genotype = chain("C(512,5,1),P(3,2),FC(128),FC(64),SM(10)")
    assert genotype.layers == (
        ChainLayer("C", (512, 5, 1)),
        ChainLayer("P", (3, 2)),
        ChainLayer("FC", (128,)),
        ChainLayer("FC", (64,)),
    )
    assert str(genotype) == genotype.text() == "C(512,5,1),P(3,2),FC(128),FC(64),SM"
    assert genotype.text(100) == "C(512,5,1),P(3,2),FC(128),FC(64),SM(100)"
    assert genotype.body() == {"layers": ["C(512,5,1)", "P(3,2)", "FC(128)", "FC(64)", "SM"]}


def test_the_number_of_classes_stands_in_the_global_average_too() -> None:
    genotype = chain("C(8,3,1),GAP(7),SM(7)")
    assert genotype.layers == (ChainLayer("C", (8, 3, 1)), ChainLayer("GAP"))
    assert genotype.text() == "C(8,3,1),GAP,SM"
    assert genotype.text(classes=10) == "C(8,3,1),GAP(10),SM(10)"


@pytest.mark.parametrize(
    "text", ["C(8,3,1),GAP,SM", "C(8,3,1),GAP(3),SM", "C(8,3,1),GAP,SM(4)", "C(8,3,1),GAP(5),SM(5)"]
)
def test_the_number_of_classes_is_no_part_of_the_genotype(text: str) -> None:
    genotype = chain("C(8,3,1),GAP,SM")
    assert chain(text) == genotype
    assert chain(text).hash == genotype.hash


def test_a_chain_without_layers_is_a_linear_classifier() -> None:
    assert chain("SM(10)") == chain("SM") == ChainGenotype(())
    assert chain("SM").text(3) == "SM(3)"
    assert chain("SM").graph().predecessors == ((), (0,))


@given(chains(), st.none() | st.integers(1, 1_000_000))
def test_text_body_and_json_are_inverse(genotype: ChainGenotype, classes: int | None) -> None:
    assert chain(genotype.text(classes)) == genotype
    assert chain(str(genotype)) == genotype
    assert ChainGenotype.from_body(json.loads(json.dumps(genotype.body()))) == genotype
    assert loads(dumps(genotype)) == genotype


@given(st.data())
def test_spaces_mean_nothing(data: st.DataObject) -> None:
    genotype = data.draw(chains(max_layers=4))
    text = data.draw(spaced(genotype.text(10)))
    assert chain(text) == genotype
    assert chain(text).hash == genotype.hash


def test_leading_zeros_mean_nothing() -> None:
    assert chain("C(064,03,1),SM(010)") == chain("C(64,3,1),SM")


def test_the_graph_is_a_line() -> None:
    graph = chain("C(64,3,1),P(2,2),GAP(10),SM(10)").graph()
    assert graph.labels == ("input", "C(64,3,1)", "P(2,2)", "GAP", "SM")
    assert graph.predecessors == ((), (0,), (1,), (2,), (3,))
    assert (graph.edges, graph.depth) == (4, 4)


@given(chains())
def test_graph_and_parts_of_any_chain(genotype: ChainGenotype) -> None:
    graph = genotype.graph()
    assert graph.depth == graph.edges == len(genotype.layers) + 1
    assert graph.labels[1:] == tuple(genotype.body()["layers"])
    assert genotype.parts() == (("chain", graph),)


@given(chains(max_layers=3, max_width=2, max_kernel=2), chains(max_layers=3, max_width=2, max_kernel=2))
def test_hashes_are_equal_for_equal_chains_alone(one: ChainGenotype, other: ChainGenotype) -> None:
    assert (one.hash == other.hash) == (one == other)
    assert one.hash == ChainGenotype(one.layers).hash


def test_every_number_and_the_order_count() -> None:
    texts = [
        "SM",
        "GAP,SM",
        "C(64,3,1),SM",
        "C(65,3,1),SM",
        "C(64,5,1),SM",
        "C(64,3,2),SM",
        "C(64,3,1),GAP,SM",
        "C(64,3,1),C(64,3,1),SM",
        "P(3,2),SM",
        "P(2,2),SM",
        "P(3,1),SM",
        "FC(64),SM",
        "FC(65),SM",
        "FC(64),FC(65),SM",
        "FC(65),FC(64),SM",
        "C(64,3,1),P(3,2),SM",
        "P(3,2),C(64,3,1),SM",
    ]
    assert len({chain(text).hash for text in texts}) == len(texts)


LETTERS = r"a layer among C, P, FC, GAP, SM, such as C\(64,3,1\)\. Received: "
BAD = {
    "an unknown letter": ("C(64,3,1),X(3),SM", LETTERS + r"layer 2, 'X\(3\)'"),
    "a small letter": ("c(64,3,1),SM", LETTERS + r"layer 1, 'c\(64,3,1\)'"),
    "a letter that only looks like it": ("\u0421(64,3,1),SM", LETTERS + r"layer 1, "),
    "two letters in one": ("CP(3,2),SM", LETTERS + r"layer 1, 'CP\(3,2\)'"),
    "numbers alone": ("(64,3,1),SM", LETTERS + r"layer 1, '\(64,3,1\)'"),
    "nothing": ("", LETTERS + r"layer 1, ''"),
    "spaces alone": (" \n", LETTERS + r"layer 1, ' .*'"),
    "a comma alone": (",", LETTERS + r"layer 1, ''"),
    "two commas": ("C(64,3,1),,SM", LETTERS + r"layer 2, ''"),
    "no closing bracket": ("P(2,2),C(64,3,1,SM", r"a closing bracket\. Received: layer 2, 'C\(64,3,1,SM'"),
    "no opening bracket": ("C64,3,1),SM", r"one pair of brackets a layer\. Received: layer 3, '1\)'"),
    "two closing brackets": ("C(64,3,1)),SM", r"one pair of brackets a layer\. Received: layer 1, 'C\(64,3,1\)\)'"),
    "two opening brackets": ("SM,C((64,3,1),SM", r"one pair of brackets a layer\. Received: layer 2, 'C\(\('"),
    "two pairs of brackets": (
        "C(64,3)(1),SM",
        r"C with its numbers in one pair .* Received: layer 1, 'C\(64,3\)\(1\)'",
    ),
    "square brackets": ("C[64,3,1],SM", r"C with its numbers in one pair of brackets\. Received: layer 1, 'C\[64'"),
    "no comma": ("C(64,3,1)SM", r"C with its numbers in one pair of brackets\. Received: layer 1, 'C\(64,3,1\)SM'"),
    "two numbers of a convolution": ("C(64,3),SM", r"C\(filters,kernel,stride\), with whole .*: layer 1, 'C\(64,3\)'"),
    "four numbers of a convolution": ("C(6,3,1,1),SM", r"C\(filters,kernel,stride\), .*: layer 1, 'C\(6,3,1,1\)'"),
    "no numbers": ("C,SM", r"C\(filters,kernel,stride\), with whole numbers\. Received: layer 1, 'C'"),
    "empty brackets": ("C(),SM", r"C\(filters,kernel,stride\), with whole numbers\. Received: layer 1, 'C\(\)'"),
    "one number of a pooling": ("C(8,3,1),P(2),SM", r"P\(kernel,stride\), .* Received: layer 2, 'P\(2\)'"),
    "three numbers of a pooling": ("P(2,2,1),SM", r"P\(kernel,stride\), .* Received: layer 1, 'P\(2,2,1\)'"),
    "two numbers of neurons": ("FC(8,8),SM", r"FC\(neurons\), .* Received: layer 1, 'FC\(8,8\)'"),
    "two numbers of classes in one layer": ("SM(10,10)", r"SM\(classes\), .* Received: layer 1, 'SM\(10,10\)'"),
    "empty brackets of classes": ("SM()", r"SM\(classes\), .* Received: layer 1, 'SM\(\)'"),
    "empty brackets of the average": ("GAP(),SM", r"GAP\(classes\), .* Received: layer 1, 'GAP\(\)'"),
    "Arabic digits": ("C(\u0663,3,1),SM", r"C\(filters,kernel,stride\), with whole numbers\. Received: layer 1, "),
    "superscript digits": ("C(8,\u00b3,1),SM", r"C\(filters,kernel,stride\), with whole numbers\. Received: layer 1, "),
    "full-width digits": ("SM(\uff11)", r"SM\(classes\), with whole numbers\. Received: layer 1, "),
    "a negative number": ("C(8,3,1),C(-8,3,1),SM", r"C\(filters,.* whole numbers\. Received: layer 2, 'C\(-8,3,1\)'"),
    "a sign": ("FC(+8),SM", r"FC\(neurons\), with whole numbers\. Received: layer 1, 'FC\(\+8\)'"),
    "a point": ("FC(8.0),SM", r"FC\(neurons\), with whole numbers\. Received: layer 1, 'FC\(8\.0\)'"),
    "an exponent": ("FC(1e3),SM", r"FC\(neurons\), with whole numbers\. Received: layer 1, 'FC\(1e3\)'"),
    "an underscore": ("FC(1_0),SM", r"FC\(neurons\), with whole numbers\. Received: layer 1, 'FC\(1_0\)'"),
    "a space in a number": ("FC(1 0),SM", r"FC\(neurons\), with whole numbers\. Received: layer 1, 'FC\(1 0\)'"),
    "a number of eight digits": ("FC(10000000),SM", r"FC\(neurons\), with whole numbers\. Received: layer 1, 'FC"),
    "a number of 5,000 digits": (
        f"C({'9' * 5000},3,1),SM",
        r"C\(filters,.* whole numbers\. Received: layer 1, 'C\(999",
    ),
    "no filters": ("C(0,3,1),SM", r"the filters of layer 1, C, from 1 to 16384\. Received: C\(0,3,1\)"),
    "too many filters": ("C(16385,3,1),SM", r"the filters of layer 1, C, from 1 to 16384\. Received: C\(16385,3,1\)"),
    "a kernel of 0": ("C(8,3,1),C(8,0,1),SM", r"the kernel of layer 2, C, from 1 to 11\. Received: C\(8,0,1\)"),
    "a kernel of 12": ("C(8,12,1),SM", r"the kernel of layer 1, C, from 1 to 11\. Received: C\(8,12,1\)"),
    "a stride of 0": ("C(8,3,0),SM", r"the stride of layer 1, C, from 1 to 11\. Received: C\(8,3,0\)"),
    "a stride of 12": ("P(2,12),SM", r"the stride of layer 1, P, from 1 to 11\. Received: P\(2,12\)"),
    "a pooling of 0": ("C(8,3,1),P(0,2),SM", r"the kernel of layer 2, P, from 1 to 11\. Received: P\(0,2\)"),
    "a pooling of 12": ("P(12,2),SM", r"the kernel of layer 1, P, from 1 to 11\. Received: P\(12,2\)"),
    "no neurons": ("FC(0),SM", r"the neurons of layer 1, FC, from 1 to 16384\. Received: FC\(0\)"),
    "too many neurons": ("FC(16385),SM", r"the neurons of layer 1, FC, from 1 to 16384\. Received: FC\(16385\)"),
    "no classes": ("FC(8),SM(0)", r"from 1 to 1000000 classes\. Received: layer 2, 'SM\(0\)'"),
    "too many classes": ("GAP(1000001),SM", r"from 1 to 1000000 classes\. Received: layer 1, 'GAP\(1000001\)'"),
    "two numbers of classes that differ": (
        "C(8,3,1),GAP(10),SM(100)",
        r"one number of classes, 10\. Received: 100 in layer 3, 'SM\(100\)'",
    ),
    "a convolution after a connected layer": (
        "FC(128),C(64,3,1),SM",
        r"FC or SM after a fully connected layer\. Received: layer 2, C\(64,3,1\), after FC\(128\)",
    ),
    "a pooling after a connected layer": (
        "C(8,3,1),FC(128),P(2,2),SM",
        r"FC or SM after a fully connected layer\. Received: layer 3, P\(2,2\), after FC\(128\)",
    ),
    "the average after a connected layer": (
        "FC(128),GAP,SM",
        r"FC or SM after a fully connected layer\. Received: layer 2, GAP, after FC\(128\)",
    ),
    "a pooling after a pooling": (
        "C(8,3,1),P(3,2),P(2,2),SM",
        r"another layer between two poolings\. Received: layer 3, P\(2,2\), after P\(3,2\)",
    ),
    "a convolution after the average": (
        "GAP,C(8,3,1),SM",
        r"SM after the global average\. Received: layer 2, C\(8,3,1\), after GAP",
    ),
    "a pooling after the average": ("GAP,P(2,2),SM", r"SM after the global average\. Received: layer 2, P\(2,2\)"),
    "a connected layer after the average": (
        "GAP,FC(8),SM",
        r"SM after the global average\. Received: layer 2, FC\(8\)",
    ),
    "the average twice": ("GAP,GAP,SM", r"SM after the global average\. Received: layer 2, GAP, after GAP"),
    "a layer after the termination": ("SM(10),C(8,3,1)", r"nothing after the termination SM\. Received: layer 2, 'C\("),
    "the termination twice": ("C(8,3,1),SM,SM", r"nothing after the termination SM\. Received: layer 3, 'SM'"),
    "a comma at the end": ("C(8,3,1),SM,", r"nothing after the termination SM\. Received: layer 3, ''"),
    "no termination": (
        "C(8,3,1),P(2,2)",
        r"ends with the termination, e\.g\. SM\(10\)\. Received: layer 2, 'P\(2,2\)'",
    ),
    "no termination after the average": ("GAP(10)", r"ends with the termination, .* Received: layer 1, 'GAP'"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_no_chain_is_refused_with_the_layer_and_its_place(text: str, message: str) -> None:
    with pytest.raises(GenotypeError, match=rf"^Expected .*{message}") as caught:
        chain(text)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text", [None, 10, b"SM", ["SM"], "SM" + 10_000 * " "], ids=["none", "int", "bytes", "list", "long"]
)
def test_what_is_no_text_or_too_long_is_refused(text: Any) -> None:
    with pytest.raises(
        GenotypeError, match=r"^Expected a chain such as C\(64,3,1\),P\(2,2\),SM\(10\)\. Received: "
    ) as caught:
        chain(text)
    assert len(str(caught.value)) < 200


def test_as_many_layers_as_allowed() -> None:
    layers = "C(8,3,1)," * MAX_LAYERS
    assert len(chain(layers + "SM").layers) == MAX_LAYERS
    with pytest.raises(GenotypeError, match=r"a chain of at most 128 layers\. Received: 129"):
        chain(layers + "FC(8),SM")
    with pytest.raises(GenotypeError, match=r"a chain of at most 128 layers\. Received: 129"):
        ChainGenotype((ChainLayer("C", (8, 3, 1)),) * (MAX_LAYERS + 1))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (TERMINAL, r"among C, P, FC, GAP before the termination\. Received: layer 2, SM"),
        (ChainLayer("X", (3,)), r"among C, P, FC, GAP before the termination\. Received: layer 2, X"),
        (ChainLayer("C", (8, 3)), r"3 whole numbers in layer 2, C\. Received: \(8, 3\)"),
        (ChainLayer("C", (8, 3, True)), r"3 whole numbers in layer 2, C\. Received: \(8, 3, True\)"),
        (ChainLayer("C", (8, 3, 1.0)), r"3 whole numbers in layer 2, C\. Received: \(8, 3, 1\.0\)"),  # type: ignore[arg-type]
        (ChainLayer("P", ()), r"2 whole numbers in layer 2, P\. Received: \(\)"),
        (ChainLayer("GAP", (10,)), r"0 whole numbers in layer 2, GAP\. Received: \(10,\)"),
        (ChainLayer("FC", (0,)), r"the neurons of layer 2, FC, from 1 to 16384\. Received: FC\(0\)"),
    ],
)
def test_layers_given_directly_are_checked_too(layer: ChainLayer, message: str) -> None:
    with pytest.raises(GenotypeError, match=message):
        ChainGenotype((ChainLayer("C", (8, 3, 1)), layer))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, r"the field 'layers', a list, and no other\. Received: \[\]"),
        ({"layers": "C(8,3,1),SM"}, r"the field 'layers' as a list\. Received: 'C\(8,3,1\),SM'"),
        ({"layers": ["SM"], "width": 3}, r"the field 'layers', .*Received: \['layers', 'width'\]"),
        ({"layers": []}, r"ends with the termination, .*Received: no layers"),
        ({"layers": ["C(8,3,1)"]}, r"ends with the termination, .*Received: layer 1, 'C\(8,3,1\)'"),
        ({"layers": ["C(8,3,1)", ["SM"]]}, r"a layer such as C\(64,3,1\)\. Received: layer 2, \['SM'\]"),
        ({"layers": [None, "SM"]}, r"a layer such as C\(64,3,1\)\. Received: layer 1, None"),
        ({"layers": ["C(8,3,1),C(8,3,1)", "SM"]}, r"C with its numbers in one pair of brackets\. Received: layer 1"),
        ({"layers": ["P(2,2)", "P(2,2)", "SM"]}, r"between two poolings\. Received: layer 2, P\(2,2\)"),
        ({"layers": ["SM"] * 130}, r"at most 128 layers\. Received: 130"),
        ({"layers": ["GAP(3)", "SM(4)"]}, r"one number of classes, 3\. Received: 4 in layer 2, 'SM\(4\)'"),
    ],
)
def test_bodies_that_hold_no_chain(body: dict[str, Any], message: str) -> None:
    with pytest.raises(GenotypeError, match=message):
        ChainGenotype.from_body(body)


def test_a_body_may_have_spaces_and_classes() -> None:
    body = {"layers": [" C ( 8, 3,1)\n", "GAP(10)", "SM"]}
    assert ChainGenotype.from_body(body) == chain("C(8,3,1),GAP,SM")


def test_a_changed_layer_does_not_fit_the_hash_in_the_file() -> None:
    text = dumps(chain("C(8,3,1),SM"), {"seed": 3})
    assert loads(text) == chain("C(8,3,1),SM")
    with pytest.raises(GenotypeError, match=r"Expected hash sha256:\w+\. Received: 'sha256:"):
        loads(text.replace("C(8,3,1)", "C(8,5,1)"))


@pytest.mark.parametrize(
    "word",
    [
        "C(64,3,1),P(2,2),SM(10)",
        "C ( 64,3,1),SM",
        " FC(128),SM",
        "SM",
        " SM\n",
        "SM(10)",
        "GAP(10),SM(10)",
        "X(3),SM",
        "C(6",
    ],
)
def test_words_that_are_meant_as_a_chain(word: str) -> None:
    assert is_chain_text(word)
    assert is_known(word)


@pytest.mark.parametrize(
    "word", ["", "C", "nasnet_a", "metaqnn_svhn_1.json", "runs/3/best.json", "SM.json", "(64,3,1),SM", "3"]
)
def test_words_that_are_not(word: str) -> None:
    assert not is_chain_text(word)


def test_a_chain_is_loaded_from_its_text() -> None:
    assert load_with_provenance(" C(8,3,1) , SM(10)") == (
        chain("C(8,3,1),SM"),
        {"notation": "C(8,3,1) , SM(10)", "classes": 10},
    )
    assert load_with_provenance("C(8,3,1),SM") == (chain("C(8,3,1),SM"), {})
    with pytest.raises(GenotypeError, match=LETTERS + r"layer 1, 'X\(3\)'"):
        load("X(3),SM")


@pytest.mark.parametrize("text", ["GAP,SM", "GAP,SM(10)", "SM", "C(4,3,1),SM"])
def test_a_chain_is_loaded_by_its_text(text: str) -> None:
    assert load(text) == ChainGenotype.from_text(text)


def test_a_file_whose_name_looks_like_a_chain_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = ChainGenotype.from_text("C(4,3,1),SM")
    monkeypatch.chdir(tmp_path)
    for name in ("genotype (1).json", "C(9,1,1),SM"):
        write(chain, name)
        assert load(name) == chain
