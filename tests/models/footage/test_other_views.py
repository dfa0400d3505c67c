"""A hole is filled from another view of the room, in this view's light; a view of another room is refused."""

import cv2
import numpy as np

from models.footage.other_views import fill_from


def room(seed: int = 0) -> np.ndarray:
    """Shapes of all sizes, that corners are found in."""
    rng = np.random.default_rng(seed)
    picture = np.full((360, 480, 3), 140, dtype=np.uint8)
    for _ in range(250):
        x, y = int(rng.integers(0, 480)), int(rng.integers(0, 360))
        colour = [int(v) for v in rng.integers(40, 220, 3)]
        cv2.rectangle(picture, (x, y), (x + int(rng.integers(6, 50)), y + int(rng.integers(6, 40))), colour, -1)
    return cv2.GaussianBlur(picture, (3, 3), 0)


def test_a_hole_is_filled_from_another_view_of_the_room():
    whole = room()
    shifted = np.array([[1.02, 0.01, -9.0], [-0.01, 1.01, 6.0], [1e-5, 0.0, 1.0]])
    other = cv2.warpPerspective(whole, np.linalg.inv(shifted), (480, 360), borderMode=cv2.BORDER_REFLECT)
    other = np.clip(other * 0.8, 0, 255).astype(np.uint8)
    valid = np.ones((360, 480), dtype=bool)
    valid[120:260, 200:280] = False
    holed = np.where(valid[..., None], whole, 0).astype(np.uint8)
    filled, taken = fill_from(holed, valid, other, np.ones((360, 480), dtype=bool))
    assert taken[~valid].all() and not taken[valid].any()
    np.testing.assert_array_equal(filled[valid], whole[valid])
    assert np.abs(filled[~valid].astype(float) - whole[~valid]).mean() < 14.0
    again, _ = fill_from(holed, valid, other, np.ones((360, 480), dtype=bool))
    assert again.tobytes() == filled.tobytes()


def test_what_the_other_view_does_not_show_stays_open():
    whole = room()
    valid = np.ones((360, 480), dtype=bool)
    valid[120:200, 200:280] = False
    seen = np.ones((360, 480), dtype=bool)
    seen[:, :240] = False
    filled, taken = fill_from(np.where(valid[..., None], whole, 0).astype(np.uint8), valid, whole, seen)
    assert taken[120:200, 245:280].all() and not taken[:, :238].any() and (filled[150, 210] == 0).all()


def test_another_room_is_refused():
    valid = np.ones((360, 480), dtype=bool)
    valid[120:200, 200:280] = False
    plate = np.where(valid[..., None], room(), 0).astype(np.uint8)
    for other in (room(7), np.full((360, 480, 3), 90, np.uint8)):
        same, taken = fill_from(plate, valid, other, np.ones((360, 480), dtype=bool))
        assert not taken.any() and np.array_equal(same, plate)
