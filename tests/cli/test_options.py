import pytest

from automl_cells.cli.options import assignments
from automl_cells.errors import AutoMLCellsError


def test_texts_become_the_values_they_look_like():
    texts = [
        "a=1",
        "b=.5",
        "c=True",
        "d-e=text",
        "f=[1, 3]",
        'g=[{"op": "horizontal_flip"}]',
        "h=[broken",
        "i=",
        "j=null",
    ]
    assert assignments(texts, "--set") == {
        "a": 1, "b": 0.5, "c": True, "d_e": "text", "f": [1, 3], "g": [{"op": "horizontal_flip"}], "h": "[broken",
        "i": "", "j": None,
    }  # fmt: skip


@pytest.mark.parametrize("text", ["novalue", "=1"])
def test_a_text_without_a_name_or_a_value_is_refused(text):
    with pytest.raises(AutoMLCellsError, match=f"--set as NAME=VALUE. Received: {text}"):
        assignments([text], "--set")
