"""The examples in the docstrings say what is true."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import pkgutil

import pytest

import automl_cells

BACKENDS = ("tensorflow", "jax", "torch")
ABSENT = tuple(f"engines.{name}" for name in BACKENDS if importlib.util.find_spec(name) is None)
MODULES = [
    module.name
    for module in pkgutil.walk_packages(automl_cells.__path__, "automl_cells.")
    if not module.name.endswith(("worker", "__main__", *ABSENT))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 5
