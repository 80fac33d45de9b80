"""NASNet-A mobile, ours against `keras.applications.NASNetMobile`: build time, training step, inference.

Both in one process, in turn, medians; both as Keras models, compiled and called alike. The ratio is the median of the
rounds' ratios: what else the machine does changes from round to round more than within one. The last line printed is
JSON.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from automl_cells.cli.quiet import import_framework

import_framework()

import keras  # noqa: E402

from automl_cells.zoo import nasnet_a_mobile  # noqa: E402

SIZE = 224
MAKERS: dict[str, Callable[[], keras.Model]] = {
    "ours": lambda: nasnet_a_mobile(weights=None),
    "keras": lambda: keras.applications.NASNetMobile(weights=None),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="timed repetitions of each")
    parser.add_argument("--batch", type=int, default=8, help="images a step")
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    images = random.uniform(-1, 1, (arguments.batch, SIZE, SIZE, 3)).astype("float32")
    labels = random.integers(0, 1000, arguments.batch)

    result: dict[str, Any] = {"rounds": arguments.rounds, "batch": arguments.batch}
    result["build_s"] = in_turn("build", MAKERS, arguments.rounds)
    models = {name: make() for name, make in MAKERS.items()}
    result["inference_s"] = in_turn(
        "inference", {name: partial(model.predict_on_batch, images) for name, model in models.items()}, arguments.rounds
    )
    for model in models.values():
        model.compile("sgd", "sparse_categorical_crossentropy")
    result["training_step_s"] = in_turn(
        "training step",
        {name: partial(model.train_on_batch, images, labels) for name, model in models.items()},
        arguments.rounds,
    )
    result["ratio"] = max(found["ratio"] for found in result.values() if isinstance(found, dict))  # the worst
    print(json.dumps(result))


def in_turn(what: str, actions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of both actions, after one round that is not timed, and the median ratio of ours to Keras'."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(rounds + 1):
        taken = sum(map(sum, times.values()))
        left = f", {taken / (number - 1) * (rounds + 1 - number):.0f} s left" if number > 1 else ""
        print(f"{what}: round {number} of {rounds}{left}", file=sys.stderr)
        for name in list(actions) if number % 2 else list(reversed(actions)):
            gc.collect()
            start = time.perf_counter()
            actions[name]()
            if number:
                times[name].append(time.perf_counter() - start)
    medians = {name: round(statistics.median(values), 4) for name, values in times.items()}
    ratios = [ours / theirs for ours, theirs in zip(times["ours"], times["keras"], strict=True)]
    return {**medians, "ratio": round(statistics.median(ratios), 3)}


if __name__ == "__main__":
    main()
