"""What an evaluation costs, ours against plain Keras ``compile`` + ``fit``; run by ``tools/benchmark.py overhead``.

Eight blocks as a random search would propose them, in the default frame of such a search, of at most 200,000 parameters
(the limit of the documentation's searches on digits; what a larger one costs is mostly its training, not its overhead),
in processes of one thread, as workers are. Three parts:

``first_step``  seconds from the genotype in hand to the first training step done, images of 8×8×1 and of 32×32×3;
                the two sides alternate, the order of the sides changes from round to round
``evaluation``  seconds and accuracy of the whole evaluation of 12 epochs on the digits, each block with a seed of its
                own; Keras as its users write it, with the same batches' size, Adam and rates, validation after every
                epoch, and a momentum of 0.9 in batch normalisation (at its default, 0.99, the moving averages are far
                behind after so few steps, and what is measured is noise)
``memory``      resident memory of a process over 50 candidates

Seconds are medians over the rounds. ``ratio`` is the larger of the two sizes' ratios of the first step, each of the
sums over the blocks; without that part the one of the first part that was measured.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

SIZES = {"8x8x1": (8, 8, 1), "32x32x3": (32, 32, 3)}
IMAGES, BATCH, MOMENTUM = 1122, 70, 0.9
PARTS = ("first_step", "evaluation", "memory")


def compare(parts: tuple[str, ...], blocks: int, max_params: int, rounds: int, candidates: int) -> dict[str, Any]:
    """The chosen parts, each in a process of its own, each size of images too."""
    result: dict[str, Any] = {"blocks": blocks, "max_params": max_params, "rounds": rounds, "threads": 1}
    same = ("--blocks", blocks, "--max-params", max_params)
    if "first_step" in parts:
        result["first_step"] = {
            size: _in_a_process("first_step", "--size", size, "--rounds", rounds, *same) for size in SIZES
        }
    if "evaluation" in parts:
        result["evaluation"] = _in_a_process("evaluation", "--rounds", rounds, *same)
    if "memory" in parts:
        result["memory"] = _in_a_process("memory", "--candidates", candidates, *same)
    first = next(part for part in PARTS if part in parts)
    of_sizes = result[first].values() if first == "first_step" else [result[first]]
    return {**result, "ratio": max(found["ratio"] for found in of_sizes)}


def _in_a_process(part: str, *options: object) -> dict[str, Any]:
    print(part, *options, "…", file=sys.stderr, flush=True)
    from automl_cells.search.executors.devices import worker_environment

    # As a worker of one thread, but not deterministic, which Keras' users do not ask for.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), "1")
    environment = {**worker_environment(0, 1), **threads}
    del environment["TF_DETERMINISTIC_OPS"]
    done = subprocess.run(
        [sys.executable, __file__, "--part", part, *map(str, options)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        from automl_cells.errors import SearchError

        print(done.stderr, file=sys.stderr)  # of one that ends well it is only what frameworks say when they start
        raise SearchError(f"Expected {part} to end well. Received: exit status {done.returncode}, see above")
    return json.loads(done.stdout.splitlines()[-1])


def frame_of(shape: tuple[int, int, int]) -> Any:
    """The template of a search in the space of blocks, at its default size."""
    from automl_cells.builder import template
    from automl_cells.search.defaults import defaults

    usual = defaults("blockqnn")
    return template(
        "cifar", repeats=usual.repeats, filter_multiplier=usual.filter_multiplier, input_shape=shape, classes=10
    )


def random_blocks(frame: Any, count: int, max_params: int, seed: int = 0) -> list[Any]:
    """Different blocks, uniformly drawn decisions, that keep the limit and the template's."""
    import numpy as np

    from automl_cells.evaluation import Limits
    from automl_cells.evaluation.known_metrics import KnownMetrics
    from automl_cells.spaces import space
    from automl_cells.strategies import strategy

    where, rng = space("blockqnn"), np.random.default_rng(seed)
    asking, known = strategy("random", where, 10_000, seed), KnownMetrics(frame)
    found: dict[str, Any] = {}
    while len(found) < count:
        genotype = asking.ask(rng, len(found)).genotype
        if known.allow(genotype, Limits(min(max_params, frame.max_params), frame.max_flops)):
            found[genotype.hash] = genotype
    return list(found.values())


def first_step(size: str, blocks: int, max_params: int, rounds: int) -> dict[str, Any]:
    """Sums over the blocks of the medians over the rounds, and of the blocks' ratios the median and the extremes."""
    import numpy as np

    from automl_cells.evaluation import proxy_protocol
    from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine

    frame, random = frame_of(SIZES[size]), np.random.default_rng(0)
    x = random.normal(size=(IMAGES, *SIZES[size])).astype(np.float32)
    y = random.integers(0, 10, IMAGES)
    protocol = proxy_protocol("blockqnn")
    data = TensorFlowEngine.hold(x, y, 10, protocol)
    sides: dict[str, Callable[[Any], float]] = {
        "ours": lambda genotype: _our_first_step(genotype, frame, data, protocol),
        "keras": lambda genotype: _keras_first_step(genotype, frame, x[:BATCH], y[:BATCH]),
    }
    candidates = random_blocks(frame, blocks + 1, max_params)
    for measure in sides.values():  # what a process does once is not what a candidate costs
        measure(candidates[-1])
    seconds: dict[str, list[list[float]]] = {side: [[] for _ in range(blocks)] for side in sides}
    for turn in range(rounds):
        for number, genotype in enumerate(candidates[:blocks]):
            for side in sorted(sides, reverse=bool(turn % 2)):
                seconds[side][number].append(sides[side](genotype))
                _clean()
    medians = {side: [statistics.median(times) for times in found] for side, found in seconds.items()}
    ratios = [ours / keras for ours, keras in zip(medians["ours"], medians["keras"], strict=True)]
    return {
        "ours": {"seconds": sum(medians["ours"]), "median": statistics.median(medians["ours"])},
        "keras": {"seconds": sum(medians["keras"]), "median": statistics.median(medians["keras"])},
        "ratio": sum(medians["ours"]) / sum(medians["keras"]),
        "median_ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }


def _our_first_step(genotype: Any, frame: Any, data: Any, protocol: Any) -> float:
    import numpy as np

    from automl_cells.builder import plan
    from automl_cells.evaluation.known_metrics import KnownMetrics
    from automl_cells.evaluation.steps.network import Network
    from automl_cells.evaluation.steps.tensorflow import TensorFlowEngine

    known = KnownMetrics(frame)
    start = time.perf_counter()
    known.of(genotype)  # as an evaluation does
    network = Network(plan(genotype, frame), frame.epsilon, frame.kernel_initializer)
    engine = TensorFlowEngine(network, data, protocol, network.first_weights(0))
    engine.epoch(np.arange(BATCH)[None], np.array([protocol.learning_rate]))
    return time.perf_counter() - start


def _keras_first_step(genotype: Any, frame: Any, x: Any, y: Any) -> float:
    import keras

    done: list[float] = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: done.append(time.perf_counter()))
    start = time.perf_counter()
    _keras_model(genotype, frame).fit(x, y, batch_size=BATCH, verbose=0, callbacks=[callback])
    return done[0] - start


def _keras_model(genotype: Any, frame: Any) -> Any:
    import keras

    from automl_cells.builder import build

    model = build(genotype, frame, batch_norm_momentum=MOMENTUM)
    model.compile(keras.optimizers.Adam(0.001, epsilon=1e-8), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _clean() -> None:
    import keras

    keras.backend.clear_session(free_memory=False)
    gc.collect()


def evaluation(blocks: int, max_params: int, rounds: int) -> dict[str, Any]:
    """Both sides, block after block: medians of the seconds over the rounds, accuracies of the first round."""
    import keras

    from automl_cells.evaluation import proxy_protocol
    from automl_cells.evaluation.proxy_training import ProxyTraining

    frame = frame_of(SIZES["8x8x1"])
    training = ProxyTraining("digits", frame, proxy_protocol("blockqnn", max_restarts=0))  # Keras has none either
    training.prepare()
    x_train, y_train, x_test, y_test = training._split()
    protocol = training.protocol
    batch = protocol.batch_for(len(x_train))
    images = len(x_train) // batch * batch  # as many steps as ours

    def ours(genotype: Any, seed: int) -> float:
        return training.evaluate(genotype, seed).metrics["accuracy"]

    def theirs(genotype: Any, seed: int) -> float:
        keras.utils.set_random_seed(seed)
        rates = keras.callbacks.LearningRateScheduler(lambda epoch: float(protocol.learning_rates(epoch, 1)[0]))
        history = _keras_model(genotype, frame).fit(
            x_train[:images], y_train[:images], batch_size=batch, epochs=protocol.epochs, verbose=0,
            validation_data=(x_test, y_test), callbacks=[rates],
        )  # fmt: skip
        return 100 * history.history["val_accuracy"][-1]

    sides: dict[str, Callable[[Any, int], float]] = {"ours": ours, "keras": theirs}
    candidates = random_blocks(frame, blocks + 1, max_params)
    training.evaluate(candidates[-1], 0)
    _keras_first_step(candidates[-1], frame, x_train[:BATCH], y_train[:BATCH])
    wall: dict[str, list[list[float]]] = {side: [[] for _ in range(blocks)] for side in sides}
    cpu: dict[str, list[list[float]]] = {side: [[] for _ in range(blocks)] for side in sides}
    accuracies: dict[str, list[float]] = {side: [] for side in sides}
    for turn, (seed, genotype) in itertools.product(range(rounds), enumerate(candidates[:blocks])):
        for side in sorted(sides, reverse=bool((turn + seed) % 2)):
            start, begun = time.perf_counter(), time.process_time()
            accuracy = sides[side](genotype, seed)
            wall[side][seed].append(time.perf_counter() - start)
            cpu[side][seed].append(time.process_time() - begun)
            if turn == 0:
                accuracies[side].append(accuracy)
            _clean()
    seconds, processor = (
        {side: [statistics.median(times) for times in found] for side, found in measured.items()}
        for measured in (wall, cpu)
    )
    gaps = [one - other for one, other in zip(accuracies["ours"], accuracies["keras"], strict=True)]
    ratios = [one / other for one, other in zip(seconds["ours"], seconds["keras"], strict=True)]
    return {
        **{
            side: {
                "seconds": sum(seconds[side]),
                "processor_seconds": sum(processor[side]),
                "seconds_of_each": [round(value, 2) for value in seconds[side]],
                "mean_accuracy": statistics.mean(accuracies[side]),
                "accuracies": [round(accuracy, 2) for accuracy in accuracies[side]],
            }
            for side in sides
        },
        "ratio": sum(seconds["ours"]) / sum(seconds["keras"]),
        "processor_ratio": sum(processor["ours"]) / sum(processor["keras"]),
        "median_ratio": statistics.median(ratios),
        "accuracy_gap": statistics.mean(gaps),
        "standard_error_of_the_gap": statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else None,
    }


def memory(candidates: int, max_params: int) -> dict[str, Any]:
    """Resident memory after each candidate's evaluation of one epoch on the digits."""
    from automl_cells.evaluation import proxy_protocol
    from automl_cells.evaluation.proxy_training import ProxyTraining
    from automl_cells.search.executors.devices import resident_bytes

    frame = frame_of(SIZES["8x8x1"])
    training = ProxyTraining("digits", frame, proxy_protocol("blockqnn", epochs=1, max_restarts=0))
    after = []
    for seed, genotype in enumerate(random_blocks(frame, candidates, max_params)):
        training.evaluate(genotype, seed)
        after.append(resident_bytes(os.getpid()) / 1024**2)
    early = after[min(5, candidates) - 1]
    ratio = after[-1] / early if early else None  # nothing is known of memory but on Linux
    return {"candidates": candidates, "mb_after_5": early, "mb_at_the_end": after[-1], "ratio": ratio}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``tools/benchmark.py overhead``."""
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts, with commas")
    parser.add_argument("--blocks", type=int, default=8, help="random blocks")
    parser.add_argument("--max-params", type=int, default=200_000, help="most parameters of a block's network")
    parser.add_argument("--rounds", type=int, default=3, help="of all that is timed, each block once a round")
    parser.add_argument("--candidates", type=int, default=50, help="of the part memory")


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The benchmark with the options of the command line.

    Raises:
        SearchError: an option out of range.
    """
    from option_checks import at_least

    from automl_cells.errors import SearchError

    parts = tuple(options.parts.split(","))
    if not set(parts) <= set(PARTS):
        raise SearchError(f"Expected parts among {list(PARTS)}. Received: {options.parts}")
    at_least(options, blocks=1, rounds=1, candidates=1, max_params=1000)
    return compare(parts, options.blocks, options.max_params, options.rounds, options.candidates)


def main() -> None:
    """One part, in this process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, required=True)
    parser.add_argument("--size", choices=SIZES, default="8x8x1")
    add_options(parser)
    options = parser.parse_args()
    if options.part == "first_step":
        found = first_step(options.size, options.blocks, options.max_params, options.rounds)
    elif options.part == "evaluation":
        found = evaluation(options.blocks, options.max_params, options.rounds)
    else:
        found = memory(options.candidates, options.max_params)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
