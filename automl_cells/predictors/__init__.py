"""Models that guess what a genotype would earn, from those that have been tried. No framework is imported."""

from automl_cells.predictors.encoding import encode
from automl_cells.predictors.gaussian_process import GaussianProcess, Posterior
from automl_cells.predictors.reward_predictor import Guess, RewardPredictor

__all__ = ["GaussianProcess", "Guess", "Posterior", "RewardPredictor", "encode"]
