"""Evaluators, a space and strategies that cost nothing, importable by worker processes; and a driver to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.evaluation import Evaluation, Evaluator, Limits
from automl_cells.evaluation.rewards import accuracy
from automl_cells.genotypes import BlockGenotype, Genotype
from automl_cells.search.executors import Job, ProcessesExecutor
from automl_cells.search.loop import SearchLoop
from automl_cells.search.run_folder import opened
from automl_cells.spaces import BlockQNN, Space
from automl_cells.strategies import Proposal, Random, Strategy
from automl_cells.strategies.base import proposal


def block(layers: int) -> BlockGenotype:
    """A chain of that many identities."""
    chain = [(index, 4, 0, index - 1, 0) for index in range(1, layers + 1)]
    return BlockGenotype.from_codes([*chain, (layers + 1, 7, 0, 0, 0)])


def accuracy_of(genotype: Genotype) -> float:
    """A made-up accuracy from 10 to 90 per cent that follows from the hash."""
    return 10.0 + int(genotype.hash[7:15], 16) % 8001 / 100


class Instant(Evaluator):
    """Answers at once, or after some seconds, with `accuracy_of`.

    Args:
        seconds: how long an evaluation takes.
        calls: a file that gets one line an evaluation: process id and hash.
        fails_below: candidates below that accuracy raise.
    """

    chance = 10.0

    def __init__(self, seconds: float = 0.0, calls: str | None = None, fails_below: float = 0.0) -> None:
        self.arguments = {"seconds": seconds, "calls": calls, "fails_below": fails_below}
        self.called: list[tuple[str, int]] = []

    def spec(self) -> dict[str, Any]:
        return {"factory": "tests.search.synthetic:Instant", "arguments": self.arguments}

    def known(self, genotype: Genotype) -> dict[str, float]:
        return {"parameters": 100.0 * (1 + len(genotype.layers)), "density": genotype.density}

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        self.called.append((genotype.hash, seed))
        if self.arguments["calls"]:
            with open(self.arguments["calls"], "a") as file:
                file.write(f"{os.getpid()} {genotype.hash}\n")
        time.sleep(self.arguments["seconds"])
        found = accuracy_of(genotype)
        if found < self.arguments["fails_below"]:
            raise ArithmeticError(f"{found} is too low")
        return Evaluation(
            {**self.known(genotype), "accuracy": found}, self.arguments["seconds"], details={"seed": seed}
        )


class Behaviour(IntEnum):
    """What `Behaving` does with a job that has this seed."""

    ANSWER = 0
    RAISE = 1
    RAISE_WITHOUT_WORDS = 2
    NAN = 3
    NOT_JSON = 4
    NAN_IN_DETAILS = 5
    PRINT = 6
    MEET = 7
    HANG = 8
    KILL = 9
    EXIT = 10
    GROW = 11
    GARBAGE = 12
    ANOTHERS_ANSWER = 13
    KILL_ONCE = 14
    STOP_ONCE = 15
    LEAVE_A_CHILD = 16
    CHILD_AND_HANG = 17


class Behaving(Evaluator):
    """Behaves as the seed of the job says, see `Behaviour`.

    Args:
        folder: where jobs that meet, that hang, or that do a thing once, leave word.
        factory: what its `spec` names.
    """

    chance = 50.0

    def __init__(self, folder: str | None = None, factory: str = "tests.search.synthetic:Behaving") -> None:
        self._folder = folder
        self._factory = factory

    def spec(self) -> dict[str, Any]:
        return {"factory": self._factory, "arguments": {"folder": self._folder}}

    def evaluate(self, genotype: Genotype, seed: int) -> Evaluation:
        metrics = {"accuracy": 75.0}
        details: dict[str, Any] = {"pid": os.getpid(), "hash": genotype.hash, "seed": seed, "start": time.time()}
        match seed:
            case Behaviour.RAISE:
                raise ArithmeticError("asked to fail\nand more lines")
            case Behaviour.RAISE_WITHOUT_WORDS:
                raise MemoryError
            case Behaviour.NAN:
                metrics = {"accuracy": float("nan"), "parameters": 3.0}
            case Behaviour.NOT_JSON:
                details["odd"] = {1, 2}
            case Behaviour.NAN_IN_DETAILS:
                details["curve"] = [float("nan")]
            case Behaviour.PRINT:
                print('{"trial": 0}')
                print("to the error stream", file=sys.stderr)
                os.write(1, b"{garbage\n")
            case Behaviour.MEET:
                self._meet(len(genotype.layers))
            case Behaviour.HANG:
                if self._folder:
                    (Path(self._folder) / f"pid-{os.getpid()}").touch()
                while True:  # busy, as a training is
                    pass
            case Behaviour.KILL:
                print("the last words", file=sys.stderr, flush=True)
                os.kill(os.getpid(), 9)
            case Behaviour.GROW:
                kept = np.ones(300 * 2**17)  # 300 MiB, written to
                while kept[0]:
                    time.sleep(0.01)
            case Behaviour.EXIT:
                os._exit(3)
            case Behaviour.GARBAGE:
                write_to_pipes(b"\x00 no answer\n")
                time.sleep(60)
            case Behaviour.ANOTHERS_ANSWER:
                write_to_pipes(b'{"trial": 77, "evaluation": {}}\n')
                time.sleep(60)
            case Behaviour.KILL_ONCE:
                if self._first("kill"):
                    os.kill(os.getpid(), signal.SIGKILL)
            case Behaviour.STOP_ONCE:
                if self._first("stop"):
                    os.kill(os.getpid(), signal.SIGSTOP)
            case Behaviour.LEAVE_A_CHILD:
                subprocess.Popen(["sleep", "10"], pass_fds=pipes())
                os._exit(4)
            case Behaviour.CHILD_AND_HANG:
                subprocess.Popen(["sleep", "10"], pass_fds=pipes())
                time.sleep(60)
        return Evaluation(metrics, 0.25, details={**details, "end": time.time()})

    def _first(self, what: str) -> bool:
        """Whether no process has done this before."""
        try:
            (Path(self._folder or "") / what).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _meet(self, number: int) -> None:
        """Wait for another job: it comes only if both run at once."""
        folder = Path(self._folder or "")
        (folder / f"here-{number}").touch()
        end = time.monotonic() + 20
        while len(list(folder.glob("here-*"))) < 2:
            if time.monotonic() > end:
                raise TimeoutError("nobody came")
            time.sleep(0.01)


def write_to_pipes(line: bytes) -> None:
    """Write to every pipe that this process has open besides the standard three, as a broken library may."""
    for descriptor in pipes():
        with contextlib.suppress(OSError):
            os.write(descriptor, line)


def pipes() -> list[int]:
    """The pipes that this process has open besides the standard three."""
    found = []
    for descriptor in range(3, 30):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                found.append(descriptor)
    return found


def refuse(folder: str | None) -> Evaluator:
    """A factory that fails."""
    raise RuntimeError("no accelerator today")


def never(folder: str | None) -> Evaluator:
    """A factory that does not end."""
    while True:
        time.sleep(0.1)


class Line(Space):
    """A space of `size` genotypes: one decision, the length of a chain of identities."""

    name = "line"
    factor_sizes = (1,)

    def __init__(self, size: int) -> None:
        self.size = size

    def initial(self) -> tuple:
        return ()

    def actions(self, state: tuple) -> tuple[int, ...]:
        return tuple(range(self.size))

    def step(self, state: tuple, action: int) -> tuple:
        return (*state, action)

    def is_terminal(self, state: tuple) -> bool:
        return len(state) == 1

    def factors(self, action: int) -> tuple[int, ...]:
        return (action,)

    def genotype(self, state: tuple) -> BlockGenotype:
        return block(state[0])

    def decisions(self, genotype: Genotype) -> tuple[int, ...]:
        return (len(genotype.layers),)


class Told(Random):
    """Random search that notes what it is told."""

    def __init__(self, space: Space, trials: int = 1, seed: int = 0) -> None:
        super().__init__(space, trials, seed)
        self.told: list[tuple[tuple, float]] = []

    def tell(self, proposal: Proposal, reward: float) -> None:
        self.told.append((tuple(proposal.decisions), reward))


class Script(Told):
    """Proposes what a script says, its last line for ever."""

    def __init__(self, space: Space, script: Sequence[int]) -> None:
        super().__init__(space)
        self.script = list(script)
        self.asked = 0

    def ask(self, rng: np.random.Generator, trial: int) -> Proposal:
        self.asked += 1
        choice = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        return proposal(self.space, (choice,), {"asked": self.asked})


def search_loop(journal: Any, evaluator: Evaluator, strategy: Strategy, trials: int, **changes: Any) -> SearchLoop:
    """A search of the largest accuracy without limits."""
    arguments: Mapping[str, Any] = {
        "space": strategy.space,
        "strategy": strategy,
        "evaluator": evaluator,
        "reward": accuracy,
        "limits": Limits(),
        "journal": journal,
        "trials": trials,
        **changes,
    }
    return SearchLoop(**arguments)


def drive(folder: str, trials: int, seconds: float, resume: bool = False) -> None:
    """A whole search in two worker processes: what is killed in the tests, and then resumed."""
    space = BlockQNN(max_index=4)
    evaluator = Instant(seconds, calls=str(Path(folder).with_suffix(".calls")))
    with (
        opened(folder, {"of": "a test", "trials": trials}, resume) as journal,
        ProcessesExecutor(evaluator, 2) as executor,
    ):
        search_loop(journal, evaluator, Random(space, trials), trials).run(executor)


def hang(folder: str) -> None:
    """A driver whose two workers are busy for ever."""
    with ProcessesExecutor(Behaving(folder), 2) as executor:
        for trial in range(2):
            executor.submit(Job(trial, block(trial), Behaviour.HANG))
        executor.next_result()


def alive(pid: int) -> bool:
    """Whether a process is there and not only waiting to be collected."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return not status.parent.parent.is_dir()  # gone meanwhile, or no /proc at all


def gone(pids: Sequence[int], within: float = 10.0) -> bool:
    """Whether all those processes have ended, or do within some seconds."""
    end = time.monotonic() + within
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
