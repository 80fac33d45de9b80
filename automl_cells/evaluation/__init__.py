"""From a genotype to metrics, and from metrics to a reward."""

from automl_cells.evaluation.base import Evaluation, Evaluator, from_spec
from automl_cells.evaluation.limits import Limits
from automl_cells.evaluation.proxy_protocol import ProxyProtocol, proxy_protocol
from automl_cells.evaluation.rewards import REWARDS, metrics_needed, reward
from automl_cells.evaluation.table import TableEvaluator

__all__ = [
    "REWARDS",
    "Evaluation",
    "Evaluator",
    "Limits",
    "ProxyProtocol",
    "TableEvaluator",
    "from_spec",
    "metrics_needed",
    "proxy_protocol",
    "reward",
]
