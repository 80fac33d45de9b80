import os

import numpy as np
import pytest
from PIL import Image

from automl_cells.datasets import EncodedImages, SkippedImagesWarning, from_arrays, load
from automl_cells.errors import DataError
from tests.datasets.pictures import class_folders, picture, write


def refused(words, message):
    with pytest.raises(DataError, match=message):
        load(words)


def test_one_folder_a_class_with_a_held_out_quarter(tmp_path):
    class_folders(tmp_path / "pets", names=("dog", "cat"))  # pictures 0-7 are dogs, 8-15 cats
    found = load(f"folder:{tmp_path / 'pets'}")
    assert (found.name, found.class_names) == ("pets", ("cat", "dog"))
    images = np.stack([picture(i) for i in [*range(8, 16), *range(8)]])
    expected = from_arrays(images, np.repeat([0, 1], 8), class_names=["cat", "dog"])
    assert found.fingerprint == expected.fingerprint
    assert found.x_train.dtype == np.uint8


@pytest.mark.parametrize("test", ["test", "val", "validation"])
def test_train_and_test_folders(tmp_path, test):
    class_folders(tmp_path / "train")
    class_folders(tmp_path / test, count=2, names=("dog",))
    found = load(f"folder:{tmp_path}")
    assert (len(found.x_train), len(found.x_test)) == (16, 2)
    assert found.y_test.tolist() == [1, 1]
    np.testing.assert_array_equal(found.x_test[1], picture(1))


def test_train_alone_gives_a_quarter_away(tmp_path):
    class_folders(tmp_path / "train")
    assert len(load(f"folder:{tmp_path}").x_test) == 4


def test_a_test_folder_without_the_classes_falls_back_to_val_or_is_refused(tmp_path):
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", names=("images",))  # as in Tiny ImageNet: no labels
    refused(f"folder:{tmp_path}", "class folders of .*train in a test folder. Received: .*test with images")
    class_folders(tmp_path / "val", count=3)
    assert len(load(f"folder:{tmp_path}").x_test) == 6


def test_a_class_may_be_called_train(tmp_path):
    class_folders(tmp_path, names=("car", "train"))
    assert load(f"folder:{tmp_path}").class_names == ("car", "train")


def test_what_is_no_image_is_passed_over(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "cat" / "notes.txt").write_text("x")
    (tmp_path / "cat" / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "cat" / ".hidden.png").write_bytes(b"x")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text("x")
    write(tmp_path / "cat" / "deeper" / "UPPER.PNG", picture(99))
    found = load(f"folder:{tmp_path}")
    assert len(found.x_train) + len(found.x_test) == 17
    assert found.class_names == ("cat", "dog")


def test_loops_of_links_are_not_followed(tmp_path):
    class_folders(tmp_path / "data")
    class_folders(tmp_path / "elsewhere", names=("emu",))
    os.symlink(tmp_path / "data", tmp_path / "data" / "loop")
    os.symlink(tmp_path / "data", tmp_path / "data" / "cat" / "loop")
    os.symlink(tmp_path / "elsewhere" / "emu", tmp_path / "data" / "emu")
    found = load(f"folder:{tmp_path / 'data'}")
    assert found.class_names == ("cat", "dog", "emu")
    assert len(found.x_train) + len(found.x_test) == 24


def test_images_of_different_sizes_become_squares_of_the_median_shorter_side(tmp_path):
    class_folders(tmp_path, count=6, height=10, width=30)
    for i in range(3):
        write(tmp_path / "cat" / f"big{i}.png", picture(50 + i, 40, 20))
    assert load(f"folder:{tmp_path}").input_shape == (10, 10, 3)
    assert load(f"folder:{tmp_path}?size=6,4").input_shape == (6, 4, 3)


def test_large_images_become_224(tmp_path):
    class_folders(tmp_path, height=300, width=310)
    assert load(f"folder:{tmp_path}").input_shape == (300, 310, 3)  # of one size: as they are
    write(tmp_path / "cat" / "other.png", picture(7, 301, 310))
    assert load(f"folder:{tmp_path}").input_shape == (224, 224, 3)


def test_grey_stays_grey_unless_there_is_colour(tmp_path):
    class_folders(tmp_path, channels=1)
    found = load(f"folder:{tmp_path}")
    assert found.input_shape == (8, 8, 1)
    write(tmp_path / "cat" / "colour.png", picture(1))
    found = load(f"folder:{tmp_path}")
    assert found.input_shape == (8, 8, 3)
    assert (found.x_train[..., 0] == found.x_train[..., 1]).all(axis=(1, 2)).sum() >= 11


def test_a_folder_without_classes_is_refused(tmp_path):
    refused(f"folder:{tmp_path}/none", "not there")
    refused(f"folder:{write(tmp_path / 'a.png', picture(1))}", "a file")
    refused(f"folder:{tmp_path}", "sub-folder of images a class. Received: .*without folders")
    class_folders(tmp_path, names=("only",), count=12)
    refused(f"folder:{tmp_path}", "two classes")


def test_an_empty_class_is_named(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "notes.txt").write_text("x")
    refused(f"folder:{tmp_path}", "every class folder. Received: none in .*emu$")


@pytest.fixture
def damaged(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "cat" / "empty.jpg").write_bytes(b"")
    whole = write(tmp_path / "dog" / "half.jpg", picture(1, 64, 64)).read_bytes()
    (tmp_path / "dog" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    return tmp_path


def test_damaged_files_are_named_with_a_hint(damaged):
    refused(
        f"folder:{damaged}",
        r"\?corrupt=skip.*Received: 2 of 18 that cannot: .*empty\.jpg \(no image, or empty\); .*half\.jpg \(.*trunc",
    )


def test_damaged_files_are_left_out_if_wanted_with_one_warning(damaged):
    with pytest.warns(SkippedImagesWarning, match=r"2 of 18 images .*empty\.jpg.*half\.jpg") as caught:
        found = load(f"folder:{damaged}?corrupt=skip")
    assert len(caught) == 1
    assert len(found.x_train) + len(found.x_test) == 16
    assert found.input_shape == (8, 8, 3)  # the half image of another size does not count


def test_many_damaged_files_are_counted(tmp_path):
    class_folders(tmp_path)
    for i in range(7):
        (tmp_path / "cat" / f"x{i}.png").write_bytes(b"")
    refused(f"folder:{tmp_path}", "Received: 7 of 23 .*x4.png .*; and 2 more")


def test_a_class_of_damaged_files_only_is_named(tmp_path):
    class_folders(tmp_path)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu" / "a.png").write_bytes(b"")
    with pytest.warns(SkippedImagesWarning):
        refused(f"folder:{tmp_path}?corrupt=skip", "in every class. Received: none in emu$")


def test_remarks_of_pillow_are_not_passed_on(tmp_path):
    class_folders(tmp_path)
    image = Image.fromarray(picture(1)).convert("P")
    image.save(tmp_path / "cat" / "p.png", transparency=bytes([0] * 10))  # would warn when converted to RGB
    load(f"folder:{tmp_path}")


def test_a_large_folder_is_streamed_and_otherwise_the_same(tmp_path):
    class_folders(tmp_path)
    decoded, streamed = load(f"folder:{tmp_path}"), load(f"folder:{tmp_path}?memory=1k")
    assert isinstance(decoded.x_train, np.ndarray)
    assert isinstance(streamed.x_train, EncodedImages)
    assert isinstance(streamed.x_test, np.ndarray)  # 4 images of 192 bytes fit
    assert streamed.fingerprint == decoded.fingerprint
    assert streamed.preprocessing == decoded.preprocessing


@pytest.mark.parametrize("options", ["size=0", "corrupt=maybe", "memory=lots", "siez=3", "data_dir=x"])
def test_wrong_options_are_refused(tmp_path, options):
    refused(f"folder:{tmp_path}?{options}", f"Received: {options}")
