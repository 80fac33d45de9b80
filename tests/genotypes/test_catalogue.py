"""The published genotypes, pinned, and how a user's word becomes a genotype."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import BlockGenotype, CellGenotype, load, load_with_provenance, published_names, write

# (edges, nodes), leaves, hash. The hashes are in files that people keep: a change of any is a change of the format.
PUBLISHED = {
    "block_qnn_a": (
        (18, 14),
        (3, 4, 7, 10, 12),
        "sha256:5823bc0f142eb0eb034e2220f95a857257542c4c3c1f7fa4c8c9ca68c729b7ae",
    ),
    "block_qnn_b": (
        (16, 11),
        (1, 4, 6, 8, 9),
        "sha256:9e5934bcba8eba81f648a8a3952a8172d7d1988845d8ca882b21f7863ad70ed0",
    ),
    "block_qnn_s": (
        (21, 15),
        (3, 7, 8, 11, 12, 13),
        "sha256:3e196b614d1415ed398d99c68d4881f8c2381ae9785147da5ee148115e3b9a7f",
    ),
}

CELLS = {
    "amoebanet": ("1802.01548", "sha256:05441af104d42fd918964a771be2cba8dcb1ce0c74f752e74c01752aa6e5682b"),
    "nasnet_a": ("1707.07012", "sha256:346651642d5332ac579452d3109565a69cde634e4c82bfa4e7a6cf8f28fe6c09"),
    "pnasnet_5": ("1712.00559", "sha256:a60c491819f45f51d630e1e1e97b3d995db33a1d45f61a4f5d8b7bf33b197c5d"),
}

CHAINS = [
    f"metaqnn_{data}_{row}" for data, rows in (("cifar10", 5), ("svhn", 5), ("mnist", 10)) for row in range(1, rows + 1)
]
"""Pinned in test_chain.py."""


def test_names() -> None:
    assert published_names() == sorted([*PUBLISHED, *CELLS, *CHAINS])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_genotypes(name: str) -> None:
    (edges, nodes), leaves, digest = PUBLISHED[name]
    block, provenance = load_with_provenance(name)
    assert isinstance(block, BlockGenotype)
    assert (block.graph().edges, len(block.graph().labels)) == (edges, nodes)
    assert block.density == block.graph().density == edges / nodes
    assert block.leaves == leaves
    assert block.hash == digest
    assert "1708.05552" in provenance["source"]


@pytest.mark.parametrize("name", CELLS)
def test_published_cells(name: str) -> None:
    paper, digest = CELLS[name]
    genotype, provenance = load_with_provenance(name)
    assert isinstance(genotype, CellGenotype)  # their blocks: see test_cell
    assert genotype.hash == digest
    assert paper in provenance["source"]


@pytest.mark.parametrize("name", ["nasnet_b", "nasnet_c"])
def test_what_was_only_drawn_is_not_to_be_had(name: str) -> None:
    with pytest.raises(GenotypeError, match=rf"Received: {name}, which is not to be had: only figures .* appendix B"):
        load(name)


def test_a_file_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    write(BlockGenotype(()), path)
    assert load(path) == load(str(path)) == BlockGenotype(())


@pytest.mark.parametrize("word", ["block_qnn_z", "", "../published/block_qnn_s", "x" * 5000, "a\0b", "."])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(
        GenotypeError, match=r"one of the published genotypes \['amoebanet', 'block_qnn_a', .*\]\. Received: "
    ):
        load(word)
