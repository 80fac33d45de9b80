"""Importing a framework without its start-up chatter."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from automl_cells.errors import AutoMLCellsError


@contextlib.contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, C++ included; show it after all if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        except AutoMLCellsError:  # its one line says all
            raise
        except BaseException:
            os.dup2(kept, 2)
            file.seek(0)
            os.write(2, file.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def import_framework(replicas: int | None = 1) -> int:
    """Import Keras and its backend quietly. Commands that need them call this first.

    TensorFlow writes notes about CPU instructions and missing GPU drivers before any setting can reach it. They are
    held back unless ``TF_CPP_MIN_LOG_LEVEL`` asks for them (0 to 2); what explains a failed import is shown always.

    Args:
        replicas: devices that a training will share, see `automl_cells.training.check_replicas`; they are laid out
            before the framework runs its first operation.

    Returns:
        How many replicas there will be.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") in ("0", "1", "2"):
        return _import(replicas)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with _stderr_held_back():
        return _import(replicas)


def _import(replicas: int | None) -> int:
    import keras

    found = 1
    if replicas != 1:
        from automl_cells.training import check_replicas

        found = check_replicas(replicas)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        from automl_cells.training.distribution import machines

        if machines() == 1:
            tf.constant(0)  # the first operation writes the rest of the notes
        tf.get_logger().setLevel("ERROR")  # advice about retracing is for developers
    return found
