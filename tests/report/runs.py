"""Run folders whose journals are written for the tests of the report: no network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.builder import template
from automl_cells.evaluation.proxy_protocol import proxy_protocol
from automl_cells.genotypes import Genotype, to_document
from automl_cells.search.journal import Journal
from automl_cells.spaces import BlockQNN

EVIL = "<script>alert(1)</script> & \"quoted\" '$style'"
"""A text that a page must show as it is."""


def settings(trials: int, **changes: Any) -> dict[str, Any]:
    """The settings of a search for blocks on the digits, as `automl_cells.search` writes them."""
    frame = template("cifar", repeats=1, filters=(8, 16, 32), input_shape=(8, 8, 1), classes=10)
    return {
        "space": {"name": "blockqnn", "options": {}},
        "strategy": {"name": "q_learning", "options": {}},
        "dataset": {"words": "digits", "fingerprint": "sha256:0"},
        "template": frame.model_dump(mode="json"),
        "protocol": proxy_protocol("blockqnn").model_dump(mode="json"),
        "reward": "blockqnn_early_stop",
        "limits": {"max_params": 25_000, "max_flops": frame.max_flops},
        "seed": 1,
        "trials": trials,
        **changes,
    }


def genotypes(count: int) -> list[Genotype]:
    """Different blocks, drawn at random from the space."""
    rng, space = np.random.default_rng(0), BlockQNN(max_index=8)
    found: dict[str, Genotype] = {}
    while len(found) < count:
        state = space.initial()
        while not space.is_terminal(state):
            actions = space.actions(state)
            state = space.step(state, actions[int(rng.integers(len(actions)))])
        genotype = space.genotype(state)
        found.setdefault(genotype.hash, genotype)
    return list(found.values())


def propose(journal: Journal, number: int, genotype: Genotype, **info: Any) -> None:
    """A trial that begins."""
    data = {"proposal": number, "genotype": to_document(genotype), "decisions": [], "info": info}
    journal.append(number, "proposed", data)
    journal.append(number, "running", {})


def answer(journal: Journal, number: int, metrics: Mapping[str, float], failure: str | None = None, **details: Any):
    """What came of a trial."""
    reward = 10.0 if failure else metrics["accuracy"] - 1.0
    data = {"reward": reward, "metrics": dict(metrics), "seconds": 2.5, "failure": failure, "details": details}
    journal.append(number, "failed" if failure else "done", data)


def write_run(folder: Path, answered: int, trials: int | None = None, **changes: Any) -> Path:
    """A search in which every tenth trial failed, with a reason, and every seventh was stopped early.

    Args:
        folder: the run folder.
        answered: trials that have their answer; one more is under way if there are to be more.
        trials: how many there are to be; by default as many as are answered.
        **changes: other settings.
    """
    total = answered if trials is None else trials
    rng = np.random.default_rng(1)
    found = genotypes(min(total, answered + 1))
    with Journal(folder / "journal.sqlite", settings(total, **changes)) as journal:
        for number, genotype in enumerate(found):
            epsilon = round(max(0.1, 1.0 - 0.1 * (10 * number // len(found))), 1)
            propose(journal, number, genotype, epsilon=epsilon)
            if number == answered:
                break
            parameters = int(rng.integers(500, 25_000))
            known = {"parameters": parameters, "flops": 40 * parameters, "memory": 4096, "density": 1.0}
            end = round(40 + 55 * (1 - epsilon / 2) * float(rng.random()) ** 0.3, 4)
            curve = [round(end * (1 - 0.7 ** (epoch + 2)), 4) for epoch in range(12)]
            if number % 10 == 9:
                answer(journal, number, known, f"{EVIL} of layer {number % 3}")
            elif number % 7 == 6:
                answer(journal, number, {**known, "accuracy": end}, curve=curve[:3], stopped_after=3)
            else:
                answer(journal, number, {**known, "accuracy": curve[-1]}, curve=curve)
            if number % 5 == 4:
                journal.append(number, "repeat", {"proposal": number, "decisions": [], "info": {}})
    return folder
