"""The shelf of the checkout: whole, small enough for git, and with the proofs on its cards."""

from pathlib import Path

import pytest

from automl_cells.zoo import Shelf

SHELF = Shelf(Path(__file__).parents[2] / "zoo")
LARGEST = 35_000_000
NEWEST = {(item.name, item.tag): item.address for item in SHELF.list()}


def test_every_file_is_as_it_was_published():
    assert SHELF.verify() == []


def test_git_holds_no_more_than_was_agreed():
    assert sum(item.bytes for item in SHELF.list()) <= LARGEST


@pytest.mark.parametrize("address", NEWEST.values(), ids=str)
def test_the_newest_version_says_how_its_exports_agree_with_keras(address):
    entry = SHELF.find(str(address))
    formats = entry.metrics["exports"]["formats"]
    assert set(formats) == {"savedmodel", "onnx", "litert", "int8"}
    for form in ("savedmodel", "onnx", "litert"):
        assert formats[form]["max_abs_difference"] <= 1e-4
    assert "## Exports" in (entry.folder / "README.md").read_text(encoding="utf-8")


def test_what_was_searched_for_is_compared_with_random_search():
    entry = SHELF.find("blockqnn_found_digits")
    assert entry.metrics["random_search"]["candidates"] == entry.provenance["candidates"]
