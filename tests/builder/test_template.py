"""Templates: the packaged ones, changes of their sizes, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from automl_cells.builder import template, template_names
from automl_cells.builder.template import from_document
from automl_cells.errors import TemplateError


def test_packaged_templates_are_the_papers() -> None:
    assert {"cifar", "imagenet", "imagenet_mobile"} <= set(template_names())
    cifar, imagenet = template(), template("imagenet")
    assert (cifar.name, cifar.input_shape, cifar.classes) == ("cifar", (32, 32, 3), 10)
    assert (cifar.repeats, cifar.filters) == (2, (32, 64, 128))
    assert [layer.op for layer in cifar.stem] == ["conv"]
    assert (imagenet.input_shape, imagenet.classes) == ((224, 224, 3), 1000)
    assert (imagenet.repeats, imagenet.filters) == (3, (64, 128, 256, 512))
    assert [layer.op for layer in imagenet.stem] == ["conv", "max_pool", "conv", "max_pool"]


def test_changes() -> None:
    changed = template("cifar", repeats=4, filters=[8, 16], input_shape=(None, None, 1), classes=7)
    assert (changed.repeats, changed.filters, changed.input_shape, changed.classes) == (4, (8, 16), (None, None, 1), 7)
    assert (changed.stem, changed.max_params) == (template("cifar").stem, template("cifar").max_params)
    assert template("cifar").repeats == 2  # the packaged one is as it was


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"filter_multiplier": 0.5}, (16, 32, 64)),
        ({"filter_multiplier": 1}, (32, 64, 128)),
        ({"filter_multiplier": 0.33}, (11, 21, 42)),  # 10.56, 21.12, 42.24
        ({"filter_multiplier": 0.001}, (1, 1, 1)),
        ({"filter_multiplier": 2, "filters": (3, 5)}, (6, 10)),
    ],
)
def test_filter_multiplier_by_hand(options: dict[str, Any], expected: tuple[int, ...]) -> None:
    assert template("cifar", **options).filters == expected


def test_a_template_may_be_changed_again() -> None:
    own = template("imagenet", repeats=1)
    assert template(own, classes=5) == template("imagenet", repeats=1, classes=5)
    assert template(own, filter_multiplier=0.25).filters == (16, 32, 64, 128)


@pytest.mark.parametrize("name", template_names())
def test_document_and_template_are_inverse(name: str) -> None:
    made = template(name, input_shape=(None, 20, 3))
    document = json.loads(json.dumps(made.model_dump(mode="json")))
    assert from_document(document) == made


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "resnet"}, r"a template for a block among \[.*'imagenet'.*\]\. Received: resnet"),
        ({"base": ""}, r"a template for a block among .* Received: $"),
        ({"repeats": 0}, r"valid repeats: .* Received: 0"),
        ({"repeats": 65}, r"valid repeats: .* Received: 65"),
        ({"repeats": 1.5}, r"valid repeats: .* Received: 1\.5"),
        ({"repeats": "many"}, r'valid repeats: .* Received: "many"'),
        ({"filters": ()}, r"valid filters: .* Received: \[\]"),
        ({"filters": (), "filter_multiplier": 2}, r"valid filters: .* Received: \[\]"),
        ({"filters": (8, 0)}, r"valid filters\.1: .* Received: 0"),
        ({"filters": (8, 20_000)}, r"valid filters\.1: .* Received: 20000"),
        ({"filters": (8,) * 9}, r"valid filters: "),
        ({"filter_multiplier": 0}, r"filter multiplier above 0, at most 1000\. Received: 0"),
        ({"filter_multiplier": -1}, r"filter multiplier above 0, .* Received: -1"),
        ({"filter_multiplier": float("nan")}, r"filter multiplier above 0, .* Received: nan"),
        ({"filter_multiplier": 1000.5}, r"filter multiplier above 0, .* Received: 1000\.5"),
        ({"filter_multiplier": 1000}, r"valid filters\.0: .* Received: 32000"),
        ({"input_shape": (32, 32)}, r"valid input_shape"),
        ({"input_shape": (32, 32, None)}, r"valid input_shape\.2: .* Received: null"),
        ({"input_shape": (0, 32, 3)}, r"valid input_shape\.0"),
        ({"input_shape": (32, 5000, 3)}, r"valid input_shape\.1.*: .* Received: 5000"),
        ({"classes": 1}, r"valid classes: .* Received: 1"),
    ],
)
def test_sizes_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        template(**options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stem": [{"op": "dense", "kernel": 3}]}, r"valid stem\.0\.op"),
        ({"stem": [{"op": "conv"}]}, r"valid stem\.0\.kernel"),
        ({"colour": "red"}, r'valid colour: .* Received: "red"'),
        ({"name": 3}, r"valid name: .* Received: 3"),
    ],
)
def test_documents_that_are_no_template(change: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        from_document({**template().model_dump(mode="json"), **change})


def test_a_missing_field_is_named() -> None:
    document = template().model_dump(mode="json")
    del document["classes"]
    with pytest.raises(TemplateError, match=r"valid classes: Field required"):
        from_document(document)


def test_the_document_of_a_block_template_is_as_it_was_before_there_were_kinds() -> None:
    document = template("cifar").model_dump(mode="json")
    assert set(document) == {
        "name", "source", "input_shape", "classes", "stem", "repeats", "filters", "max_params", "max_flops",
    }  # fmt: skip
    assert from_document(document) == from_document({**document, "kind": "block"}) == template("cifar")
    assert template("cifar", kind="cell").model_dump(mode="json")["kind"] == "cell"


@pytest.mark.parametrize("name", template_names("cell"))
def test_document_and_template_of_cells_are_inverse(name: str) -> None:
    made = template(name, kind="cell", input_shape=(None, 40, 3))
    assert from_document(json.loads(json.dumps(made.model_dump(mode="json")))) == made


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], r"a template as a JSON object\. Received: \[\]"),
        ({"kind": "graph"}, r"a kind among \['block', 'cell', 'chain'\]\. Received: 'graph'"),
        ({"kind": ["cell"]}, r"a kind among .*Received: \['cell'\]"),
        ({"kind": "cell", "stem": {"stride": 2, "padding": "same"}}, r"valid stem: .*either filters or multiplier"),
        ({"kind": "cell", "stem": {"stride": 3, "padding": "same", "filters": 3}}, r"valid stem\.stride"),
        ({"kind": "cell", "pool_borders": "mirror"}, r"valid pool_borders"),
    ],
)
def test_documents_of_cells_that_are_no_template(document: Any, message: str) -> None:
    if isinstance(document, dict):
        kind = "cell" if document["kind"] == "cell" else "block"
        document = {**template("cifar", kind=kind).model_dump(mode="json"), **document}
    with pytest.raises(TemplateError, match=message):
        from_document(document)
