"""The plate of a drawn room that people walk and sit in: they go, whatever the light does."""

import cv2
import numpy as np
import pytest

from models.errors import InputError
from models.footage.inpainting import fill
from stages.plate import PlateConfig, exposure_gains, outline, run

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
    assert (plate[~valid] == 0).all()
    plate = fill(plate, valid)
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
    clean = fill(clean, valid)
    assert (rough[body].mean(axis=1) < 80).sum() > 100, "else the test shows nothing"
    assert (clean[body].mean(axis=1) < 80).mean() < 0.01
    assert not valid[body & mask].any()


ROOM_HEIGHT, ROOM_WIDTH = 240, 320


def textured_room() -> np.ndarray:
    """A wall with a pattern, a floor with another, a window, a door."""
    y, x = np.mgrid[:ROOM_HEIGHT, :ROOM_WIDTH].astype(np.float64)
    wall = 150 + 12 * np.sin(x / 3.0) * np.sin(y / 4.0) + 0.1 * x
    floor = 110 + 35 * (((x // 16) + (y // 12)) % 2)
    grey = np.where(y < 150, wall, floor)
    room = np.stack([grey, 0.9 * grey, 0.75 * grey], axis=-1)
    room[30:80, 200:260] = (215, 220, 225)
    room[60:150, 40:80] = (80, 60, 50)
    return room


def figure_at(left: int, top: int = 70) -> np.ndarray:
    """A person's outline: head, trunk, legs."""
    body = np.zeros((ROOM_HEIGHT, ROOM_WIDTH), dtype=np.uint8)
    cv2.circle(body, (left + 20, top + 12), 12, 1, -1)
    cv2.rectangle(body, (left + 6, top + 22), (left + 34, top + 75), 1, -1)
    cv2.rectangle(body, (left + 8, top + 75), (left + 17, top + 130), 1, -1)
    cv2.rectangle(body, (left + 23, top + 75), (left + 32, top + 130), 1, -1)
    return body > 0


def filmed(places: list[int], exposures: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The room with somebody at each place, as a camera exposes it; the mask is a little larger than they are."""
    rng, frames, masks = np.random.default_rng(seed), [], []
    for place, exposure in zip(places, exposures, strict=True):
        picture, body = textured_room(), figure_at(place)
        picture[body] = (60, 40, 120)
        picture = picture * exposure + rng.normal(0.0, 1.0, picture.shape)
        frames.append(np.clip(picture, 0, 255).astype(np.uint8))
        masks.append(cv2.dilate(body.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    return np.stack(frames), np.stack(masks)


def test_seams_of_the_light_do_not_draw_people():
    """Somebody stays at the left for most of the time, and at the right it is darker, at the left side of the picture
    only: no gain of a whole sample evens that out, and the outlines of who was masked stayed as steps in the light."""
    places = [60] * 8 + [64, 180, 184, 188]
    frames, masks = filmed(places, [1.0] * 12)
    shade = np.linspace(0.72, 1.0, ROOM_WIDTH)[None, :, None]
    frames[9:] = np.clip(frames[9:] * shade, 0, 255).astype(np.uint8)
    plate, valid = run(PlateConfig(outline_reach=0.0), frames, masks, np.array([0] * 9 + [1] * 3))
    assert valid.all()
    # The steps between neighbours are the room's: with a plain median those along the outline are of 30 levels.
    ours, room = plate.astype(np.float64), textured_room()
    steps = np.abs(np.diff(ours, axis=1) - np.diff(room, axis=1)).max(axis=-1)
    assert np.percentile(steps, 99.9) < 8.0
    assert np.abs(ours - room).mean() < 8.0


def test_a_place_that_a_single_sample_shows_is_shown():
    places = [60] * 11 + [200]
    frames, masks = filmed(places, [1.0] * 11 + [0.8])
    frames[11] = np.clip(frames[11] * np.linspace(0.8, 1.1, ROOM_WIDTH)[None, :, None], 0, 255).astype(np.uint8)
    plate, valid = run(PlateConfig(outline_reach=0.0), frames, masks)
    assert valid.all()
    # Not only is it there: it is in the light of the rest.
    assert np.abs(plate.astype(np.float64) - textured_room())[figure_at(60)].mean() < 4.0


def test_a_shadow_beside_somebody_is_not_part_of_the_room():
    """The shadow lies left of who stands at the right for most of the time: a plain median keeps it."""
    places = [30, 34, 38, *[150] * 9]
    frames, masks = filmed(places, [1.0] * 12)
    shadow = figure_at(110)
    for index in range(3, 12):
        frames[index][shadow & ~masks[index]] = (frames[index][shadow & ~masks[index]] * 0.7).astype(np.uint8)
    plate, _ = run(PlateConfig(outline_reach=0.0), frames, masks)
    seen = shadow & ~masks[3]
    median = np.median(frames, axis=0)
    assert np.abs(median - textured_room())[seen].mean() > 30.0, "else the test shows nothing"
    assert np.abs(plate.astype(np.float64) - textured_room())[seen].mean() < 6.0


def test_what_is_moved_between_clips_is_whole():
    """A mattress lies at the left in two clips and at the right in two: never half at each."""
    frames, masks = filmed([250] * 12, [1.0] * 12)
    clips = np.repeat(np.arange(4), 3)
    for index, clip in enumerate(clips):
        left = 60 if clip < 2 else 110
        frames[index, 170:230, left : left + 90] = (235, 235, 230)
    plate, _ = run(PlateConfig(outline_reach=0.0), frames, masks, clips)
    bright = plate[200, :230].min(axis=-1) > 220
    left = np.flatnonzero(bright).min()
    assert left in (60, 110) and bright[left : left + 90].all() and bright.sum() == 90


def test_a_clip_whose_masks_leave_much_unexplained_is_not_kept():
    """In one of two clips, in which most lies still, the masks know of the head alone."""
    frames, masks = filmed([60, 130, 200, 240] + [130, 170, 220, *[100] * 9], [1.0] * 16)
    clips = np.array([0] * 4 + [1] * 12)
    for frame, place in zip(frames[4:], [130, 170, 220, *[100] * 9], strict=True):
        frame[cv2.dilate(figure_at(place).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0] = (60, 40, 120)
    masks[4:, 100:] = False
    plate, _ = run(PlateConfig(outline_reach=0.0), frames, masks, clips)
    assert np.abs(plate.astype(np.float64) - textured_room())[figure_at(100)].mean() < 6.0


def test_without_people_it_is_the_median_and_the_same_bytes_each_time():
    frames, masks = filmed([60, 120, 200], [1.0] * 3)
    empty = np.zeros_like(masks)
    plate, valid = run(PlateConfig(align_exposure=False), frames, empty)
    np.testing.assert_array_equal(plate, (np.median(frames.astype(np.float32), axis=0) + 0.5).astype(np.uint8))
    assert valid.all()
    once, again = run(PlateConfig(), frames, masks), run(PlateConfig(), frames.copy(), masks.copy())
    assert once[0].tobytes() == again[0].tobytes() and once[1].tobytes() == again[1].tobytes()
