"""Holes are filled with patches of the same image; what was seen stays as it is, and the same image gives the same."""

import numpy as np

from models.footage.inpainting import fill

VALID = np.ones((60, 80), dtype=bool)
VALID[20:36, 30:50] = False


def stripes() -> np.ndarray:
    """Vertical stripes, 8 pixels wide."""
    columns = np.where((np.arange(80) // 8) % 2 == 0, 40, 200)
    return np.broadcast_to(columns[None, :, None], (60, 80, 3)).astype(np.uint8).copy()


def test_a_hole_in_a_pattern_goes_on_with_the_pattern():
    image = stripes()
    image[~VALID] = (255, 0, 255)
    filled = fill(image, VALID)
    np.testing.assert_array_equal(filled[VALID], image[VALID])
    assert np.abs(filled[~VALID].astype(int) - stripes()[~VALID]).mean() < 25.0
    assert np.abs(filled[~VALID].astype(int) - [255, 0, 255]).sum(axis=-1).min() > 100, "nothing of the hole is left"


def test_the_same_image_gives_the_same_bytes_and_a_whole_one_itself():
    image = stripes()
    assert fill(image, VALID).tobytes() == fill(image.copy(), VALID.copy()).tobytes()
    assert fill(image, np.ones_like(VALID)) is image
