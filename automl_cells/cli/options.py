"""Options that several commands share, and how their texts become values."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_cells.errors import AutoMLCellsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from automl_cells.genotypes import Genotype

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def integers(text: str | None, what: str) -> tuple[int, ...] | None:
    """``"32,64,128"`` as numbers.

    Raises:
        AutoMLCellsError: anything else.
    """
    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise AutoMLCellsError(f"Expected {what} as whole numbers with commas between. Received: {text}") from None


def stage_filters(
    genotype: Genotype, filters: str | None, penultimate: int | None, multiplier: float | None
) -> tuple[int, ...] | None:
    """The filters of each stage, from ``--filters`` or from ``--penultimate``, which excludes a multiplier too.

    Raises:
        AutoMLCellsError: both were given, or one of them is not valid.
    """
    from automl_cells.builder.penultimate import stage_filters as of_penultimate

    numbers = integers(filters, "--filters")
    if penultimate is None:
        return numbers
    if numbers is not None or multiplier is not None:
        other = f"--filters {filters}" if numbers is not None else f"--filter-multiplier {multiplier}"
        raise AutoMLCellsError(
            f"Expected --penultimate without {other.split()[0]}. Received: {penultimate} and {other}"
        )
    return of_penultimate(genotype, penultimate)


def classes_of(origin: Mapping[str, Any], given: int | None, where: str) -> int | None:
    """`given`, or the classes that a chain in the paper's notation names.

    Raises:
        AutoMLCellsError: both, and they are not the same.
    """
    named = origin.get("classes") if "notation" in origin else None
    if named is not None and given not in (None, named):
        raise AutoMLCellsError(f"Expected {where} as in {origin['notation']:.80}, {named}. Received: {given}")
    return given if named is None else named


def image_shape(text: str | None) -> tuple[int | None, int | None, int] | None:
    """``"32,32,3"`` as (height, width, channels).

    Raises:
        AutoMLCellsError: anything else.
    """
    numbers = integers(text, "--input-shape H,W,C")
    if numbers is None:
        return None
    if len(numbers) != 3:
        raise AutoMLCellsError(f"Expected --input-shape H,W,C, three numbers. Received: {text}")
    return numbers[0], numbers[1], numbers[2]


def duration(text: str | None) -> float | None:
    """``"90"``, ``"90s"``, ``"20m"``, ``"1.5h"`` in seconds.

    Raises:
        AutoMLCellsError: anything else.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None:
        raise AutoMLCellsError(f"Expected a duration such as 90s, 20m or 1.5h. Received: {text}")
    return float(match[1]) * _SECONDS[match[2]]


def assignments(texts: list[str] | None, what: str) -> dict[str, Any]:
    """``["max_index=10", "input_anywhere=true"]`` as a dictionary; what is JSON (numbers, true, lists) becomes a value.

    Raises:
        AutoMLCellsError: a text without an equals sign.
    """
    found: dict[str, Any] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise AutoMLCellsError(f"Expected {what} as NAME=VALUE. Received: {text}")
        found[name.replace("-", "_")] = _value(value)
    return found


def in_directory(words: str, data_dir: Path | None) -> str:
    """The words of a data set with the folder of prepared sets, if one was given, among their options.

    Raises:
        DataError: a folder for words that are not tfds:NAME.
    """
    from automl_cells.datasets import with_data_dir

    return with_data_dir(words, data_dir)


def _value(text: str) -> Any:
    if text[:1] in ("[", "{", '"'):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text == "null":
        return None
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


Data = Annotated[
    str,
    typer.Option(
        "--dataset",
        metavar="DATA",
        help="digits, npz:PATH, folder:PATH or tfds:NAME, with options such as ?size=64 behind it.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder of prepared tfds sets. [default: $TFDS_DATA_DIR, else ~/tensorflow_datasets]",
        show_default=False,
    ),
]
Shelf = Annotated[
    str | None,
    typer.Option(
        "--shelf",
        metavar="STORE",
        help="The shelf: a folder, or https://, s3://, … [default: $AUTOML_CELLS_ZOO, else the package's own]",
        show_default=False,
    ),
]
Template = Annotated[
    str | None,
    typer.Option(
        help="Frame of the network: cifar, imagenet, imagenet_mobile, chain. [default: cifar, for chains chain]",
        show_default=False,
    ),
]
Repeats = Annotated[
    int | None,
    typer.Option(
        help="N, blocks or normal cells a stage, not for chains. [default: the template's]", show_default=False
    ),
]
Penultimate = Annotated[
    int | None,
    typer.Option(metavar="P", help="For cells: P of N @ P, instead of --filters.", show_default=False),
]
Filters = Annotated[
    str | None, typer.Option(metavar="F,F,F", help="Filters of each stage, not for chains. [default: the template's]")
]
FilterMultiplier = Annotated[
    float | None, typer.Option(metavar="M", help="Scales the filters of every stage, or of all layers of a chain.")
]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue what is in the run folder.")]
