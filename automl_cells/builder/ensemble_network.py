"""The plan of an ensemble: the networks of its members on one image, and the average of their probabilities."""

from __future__ import annotations

from automl_cells.builder.plan import MAX_PLAN_LAYERS, Layer, Plan
from automl_cells.errors import TemplateError

OUTPUT = "probabilities"
"""The name of the average."""


def plan_ensemble(members: list[Plan], classes: int) -> Plan:
    """The plans of the members side by side.

    Args:
        members: plans of whole networks with the same input, each of which ends with its linear classifier.
        classes: number of classes.

    Raises:
        TemplateError: more layers than any network should have, see `PlanBuilder`.
    """
    layers: list[Layer] = [members[0][0]]
    ends = []
    for number, member in enumerate(members, start=1):
        shift = len(layers) - 1  # the input, at 0, is shared
        for layer in member[1:]:
            inputs = tuple(source + shift if source else 0 for source in layer.inputs)
            layers.append(layer._replace(name=prefixed(number, layer.name), inputs=inputs))
        layers.append(Layer(prefixed(number, "probabilities"), "softmax", (len(layers) - 1,), (1, 1, classes)))
        ends.append(len(layers) - 1)
    if len(layers) >= MAX_PLAN_LAYERS:
        raise TemplateError(f"Expected a network of at most {MAX_PLAN_LAYERS} layers. Received: more")
    return (*layers, Layer(OUTPUT, "average", tuple(ends), (1, 1, classes)))


def prefixed(number: int, name: str) -> str:
    """What a layer or variable of a member, counted from 1, is called in the ensemble."""
    return f"member{number}_{name}"
