"""Which weights hold for images of which sizes, where self-attention acts on small maps only."""

from __future__ import annotations

import pytest

from automl_cells.builder import Template, template
from automl_cells.builder.image_size import check_size
from automl_cells.errors import TemplateError
from automl_cells.genotypes import BlockGenotype

ATTENTION = BlockGenotype.from_codes([(1, 8, 3, 0, 0), (2, 11, 0, 1, 0), (3, 7, 0, 0, 0)])
REST = BlockGenotype.from_codes([(1, 8, 3, 0, 0), (2, 9, 3, 1, 0), (3, 10, 0, 2, 0), (4, 7, 0, 0, 0)])
TRAINED = template("cifar", repeats=1, filters=(4, 8, 8), input_shape=(32, 32, 3))


def of_size(side: int | None) -> Template:
    return template(TRAINED, input_shape=(side, side, 3))


@pytest.mark.parametrize("side", [17, 31, 32])  # stages of 17, 9, 5 and of 31, 16, 8 pixels a side
def test_self_attention_in_the_same_stages(side: int) -> None:
    for head in (True, False):
        check_size(ATTENTION, TRAINED, of_size(side), head=head)


@pytest.mark.parametrize(
    ("side", "layer"),
    [
        (16, "stage2_block1_layer2_attention"),  # 8 pixels in the second stage too
        (33, "stage3_block1_layer2_attention"),  # 9 in the third
        (8, "stage1_block1_layer2_attention"),
    ],
)
def test_self_attention_in_other_stages_is_refused(side: int, layer: str) -> None:
    message = rf"^Expected images of 32x32, .* since the layer {layer} reads the whole map\. Received: {side}x{side}$"
    for head in (True, False):
        with pytest.raises(TemplateError, match=message):
            check_size(ATTENTION, TRAINED, of_size(side), head=head)


def test_self_attention_and_images_of_any_size() -> None:
    with pytest.raises(TemplateError, match=r"a fixed size with a network that attends to all positions of its map"):
        check_size(ATTENTION, TRAINED, of_size(None), head=True)


@pytest.mark.parametrize("side", [8, 33, 224, None])
def test_the_other_operations_take_images_of_any_size(side: int | None) -> None:
    check_size(REST, TRAINED, of_size(side), head=True)
