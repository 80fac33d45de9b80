"""Images and labels: one small `Dataset` type, where it comes from, and how it is split. Imports no framework."""

from automl_cells.datasets.arrays import from_arrays
from automl_cells.datasets.base import Dataset, Preprocessing
from automl_cells.datasets.npz import save_npz
from automl_cells.datasets.registry import absolute, dataset_names, load
from automl_cells.datasets.splits import stratified_split

__all__ = [
    "Dataset",
    "Preprocessing",
    "absolute",
    "dataset_names",
    "from_arrays",
    "load",
    "save_npz",
    "stratified_split",
]
