"""`automl_cells.search`: a whole search in one call."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automl_cells.builder.template import Template
from automl_cells.builder.template import template as make_template
from automl_cells.datasets import Dataset, absolute, load, save_npz, without_folder
from automl_cells.errors import SearchError
from automl_cells.evaluation.limits import Limits
from automl_cells.evaluation.proxy_protocol import ProxyProtocol, proxy_protocol
from automl_cells.evaluation.proxy_training import ProxyTraining
from automl_cells.evaluation.rewards import metrics_needed
from automl_cells.evaluation.rewards import reward as named_reward
from automl_cells.genotypes import write
from automl_cells.search import warm_start as warm
from automl_cells.search.defaults import defaults
from automl_cells.search.early_stopping import EarlyStopping
from automl_cells.search.executors import check as check_executor
from automl_cells.search.executors import executor as make_executor
from automl_cells.search.journal import Journal
from automl_cells.search.loop import Observer, SearchLoop
from automl_cells.search.run_folder import is_used, opened
from automl_cells.search.trials import Trial, best_trials
from automl_cells.spaces import Space
from automl_cells.spaces import space as make_space
from automl_cells.strategies import PredictorFilter, PredictorGuided
from automl_cells.strategies import strategy as make_strategy


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        out: the run folder.
        trials: all trials in order.
        seconds: wall-clock time of this call.
    """

    out: Path
    trials: tuple[Trial, ...]
    seconds: float

    @property
    def best(self) -> Trial:
        """The trial of the largest reward.

        Raises:
            SearchError: no trial has succeeded.
        """
        best = best_trials(self.trials)
        if not best:
            raise SearchError("Expected at least one trial that succeeded. Received: none")
        return best[0]


def search(
    dataset: str | Dataset,
    *,
    out: str | Path,
    space: str = "blockqnn",
    strategy: str | None = None,
    trials: int = 24,
    workers: int | None = 1,
    executor: str = "processes",
    executor_options: Mapping[str, Any] | None = None,
    template: str | Template | None = None,
    repeats: int | None = None,
    filters: Sequence[int] | None = None,
    reward: str | None = None,
    protocol: str | ProxyProtocol | None = None,
    max_params: int | None = None,
    max_flops: int | None = None,
    max_memory: int | None = None,
    max_latency_ms: float | None = None,
    measure_latency: bool = False,
    reward_options: Mapping[str, Any] | None = None,
    seed: int = 0,
    budget: float | None = None,
    trial_time_limit: float | None = None,
    trial_memory_limit: int | None = None,
    resume: bool = False,
    warm_start: str | Path | None = None,
    predictor_filter: int | None = None,
    early_stopping: bool | None = None,
    space_options: Mapping[str, Any] | None = None,
    strategy_options: Mapping[str, Any] | None = None,
    observer: Observer | None = None,
) -> SearchResult:
    """Search a genotype for a data set.

    The same seed and one worker give the same proposals, run after run, on the same machine, if no latency is limited.

    Args:
        dataset: ``"digits"``, ``"npz:PATH"`` or a `Dataset`; only its training images are used.
        out: the run folder, which keeps the journal.
        space: name of the search space.
        strategy: name of the search strategy; by default ``q_learning``, for ``metaqnn`` ``q_learning_metaqnn``.
        trials: how many distinct genotypes to train.
        workers: how many to train at once; ``None``, for ``ray``, for as many as the cluster holds.
        executor: ``"processes"`` (workers of their own), ``"ray"`` (on a cluster) or ``"serial"`` (in this process).
        executor_options: options of `ProcessesExecutor` or `RayExecutor`, e.g. ``{"retries": 5}``.
        template: the frame of the proxy network, by default ``cifar``, for chains ``chain``; it gets the data's input
            shape and classes.
        repeats: N, blocks or normal cells a stage of the proxy network; by default 1. Not for chains, as the next.
        filters: filters of each of its stages; by default half the template's, for cells a quarter.
        reward: name of the reward; by default that of the space's paper.
        protocol: how a candidate is trained, see `proxy_protocol`; by default as the space's paper does it, for grey
            images without mirror images.
        max_params: most trainable parameters of the proxy network; by default the template's.
        max_flops: most multiply-adds of the proxy network; by default the template's.
        max_memory: most bytes of activations of the proxy network that are alive at once, for one image.
        max_latency_ms: longest latency of the proxy network for one image, in milliseconds of one core of this CPU,
            measured with ONNX Runtime before a candidate is trained.
        measure_latency: whether every trial has that latency among its metrics, also where no limit and no reward needs
            it; measured by the worker, before the training.
        reward_options: options of the reward, e.g. ``{"target_ms": 2.0}`` for ``latency_constrained``.
        seed: of proposals and trainings.
        budget: seconds after which nothing new is started.
        trial_time_limit: seconds after which a candidate is given up as failed (not ``serial``).
        trial_memory_limit: bytes above which a candidate is given up as failed (not ``serial``).
        resume: continue the search in `out`; nothing that is done is done again. More `trials` extend it; what a
            strategy scales to their number (ε, populations, mini-batches) is then that of the longer search.
        warm_start: the run folder of an earlier search in the same space, on other data perhaps: its Q-table, its
            controller or what its predictor knew is what this search begins with. Its trials are copied, so that
            `resume` does not need it.
        predictor_filter: proposals of the strategy among which a predictor of their rewards chooses, 1 for no choice;
            by default 4 in ``blockqnn_fast``, where the strategy does not choose by a predictor itself, elsewhere 1.
        early_stopping: whether a candidate is stopped when its learning curve says that it will not become the best
            one, and earns what the curve promises; by default in ``blockqnn_fast`` only. Not with rewards that need
            the latency.
        space_options: options of the space.
        strategy_options: options of the strategy.
        observer: told of every change.

    Raises:
        AutoMLCellsError: anything in the arguments, the data or the folder that is not as it must be.
    """
    start = time.monotonic()
    if not isinstance(trials, int) or trials <= 0:
        raise SearchError(f"Expected at least one trial. Received: trials={trials!r}")
    if not isinstance(seed, int) or seed < 0:
        raise SearchError(f"Expected a seed from 0. Received: {seed!r}")
    if budget is not None and not budget > 0:
        raise SearchError(f"Expected a budget above 0 seconds. Received: {budget:g}")
    for what, limit in (("trial_time_limit", trial_time_limit), ("trial_memory_limit", trial_memory_limit)):
        if limit is not None and not limit > 0:
            raise SearchError(f"Expected {what} above 0. Received: {limit}")
    limited: dict[str, Any] = {"time_limit": trial_time_limit, "memory_limit": trial_memory_limit}
    named = [*(executor_options or {}), *(name for name, limit in limited.items() if limit is not None)]
    check_executor(executor, workers, named)
    if isinstance(dataset, str):
        dataset = absolute(dataset)  # the run may be continued from another folder
    data = load(dataset) if isinstance(dataset, str) else dataset
    _check_names(space_options, ("name", "input_shape", "classes"), "space", "the data's")
    _check_names(strategy_options, ("name", "space", "trials", "seed"), "strategy", "the search's")
    where = make_space(space, data.input_shape, data.classes, **(space_options or {}))
    usual = defaults(space)
    frame = make_template(
        template,
        kind=where.kind,
        repeats=usual.repeats if repeats is None else repeats,
        filters=None if filters is None else tuple(filters),
        filter_multiplier=usual.filter_multiplier if filters is None else None,
        input_shape=data.input_shape,
        classes=data.classes,
    )
    limits = Limits(
        frame.max_params if max_params is None else max_params,
        frame.max_flops if max_flops is None else max_flops,
        max_memory,
        max_latency_ms,
    )
    strategy = strategy or usual.strategy
    how = make_strategy(strategy, where, trials, seed, **(strategy_options or {}))
    guided = isinstance(how, PredictorGuided)
    chosen_from = predictor_filter if predictor_filter is not None else 1 if guided else usual.predictor_filter
    if chosen_from != 1:
        if guided:
            raise SearchError(f"Expected predictor_guided without a filter of its proposals. Received: {chosen_from}")
        how = PredictorFilter(how, chosen_from)
    reward = reward or usual.reward
    reward_function = named_reward(reward, **(reward_options or {}))
    by_latency = "latency_ms" in metrics_needed(reward)  # which is not known to who decides to stop a training
    needed = limits.max_latency_ms is not None or by_latency
    latency = needed or measure_latency
    training = proxy_protocol(protocol or (usual.grey_protocol if data.input_shape[2] == 1 else usual.protocol))
    settings = {
        "space": {"name": space, "options": dict(space_options or {})},
        "strategy": {"name": strategy, "options": dict(strategy_options or {})},
        "dataset": {"words": dataset if isinstance(dataset, str) else data.name, "fingerprint": data.fingerprint},
        "template": frame.model_dump(mode="json"),
        "protocol": training.model_dump(mode="json"),
        "reward": reward,
        "limits": limits.to_document(),
        "seed": seed,
        "trials": trials,
    }
    if early_stopping and by_latency:
        raise SearchError(f"Expected early stopping with a reward that needs no latency. Received: {reward}")
    stops_early = usual.early_stopping and not by_latency if early_stopping is None else early_stopping
    folder = Path(out)
    inherited = _inherited(warm_start, folder, where, resume)
    if inherited is not None:
        how.inherit(warm.told(inherited, where))  # refused by strategies that cannot, before anything is written
    # Settings that are off are not named, so that runs of before they existed can be resumed.
    for name, value, off in (
        ("predictor_filter", chosen_from, 1),
        ("early_stopping", stops_early, False),
        ("measure_latency", measure_latency and not needed, False),
        ("reward_options", dict(reward_options or {}), {}),
        ("warm_start", inherited and {"run": inherited.get("run"), "digest": warm.digest(inherited)}, None),
    ):
        if value != off:
            settings[name] = value
    ProxyTraining(data, frame, training, latency)  # what does not suit the images is refused before anything is written
    with opened(folder, settings, resume) as journal:
        warm.keep(inherited, folder)
        evaluator = ProxyTraining(_words(dataset, folder), frame, training, latency)
        stopping = EarlyStopping(reward_function, training.epochs) if stops_early else None
        loop = SearchLoop(
            where, how, evaluator, reward_function, limits, journal, trials, seed, budget, observer, stopping
        )
        with make_executor(
            executor,
            evaluator,
            workers,
            logs=folder / "workers",
            **limited,
            **(executor_options or {}),
        ) as running:
            found = loop.run(running)
        result = SearchResult(folder, tuple(found), time.monotonic() - start)
        if best_trials(found):
            write(result.best.genotype, folder / "best.json", provenance(journal, result.best, found))
    return result


def _inherited(run: str | Path | None, folder: Path, space: Space, resume: bool) -> dict[str, Any] | None:
    """What the search begins with: when it is resumed, what it began with, whatever has become of the earlier run."""
    kept = warm.kept(folder) if resume and is_used(folder) else None
    if kept is None:
        return None if run is None else warm.read(run, space)
    if run is not None and Path(run).resolve().name != kept.get("run"):
        raise SearchError(
            f"Expected --warm-start {kept.get('run')}, with which the search in {folder} began. Received: {run}"
        )
    return kept


def _check_names(options: Mapping[str, Any] | None, taken: Sequence[str], what: str, whose: str) -> None:
    """Refuse options that the search itself decides."""
    if found := sorted(set(options or ()) & set(taken)):
        raise SearchError(f"Expected options of the {what} other than {whose} {', '.join(taken)}. Received: {found[0]}")


def _words(dataset: str | Dataset, folder: Path) -> str:
    """Words by which worker processes load the data: arrays are put into the run folder first."""
    if isinstance(dataset, str):
        return dataset
    path = folder / "dataset.npz"
    if not path.exists() or load(f"npz:{path}").fingerprint != dataset.fingerprint:
        save_npz(dataset, path)
    return f"npz:{path.resolve()}"


def provenance(
    journal_or_settings: Journal | Mapping[str, Any], trial: Trial, trials: Sequence[Trial]
) -> dict[str, Any]:
    """Where a genotype comes from, for its file, as the search measured it.

    Of a trial that was stopped early, which ``stopped_after`` says, the accuracy is a guess.
    """
    settings = journal_or_settings.settings if isinstance(journal_or_settings, Journal) else journal_or_settings
    finished = [other for other in trials if other.finished]
    return {
        "space": settings["space"],
        "strategy": settings["strategy"],
        "dataset": {**settings["dataset"], "words": without_folder(settings["dataset"]["words"])},
        "proxy_template": settings["template"],
        "protocol": settings["protocol"]["name"],
        "seed": settings["seed"],
        "candidates": len(finished),
        "search_seconds": round(sum(other.seconds or 0.0 for other in finished), 1),
        "trial": trial.number,
        "reward": {"name": settings["reward"], "value": trial.reward}
        | ({"options": settings["reward_options"]} if settings.get("reward_options") else {}),
        "metrics": dict(trial.metrics),
    } | ({"stopped_after": trial.details["stopped_after"]} if trial.stopped else {})
