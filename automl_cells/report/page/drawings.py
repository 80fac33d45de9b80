"""The drawings of all candidates, packed: a few hundred bytes a candidate, unpacked by the page when one is looked at.

A drawing of `genotypes.drawing` takes some six thousand bytes. Drawings are much alike, so those of neighbouring trials
are compressed together (zlib, base64), without the style sheet, which the page has once. Every browser of the last
years can inflate them (``DecompressionStream``).
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Sequence

from automl_cells.genotypes import Genotype, to_document
from automl_cells.genotypes.drawing import draw_svg
from automl_cells.search.trials import Trial

CHUNK = 25
"""Trials that are packed together."""

_DARK = "@media (prefers-color-scheme:dark){"
_STYLE = re.compile(r"<style>(.*?)</style>\n?", re.DOTALL)


def drawing(genotype: Genotype) -> str:
    """The drawing of a genotype as inline SVG, without its style sheet."""
    return _STYLE.sub("", draw_svg(genotype.parts()), count=1).strip()


def drawing_style(genotype: Genotype) -> str:
    """The style sheet of all drawings for elements of the class ``drawing``, in the scheme that the page shows."""
    found = _STYLE.search(draw_svg(genotype.parts()))
    assert found is not None
    light, _, dark = found[1].partition(_DARK)
    dark = dark.removesuffix("}")
    return (
        f".drawing{{{light}}}:root[data-theme=dark] .drawing{{{dark}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme=light]) .drawing{{{dark}}}}}"
    )


def packed(trials: Sequence[Trial], curves: Sequence[Sequence[float]]) -> list[str]:
    """Drawings, genotypes (compact JSON documents) and learning curves of all trials.

    Args:
        trials: in the order of the page.
        curves: the learning curve of each.

    Returns:
        One text for every `CHUNK` trials: base64 of the zlib stream of a JSON list of ``[svg, genotype, curve]``.
    """
    whole = []
    for begin in range(0, len(trials), CHUNK):
        part = [
            [drawing(trial.genotype), json.dumps(to_document(trial.genotype), separators=(",", ":")), list(curve)]
            for trial, curve in zip(trials[begin : begin + CHUNK], curves[begin : begin + CHUNK], strict=True)
        ]
        data = json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode()
        whole.append(base64.b64encode(zlib.compress(data, 9)).decode())
    return whole
