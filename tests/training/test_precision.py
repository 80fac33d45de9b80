"""Which precision ``auto`` means."""

import pytest

from automl_cells.training import precision
from automl_cells.training.precision import resolve_precision

pytest.importorskip("tensorflow")


@pytest.mark.parametrize(
    ("filters", "kind", "native", "expected"),
    [
        ((16, 32), "block", True, "bfloat16"),
        ((16, 32), "block", False, "float32"),
        ((8, 32), "block", True, "float32"),
        ((16, 32), "cell", True, "float32"),  # depthwise convolutions are slower in it
    ],
)
def test_on_a_cpu_it_is_what_is_fast(filters, kind, native, expected, monkeypatch):
    monkeypatch.setattr(precision, "_cpu_multiplies_bfloat16", lambda: native)
    assert resolve_precision("auto", filters, kind) == expected


@pytest.mark.parametrize("word", ["float32", "bfloat16"])
def test_a_plain_word_is_what_it_says(word):
    assert resolve_precision(word, (8,), "cell") == word
