"""What is known of a candidate before it is trained: from its plan and graph, and, if it is asked for, its latency."""

from __future__ import annotations

from automl_cells.builder.cost import cost
from automl_cells.builder.memory import peak_memory
from automl_cells.builder.planners import plan
from automl_cells.builder.template import Template
from automl_cells.errors import TemplateError
from automl_cells.evaluation.limits import Limits
from automl_cells.genotypes.base import Genotype
from automl_cells.genotypes.block import BlockGenotype
from automl_cells.genotypes.cell import Block as CellBlock
from automl_cells.genotypes.cell import Cell, CellGenotype
from automl_cells.genotypes.chain import ChainGenotype

# For each kind of template the genotype that multiply-adds are measured by: a convolution, 3×3, and for cells one of
# each of their two inputs, so that no cell of the network is idle.
_ONE_CONVOLUTION = Cell((CellBlock(0, 1, "conv_3x3", "conv_3x3", "add"),))
_REFERENCES: dict[str, Genotype] = {
    "block": BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 7, 0, 0, 0)]),
    "cell": CellGenotype(_ONE_CONVOLUTION, _ONE_CONVOLUTION),
    "chain": ChainGenotype.from_text("C(64,1,1),SM"),  # a 3×3 one would not fit every image
}


class KnownMetrics:
    """The metrics of candidates that need no training, in one frame.

    Args:
        template: the frame of the proxy network.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        reference = _REFERENCES.get(getattr(template, "kind", "block"))
        self._reference_flops = None if reference is None else cost(plan(reference, template)).flops

    def of(self, genotype: Genotype, max_params: int | None = None) -> dict[str, float]:
        """``parameters``, ``density``, ``flops``, ``reference_flops`` and ``memory``, as far as they exist.

        Args:
            genotype: the candidate.
            max_params: stop planning as soon as it has more parameters.

        Raises:
            TemplateError: too many parameters, or more layers than any network should have.
        """
        layers = plan(genotype, self._template, max_params=max_params)
        price = cost(layers)
        known: dict[str, float] = {"parameters": price.parameters, "density": genotype.graph().density}
        for name, value in (
            ("flops", price.flops),
            ("reference_flops", self._reference_flops),
            ("memory", peak_memory(layers)),
        ):
            if value is not None:
                known[name] = value
        return known

    def latency_ms(self, genotype: Genotype) -> float:
        """Measured here and now, see `evaluation.latency`.

        Raises:
            ExportError: an operation of the candidate cannot be measured.
        """
        from automl_cells.evaluation.latency import latency_ms  # needs ONNX Runtime, the rest of a search does not

        return latency_ms(plan(genotype, self._template))

    def allow(self, genotype: Genotype, limits: Limits) -> bool:
        """Whether a candidate keeps the limits; one that is far too large is not planned to its end.

        Latency is measured only if it is limited, and only of a candidate that keeps the other limits.

        Raises:
            ExportError: as `latency_ms`.
        """
        try:
            allowed = limits.allow(self.of(genotype, limits.max_params))
        except TemplateError:
            return False
        if not allowed or limits.max_latency_ms is None:
            return allowed
        return limits.allow({"latency_ms": self.latency_ms(genotype)})
