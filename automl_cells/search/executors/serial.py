"""One job after the other, in this process."""

from __future__ import annotations

import json
import time
from collections import deque

from automl_cells.evaluation.base import Evaluation, Evaluator
from automl_cells.search.executors.base import Answer, Executor, Job


class SerialExecutor(Executor):
    """Evaluates when asked for a result. For debugging, tests and evaluators that cost nothing."""

    slots = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """See `Executor.submit`."""
        self._jobs.append(job)

    def next_result(self, timeout: float | None = None) -> Answer | None:
        """See `Executor.next_result`; the timeout does not interrupt an evaluation."""
        if not self._jobs:
            return None
        job = self._jobs.popleft()
        return Answer(job.trial, guarded_evaluation(self._evaluator, job))

    def cancel(self, trial: int) -> bool:
        """See `Executor.cancel`."""
        for job in self._jobs:
            if job.trial == trial:
                self._jobs.remove(job)
                return True
        return False

    def close(self) -> None:
        """See `Executor.close`."""
        self._jobs.clear()


def guarded_evaluation(evaluator: Evaluator, job: Job) -> Evaluation:
    """Evaluate; an exception, or an answer that JSON cannot hold, becomes a failed evaluation."""
    start = time.perf_counter()
    evaluator.stop_rule = job.rule
    try:
        evaluation = Evaluation.from_document(evaluator.evaluate(job.genotype, job.seed).to_document())
        plain = json.dumps(evaluation.to_document(), allow_nan=False)  # the journal keeps JSON
        return Evaluation.from_document(json.loads(plain))
    except Exception as error:
        failure = f"{type(error).__name__}: {error}".splitlines()[0][:500]
        return Evaluation({}, time.perf_counter() - start, failure)
