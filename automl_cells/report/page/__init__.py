"""A search as one self-contained HTML page: curves, Pareto front, every candidate with its drawing, what to do next."""

from automl_cells.report.page.facts import RunFacts, read_facts
from automl_cells.report.page.render import render, write_report

__all__ = ["RunFacts", "read_facts", "render", "write_report"]
