"""Addresses on a shelf: ``name/tag-vN``. The name is a structure, the tag the data that its weights learnt."""

from __future__ import annotations

import re
from typing import NamedTuple

from automl_cells.errors import ZooError
from automl_cells.files import WORD

_ADDRESS = re.compile(rf"({WORD})/({WORD})-v([1-9][0-9]{{0,5}})")
_QUERY = re.compile(rf"({WORD})(?:/({WORD})(?:-v([1-9][0-9]{{0,5}}))?)?")


class Address(NamedTuple):
    """Where an entry stands on a shelf.

    Attributes:
        name: the structure.
        tag: the data.
        version: counts from 1; the numbers of a name and tag never mean anything else later.
    """

    name: str
    tag: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}/{self.tag}-v{self.version}"

    @property
    def folder(self) -> str:
        """Path of the entry's folder on every shelf."""
        return str(self)

    @classmethod
    def parse(cls, text: str) -> Address:
        """The inverse of ``str``.

        Raises:
            ZooError: not an address with a version.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise ZooError(f"Expected an address name/tag-vN. Received: {text!r:.120}")
        return cls(match[1], match[2], int(match[3]))


class Query(NamedTuple):
    """An address that may leave the version, or tag and version, open."""

    name: str
    tag: str | None
    version: int | None

    @classmethod
    def parse(cls, text: str) -> Query:
        """Read ``name``, ``name/tag`` or ``name/tag-vN``.

        Raises:
            ZooError: none of these.
        """
        match = _QUERY.fullmatch(text)
        if match is None:
            raise ZooError(f"Expected an address name, name/tag or name/tag-vN. Received: {text!r:.120}")
        return cls(match[1], match[2], int(match[3]) if match[3] else None)

    def matches(self, address: Address) -> bool:
        """Whether `address` agrees with everything that is not open."""
        return address.name == self.name and self.tag in (None, address.tag) and self.version in (None, address.version)


def check_word(word: str, what: str) -> str:
    """`word`, if it can be a name or tag on a shelf.

    Raises:
        ZooError: it cannot; the message names the option that gives another one.
    """
    if not re.fullmatch(WORD, word):
        raise ZooError(
            f"Expected a {what} of a-z, 0-9 and '_', at most 100 characters (--{what} gives another). "
            f"Received: {word!r:.120}"
        )
    return word
