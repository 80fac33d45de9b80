"""The search that ``tools/chaos.py`` torments: ``python tools/chaos_search.py RUN TABLE TRIALS WORKERS SEED SECONDS``.

Begins it in the folder RUN, or goes on with it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.evaluation import Evaluation, Evaluator, Limits, reward
from automl_cells.evaluation.table import TableEvaluator
from automl_cells.genotypes import Genotype
from automl_cells.search.executors import ProcessesExecutor
from automl_cells.search.loop import SearchLoop
from automl_cells.search.run_folder import opened
from automl_cells.spaces import space
from automl_cells.strategies import strategy

RETRIES = 10


class SlowTable(Evaluator):
    """Looks candidates up and sleeps, so that there is something to be killed in the middle of.

    Args:
        table: the CSV file; ``None`` for accuracies that follow from the genotype's hash.
        seconds: mean of the sleep, which is uniform from a tenth of it to 1.9 times it.
    """

    chance = 10.0

    def __init__(self, table: str | None, seconds: float) -> None:
        self._arguments = {"table": table, "seconds": seconds}
        self._table = None if table is None else TableEvaluator(table)
        self._seconds = seconds

    def spec(self) -> dict[str, Any]:
        """See `Evaluator.spec`; this file's folder is on the path of its workers."""
        return {"factory": "chaos_search:SlowTable", "arguments": self._arguments}

    def accuracy(self, genotype: Genotype, seed: int) -> float:
        """What the candidate earns, in per cent."""
        if self._table is not None:
            return self._table.evaluate(genotype, seed).metrics["accuracy"]
        return 10.0 + int(genotype.hash[7:15], 16) % 8001 / 100

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        """The accuracy, after a while."""
        seconds = self._seconds * np.random.default_rng(seed).uniform(0.1, 1.9)
        time.sleep(seconds)
        return Evaluation({"accuracy": self.accuracy(genotype, seed)}, seconds)


def drive(folder: Path, trials: int, workers: int, seed: int, table: str | None, seconds: float) -> None:
    """The driver: begin the search, or go on with it."""
    where = space("nasbench201")
    evaluator = SlowTable(table, seconds)
    settings = {"chaos": True, "seed": seed, "trials": trials}
    with (
        opened(folder, settings, resume=True) as journal,
        ProcessesExecutor(evaluator, workers, retries=RETRIES, logs=folder / "workers") as executor,
    ):
        how = strategy("q_learning", where, trials, seed)
        SearchLoop(where, how, evaluator, reward("accuracy"), Limits(), journal, trials, seed).run(executor)


def main() -> None:
    """See the top of this file."""
    folder, table, trials, workers, seed, seconds = sys.argv[1:]
    drive(Path(folder), int(trials), int(workers), int(seed), None if table == "none" else table, float(seconds))


if __name__ == "__main__":
    main()
