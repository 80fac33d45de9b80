"""What a Ray actor does for `RayExecutor`: one evaluator, made once, and one job after the other.

All that comes and goes is text (JSON), and no exception leaves: whatever happened is said in words, so that neither
side unpickles anything of ours. The class is found by its name, so the package must be installed wherever an actor may
run.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

from automl_cells.evaluation.base import Evaluator
from automl_cells.search.executors.devices import (
    GPU_MEMORY,
    gpu_memory,
    limit_gpu_memory,
    resident_bytes,
    worker_environment,
)

_TICK = 0.5  # seconds between two looks at the memory
_EVERYWHERE = (  # what workers on other machines shall have as workers on this one would
    "KERAS_BACKEND",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_DETERMINISTIC_OPS",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_NUM_INTEROP_THREADS",
    "TF_ONEDNN_USE_SYSTEM_ALLOCATOR",
    "XLA_PYTHON_CLIENT_PREALLOCATE",
)


class RayWorker:
    """One actor. It imports no framework before `start` has set the environment.

    Ray has chosen the GPUs already (``CUDA_VISIBLE_DEVICES``) where the executor asked for some.
    """

    _evaluator: Evaluator

    def start(self, settings: str) -> str:
        """Make the evaluator and prepare it.

        Args:
            settings: JSON with ``environment`` (variables to set), ``workers_per_gpu`` (how many share its GPU, or
                ``null``), ``sys_path`` (folders of the driver, which are added where this machine has them), ``log`` (a
                file for what is printed, or ``null``), ``extensions`` (modules whose operations it must know) and
                ``spec``.

        Returns:
            JSON ``{"error": null, "pid": …}``, or ``{"error": …}``: why it cannot start.
        """
        try:
            found = json.loads(settings)
            os.environ.update(found["environment"])
            sys.path.extend(folder for folder in found["sys_path"] if folder not in sys.path and Path(folder).exists())
            if found["log"] is not None:
                _print_to(Path(found["log"]))
            _share_gpu(found["workers_per_gpu"])
            from automl_cells.evaluation.base import from_spec
            from automl_cells.extensions import load

            load(found["extensions"])
            self._evaluator = from_spec(found["spec"])
            self._evaluator.prepare()
        except (Exception, SystemExit) as error:  # a module that exits would end the process without a word
            return json.dumps({"error": f"{type(error).__name__}: {error}".splitlines()[0][:500]})
        return json.dumps({"error": None, "pid": os.getpid()})

    def evaluate(self, job: str) -> str:
        """Evaluate one job.

        Args:
            job: JSON with ``trial``, ``genotype``, ``seed`` and ``memory_limit`` (bytes, or ``null``).

        Returns:
            JSON ``{"evaluation": …}``; or ``{"over": …}``, why the job was given up, and then it still runs: the caller
            has to end this process.
        """
        document = json.loads(job)
        limit = document["memory_limit"]
        if limit is None:
            return self._answer(document)
        answers: list[str] = []
        evaluating = threading.Thread(target=lambda: answers.append(self._answer(document)), daemon=True)
        evaluating.start()
        while evaluating.is_alive():
            evaluating.join(_TICK)
            if evaluating.is_alive() and resident_bytes(os.getpid()) > limit:
                return json.dumps({"over": f"took more than the memory limit of {limit / 2**20:.0f} MiB"})
        return answers[0]

    def _answer(self, document: dict) -> str:
        from automl_cells.search.executors.base import Job
        from automl_cells.search.executors.serial import guarded_evaluation

        job = Job.from_document(document)
        return json.dumps({"evaluation": guarded_evaluation(self._evaluator, job).to_document()})


def variables(cpus: float, gpus: float) -> dict[str, str]:
    """The environment of a worker: as of one on this machine, with threads for the cores that Ray gives it.

    Args:
        cpus: cores of the worker, also a part of one.
        gpus: its GPUs, also a part of one; without any it sees none.
    """
    threads = str(max(1, int(cpus)))
    here = worker_environment(0, 1)
    return {
        **{name: here[name] for name in _EVERYWHERE if name in here},
        **dict.fromkeys(("OMP_NUM_THREADS", "NPROC", "TF_NUM_INTRAOP_THREADS"), threads),
        **({} if gpus else {"CUDA_VISIBLE_DEVICES": "-1"}),
    }


def _print_to(log: Path) -> None:
    """Send both output streams of this process to a file, where its folder is seen from here; else Ray keeps them."""
    if log.parent.is_dir():
        with log.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)


def _share_gpu(workers_per_gpu: int | None) -> None:
    """Keep to this worker's part of the memory of its GPU, as `worker_environment` does on one machine."""
    if workers_per_gpu is not None:
        shared = worker_environment(0, 1, workers_per_gpu, gpu_memory())
        os.environ.update(
            {name: shared[name] for name in (GPU_MEMORY, "XLA_PYTHON_CLIENT_MEM_FRACTION") if name in shared}
        )
        limit_gpu_memory()
