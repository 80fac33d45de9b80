"""The search: loop, journal, executors, and one call that does it all."""

from automl_cells.search.api import SearchResult, search
from automl_cells.search.run_folder import read_run
from automl_cells.search.trials import Trial, best_trials

__all__ = ["SearchResult", "Trial", "best_trials", "read_run", "search"]
