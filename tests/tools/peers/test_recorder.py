"""What a system's process writes down, and when it ends by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.tools.conftest import TOOLS


@pytest.fixture
def job(tool, tmp_path):
    recorder = tool("peers.recorder")
    start, limit = time.monotonic() - 5, 1e9  # at its end the process is ended
    return recorder.Job("x", tmp_path / "data.npz", tmp_path, start, limit, 0)


BEGUN = """
import time
from peers.recorder import Job, Recorder
recorder = Recorder(Job.of_this_process(), (), {})
"""


def command_of(script, folder, limit, until):
    """A system's process that runs `script`; ``recorder`` is there."""
    words = ["x", folder / "data.npz", folder, time.monotonic(), limit, 0, until]
    return [sys.executable, "-c", BEGUN + script, *map(str, words)]


def run_to_its_end(command):
    environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
    return subprocess.run(command, env=environment, timeout=50, check=False).returncode


class TestRecorder:
    def recorded(self, tool, job):
        return [event for event in tool("peers.log").read_log(job.log) if event["event"] != "started"]

    def test_only_improvements_are_logged(self, tool, job):
        recorder = tool("peers.recorder").Recorder(job, ("numpy",), {})
        recorder.candidate()
        for validation in (90, 90, 80, 95):
            recorder.model(validation, 7, lambda: 50.0, finished=False)
        recorder.model(95, 7, lambda: 50.0, finished=True)  # the same, handed over now
        recorder.model(95, 7, lambda: 50.0, finished=True)
        recorder.end("done")
        events = self.recorded(tool, job)
        assert [event["event"] for event in events] == ["candidate", *["model"] * 3, "ended"]
        assert [(event["validation"], event["finished"]) for event in events[1:4]] == [
            (90, False),
            (95, False),
            (95, True),
        ]

    def test_a_score_other_than_the_accuracy_selects(self, tool, job):
        recorder = tool("peers.recorder").Recorder(job, (), {})
        recorder.model(90, 7, lambda: 50.0, finished=True, score=(-0.5,))
        recorder.model(95, 7, lambda: 50.0, finished=True, score=(-0.6,))
        assert [event["validation"] for event in self.recorded(tool, job)] == [90]

    def test_looking_at_the_test_images_costs_no_time(self, tool, job):
        recorder = tool("peers.recorder").Recorder(job, (), {})
        before = recorder.seconds

        def slow():
            time.sleep(0.5)
            return 50.0

        since = time.monotonic()
        recorder.model(90, 7, slow, finished=True)
        assert time.monotonic() - since >= 0.5
        assert 5 <= before <= recorder.seconds < before + 0.4

    def test_versions_are_noted(self, tool, job):
        tool("peers.recorder").Recorder(job, ("numpy",), {"epochs": 3})
        (started,) = tool("peers.log").read_log(job.log)
        assert (started["versions"], started["settings"]) == ({"numpy": np.__version__}, {"epochs": 3})

    def test_a_process_ends_when_its_time_is_over(self, tool, tmp_path):
        status = run_to_its_end(command_of("time.sleep(60)", tmp_path, 2, "never"))
        last = tool("peers.log").read_log(tmp_path / "log.jsonl")[-1]
        assert (status, last["event"], last["why"]) == (0, "ended", "limit")
        assert last["seconds"] >= 2

    def test_a_process_ends_when_it_hands_over_what_was_asked_for(self, tool, tmp_path):
        models = [(99.5, False), (98.9, True), (99.0, True), (100.0, True)]  # a checkpoint is not handed over
        script = f"for place, (test, finished) in enumerate({models}): recorder.model(place, 7, lambda: test, finished)"
        status = run_to_its_end(command_of(script, tmp_path, 60, 99.0))
        events = tool("peers.log").read_log(tmp_path / "log.jsonl")
        assert status == 0
        assert [event["test"] for event in events if event["event"] == "model"] == [99.5, 98.9, 99.0]
        assert (events[-1]["event"], events[-1]["why"]) == ("ended", "target")

    def test_a_process_ends_when_who_watches_it_has_died(self, tool, tmp_path):
        log = tmp_path / "log.jsonl"
        between = (
            f"import pathlib, subprocess, time\n"
            f"subprocess.Popen({command_of('time.sleep(60)', tmp_path, 60, 'never')!r})\n"
            f"while not pathlib.Path({str(log)!r}).exists(): time.sleep(0.05)\n"
            "time.sleep(1)\n"
        )
        assert run_to_its_end([sys.executable, "-c", between]) == 0
        deadline, read = time.monotonic() + 30, tool("peers.log").read_log
        while read(log)[-1]["event"] != "ended" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert read(log)[-1]["why"] == "orphan"

    def test_peers_get_images_from_0_to_1_and_a_fifth_to_validate_on(self, tool, tmp_path):
        x = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2, 1)
        np.savez(tmp_path / "d.npz", x_train=x, y_train=np.arange(10), x_test=x[:3], y_test=np.arange(3))
        data = tool("peers.recorder").images(tmp_path / "d.npz")
        assert (len(data.x_train), len(data.x_validation), len(data.x_test), data.classes) == (8, 2, 3, 8)
        assert data.x_train.dtype == data.x_test.dtype == np.float32
        assert data.x_validation.max() == 1.0
        np.testing.assert_array_equal(data.y_validation, [8, 9])
