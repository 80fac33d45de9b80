"""The names of the layers that stand at the end of every network: what is new for other classes, and what the top is.

The head depends on the number of classes: the classifier, and the 1×1 convolution of a chain that ends with a global
average. The top is the head and the fully connected layers of a chain, which a network without its top lacks too.
"""

from __future__ import annotations

from collections.abc import Iterable

CLASSIFIER = "predictions"
"""The layer that gives the logits."""

CLASS_MAPS = "predictions_maps"
"""The convolution of a chain to one map a class."""

TOP = "top_"
"""How the names of fully connected layers of a chain begin."""


def is_head(name: str) -> bool:
    """Whether a layer, or the path of a variable, belongs to the head."""
    return name.partition("/")[0] in (CLASSIFIER, CLASS_MAPS)


def is_top(name: str) -> bool:
    """Whether a layer, or the path of a variable, belongs to the top."""
    return is_head(name) or name.startswith(TOP)


def first_of_head(names: Iterable[str]) -> str | None:
    """Of the names of all layers that of the first of the head, in front of which a body ends; ``None`` without one."""
    found = set(names) & {CLASSIFIER, CLASS_MAPS}
    return CLASS_MAPS if CLASS_MAPS in found else CLASSIFIER if found else None
