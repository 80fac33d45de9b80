"""Static int8 quantisation of an ONNX file by ONNX Runtime, calibrated on images and judged by accuracy.

Weights become int8 with a scale for each output channel, activations uint8 with one scale each, whose ranges are those
seen on the calibration images. The file holds pairs of QuantizeLinear and DequantizeLinear around float operators
("QDQ"), which every runtime can at least compute, and which those that have integer kernels fuse into them.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from automl_cells.errors import ExportError
from automl_cells.export.onnx_graph import check_and_save, describe, keep_used_domains, one_line, read_metadata

LARGEST_LOSS = 1.0
"""Points of accuracy that int8 may cost."""

_BATCH = 32
_METHOD = "static, QDQ: uint8 activations, int8 weights per channel"


class Evaluation(NamedTuple):
    """What int8 is calibrated on and judged by, as the exported file takes images.

    Attributes:
        calibration: (n, height, width, channels), not the images that it is judged by.
        images: (m, height, width, channels).
        labels: (m,), class numbers.
    """

    calibration: np.ndarray
    images: np.ndarray
    labels: np.ndarray


class Accuracies(NamedTuple):
    """Accuracy in per cent, before and after quantisation, on the same images.

    Attributes:
        float32: of the float file.
        int8: of the quantised file.
        images: how many.
    """

    float32: float
    int8: float
    images: int

    @property
    def holds(self) -> bool:
        """Whether int8 costs no more than is allowed."""
        return self.float32 - self.int8 <= LARGEST_LOSS


def write_int8(source: str | Path, path: str | Path, calibration: np.ndarray, metadata: Mapping[str, str]) -> None:
    """Quantise the ONNX file `source` into `path`.

    Args:
        source: a float file, see `write_onnx`.
        path: the quantised file.
        calibration: images as the file takes them, (n, height, width, channels).
        metadata: goes into ``metadata_props``, beside what `source` says.

    Raises:
        ExportError: no calibration images, or a graph that cannot be quantised.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    if not len(calibration):
        raise ExportError("Expected images to calibrate int8 with. Received: none")
    proto = onnx.load(str(source))
    given = proto.graph.input[0].name

    class Images(CalibrationDataReader):
        """The calibration images in batches."""

        def __init__(self) -> None:
            starts = range(0, len(calibration), _BATCH)
            self._batches: Iterator[np.ndarray] = (calibration[start : start + _BATCH] for start in starts)

        def get_next(self) -> dict[str, np.ndarray] | None:
            """The next batch, ``None`` at the end."""
            batch = next(self._batches, None)
            return None if batch is None else {given: batch}

    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it recommends a pre-processing step that the file has behind it
    with tempfile.TemporaryDirectory(prefix="automl-cells-") as folder:
        quantised = Path(folder, "int8.onnx")
        try:
            quantize_static(
                str(source),
                str(quantised),
                Images(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        except Exception as error:  # onnxruntime raises what it likes
            raise ExportError(
                f"Expected a graph, and images of its input, that ONNX Runtime can quantise with. "
                f"Received: {one_line(error) or type(error).__name__}"
            ) from None
        finally:
            logger.setLevel(level)
        result = onnx.load(str(quantised))
    opset = next(item.version for item in proto.opset_import if item.domain == "")
    keep_used_domains(result, opset)
    told = {"quantization": _METHOD, "calibration_images": str(len(calibration))}
    describe(result, {**read_metadata(source), **metadata, **told})
    check_and_save(result, path)


def accuracy(run: Callable[[np.ndarray], np.ndarray], images: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of an exported model in per cent.

    Args:
        run: images → (batch, classes).
        images: (n, height, width, channels), as `run` takes them, n ≥ 1.
        labels: (n,), class numbers.

    Raises:
        ExportError: no images, not a class number for each, or a model that does not give a value for each class.
    """
    labels = np.asarray(labels)
    if not len(images) or labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ExportError(
            f"Expected a class number for each image. Received: {len(images)} images, "
            f"labels of shape {labels.shape} and type {labels.dtype}"
        )
    outputs = np.concatenate([run(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)])
    if outputs.ndim != 2 or labels.min() < 0 or labels.max() >= outputs.shape[1]:
        raise ExportError(
            f"Expected one value a class and labels of these classes. Received: outputs of shape {outputs.shape}, "
            f"labels from {labels.min()} to {labels.max()}"
        )
    return 100 * float(np.mean(outputs.argmax(-1) == labels))
