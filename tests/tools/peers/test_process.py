"""Processes that are watched: their memory, their core, and that nothing of them is left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest


class TestProcess:
    def test_memory_of_the_children_counts(self, tool, tmp_path):
        child = "x = bytearray(150_000_000); import time; time.sleep(2)"
        script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        ended = tool("peers.process").watch([sys.executable, "-c", script], tmp_path / "out", os.environ, 60)
        assert ended.status == 0
        assert ended.peak_mb > 150

    def test_what_takes_too_long_is_ended_with_its_children(self, tool, tmp_path):
        child = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(300)"
        script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
        ended = tool("peers.process").watch([sys.executable, "-c", script], tmp_path / "out", os.environ, 3)
        assert ended.status is None
        pid = int((tmp_path / "pid").read_text())
        deadline = time.monotonic() + 20
        while _alive(pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _alive(pid)

    @pytest.mark.skipif(sys.platform != "linux", reason="cores are assigned on Linux")
    def test_a_process_keeps_to_its_core(self, tool, tmp_path):
        core = max(os.sched_getaffinity(0))
        script = "import os, time; time.sleep(0.5); print(os.sched_getaffinity(0))"
        tool("peers.process").watch([sys.executable, "-c", script], tmp_path / "out", os.environ, 60, core)
        assert (tmp_path / "out").read_text() == f"{{{core}}}\n"

    def test_it_is_ended_when_it_is_no_longer_wanted(self, tool, tmp_path):
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        script = "import time; time.sleep(300)"
        since = time.monotonic()
        ended = tool("peers.process").watch([sys.executable, "-c", script], tmp_path / "out", os.environ, 60, stop=stop)
        assert ended.status is None
        assert time.monotonic() - since < 30

    def test_a_status_is_handed_on(self, tool, tmp_path):
        script = "print('why'); raise SystemExit(3)"
        ended = tool("peers.process").watch([sys.executable, "-c", script], tmp_path / "out", os.environ, 60)
        assert ended.status == 3
        assert (tmp_path / "out").read_text() == "why\n"


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
