"""Random chains for property tests, and their text with spaces in it."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from automl_cells.genotypes import ChainGenotype
from automl_cells.genotypes.chain import MAX_KERNEL, MAX_WIDTH, ChainLayer

FOLLOWERS = {
    "": ("C", "P", "FC", "GAP"),
    "C": ("C", "P", "FC", "GAP"),
    "P": ("C", "FC", "GAP"),
    "FC": ("FC",),
    "GAP": (),
}
"""Which layers may follow which, the termination left out; the first ones follow nothing."""


@st.composite
def chains(
    draw: st.DrawFn,
    max_layers: int = 8,
    side: int | None = None,
    max_width: int = MAX_WIDTH,
    max_kernel: int = MAX_KERNEL,
) -> ChainGenotype:
    """Legal chains; with a `side` only such whose windows fit into images of that side."""
    layers: list[ChainLayer] = []
    widths = st.integers(1, max_width)
    left = MAX_KERNEL if side is None else side
    for _ in range(draw(st.integers(0, max_layers))):
        followers = FOLLOWERS[layers[-1].letter if layers else ""]
        if not followers:
            break
        letter = draw(st.sampled_from(followers))
        kernel, stride = draw(st.integers(1, min(max_kernel, left))), draw(st.integers(1, max_kernel))
        match letter:
            case "C":
                layers.append(ChainLayer(letter, (draw(widths), kernel, stride)))
            case "P":
                layers.append(ChainLayer(letter, (kernel, stride)))
            case "FC":
                layers.append(ChainLayer(letter, (draw(widths),)))
            case "GAP":
                layers.append(ChainLayer(letter))
        if side is not None and letter == "C":
            left = -(-left // stride)
        if side is not None and letter == "P":
            left = (left - kernel) // stride + 1
    return ChainGenotype(tuple(layers))


@st.composite
def spaced(draw: st.DrawFn, text: str) -> str:
    """The same text with spaces around its letters, numbers, brackets and commas."""
    spaces = st.sampled_from(["", " ", "\t", "  \n"])
    words = re.findall(r"[A-Z]+|[0-9]+|.", text)
    return draw(spaces) + "".join(word + draw(spaces) for word in words)
