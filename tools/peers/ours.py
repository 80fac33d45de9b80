"""automl_cells: searches, each followed by full trainings of the best, through the public functions.

In rounds, as on the command line (``search --trials 8``, ``finetune-top --top 1``, ``search --trials 16 --resume``,
``finetune-top --top 2``, …): a round searches until there are twice as many candidates as before, or for a quarter of
the time, and then trains the best fully, one more than before. What counts is the best by validation among all that
have been trained; a training that is under way counts for nothing. A random search goes the same path.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from automl_cells.search import search
from automl_cells.search.trials import best_trials
from peers.recorder import Job, Recorder

TRIALS = 8  # of the first round
SHARE = 0.25  # of the whole time, at most, for the search of a round
STRATEGY = "predictor_guided"  # docs/search.md: with little time to search, take it


class Options(NamedTuple):
    """What is given besides the defaults: to the search of a space, and to the full trainings of what it found."""

    search: dict[str, Any]
    full: dict[str, Any]


# Blocks as `make demo` searches them for digits: half as wide as they are trained fully. Chains as docs/metaqnn.md has
# them on a CPU.
SPACES = {
    "blockqnn": Options({"filters": (8, 16, 32), "max_params": 25_000}, {"filters": (16, 32, 64)}),
    "nasnet": Options({}, {}),
    "metaqnn": Options({"max_flops": 20_000_000, "space_options": {"filter_multiplier": 0.125}}, {}),
}
# docs/training.md: very small images; clothes. Half of the epochs of ``plain``: see docs/benchmarks.md.
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {"digits": ("plain", {"epochs": 60}), "fashion": ("fast", {})}


def main() -> None:
    """Search and train until the time is over; the system's name is ``ours_SPACE`` or ``random_SPACE``."""
    job = Job.of_this_process()
    who, _, space = job.system.partition("_")
    strategy = "random" if who == "random" else STRATEGY
    settings = {"space": space, "strategy": strategy, "recipe": RECIPES[job.data.stem], **SPACES[space]._asdict()}
    recorder = Recorder(job, ("automl_cells", "keras", "tensorflow"), settings)
    run, data = job.folder / "search", f"npz:{job.data}"
    for round_ in itertools.count():
        found = search(
            data,
            out=run,
            trials=TRIALS << round_,
            budget=SHARE * job.limit,
            workers=cores(),
            seed=job.seed,
            resume=round_ > 0,
            space=space,
            strategy=strategy,
            **SPACES[space].search,
        )
        recorder.candidates(sum(trial.finished for trial in found.trials))
        if best_trials(found.trials):
            _train(recorder, run, round_ + 1, space, job)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _train(recorder: Recorder, run: Path, top: int, space: str, job: Job) -> None:
    """Train the `top` best fully, and note the one that is best by validation."""
    from automl_cells.training import recipe  # which imports the framework; for the search its workers have it
    from automl_cells.training.top import train_top

    name, changes = RECIPES[job.data.stem]
    best = train_top(run, top, recipe(name, **changes), seed=job.seed, **SPACES[space].full)[0]
    recorder.model(
        best.metrics["validation_accuracy"],
        best.metrics["parameters"],
        lambda: best.metrics["test_accuracy"],  # measured when the training ended, in time that counts
        finished=True,
        score=(best.metrics["validation_accuracy"], best.trial.reward or 0.0),
    )


if __name__ == "__main__":
    main()
