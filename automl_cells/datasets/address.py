"""The words that name a data set, taken apart: ``KIND:TARGET?option=value&option=value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl_cells.errors import DataError

_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


@dataclass(frozen=True)
class Address:
    """Words that name a data set, in parts.

    Attributes:
        kind: what stands before the colon, or the whole name if there is none: ``digits``, ``npz``.
        target: what stands between the colon and the options: a path or name; ``""`` without a colon.
        options: the options as texts, in the order given.
    """

    kind: str
    target: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        words = f"{self.kind}:{self.target}" if self.target else self.kind
        return words + ("?" + "&".join(f"{name}={text}" for name, text in self.options.items()) if self.options else "")


def parse(words: str) -> Address:
    """Take words apart.

    Values stand as they are, without escapes. If the target is a path that exists although there is a question mark
    in it, the path wins: the options begin at the last question mark with an existing path before it.

    >>> parse("folder:photos?size=64&corrupt=skip")
    Address(kind='folder', target='photos', options={'size': '64', 'corrupt': 'skip'})

    Raises:
        DataError: an option without an equals sign, or given twice.
    """
    kind, colon, rest = words.partition(":") if ":" in words.partition("?")[0] else (words, "", "")
    if not colon:
        kind, _, listed = words.partition("?")
        return Address(kind, "", _options(listed, words))
    marks = [match.start() for match in re.finditer(r"\?", rest)]
    cuts = [len(rest), *reversed(marks)]
    cut = next((cut for cut in cuts if cut and _exists(rest[:cut])), marks[0] if marks else len(rest))
    return Address(kind, rest[:cut], _options(rest[cut + 1 :], words))


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False


def _options(listed: str, words: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in listed.split("&") if listed else []:
        name, equals, text = part.partition("=")
        if not name or not equals:
            raise DataError(f"Expected options as name=value with & between. Received: {part!r} in {words}")
        if name in found:
            raise DataError(f"Expected each option once. Received: {name} twice in {words}")
        found[name] = text
    return found


def values(address: Address, known: Mapping[str, Callable[[str, str], Any]]) -> dict[str, Any]:
    """The options of an address as values.

    Args:
        address: the words.
        known: for each option a function of its name and text that gives its value or raises.

    Raises:
        DataError: an option that is not known, or a value that is not valid.
    """
    for name, text in address.options.items():
        if name not in known:
            raise DataError(
                f"Expected an option of {address.kind} among {', '.join(sorted(known))}. Received: {name}={text}"
            )
    return {name: known[name](name, text) for name, text in address.options.items()}


def whole(name: str, text: str) -> int:
    """A whole number from 0 to 2**32 - 1.

    Raises:
        DataError: anything else.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) >= 2**32:
        raise DataError(f"Expected {name} as a whole number from 0. Received: {name}={text}")
    return int(text)


def size(name: str, text: str) -> tuple[int, int]:
    """``"64"`` or ``"48,64"`` as (height, width).

    Raises:
        DataError: anything else, or sides beyond 1 … 4096.
    """
    match = re.fullmatch(r"([0-9]{1,4})(?:,([0-9]{1,4}))?", text)
    sides = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not all(1 <= side <= 4096 for side in sides):
        raise DataError(f"Expected {name} as SIDE or HEIGHT,WIDTH, each 1 to 4096. Received: {name}={text}")
    return sides


def memory(name: str, text: str) -> int:
    """``"500m"``, ``"2g"``, ``"1000000"`` as bytes.

    Raises:
        DataError: anything else.
    """
    match = re.fullmatch(r"([0-9]{1,12})([kmgt]?)b?", text.lower())
    if not match:
        raise DataError(f"Expected {name} as bytes, such as 500m or 2g. Received: {name}={text}")
    return int(match[1]) * _BYTES[match[2]]


def one_of(*choices: str) -> Callable[[str, str], str]:
    """A function that lets only these texts pass, else raises `DataError`."""

    def check(name: str, text: str) -> str:
        if text not in choices:
            raise DataError(f"Expected {name} among {', '.join(choices)}. Received: {name}={text}")
        return text

    return check


def folder(name: str, text: str) -> Path:
    """A path that is not empty; ``~`` is the user's home.

    Raises:
        DataError: an empty one.
    """
    if not text:
        raise DataError(f"Expected {name} as a folder. Received: nothing")
    return Path(text).expanduser()
