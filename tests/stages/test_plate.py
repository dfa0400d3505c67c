"""The plate of a drawn room that people walk and sit in: they go, whatever the light does."""

import numpy as np
import pytest

from models.errors import InputError
from models.types import Footage, Person2D
from stages.plate import PlateConfig, exposure_gains, masked_median, outline, run, without_sitters

HEIGHT, WIDTH = 90, 120


def drawn_room() -> np.ndarray:
    """A floor with a gradient, a wall, a dark door."""
    rows = np.linspace(60, 190, HEIGHT)[:, None, None]
    room = np.broadcast_to(rows * np.array([1.0, 0.9, 0.8]), (HEIGHT, WIDTH, 3)).copy()
    room[:50, 30:50] = (70, 50, 40)
    return room.astype(np.uint8)


def samples(count: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Somebody crosses the picture from left to right."""
    frames, masks = np.repeat(drawn_room()[None], count, axis=0), np.zeros((count, HEIGHT, WIDTH), dtype=bool)
    for index, left in enumerate(np.linspace(0, WIDTH - 20, count).astype(int)):
        masks[index, 20:85, left : left + 20] = True
        frames[index][masks[index]] = (200, 30, 30)
    return frames, masks


def test_a_walker_vanishes():
    frames, masks = samples()
    plate, valid = run(PlateConfig(mask_margin_px=0), frames, masks)
    np.testing.assert_array_equal(plate, drawn_room())
    assert valid.all()


def test_a_sitter_vanishes_where_another_clip_shows_the_chair():
    frames, masks = samples()
    masks[:, 40:70, 60:80] = True
    frames[:, 40:70, 60:80] = (20, 200, 20)
    frames[4], masks[4] = drawn_room(), False
    plate, valid = run(PlateConfig(mask_margin_px=0), frames, masks)
    assert valid.all()
    np.testing.assert_array_equal(plate[40:70, 60:80], drawn_room()[40:70, 60:80])


def test_who_sits_through_every_frame_is_painted_over():
    frames, masks = samples()
    masks[:, 40:70, 60:80] = True
    frames[:, 40:70, 60:80] = (20, 200, 20)
    plate, valid = run(PlateConfig(mask_margin_px=0), frames, masks)
    assert not valid[40:70, 60:80].any() and valid.sum() >= HEIGHT * WIDTH - 32 * 22
    # Nothing green is left, and what replaces it is as the surroundings are.
    inside = plate[40:70, 60:80].astype(int)
    assert (inside[..., 1] < inside[..., 0] + 10).all()
    assert np.abs(inside - drawn_room()[40:70, 60:80].astype(int)).mean() < 12.0


def test_exposure_is_evened_out_before_the_median():
    frames, masks = samples()
    gains = np.linspace(0.6, 1.2, len(frames))
    lit = np.clip(frames * gains[:, None, None, None], 0, 255).astype(np.uint8)
    plate, _ = run(PlateConfig(mask_margin_px=0), lit, masks)
    # All samples are alike but for rounding: the plate is the room as the middle sample saw it, without seams.
    ratio = plate.astype(float) / drawn_room()
    assert ratio.std() < 0.02 and abs(np.median(ratio) - 0.9) < 0.03
    uneven, _ = run(PlateConfig(mask_margin_px=0, align_exposure=False), lit, masks)
    assert (uneven.astype(float) / drawn_room()).std() > ratio.std()
    found = exposure_gains(lit, masks, 3.0)
    np.testing.assert_allclose(found[:, 0] * gains, 0.9, rtol=0.03)


def test_one_sample_is_its_own_plate():
    frames, masks = samples()
    masks[:] = False
    plate, valid = run(PlateConfig(), frames[:1], masks[:1])
    np.testing.assert_array_equal(plate, frames[0])
    assert valid.all()


def test_the_order_of_samples_does_not_matter():
    frames, masks = samples()
    frames = np.clip(frames + np.random.default_rng(0).integers(-9, 10, frames.shape), 0, 255).astype(np.uint8)
    order = [4, 2, 8, 0, 1, 3, 7, 5, 6]
    one, _ = run(PlateConfig(), frames, masks)
    two, _ = run(PlateConfig(), frames[order], masks[order])
    np.testing.assert_array_equal(one, two)


def test_masked_median_equals_numpy():
    rng = np.random.default_rng(0)
    values, hidden = rng.random((7, 50)).astype(np.float32), rng.random((7, 50)) < 0.5
    expected = [np.median(v[~h]) if (~h).any() else 0.0 for v, h in zip(values.T, hidden.T, strict=True)]
    np.testing.assert_allclose(masked_median(values, hidden), expected, rtol=1e-6)


def test_bad_input_is_named():
    frames, masks = samples()
    with pytest.raises(
        InputError, match="^plate: no frame to make a background from; give at least one frame of the camera$"
    ):
        run(PlateConfig(), frames[:0], masks[:0])
    with pytest.raises(
        InputError, match="^plate: people cover the whole picture in every frame; give frames that show the room$"
    ):
        run(PlateConfig(), frames, np.ones_like(masks))


def figure(shift: int = 0):
    """A textured room with a dark figure, and a mask that misses its arm and feet."""
    rng = np.random.default_rng(3)
    frame = rng.normal(170, 6, (120, 160, 3)).clip(0, 255).astype(np.uint8)
    body = np.zeros((120, 160), dtype=bool)
    body[30:100, 60 + shift : 85 + shift] = True
    body[50:60, 85 + shift : 103 + shift] = True  # an arm
    mask = np.zeros_like(body)
    mask[32:90, 62 + shift : 84 + shift] = True
    frame[body] = rng.normal(35, 6, (int(body.sum()), 3)).clip(0, 255).astype(np.uint8)
    return frame, body, mask


def test_the_outline_finds_what_sticks_out_of_the_mask_and_no_more():
    frame, body, mask = figure()
    found = outline(frame, mask, 0.3)
    assert (found | mask)[body].mean() > 0.98
    assert (found & ~body).sum() < 0.2 * body.sum()
    assert np.array_equal(found, outline(frame, mask, 0.3))
    moved, body, mask = figure(shift=20)
    assert (outline(moved, mask, 0.3) | mask)[body].mean() > 0.98


def test_nothing_of_who_never_moves_stays_in_the_room():
    frame, body, mask = figure()
    frames, masks = np.stack([frame] * 4), np.stack([mask] * 4)
    rough, _ = run(PlateConfig(outline_reach=0.0, mask_margin_px=0), frames, masks)
    clean, valid = run(PlateConfig(mask_margin_px=0), frames, masks)
    assert (rough[body].mean(axis=1) < 80).sum() > 100, "else the test shows nothing"
    assert (clean[body].mean(axis=1) < 80).mean() < 0.01
    assert not valid[body & mask].any()


def test_who_sits_in_the_plate_itself_is_painted_over():
    plate, valid = drawn_room(), np.ones((HEIGHT, WIDTH), dtype=bool)
    plate[30:80, 70:90] = (200, 30, 30)
    footage = Footage("c", "c.mp4", "s", "r", "c", np.arange(50) / 25.0, WIDTH, HEIGHT, "")
    asked = []

    def find(still, frames):
        """Somebody of whom only the box is known."""
        asked.append((still, list(frames)))
        count = len(still.timestamps_s)
        boxes = np.tile([70.0, 30.0, 89.0, 79.0], (count, 1))
        return [Person2D("p", "person", np.ones(count, bool), boxes, np.zeros((count, 17, 2)), np.zeros((count, 17)))]

    cleaned, kept, sitters = without_sitters(plate, valid, footage, find)
    assert sitters == 1 and not kept[30:80, 70:90].any() and kept.sum() == kept.size - 50 * 20
    assert np.abs(cleaned[30:80, 70:90].astype(int) - drawn_room()[30:80, 70:90]).mean() < 15
    np.testing.assert_array_equal(cleaned[kept], plate[kept])
    still, frames = asked[0]
    assert [time for time, _ in frames] == still.timestamps_s.tolist() and all(image is plate for _, image in frames)
    same, all_valid, nobody = without_sitters(plate, valid, footage, lambda still, frames: [])
    assert nobody == 0 and same is plate and all_valid is valid
