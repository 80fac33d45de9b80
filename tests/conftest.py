"""What all tests share: Hypothesis's settings, and assertions that explain themselves in the contract suites."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples in every run, and no time limit on one example (machines are shared);
# `--hypothesis-profile=explore` looks further, with new examples every time.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile("fixed")

pytest.register_assert_rewrite("tests.spaces.contract", "tests.strategies.contract", "tests.search.executor_contract")
