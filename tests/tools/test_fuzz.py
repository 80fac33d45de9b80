"""Damaged documents and files end in the package's own errors; ``python tools/fuzz.py`` runs thousands."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "fuzz.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("fuzz_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def source(script, tmp_path_factory):
    return script.prepare(tmp_path_factory.mktemp("fuzz") / "source")


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "cases"), [("documents", 300), ("weights", 20), ("onnx", 40)])
def test_only_our_own_errors_no_crash_and_nothing_outside(script, source, kind, cases):
    results = script.fuzz(kind, cases, source, seed=1)
    assert set(results) <= {"accepted", "refused"}
    assert sum(results.values()) == cases
    assert results["refused"] >= cases / 4


def test_the_cases_follow_from_the_seed_and_differ(script):
    content = b'{"a": [1, 2, {"b": "c"}], "d": null}'
    first = [script.damaged_document(content, random.Random(number)) for number in range(50)]
    assert first == [script.damaged_document(content, random.Random(number)) for number in range(50)]
    assert len(set(first)) > 30
    assert sum(case != content for case in first) > 45


def test_what_is_not_allowed_is_found(script, source, monkeypatch, capsys):
    """A fuzzer that finds nothing must be able to find something."""

    def careless(shelf):
        (shelf.parent.parent / "outside").write_text("x")
        raise KeyError("oh")

    monkeypatch.setitem(script.KINDS, "documents", (*script.KINDS["documents"][:2], careless))
    results = script.run_cases("documents", source, 0, 2, seed=0)
    assert results == {"wrong": 2, "wrote outside": 2}
    assert "KeyError" in capsys.readouterr().out
