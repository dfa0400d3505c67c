"""A folder of images is one clip, in the order of its times; what is odd about it goes into its key, and is said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.errors import InputError
from models.footage.image_folder import images_of
from models.footage.video import FrameReader, how_read, is_image_folder

SHARED = Path(__file__).parents[4] / "shared" / "inputs" / "frames"


def fill(folder, count=10, step=40, mode="RGB", **options):
    folder.mkdir(exist_ok=True)
    for number in range(count):
        pixels = np.full((24, 32, 3), 10 * number, np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{number * step}.png", **options)
    return folder


def test_an_ordinary_folder(tmp_path):
    folder = fill(tmp_path / "a")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.png").write_bytes(b"x")
    (folder / "0.png.png").mkdir()
    reader = FrameReader(folder)
    frames = list(reader)
    np.testing.assert_allclose([time for time, _ in frames], np.arange(10) * 0.04)
    assert [int(image.mean()) for _, image in frames] == list(range(0, 100, 10))
    assert reader.coded_size == (32, 24) and how_read(folder) == {} and is_image_folder(folder)
    assert reader.notes == ["images are dated by their names: whole numbers are milliseconds"]


def test_what_is_unusual_is_in_the_key(tmp_path):
    counted = fill(tmp_path / "counted", step=1)
    with pytest.raises(InputError, match="are counted, so they give no times"):
        how_read(counted)
    assert how_read(counted, 15.0) == {"times": "counter 15"}
    np.testing.assert_allclose([time for time, _ in FrameReader(counted, 15.0)], np.arange(10) / 15)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = fill(tmp_path / "turned", exif=exif)
    assert how_read(turned) == {"orientation": [6]} and next(iter(FrameReader(turned)))[1].shape == (32, 24, 3)
    deep = fill(tmp_path / "deep", mode="I;16")
    assert how_read(deep) == {"depth": ["I;16"]}


def test_a_broken_image_is_named(tmp_path):
    folder = fill(tmp_path / "a")
    (folder / "120.png").write_bytes((folder / "120.png").read_bytes()[:50])
    for read in (how_read, lambda path: list(FrameReader(path))):
        with pytest.raises(InputError, match=r"120.png: is not a readable image"):
            read(folder)


def test_a_folder_without_images_is_no_clip(tmp_path):
    assert not is_image_folder(tmp_path) and images_of(tmp_path) == []
    for read in (how_read, lambda path: list(FrameReader(path))):
        with pytest.raises(InputError, match="is a folder without images; name a video or a folder of images"):
            read(tmp_path)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the inputs of other programs are not here")
def test_images_of_other_programs(tmp_path):
    for name, shape in (("exif6_0.jpg", (160, 120, 3)), ("png16_0.png", None)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes((SHARED / name).read_bytes())
        image = next(iter(FrameReader(folder)))[1]
        assert shape in (None, image.shape) and 5 < image.mean() < 250
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "0.png").write_bytes((SHARED / "broken_chunk.png").read_bytes())
    with pytest.raises(InputError, match="is not a readable image"):
        list(FrameReader(tmp_path / "broken"))
