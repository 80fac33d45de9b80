"""What a user sees of a training: a bar with the time left on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINES = 10  # about so many lines a training where there is no terminal,
SECONDS = 30  # or one after so many seconds


class ShowProgress:
    """Shows epoch, accuracy and time left on a console.

    Args:
        console: a terminal gets a bar, anything else (a file, a pipe) a line now and then.
        what: the word in front.
    """

    def __init__(self, console: Console, what: str = "training") -> None:
        self.console, self.what = console, what
        self._bar: Progress | None = None

    def begin(self, epochs: int, steps: int, done: int) -> None:
        """Start the clock, and the bar if there is a terminal.

        Args:
            epochs: of the whole training.
            steps: of each epoch.
            done: epochs done before, in an interrupted sitting.
        """
        self.epochs, self.steps, self.done = epochs, steps, done
        self._start = self._spoke = time.monotonic()
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn(self.what),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=self.console,
                speed_estimate_period=120,
            )
            self._bar.add_task(f"epoch {done + 1}/{epochs}", total=epochs * steps, completed=done * steps)
            self._bar.start()

    def step(self, step: int) -> None:
        """Show that so many steps are done."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=step)

    def epoch(self, epoch: int, values: dict[str, float]) -> None:
        """Show how the epoch went, counted from 1."""
        text = f"epoch {epoch}/{self.epochs}  loss {values.get('loss', float('nan')):.3f}"
        if "val_accuracy" in values:
            text += f"  validation accuracy {100 * values['val_accuracy']:.2f} %"
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=epoch * self.steps, description=text)
        elif epoch == self.epochs or (epoch - 1) % max(1, self.epochs // LINES) == 0 or now - self._spoke >= SECONDS:
            elapsed = now - self._start
            left = elapsed / (epoch - self.done) * (self.epochs - epoch)
            start = "" if self.what == "training" else f"{self.what}: "
            line = f"{start}{text}  {elapsed:.0f} s, {left:.0f} s left"
            self.console.print(line, highlight=False, soft_wrap=True)
            self._spoke = now

    def close(self) -> None:
        """Take the bar off the terminal; to be called however the training ends."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
