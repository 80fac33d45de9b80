"""Classify pictures with an exported ONNX file. Needs onnxruntime, numpy and pillow, and nothing else.

    python classify.py model.onnx cat.jpg dog.png [--top 5] [--invert] [--size 64] [--json]

Everything about the model (labels, size, channels, normalisation, range of the pixels) is read from the file itself.
A picture is read as automl_cells reads a folder of training images: upright, transparent parts on white, scaled until
it covers the size of the model (bicubic, antialiased), and what overhangs is cut off evenly. A server that resizes
otherwise than the training did loses accuracy without any error, so change this only if your training data say so.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
import onnxruntime
from PIL import Image, ImageOps, UnidentifiedImageError

BATCH = 64  # pictures that go through the network at once
MAX_PIXELS = 89_478_485  # of one picture: from here on Pillow suspects a decompression bomb
LARGEST_SIDE = 1024
TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class InputError(ValueError):
    """A model or picture that cannot be used; the message is the one line that the user sees."""


class Model(NamedTuple):
    """An ONNX file and what it says about itself.

    Attributes:
        session: runs the network.
        size: (height, width) of the input; ``None`` where the file leaves it open.
        channels: 1 (grey) or 3 (red, green, blue).
        dtype: of the input.
        labels: one a class, in the order of the outputs.
        mean: per channel, what to subtract from the pixels; all 0 if the network normalises by itself.
        std: per channel, what to divide by; all 1 if the network normalises by itself.
        pixel_range: the value of black and of white in the training data.
        logits: the outputs still need a softmax.
    """

    session: onnxruntime.InferenceSession
    size: tuple[int | None, int | None]
    channels: int
    dtype: type
    labels: tuple[str, ...]
    mean: np.ndarray
    std: np.ndarray
    pixel_range: tuple[float, float]
    logits: bool


def load_model(path: str | Path) -> Model:
    """Load an exported file and read its metadata.

    Args:
        path: the ONNX file.

    Raises:
        InputError: not an ONNX file, or one that does not say how to feed it.
    """
    if not Path(path).is_file():
        raise InputError(f"Expected an ONNX file. Received: {path} (no such file)")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise InputError(f"Expected an ONNX file. Received: {path} ({_one_line(error)})") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in TYPES or len(inputs[0].shape) != 4:
        found = ", ".join(f"{given.name} {given.type} {given.shape}" for given in inputs)
        raise InputError(f"Expected one batch of images as input and one output. Received: {found} in {path}")
    said = session.get_modelmeta().custom_metadata_map
    if said.get("output") == "features" or outputs[0].name == "features":
        raise InputError(f"Expected a classifier. Received: {path}, whose output is features")
    height, width, channels = inputs[0].shape[1:]
    if channels not in (1, 3):
        raise InputError(f"Expected an input of 1 or 3 channels, in the last axis. Received: {channels} in {path}")
    labels = _list(said, "labels", str, path)
    # preprocessing "inside": the graph begins with the normalisation and takes pixels as they are
    outside = said.get("preprocessing", "outside") == "outside"
    if outside and inputs[0].type == "tensor(uint8)":
        raise InputError(f"Expected preprocessing 'inside' of a uint8 input. Received: 'outside' in {path}")
    low, high = _list(said, "pixel_range", float, path, default=[0, 255], length=2)
    return Model(
        session=session,
        size=(height if isinstance(height, int) else None, width if isinstance(width, int) else None),
        channels=channels,
        dtype=TYPES[inputs[0].type],
        labels=tuple(labels),
        mean=np.array(_list(said, "input_mean", float, path, length=channels) if outside else [0] * channels),
        std=np.array(_list(said, "input_std", float, path, length=channels) if outside else [1] * channels),
        pixel_range=(low, high),
        logits=said.get("output", outputs[0].name) == "logits",
    )


def read_picture(path: str | Path, size: tuple[int, int], channels: int, invert: bool = False) -> np.ndarray:
    """The pixels of a picture, fitted.

    Args:
        path: an image file of any format that Pillow reads.
        size: (height, width) wanted.
        channels: 1 (grey) or 3 (red, green, blue).
        invert: make a negative, for dark strokes on a light ground and a model that learnt the opposite.

    Returns:
        uint8, (height, width, channels).

    Raises:
        InputError: the file is not there or no whole picture.
    """
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise InputError(f"Expected at most {MAX_PIXELS:,} pixels. Received: {path}, {opened.size}")
            picture = _plain(ImageOps.exif_transpose(opened), "L" if channels == 1 else "RGB")
    except InputError:
        raise
    except UnidentifiedImageError:
        raise InputError(f"Expected a picture. Received: {path}, no picture or empty") from None
    except Exception as error:  # damaged files make Pillow's readers raise almost anything
        raise InputError(f"Expected a picture. Received: {path} ({_one_line(error)})") from None
    if picture.size != (size[1], size[0]):
        picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.BICUBIC)
    if invert:
        picture = ImageOps.invert(picture)
    return np.asarray(picture, np.uint8).reshape(*size, channels)


def classify(model: Model, pictures: np.ndarray) -> np.ndarray:
    """The probability of every class for every picture.

    Args:
        model: see `load_model`.
        pictures: uint8, (n, height, width, channels), 0 black and 255 white, see `read_picture`.

    Returns:
        float32, (n, classes); the rows add up to 1.

    Raises:
        InputError: the network does not take this size, or does not give one value a label.
    """
    low, high = model.pixel_range
    pixels = low + pictures / 255 * (high - low)
    values = (pixels - model.mean) / model.std
    fed = (np.rint(values) if model.dtype is np.uint8 else values).astype(model.dtype)
    name = model.session.get_inputs()[0].name
    try:
        pieces = [model.session.run(None, {name: fed[start : start + BATCH]})[0] for start in range(0, len(fed), BATCH)]
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise InputError(
            f"Expected pictures that the network takes. Received: {fed.shape} ({_one_line(error)})"
        ) from None
    found = np.concatenate(pieces)
    if found.shape != (len(pictures), len(model.labels)):
        raise InputError(f"Expected an output for each of {len(model.labels)} labels. Received: shape {found.shape}")
    return softmax(found) if model.logits else found


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, with no overflow."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; bad input is one line on stderr and exit status 2.

    Args:
        arguments: instead of ``sys.argv``.
    """
    parser = argparse.ArgumentParser(description="Classify pictures with an ONNX file that describes itself.")
    parser.error = _refuse_arguments  # type: ignore[method-assign]
    parser.add_argument("model", metavar="MODEL.onnx")
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument("--top", type=int, default=5, help="so many classes a picture [5]")
    parser.add_argument("--invert", action="store_true", help="for dark drawings on a light ground")
    parser.add_argument("--size", type=int, help="side of the input, where the file leaves it open")
    parser.add_argument("--json", action="store_true", help="all probabilities, one JSON object a picture and line")
    options = parser.parse_args(arguments)
    try:
        if options.top < 1:
            raise InputError(f"Expected --top from 1. Received: {options.top}")
        model = load_model(options.model)
        size = _size(model, options.size)
        pictures = [read_picture(path, size, model.channels, options.invert) for path in options.pictures]
        probabilities = classify(model, np.stack(pictures))
    except InputError as error:
        _refuse(str(error))
    for path, row in zip(options.pictures, probabilities, strict=True):
        best = np.argsort(-row, kind="stable")
        if options.json:
            print(json.dumps({"picture": path, "classes": {model.labels[k]: float(row[k]) for k in best}}))
            continue
        print(path)
        for k in best[: options.top]:
            print(f"  {100 * row[k]:6.2f} %  {model.labels[k]}")


def _size(model: Model, side: int | None) -> tuple[int, int]:
    """The size to feed: the file's own, and `side` where the file leaves it open."""
    height, width = model.size
    if side is not None and side > LARGEST_SIDE:
        raise InputError(f"Expected --size up to {LARGEST_SIDE}. Received: {side}")
    if side is not None and (side < 1 or side not in (height or side, width or side)):
        raise InputError(f"Expected --size {height or 'N'} or none. Received: {side}")
    if side is None and (height is None or width is None):
        raise InputError("Expected --size N, since the file takes pictures of any size. Received: none")
    return height or side or 0, width or side or 0


def _plain(picture: Image.Image, mode: str) -> Image.Image:
    """As 8-bit ``L`` or ``RGB``, transparent parts on white, 16-bit values scaled rather than clipped."""
    if picture.mode == "F" or (picture.mode == "I" and picture.getextrema()[1] <= 255):
        # no format says what numbers of these kinds mean; up to 255 they are taken for ordinary pixels
        values = np.asarray(picture)
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
            raise InputError(f"Expected pixels from 0 to 255. Received: from {values.min():g} to {values.max():g}")
        picture = Image.fromarray(np.rint(values).astype(np.uint8))
    elif picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.uint32)
        picture = Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
    elif picture.has_transparency_data:
        solid = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", solid.size, "white"), solid).convert("RGB")
    elif picture.mode == "P":
        picture = picture.convert("RGB")
    return picture.convert(mode)


def _list(
    said: dict[str, str],
    key: str,
    kind: type,
    path: object,
    default: list[Any] | None = None,
    length: int | None = None,
) -> list[Any]:
    """The list under a metadata key, of this kind and length."""
    if key not in said and default is not None:
        return default
    try:
        values = json.loads(said[key])
        wanted = str if kind is str else (int, float)
        if not isinstance(values, list) or not values or not all(isinstance(value, wanted) for value in values):
            raise ValueError
        if length is not None and len(values) != length:
            raise ValueError
        if kind is not str and not np.isfinite(values).all():
            raise ValueError
        if key == "input_std" and min(values) <= 0:
            raise ValueError
    except (KeyError, ValueError):
        what = f"a JSON list of {length or 'one or more'} under {key!r} in the file's metadata"
        raise InputError(f"Expected {what}. Received: {said.get(key, 'nothing')!s:.80} in {path}") from None
    return values


def _one_line(error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join((reason or type(error).__name__).split())[:200]


def _refuse_arguments(message: str) -> NoReturn:
    """One line like every other refusal, where argparse would print the usage too."""
    _refuse(f"Expected MODEL.onnx PICTURE … (see --help). Received: {message}")


def _refuse(message: str) -> NoReturn:
    print(f"classify.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
