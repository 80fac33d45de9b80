"""The search: loop, journal, executors, and one call that does it all.

`automl_cells.search` is the name of this package and, as `ac.search(…)`, of that call; so the package can be called.
"""

import sys
from types import ModuleType

from automl_cells.search.api import SearchResult, search
from automl_cells.search.run_folder import read_run
from automl_cells.search.trials import Trial, best_trials

__all__ = ["SearchResult", "Trial", "best_trials", "read_run", "search"]


class _CallablePackage(ModuleType):
    """Once something has imported this package, Python gives it for `ac.search`, and not the function."""

    __call__ = staticmethod(search)


sys.modules[__name__].__class__ = _CallablePackage
