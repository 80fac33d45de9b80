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


def main_output(outputs: Any) -> Any:
    """The logits of a network that may have an auxiliary head behind them."""
    return outputs[0] if isinstance(outputs, list | tuple) else outputs


def cross_entropies(outputs: Any, targets: Any, auxiliary_weight: float = 0.0) -> tuple[Any, Any]:
    """Sums over a batch.

    Args:
        outputs: logits (batch, classes), or a list of them and those of an auxiliary head.
        targets: (batch, classes) float32; a row may be smoothed, mixed, or scaled by the weight of its class.
        auxiliary_weight: of the loss of the auxiliary head, which is added.

    Returns:
        ``-Σ targets · log softmax(logits)`` in nats, and how many rows have their largest logit at their largest
        target; both float32 scalars.
    """
    logits = ops.cast(main_output(outputs), "float32")
    loss = _cross_entropy(logits, targets)
    if isinstance(outputs, list | tuple) and auxiliary_weight:
        loss = loss + auxiliary_weight * _cross_entropy(ops.cast(outputs[1], "float32"), targets)
    hits = ops.sum(ops.cast(ops.equal(ops.argmax(logits, -1), ops.argmax(targets, -1)), "float32"))
    return loss, hits


def _cross_entropy(logits: Any, targets: Any) -> Any:
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1))
