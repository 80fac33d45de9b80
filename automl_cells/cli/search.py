"""`automl-cells search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_cells.cli import options
from automl_cells.cli.console import command_line, error_console, say
from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from automl_cells.search.trials import Trial


def search(
    dataset: options.Data,
    out: Annotated[Path, typer.Option(help="The run folder.")],
    space: Annotated[str, typer.Option(help="Search space: blockqnn, blockqnn_fast, nasnet, metaqnn.")] = "blockqnn",
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Search strategy: q_learning, q_learning_metaqnn, q_learning_fast, ppo, evolution, local_search, "
            "predictor_guided, random. "
            "[default: q_learning, for metaqnn q_learning_metaqnn]",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="Distinct candidates to train.")] = 24,
    budget: Annotated[str | None, typer.Option(help="Start nothing new after this time, e.g. 20m.")] = None,
    trial_time_limit: Annotated[
        str | None, typer.Option(help="Give a candidate up as failed after this time, e.g. 10m.")
    ] = None,
    trial_memory_limit: Annotated[
        int | None, typer.Option(metavar="MIB", help="Give a candidate up as failed above so many MiB.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Candidates trained at once.")] = 1,
    executor: Annotated[
        str, typer.Option(help="processes, ray (on a cluster), or serial (in this process).")
    ] = "processes",
    workers_per_gpu: Annotated[
        int | None,
        typer.Option(
            help="Workers that share a GPU and its memory, for --executor processes. [default: GPUs go round]",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="A running Ray cluster, for --executor ray. [default: a Ray on this machine]",
            show_default=False,
        ),
    ] = None,
    cpus_per_trial: Annotated[
        float | None,
        typer.Option(help="Cores of a worker, for --executor ray. [default: 1]", show_default=False),
    ] = None,
    gpus_per_trial: Annotated[
        float | None,
        typer.Option(help="GPUs of a worker, also a part of one, for --executor ray. [default: 0]", show_default=False),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(help="How often a candidate whose worker died is tried again. [default: 2]", show_default=False),
    ] = None,
    recycle_after: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Replace a worker after so many candidates, for processes and ray. [default: 32]",
            show_default=False,
        ),
    ] = None,
    recycle_above: Annotated[
        int | None,
        typer.Option(metavar="MIB", help="Replace a worker that holds more after a candidate, for processes."),
    ] = None,
    max_params: Annotated[
        int | None, typer.Option(help="Most trainable parameters of a candidate. [default: the template's]")
    ] = None,
    max_flops: Annotated[
        int | None, typer.Option(help="Most multiply-adds of a candidate. [default: the template's]")
    ] = None,
    max_memory: Annotated[
        int | None, typer.Option(metavar="BYTES", help="Most bytes of activations of a candidate alive at once.")
    ] = None,
    max_latency_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Longest latency of a candidate: one image, one core, ONNX Runtime."),
    ] = None,
    measure_latency: Annotated[
        bool, typer.Option("--measure-latency", help="Measure the latency of every candidate, also without a limit.")
    ] = False,
    reward: Annotated[
        str | None,
        typer.Option(
            help="accuracy, blockqnn_early_stop, latency_constrained, params_constrained, memory_constrained. "
            "[default: that of the space's paper]"
        ),
    ] = None,
    reward_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the reward, e.g. target_ms=2.")
    ] = None,
    template: options.Template = None,
    repeats: Annotated[
        int | None, typer.Option(help="N of the small network, not for chains. [default: 1]", show_default=False)
    ] = None,
    filters: Annotated[
        str | None,
        typer.Option(
            metavar="F,F,F",
            help="Filters of each of its stages, not for chains. [default: half the template's, for cells a quarter]",
        ),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(
            help="How a candidate is trained: blockqnn, nasnet, nasnet_no_flip, metaqnn, metaqnn_no_flip. "
            "[default: the paper's; for grey images without mirror images, as coloured digits want it too]",
            show_default=False,
        ),
    ] = None,
    space_option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Option of the space, e.g. max_index=10, filter_multiplier=0.125."),
    ] = None,
    strategy_option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Option of the strategy, e.g. alpha=0.1.")
    ] = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Begin with what an earlier search in this space has learnt: Q-table, controller or predictor.",
        ),
    ] = None,
    predictor_filter: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Let a predictor choose among N proposals of the strategy; 1: no. [default: 4 for blockqnn_fast]",
            show_default=False,
        ),
    ] = None,
    early_stopping: Annotated[
        bool | None,
        typer.Option(
            "--early-stopping/--no-early-stopping",
            help="Stop candidates whose learning curve says that they will not be the best. "
            "[default: for blockqnn_fast]",
            show_default=False,
        ),
    ] = None,
    data_dir: options.DataDir = None,
    seed: options.Seed = 0,
    resume: options.Resume = False,
) -> None:
    """Search a block, cell or chain on a data set with small, cheap networks."""
    import automl_cells.search as searching
    from automl_cells.datasets import without_folder
    from automl_cells.search.defaults import defaults
    from automl_cells.search.progress import SearchProgress

    dataset = options.in_directory(dataset, data_dir)
    if executor == "serial":
        from automl_cells.cli.quiet import import_framework

        import_framework()
    try:
        seconds = options.duration(budget)
        with SearchProgress(trials, error_console(), seconds) as progress:
            result = searching.search(
                dataset,
                out=out,
                space=space,
                strategy=strategy,
                trials=trials,
                workers=workers,
                executor=executor,
                executor_options={
                    name: value
                    for name, value in (
                        ("workers_per_gpu", workers_per_gpu),
                        ("address", address),
                        ("cpus_per_trial", cpus_per_trial),
                        ("gpus_per_trial", gpus_per_trial),
                        ("retries", retries),
                        ("recycle_after", recycle_after),
                        ("recycle_above", None if recycle_above is None else recycle_above * 2**20),
                    )
                    if value is not None
                },
                template=template,
                repeats=repeats,
                filters=options.integers(filters, "--filters"),
                reward=reward,
                protocol=protocol,
                max_params=max_params,
                max_flops=max_flops,
                max_memory=max_memory,
                max_latency_ms=max_latency_ms,
                measure_latency=measure_latency,
                reward_options=options.assignments(reward_option, "--reward-option"),
                seed=seed,
                budget=seconds,
                trial_time_limit=options.duration(trial_time_limit),
                trial_memory_limit=None if trial_memory_limit is None else trial_memory_limit * 2**20,
                resume=resume,
                warm_start=warm_start,
                predictor_filter=predictor_filter,
                early_stopping=early_stopping,
                space_options=options.assignments(space_option, "--space-option"),
                strategy_options=options.assignments(strategy_option, "--strategy-option"),
                observer=progress,
            )
    except KeyboardInterrupt:
        error_console().print(f"Stopped. What is done is kept: the same command with --resume goes on. ({out})")
        raise
    done = [trial for trial in result.trials if trial.status == "done"]
    failed = sum(trial.status == "failed" for trial in result.trials)
    say(
        f"{len(done)} of {max(trials, len(result.trials))} candidates done, {failed} failed, in {result.seconds:.0f} s."
    )
    if not done:
        raise AutoMLCellsError(f"Expected at least one candidate to succeed. Received: {failed} failures, see {out}")
    _draw(out, f"{strategy or defaults(space).strategy} on {without_folder(dataset)}, space {space}")
    _say_what_was_learnt(done)
    _say_how_guesses_rank(done)
    best = result.best
    say(
        f"Best: trial {best.number}, reward {best.reward:.2f}, accuracy {best.metrics['accuracy']:.2f} %, "
        f"{best.metrics['parameters']:,.0f} parameters."
    )
    say(f"  genotype  {out / 'best.json'}")
    say(f"  curve     {out / 'search_curve.svg'}")
    following = (("report", out, "--open"), ("trials", out), ("show", out / "best.json"))
    say(f"Next: {' · '.join(command_line(*words) for words in following)}")


def _say_what_was_learnt(done: list[Trial]) -> None:
    """What the candidates of the first ε earned on average, and those of an ε of at most 0.3: a line, if both exist."""
    from automl_cells.report import mean_rewards

    found = mean_rewards([(trial.info.get("epsilon"), trial.reward) for trial in done])
    if found is not None:
        say(
            f"Mean reward: {found.first:.2f} of {found.first_count} candidates at ε = {found.epsilon:g}, "
            f"{found.last:.2f} of {found.last_count} at ε ≤ {found.threshold:g}."
        )


def _say_how_guesses_rank(done: list[Trial]) -> None:
    """How well the predictor, and the rule that stops trainings early, ranked what they had not seen."""
    from automl_cells.report import rankings

    stopped = [trial for trial in done if trial.stopped]
    predictor, curves = rankings(done)
    if predictor is not None:
        say(
            f"Predictor: rank correlation (Spearman) {predictor.correlation:.2f} with {predictor.size} rewards not "
            "seen yet."
        )
    if stopped:
        epochs = sum(trial.stopped_after or 0 for trial in stopped) / len(stopped)
        say(f"Early stopping: {len(stopped)} of {len(done)} candidates, after {epochs:.1f} epochs on average.")
    if curves is not None:
        say(
            f"Learning curves: rank correlation (Spearman) {curves.correlation:.2f} of the first guess with the "
            f"accuracies of {curves.size} candidates that were trained to their end."
        )


def _draw(run: Path, title: str) -> None:
    from automl_cells.report import CurvePoint, draw_search_curve
    from automl_cells.search import read_run

    points = [
        CurvePoint(
            trial.number,
            trial.reward,
            trial.metrics.get("accuracy"),
            trial.status == "failed",
            trial.info.get("epsilon"),
        )
        for trial in read_run(run)[1]
    ]
    draw_search_curve(points, run / "search_curve.svg", title)
