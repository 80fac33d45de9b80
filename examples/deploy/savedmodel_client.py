"""Look at an exported SavedModel as TensorFlow Serving would: layout, signature, request. Needs tensorflow only.

    python savedmodel_client.py deployed/savedmodel                            # the signature, and one call
    python savedmodel_client.py deployed/savedmodel --name digits --to models  # also lay out models/digits/1/
    python savedmodel_client.py models/digits --images images.npy --body body.json

The images are what the network takes: (n, height, width, channels), normalised by you if the export does not do so
inside; without --images, two images of zeros are sent. The request is checked without a server: its JSON text is parsed
again and goes through the same signature, and the answers must be equal.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # without TensorFlow's start-up notes

import numpy as np  # comes with tensorflow
import tensorflow as tf

SIGNATURE = "serving_default"
PORT = 8501  # TensorFlow Serving's REST port unless told otherwise
SIDE = 32  # of the images of zeros, where a model takes any size


class InputError(ValueError):
    """A folder or images that cannot be used; the message is the one line that the user sees."""


class Served(NamedTuple):
    """A SavedModel with its serving signature.

    Attributes:
        folder: where ``saved_model.pb`` is.
        loaded: what TensorFlow loaded; holds the variables, so it must live as long as the signature is called.
        input: name, shape (``None`` for open axes) and type of the only input.
        output: name of the only output.
    """

    folder: Path
    loaded: Any
    input: tf.TensorSpec
    output: str

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """What the server would answer: (n, …)."""
        given = tf.constant(images, self.input.dtype)
        return np.asarray(self.loaded.signatures[SIGNATURE](**{self.input.name: given})[self.output])


def load(folder: str | Path) -> Served:
    """Load a SavedModel, or the highest numbered version below a model's folder, as TensorFlow Serving does.

    Args:
        folder: ``…/savedmodel`` or ``MODELS/NAME`` with ``1/``, ``2/``, … in it.

    Raises:
        InputError: neither, or no signature with one input and one output.
    """
    where = Path(folder)
    versions = [path for path in where.glob("*") if path.name.isdigit() and (path / "saved_model.pb").is_file()]
    if not (where / "saved_model.pb").is_file():
        if not versions:
            raise InputError(f"Expected the folder of a SavedModel, or one with versions 1/, 2/, …. Received: {folder}")
        where = max(versions, key=lambda path: int(path.name))
    try:
        loaded = tf.saved_model.load(str(where))
    except Exception as error:  # a damaged file makes TensorFlow raise many things
        raise InputError(f"Expected a whole SavedModel. Received: {where} ({_one_line(error)})") from None
    serve = loaded.signatures.get(SIGNATURE)
    inputs = serve.structured_input_signature[1] if serve is not None else {}
    if serve is None or len(inputs) != 1 or len(serve.structured_outputs) != 1:
        raise InputError(f"Expected {SIGNATURE} of one input and one output. Received: {list(loaded.signatures)}")
    ((name, spec),) = inputs.items()
    (output,) = serve.structured_outputs
    return Served(where, loaded, tf.TensorSpec(spec.shape, spec.dtype, name), output)


def request(images: np.ndarray) -> str:
    """The JSON body of a REST request: one entry of ``instances`` an image.

    Args:
        images: (n, height, width, channels). Every float32 is written with so many digits that it is read back equal.
    """
    return json.dumps({"instances": images.tolist()})


def url(name: str, host: str = "localhost", port: int = PORT) -> str:
    """Where TensorFlow Serving takes the request for a model.

    Args:
        name: the model's, which is that of its folder.
        host: of the server.
        port: of its REST interface.
    """
    return f"http://{host}:{port}/v1/models/{name}:predict"


def lay_out(savedmodel: Path, models: str | Path, name: str) -> Path:
    """Copy a SavedModel to where TensorFlow Serving looks for it, as the next version.

    Args:
        savedmodel: the folder with ``saved_model.pb``.
        models: the folder of all models.
        name: of this one.

    Returns:
        ``MODELS/NAME/N``.

    Raises:
        InputError: a name that cannot stand in a URL, or a place that cannot be written to.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise InputError(f"Expected --name of letters, digits, '_', '-' and '.'. Received: {name!r}")
    parent = Path(models) / name
    taken = [int(path.name) for path in parent.glob("*") if path.name.isdigit()]
    target = parent / str(max(taken, default=0) + 1)
    # The server polls the folder: it must never see half a version under a number, and does not look at other names.
    staged = parent / f".{target.name}-copying"
    try:
        shutil.rmtree(staged, ignore_errors=True)  # what a copy that was killed has left
        shutil.copytree(savedmodel, staged)
        staged.rename(target)
    except OSError as error:
        raise InputError(f"Expected a folder to write to. Received: {target} ({error.strerror or error})") from None
    return target


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line; bad input is one line on stderr and exit status 2.

    Args:
        arguments: instead of ``sys.argv``.
    """
    parser = argparse.ArgumentParser(description="Look at a SavedModel as TensorFlow Serving would.")
    parser.error = _refuse_arguments  # type: ignore[method-assign]
    parser.add_argument("folder", metavar="SAVEDMODEL")
    parser.add_argument("--images", metavar="FILE.npy", help="(n, height, width, channels), as the network takes them")
    parser.add_argument("--name", default="model", help="what the model is called on the server [model]")
    parser.add_argument("--to", metavar="MODELS", help="copy the SavedModel to MODELS/NAME/<next number>/")
    parser.add_argument("--body", metavar="FILE", help="write the JSON body of the request")
    options = parser.parse_args(arguments)
    try:
        served = load(options.folder)
        images = _images(served, options.images)
        answers = served(images)
        _describe(served, answers)
        _check(served, images, answers)
        if options.to is not None:
            print(f"laid out    {lay_out(served.folder, options.to, options.name)}")
        if options.body is not None:
            _write(options.body, request(images))
        print(f"request     POST {url(options.name)}  (JSON body: {options.body or 'write it with --body'})")
    except InputError as error:
        _refuse(str(error))


def _describe(served: Served, answers: np.ndarray) -> None:
    spec = served.input
    print(f"SavedModel  {served.folder}")
    print(f"signature   {SIGNATURE}: {spec.name} {spec.dtype.name} {tuple(spec.shape)} -> {served.output}")
    for row in answers:
        print(f"answer      class {row.argmax()} of {row.size}, {row.max():.4f}")


def _check(served: Served, images: np.ndarray, answers: np.ndarray) -> None:
    """Compare the answers to the images with those to the request's text, parsed as a server does."""
    parsed = np.array(json.loads(request(images))["instances"])
    difference = np.abs(served(parsed) - answers).max()
    if not difference <= 1e-6:
        raise InputError(f"Expected the same answer through JSON. Received: a difference of {difference:.3g}")
    print(f"through JSON the same answers (largest difference {difference:.1g})")


def _images(served: Served, path: str | None) -> np.ndarray:
    shape, dtype = served.input.shape.as_list(), served.input.dtype.as_numpy_dtype
    if path is None:
        return np.zeros((2, *(SIDE if axis is None else axis for axis in shape[1:])), dtype)
    try:
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"Expected a .npy file. Received: {path} ({_one_line(error)})") from None
    fits = isinstance(images, np.ndarray) and images.ndim == 4 and len(images) > 0 and images.dtype.kind in "buif"
    if not fits or any(axis not in (None, n) for axis, n in zip(shape[1:], images.shape[1:], strict=True)):
        found = getattr(images, "shape", type(images).__name__)
        raise InputError(f"Expected images of shape {tuple(shape)}. Received: {found} in {path}")
    return images.astype(dtype)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text)
    except OSError as error:
        raise InputError(f"Expected a file to write to. Received: {path} ({error.strerror or error})") from None


def _one_line(error: Exception) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]


def _refuse_arguments(message: str) -> NoReturn:
    """One line like every other refusal, where argparse would print the usage too."""
    _refuse(f"Expected SAVEDMODEL (see --help). Received: {message}")


def _refuse(message: str) -> NoReturn:
    print(f"savedmodel_client.py: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
