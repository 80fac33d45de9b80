"""The frame of a chart: an SVG picture as wide as its place, whose letters keep their size.

Places along x are per cent and along y pixels, so nothing is scaled but the curves, which lie in an SVG of their own.
No script and no `style` attribute is needed, which the page's policy would refuse.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automl_cells.report.page.numbers import short, text
from automl_cells.report.page.scale import Scale

_TOP, _BOTTOM = 26, 40  # pixels above the plot for labels of bands, and below for the x axis
WIDTH = 1000.0
"""Width of the SVG in which curves lie, whatever the width of the picture."""


class Frame:
    """A chart under construction.

    Args:
        identifier: of the figure, for the script.
        label: what the picture shows, for those who do not see it.
        x: axis across.
        y: axis up.
        height: of the plot in pixels.
    """

    def __init__(self, identifier: str, label: str, x: Scale, y: Scale, height: int = 260) -> None:
        self.x, self.y, self.height = x, y, height
        self._identifier, self._label = identifier, label
        self._below: list[str] = []
        self._curves: list[str] = []
        self._above: list[str] = []

    def across(self, value: float) -> str:
        """A place along x in per cent."""
        return f"{100 * self.x.place(value):.2f}".rstrip("0").rstrip(".") + "%"

    def up(self, value: float) -> float:
        """A place along y in pixels from the top of the picture."""
        return round(_TOP + self.height * (1 - self.y.place(value)), 1)

    @property
    def floor(self) -> int:
        """The place of the x axis in pixels from the top."""
        return _TOP + self.height

    def band(self, first: float, last: float, odd: bool) -> None:
        """A band behind the plot from one value of x to another."""
        left, right = self.x.place(first) * 100, self.x.place(last) * 100
        self._below.append(
            f'<rect class="band{" odd" if odd else ""}" x="{left:.2f}%" y="{_TOP}" width="{right - left:.2f}%" '
            f'height="{self.height}"/>'
        )

    def above_plot(self, value: float, words: str, name: str) -> None:
        """A label above the plot."""
        self._above.append(f'<text class="{name}" x="{self.across(value)}" y="{_TOP - 11}">{text(words)}</text>')

    def curve(self, points: Sequence[tuple[float, float]], name: str, steps: bool = False, data: str = "") -> None:
        """A line through points, or a staircase that holds each value until the next."""
        path = ""
        for number, (x, y) in enumerate(points):
            across, up = f"{WIDTH * self.x.place(x):.1f}", f"{self.height * (1 - self.y.place(y)):.1f}"
            path += f"M{across} {up}" if not number else f"H{across}V{up}" if steps else f"L{across} {up}"
        self._curves.append(f'<path class="{name}"{data} d="{path}"/>')

    def mark(self, shape: str) -> None:
        """A mark on the plot, made by the caller with `across` and `up`."""
        self._above.append(shape)

    def svg(self, x_title: str, y_title: str, whole: bool = True) -> str:
        """The whole figure as HTML."""
        ticks = self.y.ticks(5)
        grid = [f'<line class="grid" x1="0" x2="100%" y1="{self.up(y)}" y2="{self.up(y)}"/>' for y in ticks]
        labels = [
            f'<text class="tick y" x="-8" y="{self.up(y) + 4}">{text(short(y) if abs(y) >= 1e4 else f"{y:g}")}</text>'
            for y in ticks
        ]
        labels += [
            f'<text class="tick x" x="{self.across(x)}" y="{self.floor + 17}">{text(f"{x:g}")}</text>'
            for x in self.x.ticks(7, whole=whole)
        ]
        return (
            f'<div class="chart" id="{self._identifier}"><svg width="100%" height="{_TOP + self.height + _BOTTOM}" '
            f'role="img" aria-label="{text(self._label)}">{_lines(self._below)}{_lines(grid)}'
            f'<line class="axis" x1="0" x2="100%" y1="{self.floor}" y2="{self.floor}"/>'
            f'<svg class="curves" x="0" y="{_TOP}" width="100%" height="{self.height}" '
            f'viewBox="0 0 {WIDTH:g} {self.height}" preserveAspectRatio="none">{_lines(self._curves)}</svg>'
            f"{_lines(self._above)}{_lines(labels)}"
            f'<text class="title y" x="-46" y="{_TOP - 11}">{text(y_title)}</text>'
            f'<text class="title x" x="100%" y="{self.floor + 34}">{text(x_title)}</text></svg></div>'
        )


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(parts)
