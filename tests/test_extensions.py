"""Where extensions are looked for, when, and what they may not do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import automl_cells as ac
from automl_cells import extensions
from automl_cells.errors import ExtensionError, SpaceError, StrategyError
from automl_cells.search.executors.ray_worker import RayWorker
from automl_cells.spaces import SPACES, NasBench201, Space
from automl_cells.strategies import STRATEGIES, Random, Strategy

ROOT = Path(__file__).resolve().parents[1]
SPACE = """
from automl_cells import register_space
from automl_cells.spaces import NasBench201

@register_space
class Mine(NasBench201):
    name = "mine_{0}"
"""


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    tables = [(table, table.copy()) for table in (SPACES, STRATEGIES, extensions._imported, extensions._for_workers)]
    monkeypatch.delenv(extensions.VARIABLE, raising=False)
    yield
    for table, before in tables:
        table.clear()
        table.update(before)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose modules can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_modules_named_in_the_environment_are_imported_for_an_unknown_name_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("one_of_two", "two_of_two"):
        (folder / f"{module}.py").write_text(SPACE.format(module))
    monkeypatch.setenv(extensions.VARIABLE, " one_of_two ,two_of_two,")
    assert ac.space("nasbench201").name == "nasbench201"
    assert not {"one_of_two", "two_of_two"} & set(sys.modules)
    assert ac.space("mine_two_of_two").name == "mine_two_of_two"
    assert {"one_of_two", "two_of_two"} <= set(sys.modules)


def test_a_module_that_cannot_be_imported_is_named_and_tried_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(extensions.VARIABLE, "comes_later")
    for _ in range(2):
        with pytest.raises(ExtensionError, match=r"that can be imported\. Received: comes_later \(ModuleNotFoundError"):
            ac.strategy("nothing", ac.space("nasbench201"), 3)
    (folder / "comes_later.py").write_text("import automl_cells as ac\nac.space('blockqnn', max_index=0)\n")
    with pytest.raises(SpaceError, match=r"max_index from 2 to 128\. Received: 0"):  # as it came
        ac.strategy("nothing", ac.space("nasbench201"), 3)
    (folder / "comes_later.py").write_text("")
    with pytest.raises(StrategyError, match=r"a search strategy among .* Received: nothing"):
        ac.strategy("nothing", ac.space("nasbench201"), 3)


def test_an_extension_may_ask_for_names_that_are_not_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "asks_itself"
    (folder / f"{module}.py").write_text(
        "import automl_cells as ac\ntry:\n    ac.space('mine_asks_itself')\nexcept ac.AutoMLCellsError:\n    pass\n"
        + SPACE.format(module)
    )
    monkeypatch.setenv(extensions.VARIABLE, module)
    assert ac.space("mine_asks_itself").name == "mine_asks_itself"


def test_an_installed_package_names_its_modules_by_entry_points(tmp_path: Path) -> None:
    (tmp_path / "from_a_package.py").write_text(SPACE.format("package"))
    metadata = tmp_path / "from_a_package-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: from-a-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[automl_cells.extensions]\nspaces = from_a_package\n")
    done = subprocess.run(
        [sys.executable, "-c", "import automl_cells as ac; print(ac.space('mine_package').name)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout.strip(), done.returncode) == ("mine_package", 0), done.stderr


def test_a_name_is_taken_once_but_a_module_may_be_imported_again() -> None:
    def made() -> type:
        class Twice(NasBench201):
            name = "twice"

        return Twice

    first, second = made(), made()
    assert ac.register_space(first) is first
    assert ac.register_space(second) is second
    assert SPACES["twice"] is second

    class Other(NasBench201):
        name = "twice"

    with pytest.raises(ExtensionError, match=r"a space with a name of its own\. Received: twice, which is .*Twice"):
        ac.register_space(Other)
    assert SPACES["twice"] is second


@pytest.mark.parametrize("name", ["nasbench201", "blockqnn"])
def test_the_packages_own_spaces_cannot_be_replaced(name: str) -> None:
    own = SPACES[name]
    with pytest.raises(ExtensionError, match=rf"Received: {name}, which is automl_cells\.spaces"):
        ac.register_space(type("Mine", (NasBench201,), {"name": name}))
    assert SPACES[name] is own


@pytest.mark.parametrize("name", ["", "With Space", "a-b", "9a", None, 3, "UPPER"], ids=repr)
def test_names_are_words(name: object) -> None:
    with pytest.raises(
        ExtensionError, match=r"a strategy with a name of lower-case letters, digits and _\. Received: "
    ):
        ac.register_strategy(type("Mine", (Random,), {"name": name}))


@pytest.mark.parametrize(
    "value", [3, "blockqnn", Random, NasBench201()], ids=["number", "word", "strategy", "instance"]
)
def test_only_spaces_are_registered_as_spaces(value: object) -> None:
    with pytest.raises(ExtensionError, match=r"a subclass of Space\. Received: "):
        ac.register_space(value)


@pytest.mark.parametrize("value", [None, NasBench201], ids=["none", "space"])
def test_only_strategies_are_registered_as_strategies(value: object) -> None:
    with pytest.raises(ExtensionError, match=r"a subclass of Strategy\. Received: "):
        ac.register_strategy(value)


def test_operations_of_a_script_are_for_its_own_process() -> None:
    extensions.needed_by_workers("somewhere")
    assert "somewhere" in extensions.for_workers()
    extensions.needed_by_workers("__main__")
    with pytest.raises(ExtensionError, match=r"or executor='serial'\. Received: operations of the script"):
        extensions.for_workers()


def test_a_worker_of_ray_says_which_extension_it_cannot_import() -> None:
    settings = {"environment": {}, "workers_per_gpu": None, "sys_path": [], "log": None, "extensions": ["nowhere_else"]}
    answer = json.loads(RayWorker().start(json.dumps({**settings, "spec": {}})))
    assert re.match(r"ExtensionError: .*Received: nowhere_else \(ModuleNotFoundError", answer["error"])


def test_a_module_that_ends_the_program_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "ends_it_all.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.setenv(extensions.VARIABLE, "ends_it_all")
    with pytest.raises(ExtensionError, match=r"Received: ends_it_all \(SystemExit: 3\)"):
        ac.space("nothing")


def test_an_entry_point_may_name_an_object_in_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("mine", value, extensions.GROUP) for value in ("pkg.mod:attr", "pkg.other")]
    monkeypatch.setattr(extensions, "entry_points", lambda group: points)
    assert extensions._installed.__wrapped__() == ("pkg.mod", "pkg.other")


def test_a_class_that_lacks_methods_is_not_registered() -> None:
    with pytest.raises(ExtensionError, match=r"a space with all its methods\. Received: Mine without .*actions"):
        ac.register_space(type("Mine", (Space,), {"name": "mine", "kind": "block"}))
    with pytest.raises(ExtensionError, match=r"a strategy with all methods\. Received: Mine without .*ask"):
        ac.register_strategy(type("Mine", (Strategy,), {"name": "mine"}))


@pytest.mark.parametrize("kind", ["blob", "ensemble", None, ["block"]], ids=repr)
def test_a_space_makes_genotypes_of_a_kind_that_exists(kind: object) -> None:
    with pytest.raises(ExtensionError, match=r"a kind among block, cell, chain, nasbench201\. Received: "):
        ac.register_space(type("Mine", (NasBench201,), {"name": "mine", "kind": kind}))
    assert "mine" not in SPACES
