"""Engines of proxy training: one a backend, `keras_fit` for the rest."""

from __future__ import annotations

from automl_cells.evaluation.steps.base import ProxyEngine


def engine_class(backend: str) -> type[ProxyEngine]:
    """The fastest engine there is for a Keras backend."""
    if backend == "tensorflow":
        from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine

        return TensorFlowEngine
    if backend == "jax":
        from automl_cells.evaluation.steps.jax import JaxEngine

        return JaxEngine
    from automl_cells.evaluation.steps.keras_fit import KerasFitEngine

    return KerasFitEngine
