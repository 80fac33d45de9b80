"""The model zoo: constructors in the style of ``keras.applications``, entries, versioned shelves. Keras comes late."""

from automl_cells.zoo.address import Address
from automl_cells.zoo.constructors import (
    blockqnn_cifar,
    blockqnn_cifar_small,
    blockqnn_imagenet,
    blockqnn_imagenet_mobile,
    blockqnn_imagenet_small,
    blockqnn_mnist,
    nasnet_a_cifar,
    nasnet_a_large,
    nasnet_a_mobile,
)
from automl_cells.zoo.derive import build_entry, export_entry, sample_images
from automl_cells.zoo.entry import Entry
from automl_cells.zoo.evidence import add_baseline, add_exports
from automl_cells.zoo.locate import default_shelf, open_shelf, resolve
from automl_cells.zoo.manifest import IndexItem
from automl_cells.zoo.predictions import decode_predictions, preprocess_input
from automl_cells.zoo.pulling import pull
from automl_cells.zoo.registry import ModelInfo, info, list_models, load
from automl_cells.zoo.remote.shelf import RemoteShelf
from automl_cells.zoo.shelf import Publication, Shelf
from automl_cells.zoo.structures import Structure, structure, structures
from automl_cells.zoo.verify import Problem

__all__ = [
    "Address",
    "Entry",
    "IndexItem",
    "ModelInfo",
    "Problem",
    "Publication",
    "RemoteShelf",
    "Shelf",
    "Structure",
    "add_baseline",
    "add_exports",
    "blockqnn_cifar",
    "blockqnn_cifar_small",
    "blockqnn_imagenet",
    "blockqnn_imagenet_mobile",
    "blockqnn_imagenet_small",
    "blockqnn_mnist",
    "build_entry",
    "decode_predictions",
    "default_shelf",
    "export_entry",
    "info",
    "list_models",
    "load",
    "nasnet_a_cifar",
    "nasnet_a_large",
    "nasnet_a_mobile",
    "open_shelf",
    "preprocess_input",
    "pull",
    "resolve",
    "sample_images",
    "structure",
    "structures",
]
