"""From a genotype to trained weights: recipes (data), the training, the entry it leaves. Keras is imported late."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from automl_cells.training.recipes import Recipe, recipe, recipe_names

if TYPE_CHECKING:
    from automl_cells.training.conclusion import TrainingResult
    from automl_cells.training.distribution import check_replicas
    from automl_cells.training.ensembling import ensemble
    from automl_cells.training.fit import train
    from automl_cells.training.weights import load_weights, save_weights

_LATE = {
    "TrainingResult": "conclusion",
    "check_replicas": "distribution",
    "ensemble": "ensembling",
    "load_weights": "weights",
    "save_weights": "weights",
    "train": "fit",
}

__all__ = [
    "Recipe",
    "TrainingResult",
    "check_replicas",
    "ensemble",
    "load_weights",
    "recipe",
    "recipe_names",
    "save_weights",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATE[name]}"), name)
