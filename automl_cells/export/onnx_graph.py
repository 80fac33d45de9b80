"""What an ONNX graph is called and says about itself: names of inputs, outputs and axes, metadata, the checker."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from automl_cells import __version__
from automl_cells.errors import ExportError
from automl_cells.files import replacing


def name_borders(graph: Any, given: str, wanted: str) -> None:
    """Give the input, the output and their open axes names that do not change from one export to the next.

    Raises:
        ExportError: several inputs or outputs, or a name that the graph uses inside.
    """
    if len(graph.input) != 1 or len(graph.output) != 1:
        raise ExportError(
            f"Expected one input and one output. Received: {len(graph.input)} inputs and {len(graph.output)} outputs"
        )
    _rename(graph, graph.input[0].name, given)
    _rename(graph, graph.output[0].name, wanted)
    axes = {0: "batch", 1: "height", 2: "width"}
    for value, prefix in ((graph.input[0], ""), (graph.output[0], f"{wanted}_")):
        for number, axis in enumerate(value.type.tensor_type.shape.dim):
            if not axis.HasField("dim_value"):
                axis.dim_param = axes[0] if number == 0 else prefix + axes.get(number, f"axis{number}")
    del graph.value_info[:]  # shapes in between would still speak of the old axis names; any reader infers them


def _rename(graph: Any, old: str, new: str) -> None:
    if old == new:
        return
    taken = {name for node in graph.node for name in (*node.input, *node.output)} | {t.name for t in graph.initializer}
    if new in taken:
        raise ExportError(f"Expected a graph in which the name {new!r} is free. Received: a graph that uses it")
    for value in (*graph.input, *graph.output):
        if value.name == old:
            value.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                if name == old:
                    names[position] = new


def tidy_names(graph: Any, model: str, layers: Collection[str]) -> None:
    """Call nodes and tensors after the layers they come from, the same from one export to the next.

    TensorFlow and tf2onnx add numbers to names that were given before in the same process: ``model_2/conv_5/add__17``
    becomes ``conv/add``.

    Args:
        graph: of an ONNX model.
        model: name of the Keras model.
        layers: names of its layers.
    """
    kept = {value.name for value in (*graph.input, *graph.output)}
    tensors, nodes = _Names(model, layers, kept), _Names(model, layers, set())
    for tensor in graph.initializer:
        tensor.name = tensors.new(tensor.name)
    for node in graph.node:
        node.name = nodes.new(node.name)
        for places in (node.input, node.output):
            for position, name in enumerate(places):
                if name and name not in kept:
                    places[position] = tensors.new(name)


class _Names:
    """New names for old ones; the same for the same, different for different."""

    def __init__(self, model: str, layers: Collection[str], taken: set[str]) -> None:
        self.model, self.layers, self.taken = model, layers, set(taken)
        self._found: dict[str, str] = {}

    def new(self, old: str) -> str:
        if old not in self._found:
            parts = [self._part(part) for part in re.sub(r"(__\d+)+(?=:\d+$|$)", "", old).split("/")]
            wanted = "/".join(parts[1:] if parts[0] == self.model and parts[1:] else parts)
            name, number = wanted, 1
            while name in self.taken:
                number += 1
                name = f"{wanted}_{number}"
            self.taken.add(name)
            self._found[old] = name
        return self._found[old]

    def _part(self, part: str) -> str:
        """Without the number of a scope that was entered before."""
        bare = re.sub(r"_\d+$", "", part)
        return bare if part not in self.layers and (bare in self.layers or bare == self.model) else part


def keep_used_domains(proto: Any, opset: int) -> None:
    """Drop the operator sets that no node uses: a reader need not know them.

    Raises:
        ExportError: a node outside ONNX's own operators.
    """
    used = {node.domain for node in proto.graph.node}
    if foreign := sorted(used - {"", "ai.onnx"}):
        raise ExportError(f"Expected a graph of ONNX's own operators. Received: some of {foreign}")
    del proto.opset_import[:]
    proto.opset_import.add(domain="", version=opset)


def describe(proto: Any, metadata: Mapping[str, str]) -> None:
    """Make `metadata` the ``metadata_props``, in the order of the keys, and automl_cells the producer."""
    import onnx

    onnx.helper.set_model_props(proto, dict(sorted(metadata.items())))
    proto.producer_name, proto.producer_version = "automl_cells", __version__


def add_metadata(path: str | Path, metadata: Mapping[str, str]) -> None:
    """Add to the ``metadata_props`` of an ONNX file, e.g. what was measured on it.

    Raises:
        ExportError: the ONNX checker refuses the file.
    """
    import onnx

    proto = onnx.load(str(path))
    describe(proto, {**_metadata(proto), **metadata})
    check_and_save(proto, path)


def read_metadata(path: str | Path) -> dict[str, str]:
    """The ``metadata_props`` of an ONNX file.

    Raises:
        ExportError: not an ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return _metadata(onnx.load(str(path), load_external_data=False))
    except (DecodeError, OSError) as error:
        raise ExportError(f"Expected an ONNX file. Received: {path} ({one_line(error)})") from None


def one_line(error: Exception) -> str:
    """What a library says is wrong, short and on one line."""
    return " ".join(str(error).split())[:200]


def _metadata(proto: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in proto.metadata_props}


def check_and_save(proto: Any, path: str | Path) -> None:
    """Save a graph that ONNX's checker accepts, beside its place first and then renamed.

    Raises:
        ExportError: it does not accept it.
    """
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"Expected a graph that the ONNX checker accepts. Received: {error}") from None
    with replacing(path) as temporary:
        onnx.save(proto, str(temporary))
