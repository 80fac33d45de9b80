"""ScheduledDropPath: in training, whole paths of a cell are dropped for some images, more of them as it goes on.

Zoph et al. (arXiv 1707.07012v4), appendix A.5, says that the probability rises linearly over the training; the authors'
code (nasnet_utils.py, drop connect version v3) also lets it rise with the depth. With the base probability p of keeping
a path, the path's cell c of C (from 1; reduction cells and those of the stem count) and step t of T:

    keep_layer = 1 - c / C · (1 - p)
    keep       = 1 - min(1, t / T) · (1 - keep_layer)

A path is kept for an image with probability ``keep``, and what is kept is divided by it. Identities are never dropped.
Where several replicas share a batch, they drop the same paths for the same rows of their parts, as Keras' own dropout
does. These layers stand in networks that are being trained; the networks that are stored and exported have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops


class PathMasks(keras.layers.Layer):
    """The masks of all paths of a network for one batch, drawn at once; counts the steps of the training.

    Args:
        keep: p, above 0, at most 1.
        depths: c / C of each path.
        total_steps: T.
        seed: of the masks.
    """

    def __init__(self, keep: float, depths: Sequence[float], total_steps: int, seed: int, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self._drop = [depth * (1 - keep) for depth in depths]  # 1 - keep_layer
        self._total_steps = total_steps
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, shape: Any) -> None:
        """Make the counter of steps."""
        self.steps = self.add_weight(
            shape=(), initializer="zeros", trainable=False, aggregation="only_first_replica", name="steps"
        )

    def compute_output_shape(self, shape: Any) -> tuple[Any, int]:
        """(batch, paths)."""
        return (shape[0], len(self._drop))

    def call(self, images: Any, training: bool = False) -> Any:
        """Masks (batch, paths) float32: 0 or 1 / keep in training, else 1."""
        shape = (ops.shape(images)[0], len(self._drop))
        if not training:
            return ops.ones(shape, "float32")
        progress = ops.minimum(self.steps / self._total_steps, 1.0)
        keep = 1.0 - progress * ops.convert_to_tensor(self._drop, "float32")
        noise = keras.random.uniform(shape, dtype="float32", seed=self.seed_generator)
        self.steps.assign(self.steps + 1.0)
        return ops.floor(keep + noise) / keep


class DropPath(keras.layers.Layer):
    """A map, times its column of the masks.

    Args:
        path: the number of the path.
    """

    def __init__(self, path: int, **options: Any) -> None:
        super().__init__(**options)
        self._column = path

    def compute_output_shape(self, shapes: Any) -> Any:
        """That of the map."""
        return shapes[0]

    def call(self, inputs: Any) -> Any:
        """(map (batch, height, width, channels), masks (batch, paths)) → map."""
        features, masks = inputs
        return features * ops.cast(masks[:, self._column, None, None, None], features.dtype)
