"""Image sets that TensorFlow Datasets has prepared in a folder. Only that folder is read: nothing is ever downloaded.

TFDS itself reads what the folder says about the set (features, class names, splits, shards); none of the set's own
code is needed or imported. The images stay where they are in the shards, each known by its place, so that a set larger
than the memory can be streamed. The shards are read here and not by `tf.data`, which would take hold of every GPU in
each process that only wants to look at the data.
"""

from __future__ import annotations

import json
import os
import re
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from automl_cells.datasets.base import Dataset
from automl_cells.datasets.encoded import Part, Reading, from_encoded
from automl_cells.datasets.pixels import EncodedImage
from automl_cells.errors import DataError

_NAME = re.compile(r"(?P<name>[a-z][a-z0-9_]*)(?:/(?P<config>[\w.+-]+))?(?::(?P<version>\d+\.\d+\.\d+))?", re.ASCII)
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_FILES = ("dataset_info.json", "features.json")
_TEST = ("test", "validation")


def load_tfds(target: str, data_dir: str | Path | None = None, reading: Reading | None = None) -> Dataset:
    """Read a prepared set: its training split, and ``test`` (or ``validation``, or a quarter held out) as test part.

    Args:
        target: ``NAME``, ``NAME/CONFIG`` or ``NAME:VERSION`` as TFDS has them; by default the newest version there is.
        data_dir: where TFDS keeps its sets; by default ``$TFDS_DATA_DIR``, else ``~/tensorflow_datasets``.
        reading: sizes, damaged files, memory; by default as `Reading` says.

    Raises:
        DataError: the set is not prepared there, is not of images with one label each, or cannot be read; or
            TensorFlow Datasets is not installed.
    """
    match = _NAME.fullmatch(target)
    if not match:
        raise DataError(f"Expected tfds:NAME, tfds:NAME/CONFIG or tfds:NAME:VERSION. Received: tfds:{target}")
    home = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()
    folder = _folder(home, target, match["name"], match["config"], match["version"])
    _check_features(folder)
    info = _info(folder)
    image, label, names = _keys(info, target)
    train = _part(info, "train", image, label, folder)
    test = None
    for split in _TEST:
        if split in info.splits:
            part = _part(info, split, image, label, folder)
            if part.images and part.labels.min() >= 0:  # a test split for a competition has -1 for every label
                test = part
                break
    name = f"{match['name']}_{match['config']}" if match["config"] else match["name"]
    return from_encoded(train, test, names, name, reading or Reading())


def _folder(home: Path, target: str, name: str, config: str | None, version: str | None) -> Path:
    """The folder of one version, which holds `_FILES`."""
    base = home / name / config if config else home / name
    found = _versions(base)
    if not found and not config and base.is_dir():
        configs = sorted(entry.name for entry in base.iterdir() if entry.is_dir() and _versions(entry))
        if len(configs) > 1:
            raise DataError(
                f"Expected one of the configurations of {name} in {home}: "
                f"{', '.join(f'tfds:{name}/{each}' for each in configs[:10])}. Received: tfds:{target}"
            )
        if configs:
            found = _versions(base / configs[0])
    chosen = [folder for folder in found if folder.name == version] if version else found
    if not chosen:
        there = f"only version {', '.join(folder.name for folder in found)}" if found else "nothing of that name"
        raise DataError(
            f"Expected the prepared data set {target} in {home}. Received: {there}. On a machine with a network, "
            f"prepare it with python -c \"import tensorflow_datasets as tfds; tfds.load('{target}', "
            f"data_dir='tensorflow_datasets')\" and copy the folder tensorflow_datasets/{name} to {home / name}"
        )
    return chosen[-1]


def _versions(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    found = [
        entry
        for entry in folder.iterdir()
        if _VERSION.fullmatch(entry.name) and all((entry / file).is_file() for file in _FILES)
    ]
    return sorted(found, key=lambda entry: tuple(map(int, entry.name.split("."))))


def _check_features(folder: Path) -> None:
    """Refuse features of other packages: TFDS imports whatever module the file names."""

    def classes(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in ("pythonClassName", "type"):
                    yield str(inner)
                yield from classes(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from classes(inner)

    try:
        document = json.loads((folder / "features.json").read_text(encoding="utf-8"))
        foreign = [name for name in classes(document) if not name.startswith("tensorflow_datasets.core.features.")]
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"Expected a readable features.json in {folder}. Received: {error}") from None
    if foreign:
        raise DataError(f"Expected features of TensorFlow Datasets itself in {folder}. Received: {foreign[0]:.80}")


def _info(folder: Path) -> Any:
    """What TFDS knows of the folder, a `tfds.core.DatasetInfo`; reads files there only."""
    os.environ.setdefault("NO_GCE_CHECK", "true")  # TensorFlow: do not ask whether this is a machine of Google's
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries tell their developers
        try:
            import tensorflow  # noqa: F401  TFDS imports it late, with an error of its own
            import tensorflow_datasets as tfds
        except ImportError as error:
            raise DataError(
                "Expected tensorflow-datasets and tensorflow to be installed for tfds:NAME "
                f"(pip install tensorflow-datasets tensorflow). Received: {error}"
            ) from None
        try:
            return tfds.builder_from_directory(str(folder)).info
        except Exception as error:  # a damaged folder makes it raise almost anything
            raise DataError(
                f"Expected a data set prepared by TensorFlow Datasets. Received: {folder} ({_first_line(error)})"
            ) from None


def _keys(info: Any, target: str) -> tuple[str, str, list[str] | None]:
    """The names of the image and the label, and the class names if the set has any."""
    import tensorflow_datasets as tfds

    features = info.features
    keys = info.supervised_keys
    plain = isinstance(keys, tuple) and len(keys) == 2 and all(isinstance(key, str) for key in keys)
    image, label = keys if plain else ("image", "label")
    one, two = (dict(features).get(key) for key in (image, label))
    if not isinstance(one, tfds.features.Image) or np.dtype(one.np_dtype).kind != "u":
        raise DataError(
            f"Expected an image of 8 or 16 bits under {image!r} in {target}. Received: {list(features)}, {one}"
        )
    if isinstance(two, tfds.features.ClassLabel):
        return image, label, list(two.names)
    if two is None or two.shape != () or np.dtype(two.np_dtype).kind not in "ui":
        raise DataError(f"Expected one whole number under {label!r} in {target}. Received: {list(features)}, {two}")
    return image, label, None


def _part(info: Any, split: str, image: str, label: str, folder: Path) -> Part:
    import tensorflow as tf

    if split not in info.splits:
        raise DataError(f"Expected a split {split!r} in {folder}. Received: {', '.join(info.splits) or 'none'}")
    if info.file_format.value != "tfrecord":
        raise DataError(f"Expected TFRecord files in {folder}. Received: {info.file_format.value}")
    images, labels = [], []
    for shard in map(Path, info.splits[split].filepaths):
        for offset, record in _records(shard):
            try:
                features = tf.train.Example.FromString(record).features.feature
                (encoded,) = features[image].bytes_list.value
                (number,) = features[label].int64_list.value
            except Exception as error:  # of protobuf, or another number of values
                raise DataError(
                    f"Expected an image and a label in {shard} at byte {offset}. Received: {error}"
                ) from None
            images.append(EncodedImage(shard, offset + record.index(encoded), len(encoded)))
            labels.append(number)
    if len(images) != info.splits[split].num_examples:
        raise DataError(
            f"Expected {info.splits[split].num_examples} images in the split {split!r} of {folder}. "
            f"Received: {len(images)}"
        )
    return Part(images, np.array(labels, np.int64))


def _records(shard: Path) -> Iterator[tuple[int, bytes]]:
    """Each record of a TFRecord file with its first byte: length (8 bytes), checksum (4), record, checksum (4)."""
    try:
        size = shard.stat().st_size
        with shard.open("rb") as file:
            place = 0
            while place < size:
                head = file.read(12)
                length = struct.unpack("<Q", head[:8])[0] if len(head) == 12 else size
                if length > size - place - 16:
                    raise DataError(f"Expected whole records in {shard}. Received: the file ends in one (byte {place})")
                yield place + 12, file.read(length)
                file.seek(4, os.SEEK_CUR)
                place += length + 16
    except OSError as error:
        raise DataError(f"Expected the shard {shard}. Received: {error.strerror}") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
