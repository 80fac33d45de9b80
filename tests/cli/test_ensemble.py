"""`automl-cells ensemble`, and ensembles given to the other commands: what is refused, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cells.genotypes import ChainGenotype, EnsembleGenotype, write
from automl_cells.search.journal import Journal
from tests.cli.test_bad_input import refused, run

AVERAGED = EnsembleGenotype((ChainGenotype.from_text("SM"), ChainGenotype.from_text("C(4,3,1),GAP,SM")))


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    """The folder of a search whose best have not been trained."""
    folder = tmp_path / "run"
    folder.mkdir()
    Journal(folder / "journal.sqlite", {}).close()
    return folder


@pytest.fixture
def genotype(tmp_path: Path) -> Path:
    write(AVERAGED, tmp_path / "genotype.json")
    return tmp_path / "genotype.json"


@pytest.mark.parametrize("arguments", [[], ["--top", "1"], ["--dataset", "digits"], ["--out", "x"]])
def test_a_folder_without_a_search_is_refused(arguments, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = refused(monkeypatch, capsys, "ensemble", "nowhere", *arguments)
    assert "Expected a folder with a search in it" in line
    assert "Received: nowhere" in line
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_search_must_be_given(monkeypatch, capsys):
    assert "RUN" in refused(monkeypatch, capsys, "ensemble")


@pytest.mark.parametrize("top", ["1", "0", "-1"])
def test_one_network_is_no_ensemble(top, searched, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, "ensemble", searched, "--top", top)
    assert f"Expected at least two networks to average. Received: top={top}" in line
    assert not (searched / "ensemble").exists()


@pytest.mark.parametrize("arguments", [["--top", "many"], ["--top", "2.5"], ["--best", "2"]])
def test_words_that_are_no_options_are_refused(arguments, searched, monkeypatch, capsys):
    assert arguments[0] in refused(monkeypatch, capsys, "ensemble", searched, *arguments)


def test_without_trained_networks_the_command_that_trains_them_is_named(searched, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, "ensemble", searched)
    assert f"automl-cells finetune-top {searched}" in line
    assert not (searched / "ensemble").exists()


def test_a_damaged_summary_is_refused(searched, monkeypatch, capsys):
    (searched / "top").mkdir()
    (searched / "top" / "summary.json").write_text('[{"trial": 1},\n {"trial": 2}]')
    line = refused(monkeypatch, capsys, "ensemble", searched, "--top", 2)
    assert str(searched / "top" / "summary.json") in line
    assert not (searched / "ensemble").exists()


def test_an_ensemble_is_not_trained_itself(genotype, monkeypatch, capsys, tmp_path):
    out = tmp_path / "out"
    line = refused(
        monkeypatch, capsys, "train", genotype, "--dataset", "digits", "--filter-multiplier", 0.1, "--out", out
    )
    assert "the members of an ensemble are trained one by one" in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--template", "cifar"], ["a template for a chain", "Received: cifar"]),
        (["--filters", "4,8"], ["filter_multiplier alone with the template of a chain"]),
        (["--penultimate", "48"], ["a cell genotype with penultimate filters"]),
    ],
)
def test_a_template_is_that_of_the_members(arguments, words, genotype, monkeypatch, capsys):
    line = refused(monkeypatch, capsys, "build", genotype, *arguments)
    for word in words:
        assert word in line


def test_an_ensemble_is_shown_member_by_member(genotype, monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "show", genotype, "--svg", tmp_path / "drawing.svg") == 0
    out, _ = capsys.readouterr()
    for word in ("ensemble", AVERAGED.hash, "1: chain", "2: chain", "C(4,3,1)"):
        assert word in out
    assert "2: chain" in (tmp_path / "drawing.svg").read_text()


def test_an_ensemble_is_built_at_any_size(genotype, monkeypatch, capsys):
    """Two linear classifiers of 64 pixels and of 3 averages, and convolutions of 9 and of 4 inputs, with biases."""
    assert run(monkeypatch, "build", genotype, "--input-shape", "8,8,1", "--classes", 3) == 0
    out, _ = capsys.readouterr()
    parameters = (64 * 3 + 3) + (9 * 4 + 4) + (4 * 3 + 3) + (3 * 3 + 3)
    assert f"{parameters:,}" in out
