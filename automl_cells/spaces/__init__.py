"""Where one may search. `space` makes a space by its name."""

from __future__ import annotations

import inspect
from typing import Any

from automl_cells.errors import SpaceError
from automl_cells.spaces.base import Action, Space, State
from automl_cells.spaces.blockqnn import BlockQNN
from automl_cells.spaces.blockqnn_fast import BlockQNNFast
from automl_cells.spaces.metaqnn import MetaQNN
from automl_cells.spaces.nasbench201 import NasBench201
from automl_cells.spaces.nasnet import NASNet

SPACES: dict[str, type[Space]] = {cls.name: cls for cls in (BlockQNN, BlockQNNFast, MetaQNN, NASNet, NasBench201)}

__all__ = [
    "SPACES",
    "Action",
    "BlockQNN",
    "BlockQNNFast",
    "MetaQNN",
    "NASNet",
    "NasBench201",
    "Space",
    "State",
    "space",
]


def space(
    name: str,
    input_shape: tuple[int | None, int | None, int] | None = None,
    classes: int | None = None,
    **options: Any,
) -> Space:
    """The search space of that name.

    Args:
        name: one of `SPACES`.
        input_shape: (height, width, channels) of the images, for spaces that depend on it.
        classes: number of classes, for spaces that depend on it.
        **options: the space's own options, e.g. ``max_index=10`` for ``blockqnn``.

    Raises:
        SpaceError: an unknown space, an option that it does not take, or a value out of range.
    """
    if name not in SPACES:
        raise SpaceError(f"Expected a search space among {sorted(SPACES)}. Received: {name}")
    parameters = set(inspect.signature(SPACES[name]).parameters)
    about_data = {"input_shape": input_shape, "classes": classes}
    unknown = sorted(set(options) - (parameters - set(about_data)))
    if unknown:
        known = sorted(parameters - set(about_data))
        raise SpaceError(f"Expected options of the space {name} among {known}. Received: {', '.join(unknown)}")
    return SPACES[name](**options, **{key: value for key, value in about_data.items() if key in parameters})
