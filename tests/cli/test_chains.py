"""Chains on the command line: MetaQNN's notation, bad input, the published nets."""

from __future__ import annotations

import pytest

from tests.cli.test_bad_input import refused, run


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("X(64,3,1),SM(10)", ["layer 1", "'X(64,3,1)'", "C, P, FC, GAP, SM"]),
        ("C(64,3,1,SM(10)", ["brackets", "layer 1"]),
        ("C(64,3,1),SM(10", ["closing bracket", "layer 2"]),
        ("C(64,3,1),C(64,3),SM(10)", ["layer 2", "'C(64,3)'", "C(filters,kernel,stride)"]),
        ("FC(128),C(64,3,1),SM(10)", ["layer 2", "C(64,3,1), after FC(128)"]),
        ("C(64,3,1),P(2,2),P(2,2),SM(10)", ["layer 3", "P(2,2), after P(2,2)", "two poolings"]),
        ("C(64,3,1),GAP(10),C(64,3,1),SM(10)", ["layer 3", "after GAP"]),
        ("C(64,3,1),P(2,2)", ["ends with the termination", "layer 2, 'P(2,2)'"]),
        ("C(64,3,1),SM(10),FC(3)", ["nothing after the termination", "layer 3"]),
        ("C(0,3,1),SM(10)", ["layer 1", "filters", "C(0,3,1)"]),
    ],
)
def test_what_is_no_chain_is_refused_by_layer_and_position(chain, words, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, "show", chain)
    for word in [*words, "Received: "]:
        assert word in line


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        ("C(4,3,1),P(5,3),C(4,5,1),SM(10)", ["layer 3, C(4,5,1)", "2x2", "smaller than the receptive field"]),
        ("C(4,3,1),P(5,3),C(4,1,1),P(3,2),SM(10)", ["layer 4, P(3,2)", "2x2", "pooled away to nothing"]),
    ],
)
def test_windows_that_do_not_fit_the_image_are_refused(chain, words, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, "build", chain, "--input-shape", "8,8,1")
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--repeats", "2"], ["filter_multiplier alone", "repeats=2"]),
        (["--filters", "4,8"], ["filter_multiplier alone", "filters=(4, 8)"]),
        (["--template", "cifar"], ["a template for a chain among ['chain']", "Received: cifar"]),
        (["--penultimate", "96"], ["a cell genotype with penultimate filters", "kind chain"]),
        (["--filter-multiplier", "0"], ["a filter multiplier above 0"]),
    ],
)
def test_sizes_that_a_chain_has_not_are_refused(arguments, words, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, "build", "metaqnn_mnist_1", *arguments)
    for word in words:
        assert word in line


def test_a_search_of_chains_refuses_what_its_space_and_template_have_not(monkeypatch, capsys, tmp_path):
    for arguments, word in (
        (["--space-option", "max_depth=0"], "max_depth from 1"),
        (["--space-option", "filter_multiplier=-1"], "filter_multiplier from"),
        (["--repeats", "2"], "filter_multiplier alone"),
        (["--template", "imagenet"], "a template for a chain"),
    ):
        out = tmp_path / "run"
        line = refused(
            monkeypatch, capsys, "search", "--space", "metaqnn", "--dataset", "digits", "--out", out, *arguments
        )
        assert word in line
        assert not out.exists()


def test_a_published_net_is_shown_in_the_papers_notation(monkeypatch, capsys):
    assert run(monkeypatch, "show", "metaqnn_mnist_7") == 0
    out = capsys.readouterr().out
    assert "\nC(128,3,1),C(512,3,1),P(2,2),C(256,3,1),C(128,5,1),C(64,1,1),C(64,5,1),C(512,5,1),GAP(10),SM(10)\n" in out
    assert "table A3, row 7" in out


def test_a_chain_in_the_notation_is_built(monkeypatch, capsys):
    assert run(monkeypatch, "build", "C(4,3,1),P(2,2),FC(8),SM(5)", "--input-shape", "8,8,1") == 0
    out = capsys.readouterr().out
    # 9·4 + 4; the map is 4 × 4 × 4: 64·8 + 8; 8·5 + 5
    assert "605" in out.split("parameters")[1].split("\n")[0]
    assert "filters times 1" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["build", "C(4,3,1),SM(7)", "--classes", "10"],
        ["train", "C(4,3,1),SM(7)", "--dataset", "digits", "--out", "never"],
    ],
)
def test_two_numbers_of_classes_are_refused(arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "as in C(4,3,1),SM(7), 7. Received: 10" in refused(monkeypatch, capsys, *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["input_shape=3", "classes=3", "name=3"])
def test_what_the_data_decide_is_no_option_of_a_space(option, monkeypatch, capsys, tmp_path):
    words = ["--dataset", "digits", "--out", tmp_path / "run"]
    assert "options of the space other than" in refused(
        monkeypatch, capsys, "search", "--space", "metaqnn", *words, "--space-option", option
    )
    assert "options of the strategy other than" in refused(
        monkeypatch, capsys, "search", *words, "--strategy-option", "seed=3"
    )


def test_rates_of_dropout_in_the_wrong_order_are_refused(monkeypatch, capsys, tmp_path):
    words = ["--dataset", "digits", "--out", tmp_path / "run", "--set", "chain_dropout=[0.9,0.1]"]
    line = refused(monkeypatch, capsys, "train", "C(4,3,1),SM", *words)
    assert "chain_dropout is the lowest and the highest rate" in line


def test_recipes_with_dropout_inside_of_a_chain_are_for_chains(monkeypatch, capsys, tmp_path):
    line = refused(
        monkeypatch,
        capsys,
        *("train", "block_qnn_b", "--dataset", "digits", "--recipe", "metaqnn_mnist", "--out", tmp_path / "run"),
    )
    assert "Expected a chain genotype with the recipe metaqnn_mnist" in line
    assert not (tmp_path / "run").exists()


def test_a_transfer_needs_something_trained(monkeypatch, capsys, tmp_path):
    words = ["--dataset", "digits", "--out", tmp_path / "out"]
    line = refused(monkeypatch, capsys, "transfer", "--from", tmp_path / "nothing", *words)
    assert "Received: " in line
    assert not (tmp_path / "out").exists()
