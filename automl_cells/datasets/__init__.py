"""Images and labels: one small `Dataset` type, where it comes from, and how it is split. Imports no framework."""

from automl_cells.datasets.arrays import from_arrays
from automl_cells.datasets.base import Dataset, Preprocessing
from automl_cells.datasets.channels import with_channels
from automl_cells.datasets.class_weights import class_weights
from automl_cells.datasets.encoded import Reading, SkippedImagesWarning
from automl_cells.datasets.encoded_images import EncodedImages
from automl_cells.datasets.folder import load_folder
from automl_cells.datasets.npz import save_npz
from automl_cells.datasets.registry import absolute, dataset_names, embedded, load, with_data_dir, without_folder
from automl_cells.datasets.splits import stratified_split
from automl_cells.datasets.subsets import balanced_subset
from automl_cells.datasets.tfds import load_tfds

__all__ = [
    "Dataset",
    "EncodedImages",
    "Preprocessing",
    "Reading",
    "SkippedImagesWarning",
    "absolute",
    "balanced_subset",
    "class_weights",
    "dataset_names",
    "embedded",
    "from_arrays",
    "load",
    "load_folder",
    "load_tfds",
    "save_npz",
    "stratified_split",
    "with_channels",
    "with_data_dir",
    "without_folder",
]
