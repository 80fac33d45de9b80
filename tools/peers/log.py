"""What the log of a system says, read in the same way for all of them; see `recorder` for its lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl_cells.errors import SearchError


def read_log(path: str | Path) -> list[dict[str, Any]]:
    """The events of a log, in order. A last line without an end is left out: its process was ended while it wrote.

    Raises:
        SearchError: no log, or a line that is no event.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise SearchError(f"Expected the log of a system. Received: {path}") from None
    events = []
    for line in text.split("\n")[:-1]:
        try:
            event = json.loads(line)
            float(event["seconds"]), str(event["event"])
        except (ValueError, TypeError, LookupError):
            raise SearchError(f"Expected an event a line in {path}. Received: {line[:80]!r}") from None
        events.append(event)
    return events


def seconds_until(events: Sequence[Mapping[str, Any]], target: float, finished: bool) -> float | None:
    """Seconds until the model that the system would hand over had at least `target` per cent of the test images right.

    Args:
        events: of one system.
        target: test accuracy in per cent.
        finished: whether only models count that the system's own interface hands over; else checkpoints do, too.

    Example:
        >>> model = {"event": "model", "test": 99.1, "finished": False, "seconds": 40.0}
        >>> events = [model, {**model, "finished": True, "seconds": 50.0}]
        >>> seconds_until(events, 99, finished=False), seconds_until(events, 99, finished=True)
        (40.0, 50.0)
    """
    models = (event for event in events if event["event"] == "model" and (event["finished"] or not finished))
    return next((event["seconds"] for event in models if event["test"] >= target), None)


def summary(events: Sequence[Mapping[str, Any]], target: float) -> dict[str, Any]:
    """The row of one system: the model selected by validation, seconds to `target`, candidates.

    The model is the last one that the system would hand over; where there is none, its best checkpoint, and
    ``checkpoint`` is true.
    """
    models = [event for event in events if event["event"] == "model"]
    finished = [event for event in models if event["finished"]]
    last: Mapping[str, Any] = (finished or models or [{}])[-1]
    first = next((event for event in events if event["event"] == "started"), {})
    return {
        "test_accuracy": last.get("test"),
        "validation_accuracy": last.get("validation"),
        "parameters": last.get("parameters"),
        "checkpoint": bool(models) and not finished,
        "seconds_to_target": seconds_until(events, target, finished=True),
        "seconds_to_target_any_checkpoint": seconds_until(events, target, finished=False),
        "candidates": max((event["candidate"] for event in events if "candidate" in event), default=0),
        "seconds": max((event["seconds"] for event in events), default=0.0),
        "versions": first.get("versions", {}),
        "settings": first.get("settings", {}),
    }
