"""What `import automl_cells as ac` offers is there, and the README's Python lines work."""

from __future__ import annotations

import pytest

import automl_cells as ac


@pytest.mark.parametrize("name", ac.__all__)
def test_every_public_name_is_there(name):
    assert getattr(ac, name) is not None
    assert name in dir(ac)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nope"):
        ac.nope  # noqa: B018


def test_a_published_block_is_built_at_any_size():
    model = ac.build("block_qnn_b", template="cifar", repeats=1, filters=(4, 8), input_shape=(8, 8, 1), classes=3)
    assert model.output_shape == (None, 3)
    assert ac.cost(ac.plan(ac.load_genotype("block_qnn_b"), ac.template("cifar"))).parameters > 0


def test_a_search_can_be_called_after_its_package_was_imported(tmp_path):
    """`import automl_cells.search` makes Python replace what `ac.search` gives by the package of the same name."""
    import automl_cells.search

    with pytest.raises(ac.AutoMLCellsError, match=r"Received: .*nowhere"):
        ac.search("digits", space="nowhere", trials=1, out=tmp_path / "run")
    assert callable(automl_cells.search)
    assert automl_cells.search.read_run
