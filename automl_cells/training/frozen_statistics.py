"""Batch normalisation that keeps the statistics it was given while its scale and offset are trained.

A batch of few images has noisy statistics, and few images in all may pull moving averages away from those of the many
images that the network was pretrained on. Only networks in training hold this layer: what is stored and exported is
built from stock layers, which have the same variables.
"""

from __future__ import annotations

from typing import Any

import keras


class FrozenStatistics(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` that normalises with its moving averages always, and never changes them."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise (batch, …, channels) as at inference."""
        return super().call(inputs, training=False, mask=mask)
