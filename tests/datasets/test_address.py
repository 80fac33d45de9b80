import pytest

from automl_cells.datasets.address import Address, folder, memory, one_of, parse, size, values, whole
from automl_cells.errors import DataError


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("digits", Address("digits")),
        ("digits?train=500&seed=1", Address("digits", "", {"train": "500", "seed": "1"})),
        ("npz:a/b.npz", Address("npz", "a/b.npz")),
        ("tfds:mnist:3.0.1?data_dir=/a=b:c", Address("tfds", "mnist:3.0.1", {"data_dir": "/a=b:c"})),
        ("folder:none?size=4,5&corrupt=skip", Address("folder", "none", {"size": "4,5", "corrupt": "skip"})),
        ("folder:none?", Address("folder", "none")),
        ("npz:", Address("npz")),
    ],
)
def test_words_are_taken_apart_and_put_together_again(words, parts):
    assert parse(words) == parts
    assert parse(str(parts)) == parts


def test_an_existing_path_with_a_question_mark_wins(tmp_path):
    (tmp_path / "what?size=1").mkdir()
    (tmp_path / "what").mkdir()
    assert parse(f"folder:{tmp_path}/what?size=1") == Address("folder", f"{tmp_path}/what?size=1")
    assert parse(f"folder:{tmp_path}/what?size=1?seed=2").options == {"seed": "2"}
    assert parse(f"folder:{tmp_path}/what?size=2") == Address("folder", f"{tmp_path}/what", {"size": "2"})


@pytest.mark.parametrize("words", ["digits?train", "digits?=5", "digits?train=5&", "digits?a=1&a=2"])
def test_options_that_cannot_be_read_are_refused(words):
    with pytest.raises(DataError, match="Received: "):
        parse(words)


def test_an_unknown_option_lists_the_known_ones():
    with pytest.raises(DataError, match=r"option of npz among seed, train. Received: foo=1"):
        values(parse("npz:a?foo=1"), {"train": whole, "seed": whole})


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (whole, "500", 500),
        (size, "64", (64, 64)),
        (size, "48,64", (48, 64)),
        (memory, "2g", 2 * 1024**3),
        (memory, "500MB", 500 * 1024**2),
        (memory, "10", 10),
        (one_of("refuse", "skip"), "skip", "skip"),
    ],
)
def test_values(read, text, value):
    assert read("name", text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (whole, "-1"),
        (whole, "1.5"),
        (whole, "4294967296"),
        (whole, "٣"),
        (size, "0"),
        (size, "64,"),
        (size, "1,2,3"),
        (size, "5000"),
        (memory, "much"),
        (memory, "-1g"),
        (one_of("refuse", "skip"), "no"),
        (folder, ""),
    ],
)
def test_values_that_are_not_valid_are_refused(read, text):
    with pytest.raises(DataError, match=r"Expected name .*Received: "):
        read("name", text)
