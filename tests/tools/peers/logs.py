"""Logs of systems, as tests write them."""

from __future__ import annotations

import json


def model(seconds, test, finished, candidate=1, **more):
    return {
        "event": "model",
        "seconds": seconds,
        "candidate": candidate,
        "validation": test - 1,
        "test": test,
        "parameters": 1000,
        "finished": finished,
    } | more


LOG = [
    {"event": "started", "seconds": 1.0, "system": "x", "versions": {"keras": "3"}, "settings": {"epochs": 5}},
    {"event": "candidate", "seconds": 2.0, "candidate": 1},
    model(10.0, 99.2, False),
    model(20.0, 98.0, False),  # better by validation than the one before: what counts is what is handed over
    model(21.0, 98.0, True),
    {"event": "candidate", "seconds": 22.0, "candidate": 2},
    model(30.0, 99.0, False, 2, parameters=2000),
    model(35.0, 99.0, True, 2, parameters=2000),
    {"event": "ended", "seconds": 60.0, "why": "limit"},
]


def written(path, events, end=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events) + end)
    return path
