"""What a user sees of a training: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINES = 10  # about so many lines a training where there is no terminal


class ShowProgress(keras.callbacks.Callback):
    """Shows epoch, accuracy and time left on a console.

    Args:
        console: a terminal gets a bar, anything else (a file, a pipe) about ten lines a training.
        epochs: of the whole training.
        done: epochs done before, in an interrupted sitting.
    """

    def __init__(self, console: Console, epochs: int, done: int = 0) -> None:
        super().__init__()
        self.console, self.epochs, self.done = console, epochs, done
        self._bar: Progress | None = None
        self._start = time.monotonic()

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Start the bar, if there is a terminal."""
        self._start = time.monotonic()
        if self.console.is_terminal and self._bar is None:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self.console,
            )
            self._bar.add_task(f"epoch 1/{self.epochs}", total=self.epochs, completed=self.done)
            self._bar.start()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show how the epoch went."""
        logs = logs or {}
        text = f"epoch {epoch + 1}/{self.epochs}  loss {logs.get('loss', float('nan')):.3f}"
        if "val_accuracy" in logs:
            text += f"  validation accuracy {100 * logs['val_accuracy']:.2f} %"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=epoch + 1, description=text)
        elif epoch + 1 == self.epochs or epoch % max(1, self.epochs // LINES) == 0:
            elapsed = time.monotonic() - self._start
            left = elapsed / (epoch + 1 - self.done) * (self.epochs - epoch - 1)
            self.console.print(f"{text}  {elapsed:.0f} s, {left:.0f} s left", highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Take the bar off the terminal; to be called however the training ends."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
