import io

import numpy as np
import pytest
from PIL import Image

from automl_cells.datasets import pixels
from automl_cells.datasets.pixels import EncodedImage, Facts, decode, examine
from automl_cells.errors import DataError
from tests.datasets.pictures import picture, write


def test_a_png_comes_back_exactly(tmp_path):
    source = EncodedImage(write(tmp_path / "a.png", picture(3, 5, 7)))
    assert examine(source) == Facts(5, 7, 3)
    np.testing.assert_array_equal(decode(source, (5, 7), 3), picture(3, 5, 7))


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".gif", ".tif", ".webp", ".ppm"])
def test_formats_that_pillow_reads(tmp_path, suffix):
    assert suffix in pixels.suffixes()
    source = EncodedImage(write(tmp_path / f"a{suffix}", picture(3, 16, 16)))
    assert examine(source) == Facts(16, 16, 3)
    assert np.abs(decode(source, (16, 16), 3).astype(int) - picture(3, 16, 16)).mean() < 12


def test_an_image_inside_a_file(tmp_path):
    encoded = io.BytesIO()
    Image.fromarray(picture(1)).save(encoded, "PNG")
    (tmp_path / "shard").write_bytes(b"before" + encoded.getvalue() + b"after")
    source = EncodedImage(tmp_path / "shard", 6, len(encoded.getvalue()))
    np.testing.assert_array_equal(decode(source, (8, 8), 3), picture(1))
    assert str(source) == f"{tmp_path / 'shard'} at byte 6"


def test_sixteen_bits_are_scaled_and_not_clipped(tmp_path):
    values = np.array([[0, 257, 128 * 257], [65535, 1000, 300]], np.uint16)
    source = EncodedImage(write(tmp_path / "a.png", values))
    assert examine(source).channels == 1
    found = decode(source, (2, 3), 1)[..., 0]
    assert found.tolist() == [[0, 1, 128], [255, 4, 1]]  # 1000 / 257 = 3.9, 300 / 257 = 1.2
    np.testing.assert_array_equal(decode(source, (2, 3), 3), np.repeat(found[..., None], 3, -1))


def test_the_orientation_of_the_camera_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by a quarter
    for name in ("a.png", "a.tif"):
        source = EncodedImage(write(tmp_path / name, picture(2, 4, 6), exif=exif))
        assert examine(source) == Facts(6, 4, 3)
        np.testing.assert_array_equal(decode(source, (6, 4), 3), np.rot90(picture(2, 4, 6), -1))


def test_the_orientation_of_a_jpeg_counts_although_it_is_only_looked_through(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    assert examine(EncodedImage(write(tmp_path / "a.jpg", picture(2, 40, 60), exif=exif))) == Facts(60, 40, 3)


def test_transparent_pixels_lie_on_white(tmp_path):
    rgba = np.dstack([picture(1, 2, 2), np.array([[255, 0], [0, 255]], np.uint8)])
    found = decode(EncodedImage(write(tmp_path / "a.png", rgba)), (2, 2), 3)
    assert found[0, 1].tolist() == found[1, 0].tolist() == [255, 255, 255]
    assert found[0, 0].tolist() == picture(1, 2, 2)[0, 0].tolist()
    grey = np.array([[[10, 255], [20, 0]]], np.uint8)
    source = EncodedImage(write(tmp_path / "b.png", grey))
    assert examine(source) == Facts(1, 2, 1)
    assert decode(source, (1, 2), 1).ravel().tolist() == [10, 255]


def test_palettes(tmp_path):
    colours = Image.fromarray(picture(1)).convert("P", palette=Image.Palette.ADAPTIVE)
    colours.save(tmp_path / "colours.gif")
    assert examine(EncodedImage(tmp_path / "colours.gif")).channels == 3
    grey = Image.fromarray(np.arange(4, dtype=np.uint8).reshape(2, 2), "L").convert("P")
    grey.putpalette([0, 0, 0, 50, 50, 50, 100, 100, 100, 150, 150, 150])
    grey.save(tmp_path / "grey.png")
    source = EncodedImage(tmp_path / "grey.png")
    assert examine(source).channels == 1
    assert decode(source, (2, 2), 1).ravel().tolist() == [0, 50, 100, 150]


def test_cmyk_becomes_colour(tmp_path):
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.tif")  # red
    assert decode(EncodedImage(tmp_path / "a.tif"), (4, 4), 3)[0, 0].tolist() == [255, 0, 0]


def test_a_wide_image_is_scaled_by_its_shorter_side_and_cut_in_the_middle(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200
    found = decode(EncodedImage(write(tmp_path / "a.png", wide)), (10, 10), 3)
    assert found.shape == (10, 10, 3)
    assert found[:, 2:8].min() >= 195  # bicubic rings a little beside the edges
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    found = decode(EncodedImage(write(tmp_path / "b.png", stripes)), (8, 8), 1)
    assert np.abs(found[:, 1:-1].astype(int) - 127).max() <= 6  # antialiased: not all black or all white


def damaged(path, kind):
    whole = io.BytesIO()
    Image.fromarray(picture(1, 64, 64)).save(whole, "JPEG" if "jpg" in kind else "PNG")
    content = {
        "empty": b"",
        "text": b"hello",
        "half jpg": whole.getvalue()[: len(whole.getvalue()) // 2],
        "half png": whole.getvalue()[: len(whole.getvalue()) // 2],
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n",
    }[kind]
    path.write_bytes(content)
    return EncodedImage(path)


@pytest.mark.parametrize("kind", ["empty", "text", "half jpg", "half png", "postscript"])
@pytest.mark.parametrize("look", [examine, lambda source: decode(source, (64, 64), 3)])
def test_damaged_files_are_refused(tmp_path, kind, look):
    with pytest.raises(DataError):
        look(damaged(tmp_path / "a.png", kind))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        examine(EncodedImage(tmp_path / "a.png"))


def test_pixels_whose_range_is_unknown_are_refused(tmp_path):
    with pytest.raises(DataError, match="floating-point"):
        examine(EncodedImage(write(tmp_path / "a.tif", np.zeros((2, 2), np.float32))))
    with pytest.raises(DataError, match="0 to 70000"):
        examine(EncodedImage(write(tmp_path / "b.tif", np.array([[0, 70000]], np.int32))))


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    source = EncodedImage(write(tmp_path / "a.png", picture(1, 20, 20)))
    monkeypatch.setattr(pixels, "MAX_PIXELS", 399)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("unpacked"))
    with pytest.raises(DataError, match="20 × 20 pixels"):
        examine(source)
