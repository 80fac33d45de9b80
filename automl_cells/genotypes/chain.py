"""MetaQNN's chain genotype: layer after layer, in the paper's notation.

Baker et al., "Designing Neural Network Architectures using Reinforcement Learning" (ICLR 2017, arXiv 1611.02167v2),
table 1 and tables A1 to A3:

    ==============  ===========================  =========================================================
    layer           notation                     what it is
    ==============  ===========================  =========================================================
    convolution     ``C(filters,kernel,stride)`` with bias, ``same`` border, then ReLU
    pooling         ``P(kernel,stride)``         the maximum, without a border
    connected       ``FC(neurons)``              fully connected layer of the flattened map, then ReLU
    global average  ``GAP(classes)``             1×1 convolution to the classes, ReLU, average over the map
    termination     ``SM(classes)``              fully connected layer of the flattened map, then softmax
    ==============  ===========================  =========================================================

The number of classes is that of the data, so it is no part of a genotype: it may be left out, is checked for being one
number, and is printed where it is asked for.

A chain keeps the transitions that make sense of it as a network: no pooling right after a pooling, nothing but fully
connected layers and the termination after a fully connected one, nothing but the termination after the global average.
What else a search may propose (numbers of filters, depth, two fully connected layers at most) is the space's business,
and whether the windows fit is known with the size of the images only: see `spaces.metaqnn` and `builder.chain_network`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

from automl_cells.errors import GenotypeError
from automl_cells.genotypes.graph import Graph

MAX_LAYERS = 128  # far above the paper's 18; bounds what a file can make the builder do
MAX_WIDTH = 16_384
MAX_KERNEL = 11
_MAX_CLASSES = 1_000_000
_MAX_TEXT = 10_000

CONVOLUTION, POOLING, CONNECTED, GLOBAL_AVERAGE, TERMINATION = "C", "P", "FC", "GAP", "SM"

_FIELDS: dict[str, tuple[tuple[str, int], ...]] = {
    CONVOLUTION: (("filters", MAX_WIDTH), ("kernel", MAX_KERNEL), ("stride", MAX_KERNEL)),
    POOLING: (("kernel", MAX_KERNEL), ("stride", MAX_KERNEL)),
    CONNECTED: (("neurons", MAX_WIDTH),),
    GLOBAL_AVERAGE: (),
    TERMINATION: (),
}
"""For each letter its numbers, each with the largest value."""

_OF_CLASSES = (GLOBAL_AVERAGE, TERMINATION)
_WORD = re.compile(r"\s*([A-Za-z]*)\s*")
_NUMBERS = re.compile(r"\(([^()]*)\)\s*")


class ChainLayer(NamedTuple):
    """One layer: its letter and its numbers, as in the notation, without the number of classes."""

    letter: str
    numbers: tuple[int, ...] = ()

    def text(self, classes: int | None = None) -> str:
        """In the paper's notation, e.g. ``C(64,3,1)``; ``SM(10)`` or ``GAP(10)`` where `classes` are given."""
        numbers = (classes,) if self.letter in _OF_CLASSES and classes is not None else self.numbers
        return f"{self.letter}({','.join(map(str, numbers))})" if numbers else self.letter


TERMINAL = ChainLayer(TERMINATION)


@dataclass(frozen=True)
class ChainGenotype:
    """A MetaQNN chain.

    Attributes:
        layers: the layers in order, without the termination, which is always softmax. No layer at all is a linear
            classifier.

    Raises:
        GenotypeError: a layer with other numbers than its letter has, or one that may not follow the one before; the
            message names the layer and its position, counted from 1.

    Example:
        >>> chain = ChainGenotype.from_text("C(512,5,1),P(2,2),FC(128),SM(10)")
        >>> chain.layers[0], str(chain)
        (ChainLayer(letter='C', numbers=(512, 5, 1)), 'C(512,5,1),P(2,2),FC(128),SM')
        >>> chain.text(classes=10)
        'C(512,5,1),P(2,2),FC(128),SM(10)'
    """

    layers: tuple[ChainLayer, ...]
    kind: ClassVar[str] = "chain"

    def __post_init__(self) -> None:
        if not isinstance(self.layers, tuple) or not all(isinstance(layer, ChainLayer) for layer in self.layers):
            raise GenotypeError(f"Expected the layers as a tuple of ChainLayer. Received: {self.layers!r:.80}")
        if len(self.layers) > MAX_LAYERS:
            raise GenotypeError(f"Expected a chain of at most {MAX_LAYERS} layers. Received: {len(self.layers)}")
        before = None
        for position, layer in enumerate(self.layers, start=1):
            _check(layer, position)
            _check_transition(before, layer, position)
            before = layer

    @classmethod
    def from_text(cls, text: str) -> ChainGenotype:
        """The chain in the paper's notation, with or without the number of classes; spaces mean nothing.

        Raises:
            GenotypeError: an unknown letter, a bracket or number that is missing, no termination, or layers that make
                no chain; the message names the layer and its position.
        """
        if not isinstance(text, str) or len(text) > _MAX_TEXT:
            raise GenotypeError(f"Expected a chain such as C(64,3,1),P(2,2),SM(10). Received: {text!r:.80}")
        return cls.from_texts(_separated(text))

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> ChainGenotype:
        """As `from_text`, of the texts of single layers, the termination included.

        Raises:
            GenotypeError: as `from_text`.
        """
        layers: list[ChainLayer] = []
        counted: int | None = None
        for position, text in enumerate(texts, start=1):
            if position > MAX_LAYERS + 2:  # one more than the termination: the check of the whole counts them
                raise GenotypeError(f"Expected a chain of at most {MAX_LAYERS} layers. Received: more")
            if layers and layers[-1] == TERMINAL:
                raise GenotypeError(
                    f"Expected nothing after the termination SM. Received: layer {position}, {text!r:.40}"
                )
            layer, classes = _parsed(text, position)
            if classes is not None and counted not in (None, classes):
                raise GenotypeError(
                    f"Expected one number of classes, {counted}. Received: {classes} in layer {position}, {text!r:.40}"
                )
            counted = classes if counted is None else counted
            layers.append(layer)
        if not layers or layers[-1] != TERMINAL:
            last = f"layer {len(layers)}, {layers[-1].text()!r}" if layers else "no layers"
            raise GenotypeError(f"Expected a chain that ends with the termination, e.g. SM(10). Received: {last}")
        return cls(tuple(layers[:-1]))

    def text(self, classes: int | None = None) -> str:
        """In the paper's notation, with the number of classes if it is given."""
        return ",".join(layer.text(classes) for layer in (*self.layers, TERMINAL))

    def __str__(self) -> str:
        return self.text()

    def graph(self) -> Graph:
        """Node 0 is the input, node i layer i, the last node the termination."""
        labels = ("input", *(layer.text() for layer in self.layers), TERMINATION)
        return Graph(labels, ((), *((node,) for node in range(len(labels) - 1))))

    def parts(self) -> tuple[tuple[str, Graph], ...]:
        """The chain alone."""
        return (("chain", self.graph()),)

    @cached_property
    def hash(self) -> str:
        """Canonical hash: see `Graph.canonical_hash`."""
        return self.graph().canonical_hash(salt=self.kind)

    def body(self) -> dict[str, Any]:
        """``{"layers": ["C(64,3,1)", …, "SM"]}``."""
        return {"layers": [layer.text() for layer in (*self.layers, TERMINAL)]}

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> ChainGenotype:
        """The inverse of `body`.

        Raises:
            GenotypeError: as `from_text`, or fields are missing or unknown.
        """
        if set(body) != {"layers"}:
            raise GenotypeError(f"Expected the field 'layers', a list, and no other. Received: {list(body)!r:.120}")
        layers = body["layers"]
        if not isinstance(layers, list):
            raise GenotypeError(f"Expected the field 'layers' as a list. Received: {layers!r:.80}")
        if len(layers) > MAX_LAYERS + 1:
            raise GenotypeError(f"Expected a chain of at most {MAX_LAYERS} layers. Received: {len(layers)}")
        return cls.from_texts(layers)


def classes_in(text: str) -> int | None:
    """The number of classes that a chain in the paper's notation names, if it names one.

    Example:
        >>> classes_in("C(64,3,1),SM(10)"), classes_in("GAP,SM")
        (10, None)
    """
    named = re.search(r"\b(?:SM|GAP)\s*\(\s*(\d+)\s*\)", text)
    return int(named[1]) if named else None


def is_chain_text(word: str) -> bool:
    """Whether a word, which is the name of no file, is meant as a chain in the paper's notation, right or wrong.

    Example:
        >>> [is_chain_text(word) for word in ("C(64,3,1),SM(10)", "X(3),SM", "GAP,SM", "chain (1).json")]
        [True, True, True, False]
    """
    word = word.strip()
    if word.lower().endswith(".json"):
        return False
    known = re.match(rf"({'|'.join(_FIELDS)})\s*([(\[{{,]|$)", word) is not None and len(word) > 1
    return known or re.match(r"[A-Za-z]+\s*\(\s*[-\d)]", word) is not None


def _separated(text: str) -> list[str]:
    """The texts of the layers: cut at the commas outside of brackets."""
    found, depth = [""], 0
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
        if depth not in (0, 1):
            position = f"layer {len(found)}, {found[-1].strip()!r:.40}"
            raise GenotypeError(f"Expected one pair of brackets a layer. Received: {position}")
    if depth:
        raise GenotypeError(f"Expected a closing bracket. Received: layer {len(found)}, {found[-1].strip()!r:.40}")
    return found


def _parsed(text: Any, position: int) -> tuple[ChainLayer, int | None]:
    """One layer of the notation, and the number of classes if it has one."""
    where = f"layer {position}, {text!r:.40}"
    if not isinstance(text, str):
        raise GenotypeError(f"Expected a layer such as C(64,3,1). Received: {where}")
    word = _WORD.match(text)
    letter = word[1] if word else ""
    if letter not in _FIELDS:
        raise GenotypeError(f"Expected a layer among {', '.join(_FIELDS)}, such as C(64,3,1). Received: {where}")
    rest = text[word.end() :] if word else ""
    bracket = _NUMBERS.fullmatch(rest)
    if rest and bracket is None:
        raise GenotypeError(f"Expected {letter} with its numbers in one pair of brackets. Received: {where}")
    given = [part.strip() for part in bracket[1].split(",")] if bracket else []
    names = ["classes"] if letter in _OF_CLASSES and given else [name for name, _ in _FIELDS[letter]]
    if len(given) != len(names) or not all(part.isascii() and part.isdigit() and len(part) < 8 for part in given):
        form = f"{letter}({','.join(names)})" if names else letter
        raise GenotypeError(f"Expected {form}, with whole numbers. Received: {where}")
    numbers = tuple(map(int, given))
    if letter not in _OF_CLASSES:
        return ChainLayer(letter, numbers), None
    if numbers and not 1 <= numbers[0] <= _MAX_CLASSES:
        raise GenotypeError(f"Expected from 1 to {_MAX_CLASSES} classes. Received: {where}")
    return ChainLayer(letter), numbers[0] if numbers else None


def _check(layer: ChainLayer, position: int) -> None:
    """Hold the numbers of a layer against what its letter allows."""
    where = f"layer {position}, {layer.letter}"
    if layer.letter not in _FIELDS or layer == TERMINAL:
        inside = ", ".join(letter for letter in _FIELDS if letter != TERMINATION)
        raise GenotypeError(f"Expected a layer among {inside} before the termination. Received: {where}")
    fields = _FIELDS[layer.letter]
    if len(layer.numbers) != len(fields) or not all(type(number) is int for number in layer.numbers):
        raise GenotypeError(f"Expected {len(fields)} whole numbers in {where}. Received: {layer.numbers!r:.60}")
    for number, (name, most) in zip(layer.numbers, fields, strict=True):
        if not 1 <= number <= most:
            raise GenotypeError(f"Expected the {name} of {where}, from 1 to {most}. Received: {layer.text()}")


def _check_transition(before: ChainLayer | None, layer: ChainLayer, position: int) -> None:
    """Whether a layer may follow the one before (section 4.2)."""
    if before is None:
        return
    where = f"layer {position}, {layer.text()}, after {before.text()}"
    if before.letter == layer.letter == POOLING:
        raise GenotypeError(f"Expected another layer between two poolings. Received: {where}")
    if before.letter == CONNECTED and layer.letter != CONNECTED:
        raise GenotypeError(f"Expected FC or SM after a fully connected layer. Received: {where}")
    if before.letter == GLOBAL_AVERAGE:
        raise GenotypeError(f"Expected SM after the global average. Received: {where}")
