"""Our training against plain Keras on the same network and images; run by ``tools/benchmark.py train``.

Each measurement is a process of its own (so that its peak memory is its own), they alternate, and the medians are
compared. Three cases: ``same_arithmetic`` (no augmentation, float32, SGD with momentum: only how it is done differs),
``augmented`` (pad and crop, flip, cutout: Keras' own layers in front of the network there, arrays on the host here) and
``recipe_fast`` (the recipe as users get it, which computes in bfloat16 where the hardware does, against the same
augmented Keras).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

CASES = ("same_arithmetic", "augmented", "recipe_fast")
IMAGES, BATCH, FILTERS = 2048, 128, (16, 32, 64)


def compare(runs: int) -> dict[str, Any]:
    """Medians over `runs` of each side of each case; ``ratio`` is that of the case ``same_arithmetic``."""
    result: dict[str, Any] = {"network": f"block_qnn_s, cifar, N=1, filters {FILTERS}, 32x32x3, batch {BATCH}"}
    for case in CASES:
        found: dict[str, list[dict[str, float]]] = {"ours": [], "keras": []}
        for _ in range(runs):
            for side, measured in found.items():
                print(f"{case}: {side} …", file=sys.stderr, flush=True)
                measured.append(_in_a_process(case, side))
        medians = {
            side: {key: statistics.median(one[key] for one in measured) for key in measured[0]}
            for side, measured in found.items()
        }
        result[case] = {
            **medians,
            "ratio": medians["ours"]["images_per_second"] / medians["keras"]["images_per_second"],
            "memory_ratio": medians["ours"]["peak_mb"] / medians["keras"]["peak_mb"],
        }
    result["ratio"] = result["same_arithmetic"]["ratio"]
    return result


def _in_a_process(case: str, side: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--case", case, "--side", side, "--images", str(IMAGES)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(case: str, side: str, images: int) -> dict[str, float]:
    """Images a second of the second and third epoch (the first traces), and the peak of resident memory in MB."""
    import numpy as np

    random = np.random.default_rng(0)
    x = random.integers(0, 256, (images, 32, 32, 3), np.uint8)
    y = random.integers(0, 10, images)
    rates = (_ours if side == "ours" else _keras)(case, x, y)
    return {
        "images_per_second": images / statistics.median(rates),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _ours(case: str, x: Any, y: Any) -> list[float]:
    import numpy as np

    from automl_cells.builder import build, template
    from automl_cells.datasets import Preprocessing
    from automl_cells.training import recipe, session
    from automl_cells.training.precision import resolve_precision

    changes: dict[str, Any] = {"epochs": 3, "batch_size": BATCH}
    if case != "recipe_fast":
        changes |= {"ema": None, "l2": 0.0, "label_smoothing": 0.0, "schedule": "constant", "warmup": 0.0}
        changes |= {"learning_rate": 0.01, "precision": "float32"}
    if case == "same_arithmetic":
        changes["augmentation"] = ()
    chosen = recipe("fast", **changes)
    frame = template("cifar", repeats=1, filters=FILTERS)
    clock = _Clock()
    session.fit(
        lambda placed: build("block_qnn_s", frame, classifier_activation=None, batch_norm=placed.batch_norm),
        x,
        y,
        np.arange(len(x)),
        np.arange(0),
        10,
        Preprocessing((127.0,) * 3, (64.0,) * 3),
        chosen,
        precision=resolve_precision(chosen.precision, FILTERS),
        progress=clock,  # type: ignore[arg-type]
    )
    return clock.epochs[1:]


class _Clock:
    """Stands where progress is shown, and notes how long each epoch takes."""

    def __init__(self) -> None:
        self.epochs: list[float] = []

    def begin(self, *_: int) -> None:
        self._since = time.perf_counter()

    def step(self, step: int) -> None: ...

    def epoch(self, *_: Any) -> None:
        now = time.perf_counter()
        self.epochs.append(now - self._since)
        self._since = now

    def close(self) -> None: ...


def _keras(case: str, x: Any, y: Any) -> list[float]:
    import keras

    from automl_cells.builder import build, template

    network = build("block_qnn_s", template("cifar", repeats=1, filters=FILTERS), classifier_activation=None)
    inputs = keras.Input((32, 32, 3))
    tensor = inputs
    if case != "same_arithmetic":
        layers = keras.layers
        tensor = layers.RandomCrop(32, 32)(layers.ZeroPadding2D(4)(tensor))
        tensor = layers.RandomFlip("horizontal")(tensor)
        tensor = layers.RandomErasing(factor=1.0, scale=(1 / 16, 1 / 16), fill_value=0.0)(tensor)
    tensor = keras.layers.Normalization(mean=[127.0] * 3, variance=[64.0**2] * 3)(tensor)
    model = keras.Model(inputs, network(tensor))
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    clock = _Clock()
    callback = keras.callbacks.LambdaCallback(on_train_begin=clock.begin, on_epoch_end=clock.epoch)
    model.fit(x, y, batch_size=BATCH, epochs=3, verbose=0, callbacks=[callback])
    return clock.epochs[1:]


def main() -> None:
    """Compare, or (with ``--side``) make one measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--side", choices=["ours", "keras"])
    parser.add_argument("--images", type=int, default=IMAGES)
    arguments = parser.parse_args()
    one = arguments.side is not None
    found = measure(arguments.case, arguments.side, arguments.images) if one else compare(arguments.runs)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
