import numpy as np

from automl_cells.training.batches import Batches, BeginEpochs

IMAGES = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
LABELS = np.arange(20) % 3
INDICES = np.arange(0, 20, 2)  # ten images


def batches(**options):
    return Batches(IMAGES, LABELS, INDICES, classes=3, batch_size=4, **options)


def seen(found):
    return [found[number][0].ravel().astype(int).tolist() for number in range(len(found))]


def test_without_a_seed_all_come_in_order():
    assert seen(batches()) == [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18]]


def test_labels_are_one_hot():
    images, targets = batches()[0]
    assert (images.dtype, targets.dtype) == (np.float32, np.float32)
    assert targets.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_with_a_seed_only_whole_batches_of_different_images_come():
    order = [image for batch in seen(batches(seed=1)) for image in batch]
    assert len(order) == len(set(order)) == 8
    assert set(order) <= set(INDICES.tolist())


def test_the_order_depends_on_seed_and_epoch_only():
    found, again = batches(seed=1), batches(seed=1)
    begun = seen(found)
    assert begun == seen(again) != seen(batches(seed=2))
    BeginEpochs(found).on_epoch_begin(5)
    assert seen(found) != begun
    again.arrange(3)
    again.arrange(5)
    assert seen(found) == seen(again)


def test_few_images_make_one_batch():
    found = Batches(IMAGES, LABELS, INDICES, classes=3, batch_size=64, seed=0)
    assert [len(images) for images, _ in (found[number] for number in range(len(found)))] == [10]
