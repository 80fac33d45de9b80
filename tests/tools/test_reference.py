"""The API reference: which modules it has, and that lazily imported names are on their package's page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import reference

PACKAGE = Path(__file__).resolve().parents[2] / "automl_cells"


def test_every_module_is_named() -> None:
    files = {
        ".".join(("automl_cells", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    }
    assert set(reference.modules()) == files
    assert reference.modules()[0] == "automl_cells"


@pytest.mark.slow
def test_the_pages_hold_what_the_docstrings_say(tmp_path: Path) -> None:
    pytest.importorskip("pdoc", reason="pdoc is not installed")
    (tmp_path / "of_before.html").write_text("gone")
    pages = reference.write(tmp_path, ["automl_cells", "automl_cells.spaces"])
    names = {page.relative_to(tmp_path).as_posix() for page in pages}
    assert {"index.html", "automl_cells.html", "automl_cells/spaces.html"} <= names
    assert "of_before.html" not in names
    front = (tmp_path / "automl_cells.html").read_text(encoding="utf-8")
    for name in ("build", "register_operation", "SearchResult", "finetune"):  # imported when they are used
        assert f'id="{name}"' in front
    assert "<strong>max_index:</strong>" not in front
    spaces = (tmp_path / "automl_cells" / "spaces.html").read_text(encoding="utf-8")
    assert 'id="BlockQNN"' in spaces
    assert "<strong>max_index:</strong>" in spaces  # Google's sections are lists
