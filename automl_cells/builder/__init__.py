"""From a genotype and a template to a plan, its cost, and a Keras model. Only `build` imports Keras, and late."""

from typing import TYPE_CHECKING, Any

from automl_cells.builder.cost import Cost, cost
from automl_cells.builder.features import FeatureMap, feature_maps
from automl_cells.builder.plan import Layer, Plan
from automl_cells.builder.planners import plan
from automl_cells.builder.registration import register_operation
from automl_cells.builder.template import Template, template, template_names

if TYPE_CHECKING:
    from automl_cells.builder.keras_model import build

__all__ = [
    "Cost",
    "FeatureMap",
    "Layer",
    "Plan",
    "Template",
    "build",
    "cost",
    "feature_maps",
    "plan",
    "register_operation",
    "template",
    "template_names",
]


def __getattr__(name: str) -> Any:
    if name == "build":
        from automl_cells.builder.keras_model import build

        return build
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
