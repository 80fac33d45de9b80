import numpy as np
import pytest

from automl_cells.errors import TrainingError
from automl_cells.training import recipe
from automl_cells.training.batches import TrainingBatches, target_table, weights_of_classes

IMAGES = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
LABELS = np.arange(20) % 3
INDICES = np.arange(0, 20, 2)  # ten images
PLAIN = recipe("plain", batch_size=4, augmentation=[], label_smoothing=0.0)


def batches(seed=0, chosen=PLAIN):
    return TrainingBatches(IMAGES, LABELS, INDICES, 3, chosen, seed)


def seen(found, epoch=0):
    return [batch.images.ravel().astype(int).tolist() for batch in found.epoch(epoch)]


def test_only_whole_batches_of_different_images_come():
    found = seen(batches())
    assert [len(batch) for batch in found] == [4, 4]
    order = [image for batch in found for image in batch]
    assert len(set(order)) == 8
    assert set(order) <= set(INDICES.tolist())


def test_the_order_depends_on_seed_and_epoch_only():
    found = batches(seed=1)
    assert seen(found) == seen(batches(seed=1)) != seen(batches(seed=2))
    assert seen(found, epoch=5) != seen(found)
    assert seen(found, epoch=5) == seen(batches(seed=1), epoch=5)  # without having seen epochs 0 to 4


def test_the_augmentation_depends_on_seed_epoch_and_batch_only():
    images = np.random.default_rng(0).integers(0, 255, (20, 6, 6, 3), np.uint8)
    chosen = recipe(PLAIN, augmentation=[{"op": "pad_crop", "padding": 2}, {"op": "horizontal_flip"}])

    def pixels(seed, epoch):
        found = TrainingBatches(images, LABELS, INDICES, 3, chosen, seed)
        return np.concatenate([batch.images for batch in found.epoch(epoch)])

    np.testing.assert_array_equal(pixels(3, 7), pixels(3, 7))
    assert not np.array_equal(np.sort(pixels(3, 7).ravel()), np.sort(pixels(3, 8).ravel()))


def test_targets_follow_their_images():
    for images, targets in batches().epoch(0):
        assert targets.dtype == np.float32
        assert targets.argmax(1).tolist() == (images.ravel() % 3).tolist()
        assert targets.sum(1).tolist() == [1, 1, 1, 1]


def test_smoothing_is_spread_over_all_classes():
    table = target_table(LABELS, 4, recipe(PLAIN, label_smoothing=0.2))
    np.testing.assert_allclose(table[1], [0.05, 0.85, 0.05, 0.05], rtol=1e-6)


def test_classes_weigh_what_the_recipe_says():
    labels = np.array([0, 0, 0, 1])
    assert weights_of_classes(labels, 2, PLAIN).tolist() == [1, 1]
    balanced = recipe(PLAIN, class_weights="balanced")
    np.testing.assert_allclose(weights_of_classes(labels, 2, balanced), [4 / (2 * 3), 4 / (2 * 1)])
    given = recipe(PLAIN, class_weights=[1, 3])
    np.testing.assert_allclose(target_table(labels, 2, given), [[1, 0], [0, 3]])
    with pytest.raises(TrainingError, match=r"class weight for each of 3 classes\. Received: 2"):
        target_table(labels, 3, given)


def test_images_may_be_anything_that_gives_an_array_for_indices():
    class Lazy:
        def __getitem__(self, chosen):
            return IMAGES[chosen]

    found = TrainingBatches(Lazy(), LABELS, INDICES, 3, PLAIN, 0)
    assert seen(found) == seen(batches())
