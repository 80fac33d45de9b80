"""How long a network takes for one image on this CPU: measured with ONNX Runtime on one thread.

The network is written as ONNX straight from its plan, with random weights: how long a network takes does not depend on
what it has learnt. What is measured is therefore known before anything is trained, without Keras, within a fraction of
a second.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from automl_cells.builder.plan import Plan

WARM_UP_RUNS = 3
WARM_UP_SECONDS = 0.02
ROUNDS = 5
LEAST_RUNS = 3  # of a round
ROUND_SECONDS = 0.02  # unless the least runs take longer


def latency_ms(plan: Plan) -> float:
    """Median latency in milliseconds of a network on one image.

    ONNX Runtime, CPU, batch of one, one thread, all of its graph optimizations (batch normalisation is folded into
    convolutions), after a warm-up; the median of each of five rounds, and of these the lowest. Copying the image in is
    part of it, making the session is not.

    The clock is the CPU time of the measuring thread, which does all the work: on an idle machine it is the time on the
    wall, and while other processes use the same cores, as the workers of a search do, it leaves out the time in which
    the thread waits for a core. Sharing a core and its caches still makes it slower for moments (a network of 0.037 ms
    was measured to take 0.058 to 0.065 ms in one of ten series of 8 ms on two busy cores): hence several rounds.

    Args:
        plan: of a network with its input size known.

    Raises:
        ExportError: an open input size, or an operation that cannot be written as ONNX yet.
    """
    import onnxruntime

    from automl_cells.export.plan_onnx import INPUT, onnx_of_plan

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = onnx_of_plan(plan).SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).standard_normal((1, *plan[0].shape), np.float32)  # type: ignore[arg-type]
    wanted = [output.name for output in session.get_outputs()]
    start, runs = time.perf_counter(), 0
    while runs < WARM_UP_RUNS or time.perf_counter() - start < WARM_UP_SECONDS:
        session.run(wanted, {INPUT: image})
        runs += 1
    fine = time.get_clock_info("thread_time").resolution < 1e-5  # on Windows it ticks 64 times a second
    clock = time.thread_time if fine else time.perf_counter
    medians = []
    for _ in range(ROUNDS):
        times: list[float] = []
        start = time.perf_counter()
        while len(times) < LEAST_RUNS or time.perf_counter() - start < ROUND_SECONDS:
            before = clock()
            session.run(wanted, {INPUT: image})
            times.append(1000 * (clock() - before))
        medians.append(statistics.median(times))
    return min(medians)
