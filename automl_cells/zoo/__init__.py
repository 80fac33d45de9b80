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
from automl_cells.zoo.locate import default_shelf, resolve
from automl_cells.zoo.manifest import IndexItem
from automl_cells.zoo.shelf import Publication, Shelf
from automl_cells.zoo.structures import Structure, structure, structures
from automl_cells.zoo.verify import Problem

__all__ = [
    "Address",
    "Entry",
    "IndexItem",
    "Problem",
    "Publication",
    "Shelf",
    "Structure",
    "blockqnn_cifar",
    "blockqnn_cifar_small",
    "blockqnn_imagenet",
    "blockqnn_imagenet_mobile",
    "blockqnn_imagenet_small",
    "blockqnn_mnist",
    "build_entry",
    "default_shelf",
    "export_entry",
    "nasnet_a_cifar",
    "nasnet_a_large",
    "nasnet_a_mobile",
    "resolve",
    "sample_images",
    "structure",
    "structures",
]
