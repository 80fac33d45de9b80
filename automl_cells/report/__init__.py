"""Plots of a search. Imports matplotlib, so the command line imports this room only when it draws."""

from automl_cells.report.learning import MeanRewards, mean_rewards
from automl_cells.report.pareto import metrics_of, pareto_front
from automl_cells.report.pareto_plot import draw_pareto_front
from automl_cells.report.ranking import Ranking, ranking, rankings
from automl_cells.report.search_curve import CurvePoint, draw_search_curve

__all__ = [
    "CurvePoint",
    "MeanRewards",
    "Ranking",
    "draw_pareto_front",
    "draw_search_curve",
    "mean_rewards",
    "metrics_of",
    "pareto_front",
    "ranking",
    "rankings",
]
