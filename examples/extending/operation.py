"""An operation of one's own: ResNet's bottleneck, for cells and for blocks.

He et al., "Identity Mappings in Deep Residual Networks" (ECCV 2016, arXiv 1603.05027): 1×1 to a quarter of the filters,
k×k, 1×1 back, each of them batch-normalised, in pre-activation order; the sum with the input is left to the cell.
"""

from __future__ import annotations

from automl_cells import register_operation
from automl_cells.builder.plan import PlanBuilder


@register_operation("bottleneck", kernels=(3, 5), block_type=100)
def bottleneck(net: PlanBuilder, name: str, source: int, filters: int, kernel: int, stride: int) -> int:
    """Append the layers to `net` and return the position of the last.

    Args:
        net: the network so far.
        name: what the names of the layers begin with.
        source: position of the map that is read, of any number of channels.
        filters: channels of the map that is made.
        kernel: 3 or 5.
        stride: 1, or 2 in a reduction cell.
    """
    narrow = net.preactivation_conv(f"{name}_reduce", source, max(1, filters // 4), 1)
    spatial = net.preactivation_conv(f"{name}_spatial", narrow, max(1, filters // 4), kernel, stride)
    return net.preactivation_conv(f"{name}_expand", spatial, filters, 1)
