"""The comparison with other systems: what is run and kept, its headline and table, our own path; no peer is needed."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from rich.console import Console

from automl_cells.errors import SearchError
from tests.tools.conftest import TOOLS
from tests.tools.peers.logs import LOG, written


@pytest.fixture(scope="module")
def peers(tool):
    return tool("benchmark_peers")


def arguments(peers, tmp_path, **changes):
    parser = argparse.ArgumentParser()
    peers.add_options(parser)
    return argparse.Namespace(**vars(parser.parse_args([])) | {"work": tmp_path} | changes)


class Names(list):
    """Of the systems that were run, in order."""

    def __init__(self):
        super().__init__()
        self.cores = set()


@pytest.fixture
def fake(peers, monkeypatch):
    """Systems that log what `LOG` has without running; the names of those that were run, and on which core."""
    run = Names()

    def watch(command, output, environment, at_most, core, stop):
        name, folder = command[3], Path(command[5])
        run.append(name)
        run.cores.add(core)
        written(folder / "log.jsonl", LOG if name == "ours_blockqnn" else LOG[:3])
        output.write_text("")
        return sys.modules["peers.process"].Ended(0, 123.4)

    monkeypatch.setattr(sys.modules["peers.runs"], "watch", watch)
    return run


class TestCompare:
    def test_every_system_gets_the_same(self, peers, fake, tmp_path):
        found = peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn,nasnet_mobile", minutes=2))
        assert fake == ["ours_blockqnn", "nasnet_mobile"]
        systems = found["seeds"][0]["systems"]
        assert systems["ours_blockqnn"]["seconds_to_target"] == 35.0
        assert systems["nasnet_mobile"]["peak_mb"] == 123
        assert fake.cores == {None}  # all of them
        with np.load(tmp_path / "digits-2min-seed0" / "digits.npz") as data:
            assert (data["x_train"].shape, data["x_test"].shape) == ((1347, 8, 8, 1), (450, 8, 8, 1))
            assert len(set(data["y_train"][-269:])) == 10  # in random order, so that its end is a fair sample

    def test_what_is_finished_is_not_run_again(self, peers, fake, tmp_path):
        first = peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        again = peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn,nasnet_mobile"))
        assert fake == ["ours_blockqnn", "nasnet_mobile"]
        rows = [found["seeds"][0]["systems"]["ours_blockqnn"] for found in (first, again)]
        assert rows[0] == rows[1]

    def test_other_budgets_and_seeds_are_other_runs(self, peers, fake, tmp_path):
        for changes in ({}, {"seeds": "1"}, {"minutes": 3}, {"until_target": True}, {"seeds": "0,1"}):
            peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn", **changes))
        assert len(fake) == 4  # both seeds of the last had been run

    @pytest.mark.skipif(sys.platform != "linux", reason="cores are assigned on Linux")
    def test_side_by_side_each_has_a_core(self, peers, fake, tmp_path):
        options = {"systems": "ours_blockqnn,autokeras,nasnet_mobile", "side_by_side": True}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(peers, "chosen", lambda names: names.split(","))  # AutoKeras need not be there
            found = peers.compare(arguments(peers, tmp_path, seeds="0, 1", minutes=7, **options))
        assert sorted(fake) == sorted(options["systems"].split(",") * 2)
        assert fake.cores <= os.sched_getaffinity(0)
        assert list(found["seeds"]) == [0, 1]
        assert found["seeds"][1]["systems"]["autokeras"]["cores"] == 1
        assert (found["ratio"], found["ratio_is_lower_bound"]) == (10 / 35, True)  # its log ends after 10 seconds

    def test_after_ctrl_c_nothing_is_kept_of_what_was_under_way(self, peers, fake, tmp_path, monkeypatch):
        runs = sys.modules["peers.runs"]
        whole = runs.watch

        def interrupted(*words):
            ended = whole(*words)
            words[-1].set()  # as if Ctrl-C had come meanwhile
            return ended

        monkeypatch.setattr(runs, "watch", interrupted)
        with pytest.raises(SearchError):
            peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn,nasnet_mobile"))
        assert fake == ["ours_blockqnn"]
        assert not list(tmp_path.rglob("result.json"))

    def test_what_was_interrupted_is_run_anew(self, peers, fake, tmp_path, monkeypatch):
        folder = tmp_path / "digits-20min-seed0" / "ours_blockqnn"
        written(folder / "log.jsonl", LOG[:2])
        (folder / "search").mkdir()
        peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        assert fake == ["ours_blockqnn"]
        assert not (folder / "search").exists()

    def test_a_system_that_fails_is_one_clear_error_and_not_finished(self, peers, fake, tmp_path, monkeypatch):
        ended = sys.modules["peers.process"].Ended
        with monkeypatch.context() as patch:
            patch.setattr(sys.modules["peers.runs"], "watch", lambda *_: ended(1, 0.0))
            with pytest.raises(SearchError, match=r"^Expected ours_blockqnn to run .*Received: status 1, see .*txt$"):
                peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        assert fake == ["ours_blockqnn"]

    def test_what_a_system_had_before_it_failed_counts(self, peers, fake, tmp_path, monkeypatch):
        runs = sys.modules["peers.runs"]
        whole = runs.watch

        def fails(*words):
            whole(*words)
            return sys.modules["peers.process"].Ended(1, 5.0)

        monkeypatch.setattr(runs, "watch", fails)
        found = peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        row = found["seeds"][0]["systems"]["ours_blockqnn"]
        assert (row["failure"], row["seconds_to_target"]) == ("status 1", 35.0)

    def test_two_runs_do_not_share_a_folder(self, peers, fake, tmp_path):
        folder = tmp_path / "digits-20min-seed0"
        folder.mkdir()
        with (
            FileLock(folder / ".lock"),
            pytest.raises(SearchError, match=r"^Expected a work folder that no other run is using\. Received: "),
        ):
            peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        assert fake == []

    @pytest.mark.parametrize("content", ["", "[]", '{"peak_mb": 1}'])
    def test_a_damaged_result_is_refused(self, peers, fake, tmp_path, content):
        peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))
        (tmp_path / "digits-20min-seed0" / "ours_blockqnn" / "result.json").write_text(content)
        with pytest.raises(SearchError, match=r"^Expected a result of this benchmark in .*Received: something else$"):
            peers.compare(arguments(peers, tmp_path, systems="ours_blockqnn"))

    def test_the_part_of_fashion_mnist(self, peers, fake, tmp_path):
        random = np.random.default_rng(0)
        large = {
            f"{what}_{part}": random.integers(0, 10, (n, 4, 4) if what == "x" else n, np.uint8)
            for part, n in (("train", 5000), ("test", 2500))
            for what in ("x", "y")
        }
        np.savez(tmp_path / "f.npz", **large)
        found = peers.compare(
            arguments(peers, tmp_path, systems="ours_blockqnn", data="fashion", fashion=tmp_path / "f.npz")
        )
        assert found["target"] == 88.0
        with np.load(tmp_path / "fashion-20min-seed0" / "fashion.npz") as data:
            assert (data["x_train"].shape, data["x_test"].shape) == ((4000, 4, 4, 1), (2000, 4, 4, 1))


class TestHeadline:
    def row(self, reached, ran=600.0):
        return {"seconds_to_target": reached, "seconds": ran}

    def test_by_hand(self, peers):
        rows = {
            "ours_blockqnn": self.row(40.0),
            "autokeras": self.row(500.0),
            "keras_tuner_random": self.row(None),
            "keras_tuner_hyperband": self.row(120.0),
        }
        assert peers.headline(rows) == {
            "ratio": 12.5,
            "ratio_is_lower_bound": False,
            "ratio_keras_tuner": 3.0,
            "ratio_keras_tuner_is_lower_bound": False,
        }

    def test_who_never_got_there_needed_at_least_its_time(self, peers):
        found = peers.headline({"ours_blockqnn": self.row(40.0), "autokeras": self.row(None)})
        assert (found["ratio"], found["ratio_is_lower_bound"]) == (15.0, True)
        assert (found["ratio_keras_tuner"], found["ratio_keras_tuner_is_lower_bound"]) == (None, False)

    def test_of_who_failed_nothing_is_known_after_that(self, peers):
        rows = {
            "ours_blockqnn": self.row(40.0),
            "keras_tuner_random": self.row(None, ran=60.0),
            "keras_tuner_hyperband": self.row(120.0),
        }
        found = peers.headline(rows)
        assert (found["ratio_keras_tuner"], found["ratio_keras_tuner_is_lower_bound"]) == (1.5, True)

    def test_0_where_ours_never_got_there_and_nothing_where_it_was_not_run(self, peers):
        assert peers.headline({"ours_blockqnn": self.row(None), "autokeras": self.row(3.0)})["ratio"] == 0
        assert peers.headline({"ours_blockqnn": self.row(None), "autokeras": self.row(None)})["ratio"] == 0
        assert peers.headline({"autokeras": self.row(3.0)})["ratio"] is None

    def test_the_median_over_seeds(self, peers):
        times = ((40.0, 80.0), (50.0, None), (None, 60.0))
        seeds = [{"ours_blockqnn": self.row(ours), "autokeras": self.row(theirs)} for ours, theirs in times]
        found = peers.overall([peers.headline(rows) for rows in seeds])
        assert found == {
            "ratio": 2.0,  # of 2, at least 12, and 0
            "ratio_is_lower_bound": True,
            "ratio_keras_tuner": None,
            "ratio_keras_tuner_is_lower_bound": False,
        }


def test_the_table_shows_what_was_reached(tool, peers):
    log = tool("peers.log")
    measured = {"peak_mb": 2345.0, "failure": None}
    rows = {name: {**log.summary(events, 99), **measured} for name, events in (("a", LOG), ("b", LOG[:4]))}
    rows["c"] = {**log.summary([], 99), "peak_mb": 0.0, "failure": "too late"}
    text = io.StringIO()
    Console(file=text, width=120).print(peers.table({7: rows}, 99.0))
    lines = [line.replace("│", " ").split() for line in text.getvalue().splitlines()]
    assert ["a", "7", "99.00", "2,000", "35", "10", "2", "2,345"] in lines
    assert ["b", "7", "98.00*", "1,000", "–", "10", "1", "2,345"] in lines
    assert ["c", "(too", "late)", "7", "–", "–", "–", "–", "0", "0"] in lines


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--systems", "ours_blockqnn,nope"], "Expected systems among ['ours_blockqnn', "),
        (["--systems", ""], "Expected systems among ['ours_blockqnn', "),
        (["--minutes", "0"], "Expected --minutes above 0. Received: 0"),
        (["--minutes", "nan"], "Expected --minutes above 0. Received: nan"),
        (["--seeds", "0,-1"], "Expected --seeds with whole numbers from 0. Received: '0,-1'"),
        (["--seeds", ""], "Expected --seeds with whole numbers from 0. Received: ''"),
        (["--systems", "ours_blockqnn", "--data", "fashion", "--fashion", "nothing.npz"], "Expected "),
        (["--work", __file__], "Expected a folder for --work. Received: "),
        (["--systems", "missing"], "Expected the environment .venv-missing of missing (make peers). Received: none"),
    ],
)
def test_bad_input_is_one_line_and_status_2(tool, peers, monkeypatch, capsys, tmp_path, words, message):
    benchmark, systems = tool("benchmark"), tool("peers.systems")
    monkeypatch.setitem(systems.SYSTEMS, "missing", systems.System("missing", ".venv-missing", "not there"))
    systems_that_need_nothing = [] if "--systems" in words else ["--systems", "ours_blockqnn"]
    command = ["benchmark.py", "search-peers", "--work", str(tmp_path), *systems_that_need_nothing, *words]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        benchmark.main()
    assert stopped.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"Error: {message}")
    assert output.err.count("\n") == 1


def test_every_system_has_its_script_and_environment(tool):
    for system in tool("peers.systems").SYSTEMS.values():
        assert (TOOLS / "peers" / f"{system.module}.py").is_file()
        if system.environment is not None:
            requirements = TOOLS / "peers" / f"{system.environment.removeprefix('.venv-')}.txt"
            pinned = [line for line in requirements.read_text().splitlines() if not line.startswith("#")]
            assert pinned
            assert all("==" in line for line in pinned)


def until_a_model(tool, command, folder):
    """The log of a system, which is ended as soon as it has a model."""
    running = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(TOOLS)}, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        deadline, events = time.monotonic() + 200, []
        while running.poll() is None and time.monotonic() < deadline:
            events = tool("peers.log").read_log(folder / "log.jsonl") if (folder / "log.jsonl").exists() else []
            if any(event["event"] == "model" for event in events):
                break
            time.sleep(0.5)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        _, said = running.communicate()
    assert any(event["event"] == "model" for event in events), said.decode()
    return events


@pytest.mark.slow
def test_our_own_path_searches_trains_and_hands_over(tool, peers, tmp_path):
    data = peers._prepared("digits", Path(), tmp_path)
    folder = tmp_path / "ours"
    folder.mkdir()
    changes = "ours.TRIALS, ours.RECIPES = 2, {'digits': ('plain', {'epochs': 2})}"
    script = f"from peers import ours; {changes}; ours.main()"
    words = ["random_blockqnn", data, folder, time.monotonic(), 100, 0, "never"]
    command = [sys.executable, "-c", script, *map(str, words)]
    events = until_a_model(tool, command, folder)
    row = tool("peers.log").summary(events, 0)
    assert row["settings"]["strategy"] == "random"
    assert row["candidates"] == 2
    assert row["checkpoint"] is False
    summary = json.loads((folder / "search" / "top" / "summary.json").read_text())
    assert row["test_accuracy"] == summary[0]["test_accuracy"] > 5
    assert row["seconds_to_target"] > 0


@pytest.mark.slow
def test_a_training_from_scratch_hands_over_its_checkpoints(tool, peers, tmp_path):
    data = peers._prepared("digits", Path(), tmp_path)
    script = (  # a small network in the place of the large one
        "import keras\n"
        "from peers import nasnet_mobile\n"
        "def small(input_shape, weights, classes):\n"
        "    pool, flat = keras.layers.AveragePooling2D(8), keras.layers.Flatten()\n"
        "    return keras.Sequential([keras.Input(input_shape), pool, flat, keras.layers.Dense(classes, 'softmax')])\n"
        "keras.applications.NASNetMobile = small\n"
        "nasnet_mobile.main()\n"
    )
    words = ["nasnet_mobile", data, tmp_path, time.monotonic(), 150, 0, "never"]
    events = until_a_model(tool, [sys.executable, "-c", script, *map(str, words)], tmp_path)
    row = tool("peers.log").summary(events, 0)
    assert (row["parameters"], row["candidates"], row["checkpoint"]) == (16 * 10 + 10, 1, False)
    assert row["settings"]["image_size"] == 32
    assert 0 < row["test_accuracy"] <= 100
