"""`automl-cells report`: what it writes and says, and what it refuses in one line."""

from __future__ import annotations

import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest

from automl_cells.cli.main import main
from automl_cells.search.journal import Journal
from tests.report.runs import settings, write_run


def status(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["automl-cells", "report", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", 3)


def test_the_page_lies_in_the_run_folder_or_where_it_is_wanted(run, tmp_path, monkeypatch, capsys):
    assert status(monkeypatch, run) == 0
    assert capsys.readouterr().out == f"done, 3 of 3: {run / 'report.html'}\n"
    other = tmp_path / "new" / "page.html"
    assert status(monkeypatch, run, "--out", other) == 0
    assert other.read_text(encoding="utf-8").endswith("</html>\n")
    assert (run / "report.html").stat().st_size == other.stat().st_size


def test_a_search_without_a_candidate_has_a_page(tmp_path, monkeypatch, capsys):
    Journal(tmp_path / "journal.sqlite", settings(7)).close()
    assert status(monkeypatch, tmp_path) == 0
    assert capsys.readouterr().out.startswith("stopped, 0 of 7: ")
    assert "no candidate yet" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_it_is_opened_in_a_browser_if_asked_for(run, monkeypatch, capsys):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)) or len(opened) == 1)
    assert status(monkeypatch, run) == 0
    assert opened == []
    assert status(monkeypatch, run, "--open") == 0
    assert opened == [(run / "report.html").resolve().as_uri()]
    capsys.readouterr()
    assert status(monkeypatch, run, "--open") == 2
    assert "Expected a browser" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "Expected a folder with a search in it (journal.sqlite). Received: "),
        (["broken"], "Expected to open the journal"),
        (["run", "--out", "page.pdf"], "Expected --out as a file that ends in .html. Received: page.pdf"),
        (
            ["run", "--out", "run/journal.sqlite/page.html"],
            "a file that can be written. Received: run/journal.sqlite/page",
        ),
        (["run", "--out", "folder.html"], "Expected a file that can be written. Received: folder.html, a folder"),
        (["run", "--colour"], "No such option: --colour"),
        ([], "Missing argument 'RUN'"),
    ],
)
def test_bad_input_is_refused_in_one_line(run, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "broken" / "journal.sqlite").write_text("no journal")
    assert status(monkeypatch, *arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("automl-cells: ")
    assert words in err
    assert list(tmp_path.rglob("*.html")) == [tmp_path / "folder.html"]


def test_a_report_needs_no_framework(run):
    program = f"""
import sys
sys.argv = ["automl-cells", "report", {str(run)!r}]
from automl_cells.cli.main import main
try:
    main()
except SystemExit as ended:
    loaded = {{"keras", "tensorflow", "onnxruntime"}} & set(sys.modules)
    sys.exit(ended.code or (f"a report loads {{sorted(loaded)}}" if loaded else 0))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
