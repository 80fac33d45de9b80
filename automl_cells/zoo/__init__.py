"""The model zoo: constructors in the style of ``keras.applications``, entries, versioned shelves, stores.

Importing it imports next to nothing; each name below does when it is first used, and Keras comes with the first model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_cells.zoo.address import Address
    from automl_cells.zoo.catalogue import Structure, structure, structures
    from automl_cells.zoo.constructors import (
        blockqnn_cifar,
        blockqnn_cifar_small,
        blockqnn_imagenet,
        blockqnn_imagenet_mobile,
        blockqnn_imagenet_small,
        blockqnn_mnist,
        metaqnn_cifar,
        metaqnn_mnist,
        metaqnn_svhn,
        nasnet_a_cifar,
        nasnet_a_large,
        nasnet_a_mnist,
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
    from automl_cells.zoo.transferring import transfer
    from automl_cells.zoo.verify import Problem

_HOME = {
    "Address": "address",
    "Entry": "entry",
    "IndexItem": "manifest",
    "ModelInfo": "registry",
    "Problem": "verify",
    "Publication": "shelf",
    "RemoteShelf": "remote.shelf",
    "Shelf": "shelf",
    "Structure": "catalogue",
    "add_baseline": "evidence",
    "add_exports": "evidence",
    "blockqnn_cifar": "constructors",
    "blockqnn_cifar_small": "constructors",
    "blockqnn_imagenet": "constructors",
    "blockqnn_imagenet_mobile": "constructors",
    "blockqnn_imagenet_small": "constructors",
    "blockqnn_mnist": "constructors",
    "build_entry": "derive",
    "decode_predictions": "predictions",
    "default_shelf": "locate",
    "export_entry": "derive",
    "info": "registry",
    "list_models": "registry",
    "load": "registry",
    "metaqnn_cifar": "constructors",
    "metaqnn_mnist": "constructors",
    "metaqnn_svhn": "constructors",
    "nasnet_a_cifar": "constructors",
    "nasnet_a_large": "constructors",
    "nasnet_a_mnist": "constructors",
    "nasnet_a_mobile": "constructors",
    "open_shelf": "locate",
    "preprocess_input": "predictions",
    "pull": "pulling",
    "resolve": "locate",
    "sample_images": "derive",
    "structure": "catalogue",
    "structures": "catalogue",
    "transfer": "transferring",
}

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
    "metaqnn_cifar",
    "metaqnn_mnist",
    "metaqnn_svhn",
    "nasnet_a_cifar",
    "nasnet_a_large",
    "nasnet_a_mnist",
    "nasnet_a_mobile",
    "open_shelf",
    "preprocess_input",
    "pull",
    "resolve",
    "sample_images",
    "structure",
    "structures",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
