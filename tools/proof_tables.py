"""What the runs of ``tools/proof.py`` say, as numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from proof_runs import Run, metrics

from automl_cells.search import best_trials, read_run
from automl_cells.search.trials import Trial


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Mean and its standard error, in the unit of the values."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"values": list(values), "mean": statistics.fmean(values) if values else None, "standard_error": error}


def accuracies(runs: Sequence[Run]) -> dict[str, Any]:
    """Test accuracies in per cent and multiply-adds of those trainings that are done."""
    documents = [metrics(run.out) for run in runs if run.done]
    measured = summary([document["test_accuracy"] for document in documents])
    return measured | {"flops": [document["flops"] for document in documents]}


def searched(where: str, seed: int, pair: Sequence[Run], trained: Sequence[Run]) -> dict[str, Any]:
    """A guided search and a random one.

    Returns:
        Of each the candidates, the best reward and accuracy after a short training and, where that is done, the test
        accuracy of the best after a full one.
    """
    row: dict[str, Any] = {"space": where, "seed": seed}
    for side, run, training in zip(("guided", "random"), pair, trained, strict=True):
        trials = read_run(run.out)[1]
        best = best_trials(trials, 10)
        row[side] = {
            "seconds": run.record()["seconds"],
            "candidates": sum(trial.finished for trial in trials),
            "best_reward": best[0].reward,
            "best_accuracy": best[0].metrics["accuracy"],
            "mean_accuracy_of_ten_best": statistics.fmean(trial.metrics["accuracy"] for trial in best),
        }
        if training.done:
            row[side]["test_accuracy"] = metrics(training.out)["test_accuracy"]
    return row


def ranked(trials: Sequence[Trial], trainings: Sequence[Run]) -> dict[str, Any]:
    """Correlations of what is known after a short training with the test accuracy after a full one.

    Args:
        trials: after the short training.
        trainings: of the same genotypes, in the same order; those that are not done are left out.
    """
    from scipy.stats import pearsonr, spearmanr

    done = [(trial, run) for trial, run in zip(trials, trainings, strict=True) if run.done]
    pairs = [(trial, metrics(run.out)["test_accuracy"]) for trial, run in done]
    truths = [truth for _, truth in pairs]
    guesses = {
        "reward": [trial.reward or 0.0 for trial, _ in pairs],
        "accuracy": [trial.metrics["accuracy"] for trial, _ in pairs],
        "flops": [trial.metrics["flops"] for trial, _ in pairs],
    }
    result: dict[str, Any] = {"blocks": len(pairs), "test_accuracy": truths}
    if len(pairs) > 2:
        for name, values in guesses.items():
            result[name] = {
                "spearman": round(float(spearmanr(values, truths).statistic), 3),
                "pearson": round(float(pearsonr(values, truths).statistic), 3),
            }
    return result
