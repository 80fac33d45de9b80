"""How a map is halved without a strided window of its own: factorised reduction, and pooling with zeros as border.

Both give ⌈size / 2⌉ pixels, for sizes that are known and for those that are not, with the same weights and values. What
border a map needs depends on whether its size is even; where that is not known, layers that suit both are planned.
"""

from __future__ import annotations

from typing import NamedTuple

from automl_cells.builder.plan import PlanBuilder, strided


class Map(NamedTuple):
    """A feature map.

    Attributes:
        position: in the plan.
        level: how often its size has been halved.
    """

    position: int
    level: int


def factorised_reduction(net: PlanBuilder, name: str, source: int, filters: int) -> int:
    """Two 1×1 convolutions with stride 2, the second on the map shifted by a pixel both ways, side by side; then BN.

    As `factorized_reduction` in the authors' code; what lies past the last row and column is zero. An odd number of
    filters, which the authors refuse, gives the second half one more.

    Args:
        net: the plan so far.
        name: of the new layers, as a prefix.
        source: position of the map.
        filters: of the result.
    """
    halves = filters // 2, filters - filters // 2
    shifted = source
    margins = tuple(0 if size is not None and size % 2 == 0 else 1 for size in net.shape(source)[:2])
    if any(margins):  # in an even map the shifted one ends with a row that is read, not with the zeros
        shifted = net.pad(f"{name}_pad", shifted, (0, margins[0], 0, margins[1]))
    shifted = net.crop(f"{name}_crop", shifted, (1, 0, 1, 0))
    paths = []
    for number, (position, width) in enumerate(zip((source, shifted), halves, strict=True), start=1):
        if width:
            paths.append(net.conv(f"{name}_conv{number}", position, width, 1, 2))
    both = paths[0] if len(paths) == 1 else net.concat(f"{name}_concat", tuple(paths))
    return net.batch_norm(f"{name}_bn", both)


def zero_bordered_pool(net: PlanBuilder, name: str, kind: str, source: int, kernel: int) -> int:
    """Pooling with stride 2 in which zeros around the map count, as in ``keras.applications``.

    Where both sizes are known the map is padded as a strided ``same`` convolution would pad it. Else by p zeros all
    around, p even and at least half the kernel: then ``same`` pooling begins at the same pixels as it would on the
    bare map, for odd and for even sizes, and p / 2 windows on each side see nothing but zeros and are cut off.
    """
    height, width, _ = net.shape(source)
    if height is not None and width is not None:
        margins = (*_margins(height, kernel), *_margins(width, kernel))
        padded = net.pad(f"{name}_pad", source, margins) if any(margins) else source
        return net.pool(name, kind, padded, kernel, 2, "valid")
    border = kernel // 2 + kernel // 2 % 2
    padded = net.pad(f"{name}_pad", source, (border,) * 4)
    pooled = net.pool(name, kind, padded, kernel, 2)
    return net.crop(f"{name}_crop", pooled, (border // 2,) * 4)


def _margins(size: int, kernel: int) -> tuple[int, int]:
    """Zeros before and after a row of `size` pixels under a ``same`` window with stride 2."""
    windows = strided(size, kernel, 2, "same") or 0
    total = max((windows - 1) * 2 + kernel - size, 0)
    return total // 2, total - total // 2
