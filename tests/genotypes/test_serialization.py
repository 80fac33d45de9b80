"""Genotype files: the round trip, and one error that names the place for every kind of bad file."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automl_cells.errors import GenotypeError
from automl_cells.genotypes import (
    BlockGenotype,
    dumps,
    from_document,
    load_with_provenance,
    loads,
    read,
    to_document,
    write,
)
from tests.genotypes.blocks import blocks

BLOCK = BlockGenotype.from_codes([(1, 1, 3, 0, 0), (2, 1, 1, 1, 0), (3, 5, 0, 0, 2), (4, 7, 0, 0, 0)])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(blocks(), st.dictionaries(st.text(), json_values, max_size=3))
def test_round_trip(block: BlockGenotype, provenance: dict[str, Any]) -> None:
    text = dumps(block, provenance)
    again = loads(text)
    assert again == block
    assert again.hash == block.hash
    assert json.loads(text) == to_document(block, provenance)
    assert dumps(again, provenance) == text


def test_the_document_by_hand() -> None:
    document = to_document(BLOCK, {"space": "blockqnn"})
    assert document == {
        "format": "automl_cells/genotype",
        "version": 1,
        "kind": "block",
        "layers": [[1, 1, 3, 0, 0], [2, 1, 1, 1, 0], [3, 5, 0, 0, 2], [4, 7, 0, 0, 0]],
        "hash": BLOCK.hash,
        "provenance": {"space": "blockqnn"},
    }
    assert len(dumps(BLOCK).splitlines()) == 13  # one layer a line


def test_write_and_read(tmp_path: Path) -> None:
    path = tmp_path / "found" / "best.json"
    write(BLOCK, path, {"reward": 93.5})
    assert read(path) == BLOCK
    assert load_with_provenance(path) == (BLOCK, {"reward": 93.5})
    assert [entry.name for entry in path.parent.iterdir()] == ["best.json"]


def test_provenance_is_not_hashed_and_may_be_missing() -> None:
    document = to_document(BLOCK)
    del document["provenance"]
    assert from_document(document) == BLOCK
    assert to_document(BLOCK, {"seed": 1})["hash"] == document["hash"]


def changed(**fields: Any) -> str:
    """The text of a good genotype with some fields changed; `...` leaves a field out."""
    document = {**to_document(BLOCK), **fields}
    return json.dumps({name: value for name, value in document.items() if value is not ...})


def relayered(*codes: Any) -> str:
    return changed(layers=list(codes))


CONV, END = [1, 1, 3, 0, 0], [2, 7, 0, 0, 0]
HUGE_LAYERS = '{"format": "automl_cells/genotype", "version": 1, "kind": "block", "layers": [' + ",".join(
    ["[1,4,0,0,0]"] * 900_000
)  # 10.8 MB
BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "a JSON document"),
    "not JSON": ("layers: 3", "a JSON document.*line 1 column 1"),
    "cut off": (changed()[:60], "a JSON document"),
    "not UTF-8": (b'{"format": "\xff\xfe"}', "a JSON document"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "a JSON document"),
    "a list": ("[]", "a JSON object with format .*Received: 'list'"),
    "a number": ("1", "a JSON object with format .*Received: 'int'"),
    "null": ("null", "a JSON object with format"),
    "no format": (changed(format=...), "with format 'automl_cells/genotype'. Received: None"),
    "other format": (changed(format="automl_cells/model"), "with format .*Received: 'automl_cells/model'"),
    "no version": (changed(version=...), "version 1.*Received: None"),
    "later version": (changed(version=2), "version 1.*Received: 2"),
    "version as text": (changed(version="1"), "version 1.*Received: '1'"),
    "version as float": (changed(version=1.0), "version 1.*Received: 1.0"),
    "version as boolean": (changed(version=True), "version 1.*Received: True"),
    "no kind": (changed(kind=...), "a kind among .*Received: None"),
    "other kind": (changed(kind="cell2"), "a kind among .*Received: 'cell2'"),
    "kind as list": (changed(kind=["block"]), "a kind among"),
    "no layers": (changed(layers=...), "the field 'layers'"),
    "layers as object": (changed(layers={"1": CONV}), "the field 'layers', a list"),
    "unknown field": (changed(weights=[1]), "and no other. Received: .*weights"),
    "no hash": (changed(hash=...), "Expected hash sha256:.*Received: None"),
    "wrong hash": (changed(hash="sha256:" + 64 * "0"), "Expected hash sha256:.*Received: 'sha256:0000"),
    "hash as number": (changed(hash=3), "Expected hash sha256:.*Received: 3"),
    "other layers than hashed": (relayered(CONV, END), "Expected hash sha256:"),
    "provenance as list": (changed(provenance=[1]), r"provenance as a JSON object. Received: \[1\]"),
    "NaN in a layer": (relayered([1, 1, float("nan"), 0, 0], END), "Received: NaN"),
    "NaN in the provenance": (changed(provenance={"reward": float("nan")}), "Received: NaN"),
    "infinity": (changed(provenance={"reward": float("-inf")}), "Received: -Infinity"),
    "cycle": (relayered(CONV, [2, 1, 3, 3, 0], [3, 1, 3, 2, 0], [4, 7, 0, 0, 0]), "predecessor 1 of layer 2.*cycle"),
    "dangling": (relayered([1, 1, 3, 7, 0], END), "predecessor 1 of layer 1.*Received: 7"),
    "negative": (relayered([1, 1, 3, -1, 0], END), "predecessor 1 of layer 1.*no such layer"),
    "kernel": (relayered([1, 1, 2, 0, 0], END), "kernel of layer 1"),
    "unused predecessor": (relayered(CONV, [2, 4, 0, 1, 1], [3, 7, 0, 0, 0]), "predecessor 2 of layer 2"),
    "boolean": (relayered([1, True, 3, False, 0], END), "layer 1 as five integers"),
    "float": (relayered(CONV, [2.0, 7, 0, 0, 0]), "layer 2 as five integers"),
    "text": (relayered(["1", 1, 3, 0, 0], END), "layer 1 as five integers"),
    "huge number": (relayered([1, 1, 10**300, 0, 0], END), "kernel of layer 1"),
    "number of 5000 digits": (changed().replace("3", "3" * 5000, 1), "a JSON document"),
    "layer as object": (relayered({"type": 1}, END), "layer 1 as five integers"),
    "no terminal": (relayered(CONV), "ends with the terminal"),
    "after the terminal": (relayered(CONV, END, [3, 1, 3, 1, 0]), "nothing after the terminal.*layer 3"),
    "129 layers": (relayered(*([i, 4, 0, 0, 0] for i in range(1, 130)), [130, 7, 0, 0, 0]), "at most 128 layers"),
    "10 MB of layers": (HUGE_LAYERS, "at most 1000000 bytes"),
    "10 MB of blanks": (" " * 10_000_000, "at most 1000000 bytes"),
    "nested brackets": ("[" * 100_000, "a JSON document"),
    "nested objects": ('{"a":' * 100_000, "a JSON document"),
    "nested brackets in a layer": (
        changed(layers="?").replace('"?"', "[" * 100_000 + "]" * 100_000),
        "a JSON document",
    ),
}  # fmt: skip
every_bad_text = pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD.keys())


@every_bad_text
def test_bad_text_is_refused_with_the_place(text: str | bytes, message: str) -> None:
    started = time.process_time()
    with pytest.raises(GenotypeError, match=message) as caught:
        loads(text)
    assert time.process_time() - started < 5
    report = str(caught.value)
    assert report.startswith("Expected ")
    assert ". Received: " in report
    assert len(report) < 700
    assert "\n" not in report


@every_bad_text
def test_a_bad_file_is_refused_with_its_name(text: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(GenotypeError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: Expected ")


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["a folder", "missing"])
def test_what_is_no_file_is_refused_with_its_name(make: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "genotype.json"
    make(path)
    with pytest.raises(GenotypeError, match=r"a readable genotype file\. Received: .*genotype\.json \(.+\)"):
        read(path)


def test_of_a_huge_file_only_the_beginning_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(GenotypeError, match="at most 1000000 bytes"):
        read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_list_too_long_for_memory_is_not_walked_to_its_end() -> None:
    document = {**to_document(BLOCK), "layers": [[1, 4, 0, 0, 0]] * 10_000_000}
    started = time.process_time()
    with pytest.raises(GenotypeError, match=r"layer 2 to have index 2|at most 128 layers"):
        from_document(document)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}], ids=["nan", "inf", "object", "set"])
def test_provenance_that_json_cannot_hold_is_not_written(value: object, tmp_path: Path) -> None:
    with pytest.raises(GenotypeError, match="provenance"):
        write(BLOCK, tmp_path / "best.json", {"reward": value})
    assert list(tmp_path.iterdir()) == []
