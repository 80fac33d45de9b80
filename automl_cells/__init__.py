"""Cell and block search for Keras: from labelled images to a trained, versioned, exported model.

    import automl_cells as ac

    result = ac.search("digits", space="blockqnn", strategy="q_learning", trials=24, out="runs/digits")
    model = ac.build(result.best.genotype, template="cifar", repeats=4, filters=(32, 64, 128), classes=10)

Importing the package imports no framework; each name below does when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_cells.builder import build, cost, plan, register_operation, template
    from automl_cells.datasets import Dataset, from_arrays
    from automl_cells.datasets import load as load_dataset
    from automl_cells.errors import AutoMLCellsError
    from automl_cells.genotypes import BlockGenotype
    from automl_cells.genotypes import load as load_genotype
    from automl_cells.search import SearchResult, search
    from automl_cells.spaces import register_space, space
    from automl_cells.strategies import register_strategy, strategy
    from automl_cells.training import ensemble, train
    from automl_cells.zoo.finetune import finetune
    from automl_cells.zoo.transferring import transfer

__version__ = "0.1.0"

_HOME = {
    "AutoMLCellsError": ("errors", "AutoMLCellsError"),
    "BlockGenotype": ("genotypes", "BlockGenotype"),
    "Dataset": ("datasets", "Dataset"),
    "SearchResult": ("search.api", "SearchResult"),
    "build": ("builder", "build"),
    "cost": ("builder.cost", "cost"),
    "ensemble": ("training", "ensemble"),
    "finetune": ("zoo.finetune", "finetune"),
    "from_arrays": ("datasets", "from_arrays"),
    "load_dataset": ("datasets", "load"),
    "load_genotype": ("genotypes", "load"),
    "plan": ("builder.planners", "plan"),
    "register_operation": ("builder.registration", "register_operation"),
    "register_space": ("spaces", "register_space"),
    "register_strategy": ("strategies", "register_strategy"),
    "search": ("search.api", "search"),
    "space": ("spaces", "space"),
    "strategy": ("strategies", "strategy"),
    "template": ("builder.template", "template"),
    "train": ("training", "train"),
    "transfer": ("zoo.transferring", "transfer"),
}

__all__ = [
    "AutoMLCellsError",
    "BlockGenotype",
    "Dataset",
    "SearchResult",
    "__version__",
    "build",
    "cost",
    "ensemble",
    "finetune",
    "from_arrays",
    "load_dataset",
    "load_genotype",
    "plan",
    "register_operation",
    "register_space",
    "register_strategy",
    "search",
    "space",
    "strategy",
    "template",
    "train",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOME[name]
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
