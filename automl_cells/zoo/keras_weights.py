"""Weights of ``keras.applications``' NASNet models, for our layers of the same shapes.

Their layers are ours under other names, so a file is read by names: the HDF5 files of the official weights list each
layer with its arrays. A file that Keras 3 saved (``.weights.h5``) knows only how many-th layer of its class each is;
there, and in files of other names, Keras itself reads the file into its own model, whose weights are then copied.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import h5py
import keras
import numpy as np

from automl_cells.errors import ZooError
from automl_cells.zoo.catalogue import Application

_INNER = {
    "input_conv": "{kind}_conv_1",
    "input_bn": "{kind}_bn_1",
    "before_conv": "adjust_conv_projection",
    "before_conv1": "adjust_conv_1",
    "before_conv2": "adjust_conv_2",
    "before_bn": "adjust_bn",
}
_OPERATION = re.compile(r"block(\d)_(left|right)_(sep|bn)([12])")
_CELL = re.compile(r"(stem_cell|reduction|stage)(\d)(?:_cell(\d+))?_(\w+)")
_ORDER = {  # of the arrays of a layer in Keras' files, by the class of the layer
    "kernel": 0,
    "bias": 1,
    "depthwise_kernel": 0,
    "pointwise_kernel": 1,
    "gamma": 0,
    "beta": 1,
    "moving_mean": 2,
    "moving_variance": 3,
}


class _Place(NamedTuple):
    """Where a variable is: the layer's name and the position of the array among the layer's."""

    layer: str
    number: int


def fetch(application: Application, include_top: bool) -> Path:
    """The official ImageNet weights, downloaded into Keras' cache unless they are there.

    Raises:
        ZooError: they cannot be fetched, or their hash is wrong.
    """
    file = application.official(include_top)
    try:
        return Path(keras.utils.get_file(file.name, file.url, cache_subdir="models", file_hash=file.md5))
    except Exception as error:  # Keras raises bare exceptions here, for no network as for a wrong hash
        raise ZooError(
            f"Expected the ImageNet weights of keras.applications.{application.model}, {file.url} with MD5 {file.md5}. "
            f"Received: {_first_line(error)}"
        ) from None


def is_keras_file(path: Path) -> bool:
    """Whether an HDF5 file is one that Keras wrote, old style or new."""
    try:
        with h5py.File(path, "r") as file:
            return any("layer_names" in group.attrs for group in _groups(file)) or (
                "layers" in file and "format" not in file.attrs
            )
    except (OSError, RuntimeError, KeyError):
        return False


def load(model: keras.Model, path: Path, application: Application, include_top: bool) -> None:
    """Give our model the weights in a file of the application's.

    Args:
        model: ours.
        path: a weights file of the ``keras.applications`` model, in the format of the official files or Keras 3's own.
        application: which model it is of.
        include_top: whether `model` has its classifier; if not, the file may have one nevertheless.

    Raises:
        ZooError: the file cannot be read, or is of another model.
    """
    places = {variable.path: their_place(variable.path, application.repeats) for variable in model.weights}
    values = _by_name(path, set(places.values()))
    if values is None:
        classes = model.output_shape[-1] if include_top else None
        values = _by_keras(path, set(places.values()), application, classes)
    for variable in model.weights:
        place = places[variable.path]
        if values[place].shape != tuple(variable.shape):
            raise ZooError(
                f"Expected weights of keras.applications.{application.model} ({place.layer} of shape "
                f"{tuple(variable.shape)}). Received: {path} with {values[place].shape}"
            )
    for variable in model.weights:
        variable.assign(values[places[variable.path]])


def their_place(path: str, repeats: int) -> _Place:
    """Where the application has the variable that ours has at `path`.

    Example:
        >>> their_place("stage2_cell1_block5_left_sep1/depthwise_kernel", repeats=4)
        _Place(layer='separable_conv_1_normal_left5_5', number=0)
        >>> their_place("reduction2_before_bn/gamma", repeats=4).layer
        'adjust_bn_reduce_8'
    """
    layer, _, variable = path.partition("/")
    return _Place(_their_layer(layer, repeats), _ORDER[variable])


def _their_layer(layer: str, repeats: int) -> str:
    if layer in ("stem_conv", "stem_bn"):
        return f"{layer}1"
    match = _CELL.fullmatch(layer)
    if match is None:
        return layer
    where, number, rest = match[1], int(match[2]), match[4]
    if where == "stage":  # cells are counted from 0; a reduction cell counts as one but has a name of its own
        kind, identity = "normal", str((number - 1) * repeats + (number > 1) + int(match[3]) - 1)
    elif where == "stem_cell":
        kind, identity = "reduction", f"stem_{number}"
    else:
        kind, identity = "reduction", f"reduce_{number * repeats}"
    if rest in _INNER:
        return f"{_INNER[rest].format(kind=kind)}_{identity}"
    operation = _OPERATION.fullmatch(rest)
    assert operation is not None, layer  # NASNet-A has no other layers with weights
    block, side, what, which = operation.groups()
    if kind == "reduction" and block == "5":
        block = "4"  # so called there
    return f"separable_conv_{which}{'_bn' if what == 'bn' else ''}_{kind}_{side}{block}_{identity}"


def _groups(file: h5py.File) -> list[h5py.Group]:
    """Where the layers of an old-style file may be: at the root, or beside a whole model."""
    return [file, *([file["model_weights"]] if isinstance(file.get("model_weights"), h5py.Group) else [])]


def _by_name(path: Path, places: set[_Place]) -> dict[_Place, np.ndarray] | None:
    """The arrays of an old-style file; ``None`` where it is none, or its layers have other names."""
    values: dict[_Place, np.ndarray] = {}
    try:
        with h5py.File(path, "r") as file:
            for group in _groups(file):
                if "layer_names" not in group.attrs or not all(place.layer in group for place in places):
                    continue
                for place in places:
                    names = group[place.layer].attrs["weight_names"]
                    name = names[place.number]
                    values[place] = np.asarray(group[place.layer][name.decode() if isinstance(name, bytes) else name])
                return values
    except (OSError, RuntimeError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ZooError(f"Expected a readable HDF5 file of weights. Received: {path} ({error})") from None
    return None


def _by_keras(
    path: Path, places: set[_Place], application: Application, classes: int | None
) -> dict[_Place, np.ndarray]:
    """The arrays of a file that only Keras can take apart, by way of its own model; `classes` of its classifier."""
    problem: Exception | None = None
    for with_top in (True,) if classes is not None else (False, True):
        try:
            make = getattr(keras.applications, application.model)  # torch: Keras refuses the mobile one
            theirs = make(weights=None, include_top=with_top, classes=classes or 1000)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Skipping nested container")  # it raises as well
                theirs.load_weights(path)
        except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:  # of files of any other kind
            problem = error
            continue
        return {
            place: keras.ops.convert_to_numpy(
                keras.ops.stop_gradient(theirs.get_layer(place.layer).weights[place.number].value)
            )
            for place in places
        }
    top = "" if classes is None else f" with its classifier of {classes} classes"
    raise ZooError(
        f"Expected weights of keras.applications.{application.model}{top}, in a .weights.h5 file of Keras 3 or an older"
        f" HDF5 file. Received: {path} ({_first_line(problem)})"
    )


def _first_line(error: Exception | None) -> str:
    """What an error says first, or what it is."""
    return (str(error) or type(error).__name__).splitlines()[0]
