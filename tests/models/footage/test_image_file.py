"""Images as cameras and programs write them come upright, in 8 bits; what cannot be read is named."""

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.footage.image_file import how_read, is_transparent, pixel_aspect, read_image, white_level

PICTURE = np.full((48, 64, 3), 30, np.uint8)
PICTURE[:16, :16] = (220, 120, 60)


def test_an_ordinary_image_is_its_pixels(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 255.0), PICTURE)
    assert how_read(tmp_path / "a.png") == {} and white_level(tmp_path / "a.png") == 255.0
    assert not is_transparent(tmp_path / "a.png") and pixel_aspect(tmp_path / "a.png") == ""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_undone(tmp_path, orientation):
    """What is stored is turned so that its orientation flag brings it back."""
    undone = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}[orientation]
    stored = np.rot90(PICTURE, undone)
    if orientation in (2, 4):
        stored = stored[:, ::-1]
    elif orientation in (5, 7):
        stored = stored[::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 255.0), PICTURE)
    assert how_read(tmp_path / "a.png") == ({} if orientation == 1 else {"orientation": orientation})


def test_sixteen_bits_are_scaled_and_not_cut_off(tmp_path):
    deep = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20
    Image.fromarray(deep).save(tmp_path / "a.png")
    white = white_level(tmp_path / "a.png")
    shown = read_image(tmp_path / "a.png", white)
    np.testing.assert_array_equal(shown, np.repeat((deep / 65535 * 255).round().astype(np.uint8)[..., None], 3, axis=2))
    assert white == 65535.0 and how_read(tmp_path / "a.png") == {"depth": "I;16"}


@pytest.mark.parametrize("highest", [1.0, 255.0, 65535.0])
def test_floating_point_is_scaled_by_its_range(tmp_path, highest):
    values = np.linspace(0, highest, 48 * 64, dtype=np.float32).reshape(48, 64)
    values[0, 0] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    white = white_level(tmp_path / "a.tif")
    shown = read_image(tmp_path / "a.tif", white)
    assert white == highest and shown[0, 0].tolist() == [0, 0, 0] and shown[-1, -1].tolist() == [255, 255, 255]
    assert abs(int(shown[24, 0, 0]) - 127) <= 1


def test_what_can_be_seen_through_is_black_and_palettes_are_looked_up(tmp_path):
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 32:] = 0
    hidden = np.concatenate([PICTURE, alpha[..., None]], axis=2)
    hidden[:, 32:, :3] = 200
    Image.fromarray(hidden).save(tmp_path / "a.png")
    shown = read_image(tmp_path / "a.png", 255.0)
    np.testing.assert_array_equal(shown[:, :32], PICTURE[:, :32])
    assert (shown[:, 32:] == 0).all() and is_transparent(tmp_path / "a.png")
    Image.fromarray(PICTURE).quantize(8).save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png", 255.0), PICTURE)


def test_broken_images_are_named(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)).save(path)
    content = path.read_bytes()
    for broken in (content[: len(content) // 2], b"", b"\x89PNG\r\n\x1a\n" + bytes(50), b"GIF89a" + bytes(3)):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"a.png: is not a readable image \(.+\); remove it or copy it again"):
            read_image(path, 255.0)
    for place in range(8, len(content), len(content) // 40):  # a chunk, its length, its checksum, its data
        spoiled = bytearray(content)
        spoiled[place] ^= 0xFF
        path.write_bytes(spoiled)
        try:
            assert read_image(path, 255.0).shape[2] == 3
        except InputError as error:
            assert "is not a readable image" in str(error)


def test_huge_images_are_refused(tmp_path):
    Image.new("1", (20000, 20000)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a.png: has more than 178 million pixels; remove it or save it smaller"):
        read_image(tmp_path / "a.png", 255.0)


def test_pixels_said_not_to_be_square_are_said(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", dpi=(16, 11))
    content = bytearray((tmp_path / "a.jpg").read_bytes())
    content[content.index(b"JFIF\0") + 7] = 0  # no unit: an aspect ratio
    (tmp_path / "b.jpg").write_bytes(content)
    assert (pixel_aspect(tmp_path / "a.jpg"), pixel_aspect(tmp_path / "b.jpg")) == ("", "16:11")
