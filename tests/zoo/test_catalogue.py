import pytest

from automl_cells.builder import Cost, template
from automl_cells.errors import ZooError
from automl_cells.genotypes import Cell, CellGenotype, load
from automl_cells.zoo import structure, structures
from automl_cells.zoo.catalogue import differences


@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [
        ("blockqnn_imagenet", 162_805_288, 23_621_918_720),
        ("blockqnn_imagenet_mobile", 4_080_028, 531_638_784),
        ("blockqnn_imagenet_small", 6_993_560, 937_654_272),
        ("blockqnn_cifar", 6_125_866, 858_627_584),
        ("blockqnn_cifar_small", 603_578, 78_827_264),
        ("blockqnn_mnist", 152_338, 15_060_992),
        ("nasnet_a_mobile", 5_289_978, 563_638_816),
        ("nasnet_a_large", 88_753_150, 23_783_414_658),
        ("nasnet_a_cifar", 3_346_538, 544_333_312),
    ],
)
def test_sizes_of_the_named_structures(name, parameters, flops):
    cost = structure(name).cost()
    assert (cost.parameters, cost.flops) == (parameters, flops)


def test_the_sizes_in_the_data_are_those_of_their_templates():
    """structures.json repeats what the templates say; only `small` has filters of its own."""
    for name, base in (
        ("blockqnn_imagenet", "imagenet"),
        ("blockqnn_imagenet_mobile", "imagenet_mobile"),
        ("blockqnn_cifar", "cifar"),
    ):
        assert structure(name).make_template() == template(base)
    assert structure("blockqnn_imagenet_small").make_template() == template(
        "imagenet_mobile", filters=(16, 32, 64, 128)
    )


def test_an_unknown_structure_is_refused_with_the_known_ones():
    with pytest.raises(ZooError, match=r"blockqnn_imagenet_small.*Received: resnet"):
        structure("resnet")


def test_cost_of_a_structure_is_read_without_building():
    assert isinstance(structures()["blockqnn_imagenet"].cost(), Cost)


def test_two_networks_are_compared_by_what_is_built():
    block, other = load("block_qnn_a"), load("block_qnn_b")
    base = template("cifar")
    renamed = base.model_copy(update={"name": "mine", "source": "me", "max_params": 5, "classes": 100})
    assert differences(block, base, block, renamed) == []
    assert differences(block, base, other, template("cifar", repeats=3)) == ["genotype", "repeats"]
    assert differences(block, base, block, template("imagenet")) == ["repeats", "filters", "stem"]


def test_the_size_of_the_images_belongs_to_the_data_their_channels_to_the_structure():
    block, base = load("block_qnn_a"), template("cifar")
    assert differences(block, base, block, template(base, input_shape=(64, 48, 3))) == []
    assert differences(block, base, block, template(base, input_shape=(32, 32, 1))) == ["number of channels"]


def test_cells_of_another_order_are_another_structure() -> None:
    """Their hash is the same, but weights of the one give nonsense in the other."""
    genotype = load("nasnet_a")
    turned = CellGenotype(Cell(genotype.normal.blocks, (6, 5, 4, 3, 2, 1)), genotype.reduction)
    frame = structure("nasnet_a_cifar").make_template()
    assert turned.hash == genotype.hash
    assert differences(turned, frame, genotype, frame) == ["order of layers"]
    assert differences(genotype, frame, genotype, frame) == []
    assert differences(genotype, frame, genotype, template(frame, classes=5, input_shape=(40, 40, 3))) == []
