"""Exporting is TensorFlow's: one clear word where another backend is in use."""

from __future__ import annotations

from automl_cells.errors import ExportError


def check_backend() -> None:
    """Make sure that Keras computes with TensorFlow, without which there is neither a SavedModel nor an ONNX file.

    Raises:
        ExportError: it computes with something else.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "Expected KERAS_BACKEND=tensorflow and TensorFlow installed, to export (stored weights suit any backend). "
            f"Received: {keras.backend.backend()}"
        )
