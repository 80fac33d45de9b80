"""A small space of blocks: our interpretation of BlockQNN's faster version, not a reproduction.

Zhong et al., "BlockQNN: Efficient Block-wise Neural Network Architecture Generation" (arXiv 1808.05584, 2018): the
abstract says that a faster version reaches comparable results with one GPU in 20 hours. The full text could not be
obtained; Gomez Robles and Vanschoren (arXiv 1911.03769), who build on it, tell of a constrained space and a model that
predicts accuracies. What the constraints are they do not say, so all of this is our choice:

- The maximum index is 12 and not 23.
- The depthwise separable convolution, in the form of BlockQNN's pre-activation cell, is one of the operations; the CVPR
  paper (arXiv 1708.05552, sections 5.3 and 6) names depthwise convolutions as future work.
- Dilated convolution, squeeze-and-excitation and self-attention can be allowed; they are off by default. So can
  operations that extensions have registered.

What each operation does in a network is said in `automl_cells.builder.block_network`. The predictor is no part of the
space and works on every other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from automl_cells.errors import SpaceError
from automl_cells.genotypes.block import (
    DILATED_CONVOLUTION,
    SELF_ATTENTION,
    SEPARABLE_CONVOLUTION,
    SQUEEZE_EXCITATION,
    TABLE_1,
    registered_type,
)
from automl_cells.spaces.blockqnn import BlockQNN


class BlockQNNFast(BlockQNN):
    """Blocks of table 1 and separable convolutions, with fewer layers; an interpretation, see the module.

    Args:
        max_index: largest index of a layer, the terminal included.
        input_anywhere: whether every layer may read the block's input, not the first alone.
        dilated: with 3×3 convolutions of rate 2.
        squeeze_excitation: with squeeze-and-excitation layers (Hu et al., CVPR 2018, arXiv 1709.01507).
        self_attention: with self-attention, which acts on maps of up to 64 positions and is an identity on larger ones.
        operations: names of operations that extensions have registered with a `block_type`, to be used as well.

    Raises:
        SpaceError: `max_index` is not from 2 to 128, a name that no extension has registered or one twice, or another
            option not a boolean.
    """

    name: ClassVar[str] = "blockqnn_fast"

    def __init__(
        self,
        max_index: int = 12,
        input_anywhere: bool = False,
        dilated: bool = False,
        squeeze_excitation: bool = False,
        self_attention: bool = False,
        operations: Sequence[str] = (),
    ) -> None:
        super().__init__(max_index, input_anywhere)
        options = {
            "dilated": (dilated, DILATED_CONVOLUTION),
            "squeeze_excitation": (squeeze_excitation, SQUEEZE_EXCITATION),
            "self_attention": (self_attention, SELF_ATTENTION),
        }
        for option, (value, _) in options.items():
            if not isinstance(value, bool):
                raise SpaceError(f"Expected {option} true or false. Received: {value!r}")
        ours = (kind for value, kind in options.values() if value)
        self._allow((*TABLE_1, SEPARABLE_CONVOLUTION, *ours, *_registered(operations)))


def _registered(operations: Sequence[str]) -> list[int]:
    """The types of the operations of these names."""
    types = [registered_type(name) for name in operations] if isinstance(operations, list | tuple) else [None]
    found = [kind for kind in types if kind is not None]
    if len(set(found)) < len(types):
        raise SpaceError(
            f"Expected operations as a list of names that extensions have registered for blocks, each once. "
            f"Received: {operations!r:.120}"
        )
    return found
