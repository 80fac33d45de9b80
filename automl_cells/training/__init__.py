"""From a genotype to trained weights: recipes (data), the training, the entry it leaves. Keras is imported late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl_cells.training.recipes import Recipe, recipe, recipe_names

if TYPE_CHECKING:
    from automl_cells.training.fit import TrainingResult, train
    from automl_cells.training.weights import load_weights, save_weights

__all__ = ["Recipe", "TrainingResult", "load_weights", "recipe", "recipe_names", "save_weights", "train"]


def __getattr__(name: str) -> Any:
    if name in ("TrainingResult", "train"):
        from automl_cells.training import fit

        return getattr(fit, name)
    if name in ("load_weights", "save_weights"):
        from automl_cells.training import weights

        return getattr(weights, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
