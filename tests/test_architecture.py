"""The code against docs/architecture.md: who may import whom, what imports a framework, and that nothing is pickled."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "automl_cells"
FILES = sorted(PACKAGE.rglob("*.py"))
FRAMEWORKS = {"keras", "tensorflow", "tf2onnx", "jax", "torch"}
PICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}

every_file = pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])


@cache
def levels() -> dict[str, int]:
    """The height of each room in the list of the document, the ground 0; rooms named together stand side by side."""
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^`(cli → .* → errors, files)`\.$", document, re.MULTILINE)
    floors = [floor.split(", ") for floor in reversed(line.split(" → "))]
    return {room: level for level, rooms in enumerate(floors) for room in rooms}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str | None:
    """The room of a file of the package; None for the package's own front door (``__init__``, ``__main__``)."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return None if parts[0].startswith("__") else parts[0]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """All that a file imports anywhere, in functions too, as full names with line numbers."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1]] if node.level else []
            base += [node.module] if node.module else []
            yield from ((".".join([*base, alias.name]), node.lineno) for alias in node.names)


def test_the_document_names_every_room() -> None:
    rooms = {room_of(path) for path in FILES} - {None}
    assert rooms <= set(levels())
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))} <= set(levels())


@every_file
def test_arrows_go_downward_only(path: Path) -> None:
    room = room_of(path)
    for name, line in imports(path):
        package, _, rest = name.partition(".")
        if package != "automl_cells" or room is None:
            continue
        other = rest.split(".")[0]
        if other == "__version__":
            continue
        assert other in levels(), f"{path}:{line} imports {name}, which is in no room"
        assert other == room or levels()[other] < levels()[room], f"{path}:{line}: {room} may not import {other}"


@every_file
def test_nothing_is_pickled_or_evaluated(path: Path) -> None:
    for name, line in imports(path):
        assert name.split(".")[0] not in PICKLERS, f"{path}:{line} imports {name}"
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec"}, f"{path}:{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.Attribute):
            assert node.attr != "enable_unsafe_deserialization", f"{path}:{node.lineno}"
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "safe_mode"):
            value = ast.unparse(node.value)
            assert value == str(node.arg == "safe_mode"), f"{path}:{node.value.lineno}: {node.arg}={value}"


def at_import(path: Path) -> Iterator[tuple[str, int]]:
    """What a file imports when it is imported itself: not in functions, not for type checkers."""
    waiting: list[ast.AST] = [tree(path)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module or "", node.lineno
        waiting += ast.iter_child_nodes(node)


@pytest.mark.parametrize(
    "room", ["genotypes", "datasets", "augmentation", "spaces", "strategies", "search", "report", "cli"]
)
def test_rooms_that_import_no_framework(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        for name, line in at_import(path):
            assert name.split(".")[0] not in FRAMEWORKS, f"{path}:{line} imports {name}"


def test_in_the_builder_only_three_modules_import_a_framework() -> None:
    found = {
        path.stem
        for path in (PACKAGE / "builder").rglob("*.py")
        for name, _ in imports(path)
        if name.split(".")[0] in FRAMEWORKS
    }
    assert found == {"drop_path", "operations", "keras_model"}


def test_importing_the_light_rooms_loads_no_framework() -> None:
    program = """
import importlib, sys
names = ["", ".genotypes", ".spaces", ".strategies", ".builder", ".builder.plan", ".builder.cost", ".search", ".zoo"]
for name in names:
    importlib.import_module("automl_cells" + name)
    loaded = {"keras", "tensorflow", "tf2onnx", "matplotlib"} & set(sys.modules)
    if loaded:
        sys.exit(f"importing automl_cells{name} loads {sorted(loaded)}")
from automl_cells.builder import cost, plan, template
from automl_cells.genotypes import load
cost(plan(load("block_qnn_s"), template("cifar")))
loaded = {"keras", "tensorflow"} & set(sys.modules)
sys.exit(f"a plan and its cost load {sorted(loaded)}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
