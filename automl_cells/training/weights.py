"""The weights of a model as an HDF5 file: one dataset a variable, at the variable's path; no pickles, no code.

Weights are stored as float16 by default (half the size; zoo entries live in git) and restored as float32. A variable
that float16 cannot hold is stored as float32. Reading takes no more from a file than the model has room for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import keras
import numpy as np

from automl_cells import __version__
from automl_cells.errors import TrainingError
from automl_cells.files import replacing

FORMAT = "automl_cells/weights"
VERSION = 1


def save_weights(model: keras.Model, path: str | Path, dtype: str = "float16") -> None:
    """Write the weights of `model` (kernels, biases and the statistics of batch normalisation).

    Args:
        model: the model; the states of its random generators and its optimizer are not written.
        path: the file; ``.weights.h5`` by custom.
        dtype: ``float16`` or ``float32``.

    Raises:
        TrainingError: another type, or weights that are not finite.
        OSError: the folder cannot be written to.
    """
    save_values(
        {
            variable.path: keras.ops.convert_to_numpy(keras.ops.stop_gradient(variable.value))
            for variable in model.weights
        },
        path,
        dtype,
    )


def save_values(values: Mapping[str, np.ndarray], path: str | Path, dtype: str = "float16") -> None:
    """Write weights that are given by their paths, as `save_weights` does, with the same errors."""
    if dtype not in ("float16", "float32"):
        raise TrainingError(f"Expected the type of stored weights float16 or float32. Received: {dtype}")
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"], file.attrs["version"], file.attrs["writer"] = FORMAT, VERSION, __version__
        for name, given in values.items():
            value = np.asarray(given, np.float32)
            if not np.isfinite(value).all():
                raise TrainingError(f"Expected finite weights. Received: NaN or infinity in {name}")
            with np.errstate(over="ignore"):
                stored = value.astype(dtype)
            file.create_dataset(name, data=stored if np.isfinite(stored).all() else value)


def load_weights(model: keras.Model, path: str | Path, *, subset: bool = False) -> None:
    """Give `model` the weights in a file written by `save_weights`. All is checked before the first weight changes.

    Args:
        model: a model with the same variables: paths and shapes.
        path: the file.
        subset: the model may lack variables that the file has (a model without its top).

    Raises:
        TrainingError: the file cannot be read, is not a weights file, or does not match the model.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            values = _read(file, path, {variable.path: tuple(variable.shape) for variable in model.weights}, subset)
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises for a missing, truncated or damaged file
        raise TrainingError(f"Expected a readable HDF5 file of weights. Received: {path} ({error})") from None
    for variable in model.weights:
        variable.assign(values[variable.path])


def _read(file: h5py.File, path: Path, shapes: dict[str, tuple[int, ...]], subset: bool) -> dict[str, np.ndarray]:
    version = file.attrs.get("version")
    if file.attrs.get("format") == FORMAT and isinstance(version, int | np.integer) and version > VERSION:
        writer = file.attrs.get("writer")
        raise TrainingError(
            f"Expected weights of format version {VERSION} or below, which automl_cells {__version__} reads. Received: "
            f"version {version} in {path}, written by automl_cells {writer!s:.20}; it needs that release or a later one"
        )
    if file.attrs.get("format") != FORMAT or version != VERSION:
        received = f"{file.attrs.get('format')!r:.60}, version {file.attrs.get('version')!r:.20}"
        raise TrainingError(f"Expected {path} with format {FORMAT!r}, version {VERSION}. Received: {received}")
    stored: dict[str, h5py.Dataset] = {}
    # visititems does not follow soft and external links, so that a file cannot point at another file.
    file.visititems(lambda name, item: stored.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    missing = [name for name in shapes if name not in stored]
    extra = [] if subset else [name for name in stored if name not in shapes]
    if missing or extra:
        raise TrainingError(
            f"Expected in {path} the {len(shapes)} variables of the model. Received: {len(stored)} variables, "
            f"{_some('missing', missing)}{_some('not in the model', extra)}"
        )
    values = {}
    for name, shape in shapes.items():
        dataset = stored[name]
        if dataset.shape != shape:
            raise TrainingError(f"Expected {name} of shape {shape} in {path}. Received: {dataset.shape}")
        if dataset.dtype not in (np.float16, np.float32) or dataset.external or dataset.is_virtual:
            raise TrainingError(f"Expected {name} as plain float16 or float32 in {path}. Received: {dataset.dtype}")
        values[name] = np.asarray(dataset[()], np.float32)
        if not np.isfinite(values[name]).all():
            raise TrainingError(f"Expected finite weights in {path}. Received: NaN or infinity in {name}")
    return values


def _some(what: str, names: list[str]) -> str:
    """``what: a, b, …; ``, or nothing."""
    if not names:
        return ""
    return f"{what}: {', '.join(names[:3])}{', …' if len(names) > 3 else ''}; "
