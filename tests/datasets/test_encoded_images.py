import hashlib
import threading

import numpy as np
import pytest

from automl_cells.datasets import EncodedImages, Preprocessing, base, encoded_images, from_arrays, save_npz
from automl_cells.datasets.encoded_images import part_of, settled
from automl_cells.datasets.pixels import EncodedImage
from automl_cells.errors import DataError
from tests.datasets.pictures import picture, write

COUNT = 24


@pytest.fixture
def images(tmp_path):
    return EncodedImages(
        [EncodedImage(write(tmp_path / f"{i}.png", picture(i, 4, 5))) for i in range(COUNT)], (4, 5), 3, memory=0
    )


@pytest.fixture
def decoded():
    return np.stack([picture(i, 4, 5) for i in range(COUNT)])


@pytest.mark.parametrize(
    "key",
    [
        3,
        -1,
        slice(None),
        slice(2, 20, 3),
        slice(5, 5),
        np.array([7, 1, 1, 23, 0, 2]),
        [4, 2],
        np.arange(COUNT) % 5 == 0,
        np.array([], int),
    ],
    ids=str,
)
def test_it_is_indexed_like_an_array(images, decoded, key):
    found = images[key]
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, decoded[key])


def test_it_looks_like_an_array(images, decoded):
    assert (images.shape, images.dtype, images.ndim, len(images), images.nbytes) == (
        decoded.shape,
        decoded.dtype,
        decoded.ndim,
        len(decoded),
        decoded.nbytes,
    )


def test_it_is_not_brought_into_memory_by_accident(images):
    with pytest.raises(DataError, match=r"images\[:64\].*Received: a request for all 24"):
        np.asarray(images)


def test_wrong_indices_are_refused(images):
    with pytest.raises(IndexError):
        images[COUNT]
    with pytest.raises(IndexError, match=r"shape \(m,\)"):
        images[np.zeros((2, 2), int)]


def test_parts_stay_encoded_until_they_fit(images, decoded):
    part = part_of(images, np.array([5, 2]))
    assert isinstance(part, EncodedImages)
    assert settled(part) is part
    fits = EncodedImages(part.sources, (4, 5), 3, memory=120)
    np.testing.assert_array_equal(settled(fits), decoded[[5, 2]])
    np.testing.assert_array_equal(part_of(decoded, np.array([5, 2])), decoded[[5, 2]])


def test_a_file_that_has_gone_is_named(images):
    images.sources[3].path.unlink()
    with pytest.raises(DataError, match=r"Received: .*3.png \(No such file"):
        images[0:10]


@pytest.fixture
def streamed(images):
    return from_arrays(images, np.arange(COUNT) % 2, name="streamed")


@pytest.fixture
def in_memory(decoded):
    return from_arrays(decoded, np.arange(COUNT) % 2)


def test_a_streamed_data_set_has_the_same_split_fingerprint_and_statistics(streamed, in_memory):
    assert (streamed.streamed, in_memory.streamed) == (True, False)
    assert streamed.input_shape == in_memory.input_shape
    np.testing.assert_array_equal(streamed.y_test, in_memory.y_test)
    np.testing.assert_array_equal(streamed.x_test[:], in_memory.x_test)
    assert streamed.fingerprint == in_memory.fingerprint
    assert streamed.preprocessing == in_memory.preprocessing


def test_the_fingerprint_is_the_hash_of_types_shapes_and_values(in_memory):
    digest = hashlib.sha256()
    for array in (in_memory.x_train, in_memory.y_train, in_memory.x_test, in_memory.y_test):
        digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    assert in_memory.fingerprint == f"sha256:{digest.hexdigest()}"


def test_exact_statistics_are_those_of_numpy(decoded):
    found = Preprocessing.of(decoded)
    np.testing.assert_allclose(found.mean, decoded.mean(axis=(0, 1, 2)), rtol=1e-13)
    np.testing.assert_allclose(found.std, decoded.std(axis=(0, 1, 2)), rtol=1e-12)
    floats = Preprocessing.of(decoded.astype(np.float32))
    np.testing.assert_allclose(found.std, floats.std, rtol=1e-12)


def test_never_more_than_a_chunk_is_decoded_at_a_time(streamed, monkeypatch):
    """Nothing looks at more than a chunk of images, and each image is decoded once a pass."""
    chunk = 3
    monkeypatch.setattr(base, "_CHUNK_BYTES", chunk * 4 * 5 * 3)
    asked, decodes, lock = [], [0], threading.Lock()
    whole, one = EncodedImages.__getitem__, encoded_images.decode

    def counting(self, key):
        found = whole(self, key)
        asked.append(len(found))
        return found

    def count_one(*arguments):
        with lock:
            decodes[0] += 1
        return one(*arguments)

    monkeypatch.setattr(EncodedImages, "__getitem__", counting)
    monkeypatch.setattr(encoded_images, "decode", count_one)
    assert streamed.preprocessing.mean
    assert decodes[0] == len(streamed.x_train)  # one pass
    assert streamed.fingerprint
    assert decodes[0] == 2 * len(streamed.x_train) + len(streamed.x_test)
    assert max(asked) == chunk


def test_a_streamed_data_set_is_not_written_into_one_file(streamed, tmp_path):
    with pytest.raises(DataError, match="Received: streamed, streamed"):
        save_npz(streamed, tmp_path / "a.npz")
    assert not (tmp_path / "a.npz").exists()
