"""Plots of a search. Imports matplotlib, so the command line imports this room only when it draws."""

from automl_cells.report.learning import MeanRewards, mean_rewards
from automl_cells.report.search_curve import CurvePoint, draw_search_curve

__all__ = ["CurvePoint", "MeanRewards", "draw_search_curve", "mean_rewards"]
