"""The commands that go on from a search: to look at it, train what it found, hand it over, search on."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from automl_cells.builder.template import template
from automl_cells.datasets import embedded
from automl_cells.errors import AutoMLCellsError
from automl_cells.evaluation.proxy_protocol import proxy_protocol
from automl_cells.report.page.facts import RunFacts
from automl_cells.search.defaults import defaults
from automl_cells.spaces import SPACES

_OPTIONS = {
    "max_params": "--max-params",
    "max_flops": "--max-flops",
    "max_memory": "--max-memory",
    "max_latency_ms": "--max-latency-ms",
}


class Command(NamedTuple):
    """A line for a shell, and what it is for."""

    purpose: str
    words: tuple[str, ...]

    @property
    def line(self) -> str:
        """As it is typed, quoted where a shell needs it."""
        return shlex.join(("automl-cells", *self.words))


def commands(facts: RunFacts) -> list[Command]:
    """What can be done next, from the folder in which the report was asked for.

    Of a search without a candidate that is done there is nothing to train; one that is running is not to be resumed.
    """
    run, data = str(facts.run), _data(facts)
    trained, served = _beside(facts.run, "trained"), _beside(facts.run, "exported")
    found = [Command("Every candidate, the best first", ("trials", run, "--sort", "reward"))]
    if facts.state == "running":
        found.append(Command("Follow the search", ("trials", run, "--watch")))
    if facts.best is not None:
        found.append(Command("The best one, as text and drawing", ("show", run, "--svg", str(facts.run / "best.svg"))))
        found.append(Command("Its genotype as a file", ("best", run, "--out", _beside(facts.run, "best.json"))))
    if facts.best is not None and data is not None:
        found.append(
            Command("Train the five best fully; validation images choose", ("finetune-top", run, "--top", "5"))
        )
        found.append(Command("Train the best one at full size", ("train", run, "--dataset", data, "--out", trained)))
        formats = ("--format", "onnx", "--format", "savedmodel")
        images = () if embedded(data) else ("--dataset", data)
        words = ("export", trained, *formats, *images, "--out", served)
        found.append(Command("Then export it, with the parity measured", words))
    if facts.state != "running":
        found += [Command(*known) for known in _resuming(facts)]
    return found


def _beside(run: Path, name: str) -> str:
    """A path beside the run folder that begins with its name."""
    return f"{run}-{name}" if run.name else str(run.resolve().with_name(f"{run.resolve().name}-{name}"))


def _data(facts: RunFacts) -> str | None:
    """The words of the data set; arrays that were handed to `search` lie in the run folder."""
    data = facts.settings.get("dataset")
    if not isinstance(data, Mapping) or "words" not in data:
        return None
    arrays = facts.run / "dataset.npz"
    return f"npz:{arrays}" if arrays.is_file() else str(data["words"])


def _resuming(facts: RunFacts) -> Iterator[tuple[str, tuple[str, ...]]]:
    options = _search_options(facts)
    if options is None:
        return
    more = facts.total if facts.state == "stopped" else 2 * facts.total
    purpose = "Go on where it stopped" if facts.state == "stopped" else f"Go on, to {more} candidates"
    yield purpose, ("search", *options, "--trials", str(more), "--out", str(facts.run), "--resume")


def _search_options(facts: RunFacts) -> list[str] | None:
    """The options of ``search`` that give the settings of this one; ``None`` where no options do.

    A search that was started from Python may have a template or a protocol that no option names.
    """
    settings, data = facts.settings, _data(facts)
    try:
        frame, protocol = settings["template"], settings["protocol"]
        usual = defaults(facts.space) if facts.space in SPACES else None
        if usual is None or data is None or protocol != proxy_protocol(protocol["name"]).model_dump(mode="json"):
            return None
        sizes = {name: frame[name] for name in ("repeats", "filters", "filter_multiplier") if name in frame}
        known = template(
            frame["name"],
            kind=frame.get("kind", "block"),
            input_shape=tuple(frame["input_shape"]),
            classes=frame["classes"],
            **sizes,
        )
        if json.loads(known.model_dump_json()) != frame or not _sizes_by_options(sizes):
            return None
        found = ["--dataset", data, "--space", facts.space, "--strategy", facts.strategy, "--template", frame["name"]]
        if "repeats" in sizes:
            found += ["--repeats", str(sizes["repeats"]), "--filters", ",".join(map(str, sizes["filters"]))]
        found += ["--protocol", protocol["name"], "--reward", settings["reward"], "--seed", str(settings["seed"])]
        for what, options in (
            ("space", settings["space"]["options"]),
            ("strategy", settings["strategy"]["options"]),
            ("reward", settings.get("reward_options", {})),
        ):
            for name, value in options.items():
                found += [f"--{what}-option", f"{name}={value if isinstance(value, str) else json.dumps(value)}"]
        for name, limit in settings["limits"].items():
            if limit is not None:
                found += [_OPTIONS[name], str(limit)]  # with all its digits: it must be the same
        filtered, stops = settings.get("predictor_filter", 1), settings.get("early_stopping", False)
        if filtered != 1 or usual.predictor_filter != 1:
            found += ["--predictor-filter", str(filtered)]
        if stops or usual.early_stopping:
            found.append("--early-stopping" if stops else "--no-early-stopping")
        if settings.get("measure_latency", False):
            found.append("--measure-latency")
    except (LookupError, TypeError, ValueError, AttributeError, AutoMLCellsError):
        return None
    return found


def _sizes_by_options(sizes: Mapping[str, Any]) -> bool:
    """Whether options of ``search`` can say these sizes: it has none for a multiplier, which for chains is 1."""
    return sizes.get("filter_multiplier", 1.0) == 1.0
