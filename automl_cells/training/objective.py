"""What a training minimises, in operations that every backend has."""

from __future__ import annotations

from typing import Any

from keras import ops

from automl_cells.datasets import Preprocessing


def normalised(images: Any, preprocessing: Preprocessing) -> Any:
    """``(images - mean) / std`` of a batch on the device, as `Preprocessing` does on the host; float32."""
    mean = ops.convert_to_tensor(preprocessing.mean, "float32")
    std = ops.convert_to_tensor(preprocessing.std, "float32")
    return (ops.cast(images, "float32") - mean) / std


def cross_entropies(logits: Any, targets: Any) -> tuple[Any, Any]:
    """Sums over a batch.

    Args:
        logits: (batch, classes).
        targets: (batch, classes) float32; a row may be smoothed, mixed, or scaled by the weight of its class.

    Returns:
        ``-Σ targets · log softmax(logits)`` in nats, and how many rows have their largest logit at their largest
        target; both float32 scalars.
    """
    logits = ops.cast(logits, "float32")
    loss = -ops.sum(targets * ops.log_softmax(logits, axis=-1))
    hits = ops.sum(ops.cast(ops.equal(ops.argmax(logits, -1), ops.argmax(targets, -1)), "float32"))
    return loss, hits
