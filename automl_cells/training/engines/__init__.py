"""Engines of full training: one a backend."""

from __future__ import annotations

from automl_cells.training.engines.base import Engine, MakeNetwork, MakeUpdate, Placed, Totals

__all__ = ["Engine", "MakeNetwork", "MakeUpdate", "Placed", "Totals", "engine_class"]


def engine_class(backend: str) -> type[Engine]:
    """The engine for a Keras backend."""
    if backend == "tensorflow":
        from automl_cells.training.engines.tensorflow import TensorFlowEngine

        return TensorFlowEngine
    if backend == "jax":
        from automl_cells.training.engines.jax import JaxEngine

        return JaxEngine
    from automl_cells.training.engines.torch import TorchEngine

    return TorchEngine
