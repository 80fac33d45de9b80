"""What a search in each space does unless told otherwise: reward, protocol and the size of the proxy network."""

from __future__ import annotations

from typing import NamedTuple

from automl_cells.spaces import SPACES


class Defaults(NamedTuple):
    """Defaults of one space.

    Attributes:
        reward: name of the reward.
        protocol: name of the proxy protocol for colour images.
        grey_protocol: name of that for grey images, which are mostly signs that are no signs when mirrored.
        repeats: N of the proxy network; ``None`` where nothing is repeated.
        filter_multiplier: scales the template's filters for the proxy network.
        strategy: name of the search strategy.
        predictor_filter: proposals among which a predictor chooses, see `PredictorFilter`; 1 for none.
        early_stopping: whether candidates are stopped that will not become the best, see `EarlyStopping`.
    """

    reward: str = "accuracy"
    protocol: str = "blockqnn"
    grey_protocol: str = "blockqnn"
    repeats: int | None = 1
    filter_multiplier: float | None = 0.5
    strategy: str = "q_learning"
    predictor_filter: int = 1
    early_stopping: bool = False


# BlockQNN does not say which network it searched with; one block a stage at half the template's filters (16/32/64 for
# cifar) keeps a candidate to seconds on a CPU. NASNet searched with N=2 and, as PNAS has it, F=24: for a CPU N=1, F=8.
# A chain is trained as it is; the space's own filter_multiplier makes chains smaller.
_DEFAULTS = {
    "blockqnn": Defaults(reward="blockqnn_early_stop"),
    "blockqnn_fast": Defaults(reward="blockqnn_early_stop", predictor_filter=4, early_stopping=True),
    "nasnet": Defaults(protocol="nasnet", grey_protocol="nasnet_no_flip", filter_multiplier=0.25),
    "metaqnn": Defaults(
        protocol="metaqnn",
        grey_protocol="metaqnn_no_flip",
        repeats=None,
        filter_multiplier=None,
        strategy="q_learning_metaqnn",
    ),
}


_OF_KIND = {"block": "blockqnn", "cell": "nasnet", "chain": "metaqnn"}


def defaults(space: str) -> Defaults:
    """The defaults of the space of that name; of an extension's, those of the paper that has the same kind of genotype.

    Such a space must have been made before, see `spaces.space`.
    """
    kind = SPACES[space].kind if space in SPACES else ""
    return _DEFAULTS.get(space) or _DEFAULTS.get(_OF_KIND.get(kind, ""), Defaults())
