"""What a search finds: genotypes as plain data. Imports no framework."""

from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.block import BlockGenotype
from automl_cells.genotypes.catalogue import load, load_with_provenance, published_names
from automl_cells.genotypes.cell import Block, Cell, CellGenotype
from automl_cells.genotypes.chain import ChainGenotype
from automl_cells.genotypes.ensemble import EnsembleGenotype
from automl_cells.genotypes.graph import Graph
from automl_cells.genotypes.nasbench201 import NasBench201Genotype
from automl_cells.genotypes.serialization import dumps, from_document, loads, read, to_document, write

__all__ = [
    "Block",
    "BlockGenotype",
    "Cell",
    "CellGenotype",
    "ChainGenotype",
    "EnsembleGenotype",
    "Genotype",
    "Graph",
    "NasBench201Genotype",
    "dumps",
    "from_document",
    "load",
    "load_with_provenance",
    "loads",
    "published_names",
    "read",
    "to_document",
    "write",
]
