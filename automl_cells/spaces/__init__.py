"""Where one may search. `space` makes a space by its name; `register_space` adds one of your own."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from automl_cells.errors import ExtensionError, SpaceError
from automl_cells.extensions import find, register
from automl_cells.genotypes import EnsembleGenotype
from automl_cells.genotypes.serialization import KINDS
from automl_cells.spaces.base import Action, Space, State
from automl_cells.spaces.blockqnn import BlockQNN
from automl_cells.spaces.blockqnn_fast import BlockQNNFast
from automl_cells.spaces.metaqnn import MetaQNN
from automl_cells.spaces.nasbench201 import NasBench201
from automl_cells.spaces.nasnet import NASNet

SPACES: dict[str, type[Space]] = {cls.name: cls for cls in (BlockQNN, BlockQNNFast, MetaQNN, NASNet, NasBench201)}

_SEARCHED = tuple(sorted(KINDS.keys() - {EnsembleGenotype.kind}))  # an ensemble is made of what was found

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
    "register_space",
    "space",
]

Registered = TypeVar("Registered", bound=type[Space])


def register_space(cls: Registered) -> Registered:
    """Make a space known by its ``name``, to `search` and on the command line: a decorator of its class.

    Its options are the arguments of its constructor; ``input_shape`` and ``classes`` are the data's where it has them.
    See `automl_cells.extensions` for who imports the module that the class is in.

    Args:
        cls: a subclass of `Space` with ``name`` and ``kind``.

    Raises:
        ExtensionError: not a subclass of `Space`, one that lacks methods, a kind of genotype that the package does not
            have, or a name that is taken or no name.
    """
    if not isinstance(cls, type) or not issubclass(cls, Space):
        raise ExtensionError(f"Expected a subclass of Space. Received: {cls!r:.80}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise ExtensionError(f"Expected a space with all its methods. Received: {cls.__qualname__} without {missing}")
    kind = getattr(cls, "kind", None)
    if kind not in _SEARCHED:
        raise ExtensionError(f"Expected a space with a kind among {', '.join(_SEARCHED)}. Received: {kind!r:.80}")
    register(SPACES, getattr(cls, "name", None), cls, "a space")
    return cls


def space(
    name: str,
    input_shape: tuple[int | None, int | None, int] | None = None,
    classes: int | None = None,
    **options: Any,
) -> Space:
    """The search space of that name.

    Args:
        name: one of `SPACES`, or of an extension.
        input_shape: (height, width, channels) of the images, for spaces that depend on it.
        classes: number of classes, for spaces that depend on it.
        **options: the space's own options, e.g. ``max_index=10`` for ``blockqnn``.

    Raises:
        SpaceError: an unknown space, an option that it does not take, or a value out of range.
        ExtensionError: an extension cannot be imported.
    """
    cls = find(SPACES, name)
    if cls is None:
        raise SpaceError(f"Expected a search space among {sorted(SPACES)}. Received: {name}")
    parameters = set(inspect.signature(cls).parameters)
    about_data = {"input_shape": input_shape, "classes": classes}
    unknown = sorted(set(options) - (parameters - set(about_data)))
    if unknown:
        known = sorted(parameters - set(about_data))
        raise SpaceError(f"Expected options of the space {name} among {known}. Received: {', '.join(unknown)}")
    return cls(**options, **{key: value for key, value in about_data.items() if key in parameters})
