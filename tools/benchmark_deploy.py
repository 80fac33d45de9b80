"""Deployment: our exports against plain Keras', int8 against float32, loading from the zoo. The last line is JSON.

Exporting: `nasnet_a_mobile` to SavedModel and ONNX at once, loading again and comparing with Keras included, against
`keras.applications.NASNetMobile` exported to the one and the other by `keras.Model.export`, which compares nothing;
each time in a process of its own, in turn. Running: the ONNX files by ONNX Runtime in one process, in turn, one image
at a time, on one thread and on all. The ratios are medians of the rounds' ratios. Weights and statistics are random.
Loading: `zoo.load` of an entry of 6.4 M parameters from a warm cache.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

SIZE = 224
WARM_UP = 5
CALIBRATION_IMAGES = 16


def main() -> None:
    """Measure and print; or, told by ``--export``, be one of the processes that export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60, help="timed runs of each file")
    parser.add_argument("--exports", type=int, default=1, help="exports by each")
    parser.add_argument("--export", nargs=2, metavar=("WHO", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.export:
        who, folder = arguments.export
        print(json.dumps(EXPORTS[who](Path(folder))))
        return
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(measure(Path(name), arguments.rounds, arguments.exports)))


def measure(folder: Path, rounds: int, exports: int) -> dict[str, Any]:
    """All figures."""
    seconds: dict[str, list[float]] = {"keras": [], "ours": []}
    for number in range(exports):
        for who in ("keras", "ours"):
            print(f"export {number + 1} of {exports}: {who}, half a minute …", file=sys.stderr)
            seconds[who].append(sum(_in_its_own_process(who, folder / f"{who}{number}").values()))
    print("int8 files …", file=sys.stderr)
    _in_its_own_process("int8", folder / "int8")
    result: dict[str, Any] = {"rounds": rounds, "exports": exports}
    medians = {who: round(statistics.median(values), 2) for who, values in seconds.items()}
    ratios = [ours / keras for ours, keras in zip(seconds["ours"], seconds["keras"], strict=True)]
    result["ratio"] = round(statistics.median(ratios), 3)
    result["export_s"] = {**medians, "ratio": result["ratio"]}
    print("loading …", file=sys.stderr)
    result["load_s"] = _in_its_own_process("load", folder / "load")
    result["import_s"] = imports()
    files = {"keras": folder / "keras0" / "model.onnx", "ours": folder / "ours0" / "model.onnx"}
    threads = os.cpu_count() or 1
    for count in sorted({1, threads}):
        result[f"nasnet_a_mobile_ms, {count} threads"] = latency(files, rounds, count, "ours", "keras")
    for name in INT8:
        pair = {
            kind: folder / "int8" / name / f"model{end}" for kind, end in (("float", ".onnx"), ("int8", ".int8.onnx"))
        }
        for count in sorted({1, threads}):
            result[f"{name} int8_ms, {count} threads"] = latency(pair, rounds, count, "int8", "float")
        sizes = {kind: path.stat().st_size for kind, path in pair.items()}
        result[f"{name} int8_bytes"] = {**sizes, "ratio": round(sizes["int8"] / sizes["float"], 3)}
    return result


def imports(runs: int = 7) -> dict[str, float]:
    """Median seconds that importing `automl_cells.zoo`, alone or with names, takes in a new process; no Keras."""
    lines = ("import automl_cells.zoo", "from automl_cells.zoo import blockqnn_cifar, load")
    medians = {}
    for line in lines:
        code = (
            f"import sys, time; t = time.perf_counter(); {line}; print(time.perf_counter() - t, 'keras' in sys.modules)"
        )
        times = []
        for _ in range(runs):
            seconds, keras = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
            assert keras == "False"
            times.append(float(seconds))
        medians[line] = round(statistics.median(times), 3)
    return medians


def latency(files: dict[str, Path], rounds: int, threads: int, above: str, below: str) -> dict[str, float]:
    """Median milliseconds an image of each file, and the median ratio of `above` to `below`."""
    from automl_cells.export import load_onnx

    runs = {name: load_onnx(path, threads) for name, path in files.items()}
    side = 32 if "cifar" in str(files[above]) else SIZE
    image = np.random.default_rng(0).uniform(-1, 1, (1, side, side, 3)).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(WARM_UP + rounds):
        for name in list(runs) if number % 2 else list(reversed(runs)):
            start = time.perf_counter()
            runs[name](image)
            if number >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: round(statistics.median(values), 3) for name, values in times.items()}
    ratios = [one / other for one, other in zip(times[above], times[below], strict=True)]
    return {**medians, "ratio": round(statistics.median(ratios), 3)}


def _in_its_own_process(who: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--export", who, str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _timed(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _ready(model: Any) -> Any:
    """`model` with random statistics, once called, as any trained model was: Keras exports no other."""
    import keras

    random = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shapes = [variable.shape for variable in layer.weights]  # γ, β, μ, σ²
            layer.set_weights(
                [
                    random.uniform(0.5, 1.5, shapes[0]),
                    random.normal(0, 0.1, shapes[1]),
                    random.normal(0, 0.1, shapes[2]),
                    random.uniform(0.5, 1.5, shapes[3]),
                ]
            )
    model(keras.Input(batch_shape=model.input_shape))
    return model


def _export_keras(folder: Path) -> dict[str, float]:
    from automl_cells.cli.quiet import import_framework

    import_framework()
    import keras
    import tf2onnx  # noqa: F401  # both sides without the time of imports

    folder.mkdir()
    model = _ready(keras.applications.NASNetMobile(weights=None))
    return {
        "savedmodel": _timed(lambda: model.export(str(folder / "savedmodel"), verbose=False)),
        "onnx": _timed(
            lambda: model.export(str(folder / "model.onnx"), format="onnx", opset_version=17, verbose=False)
        ),
    }


def _export_ours(folder: Path) -> dict[str, float]:
    from automl_cells.cli.quiet import import_framework

    import_framework()
    import onnxruntime  # noqa: F401
    import tf2onnx  # noqa: F401

    from automl_cells.export import export_model
    from automl_cells.zoo import nasnet_a_mobile

    model = _ready(nasnet_a_mobile())
    images = np.random.default_rng(0).uniform(-1, 1, (8, SIZE, SIZE, 3)).astype(np.float32)
    return {"both": _timed(lambda: export_model(model, ["savedmodel", "onnx"], folder, images=images, metadata={}))}


INT8 = ("blockqnn_cifar", "nasnet_a_mobile")


def _export_int8(folder: Path) -> dict[str, float]:
    from automl_cells.cli.quiet import import_framework

    import_framework()
    from automl_cells import zoo

    folder.mkdir()
    return {name: _timed(partial(_quantise, _ready(getattr(zoo, name)()), folder / name)) for name in INT8}


def _quantise(model: Any, folder: Path) -> None:
    from automl_cells.export import Evaluation, export_model

    images = np.random.default_rng(0).normal(size=(CALIBRATION_IMAGES, *model.input_shape[1:])).astype(np.float32)
    # accuracy is not what is measured here: of a random network it is nothing, before and after
    judged = Evaluation(images, images, np.zeros(len(images), int))
    export_model(model, ["onnx", "int8"], folder, images=images[:2], metadata={}, evaluation=judged)


def _load(folder: Path, entry: str = "blockqnn_imagenet_small/tiny_imagenet-v1", rounds: int = 7) -> dict[str, float]:
    """`zoo.load` from a warm cache, against building the same network and loading the same weights."""
    os.environ["AUTOML_CELLS_CACHE"] = str(folder)
    from automl_cells.cli.quiet import import_framework

    import_framework()
    from automl_cells import zoo
    from automl_cells.builder import build
    from automl_cells.training import load_weights

    handler = partial(_Quiet, directory=Path(__file__).parents[1] / "zoo")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shelf = zoo.open_shelf(f"http://127.0.0.1:{server.server_port}")
        stored = shelf.find(entry)
        zoo.load(entry, shelf=shelf)
        times: dict[str, list[float]] = {"zoo.load": [], "build and load_weights": []}
        for _ in range(rounds):
            times["zoo.load"].append(_timed(partial(zoo.load, entry, shelf=shelf)))
            times["build and load_weights"].append(
                _timed(lambda: load_weights(build(stored.genotype, stored.template), stored.weights))
            )
        server.shutdown()
    ratios = [one / other for one, other in zip(*times.values(), strict=True)]
    medians = {name: round(statistics.median(values), 3) for name, values in times.items()}
    return {**medians, "ratio": round(statistics.median(ratios), 3)}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


EXPORTS: dict[str, Callable[[Path], dict[str, float]]] = {
    "keras": _export_keras,
    "ours": _export_ours,
    "int8": _export_int8,
    "load": _load,
}


if __name__ == "__main__":
    main()
