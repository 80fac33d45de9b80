import pytest

from automl_cells.errors import ZooError
from automl_cells.zoo import Address
from automl_cells.zoo.address import Query, check_word


def test_an_address_and_its_text_are_inverse():
    address = Address.parse("blockqnn_cifar/cifar10-v12")
    assert address == Address("blockqnn_cifar", "cifar10", 12)
    assert str(address) == "blockqnn_cifar/cifar10-v12"


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a/b",
        "a/b-v0",
        "a/b-v01",
        "a/b-v-1",
        "a/b-vx",
        "../b-v1",
        "a/../b-v1",
        "A/b-v1",
        "a/b-v1/c",
        "a/b-v1\n",
        "",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ZooError, match=r"Expected an address name/tag-vN. Received: "):
        Address.parse(text)


def test_a_query_leaves_parts_open():
    versions = [Address("a", "b", 1), Address("a", "b", 2), Address("a", "c", 1), Address("d", "b", 1)]

    def matches(text):
        return [address for address in versions if Query.parse(text).matches(address)]

    assert matches("a") == versions[:3]
    assert matches("a/b") == versions[:2]
    assert matches("a/b-v2") == [versions[1]]
    with pytest.raises(ZooError, match=r"Received: '../a'"):
        Query.parse("../a")


def test_words_are_of_small_letters_digits_and_underscores():
    assert check_word("cifar_10", "tag") == "cifar_10"
    for word in ("", "Cifar", "a-b", "a/b", "..", "é", "a" * 101, "a\n"):
        with pytest.raises(ZooError, match="--tag"):
            check_word(word, "tag")
