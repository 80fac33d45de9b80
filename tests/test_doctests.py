"""The examples in the docstrings say what is true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import automl_cells

BACKENDS = ("tensorflow", "jax", "torch")
MODULES = [
    module.name
    for module in pkgutil.walk_packages(automl_cells.__path__, "automl_cells.")
    if not module.name.endswith(("worker", "__main__"))
]


def imported(name: str) -> ModuleType | None:
    """The module; ``None`` of one that is for a backend which is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in BACKENDS:
            raise
        return None


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = imported(name)
    if module is None:
        pytest.skip("its backend (TensorFlow, JAX or PyTorch) is not installed")
    failed, _ = doctest.testmod(module)
    assert failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [module for name in MODULES if (module := imported(name)) is not None]
    found = [test for module in modules for test in finder.find(module) if test.examples]
    assert len(found) >= 5
