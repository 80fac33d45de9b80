"""Images and labels in batches, in an order that depends on the seed and the epoch only, so that a run can go on."""

from __future__ import annotations

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Batches of raw images and one-hot labels.

    Args:
        images: (n, height, width, channels), all images.
        labels: (n,) integers.
        indices: the images to take.
        classes: number of classes.
        batch_size: images a batch.
        seed: for training: a new order every epoch, and the images left over after the last whole batch are left out
            of that epoch, so that every batch has one shape. ``None``: all images in order.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        indices: np.ndarray,
        classes: int,
        batch_size: int,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.images, self.labels, self.indices = images, labels, indices
        self.classes = classes
        self.batch_size = min(batch_size, len(indices))
        self.seed = seed
        self._order = indices
        self.arrange(0)

    def arrange(self, epoch: int) -> None:
        """Put the images in the order of `epoch`, counted from 0; `BeginEpochs` does it in a training.

        Keras' own `on_epoch_end` would not do: it also comes before the first epoch.
        """
        if self.seed is not None:
            self._order = np.random.default_rng([self.seed, epoch]).permutation(self.indices)

    def __len__(self) -> int:
        whole, left = divmod(len(self.indices), self.batch_size)
        return whole if self.seed is not None or not left else whole + 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch `index`: float32 images (batch, height, width, channels) and one-hot labels (batch, classes)."""
        chosen = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        targets = np.zeros((len(chosen), self.classes), np.float32)
        targets[np.arange(len(chosen)), self.labels[chosen]] = 1.0
        return self.images[chosen].astype(np.float32), targets


class BeginEpochs(keras.callbacks.Callback):
    """Arranges `batches` for each epoch. Use it with ``shuffle=False``, else Keras shuffles by its own seed on top."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Arrange the images for `epoch`."""
        self.batches.arrange(epoch)
