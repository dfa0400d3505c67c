"""Masks cover the people, who is lost stays masked, frames are spread over the clips, and feet are those of the
upright."""

from dataclasses import replace

import numpy as np
import pytest

from models.footage.person_masks import feet_px, nearest_sightings, person_mask, sample_frames, sample_key_frames
from models.footage.video_writer import write_video
from models.types import Footage, Person2D


def footage(name: str = "clip", count: int = 4, width: int = 160, height: int = 120) -> Footage:
    return Footage(name, f"{name}.mp4", "s", "r", "c", np.arange(count) / 10.0, width, height, "0" * 64)


def someone(count: int = 4, score: float = 0.9) -> Person2D:
    # An upright stick figure, 17 keypoints, 60 px tall.
    x = np.array([0, 1, -1, 2, -2, 6, -6, 8, -8, 9, -9, 4, -4, 4, -4, 4, -4], dtype=float)
    y = np.array([0, -1, -1, 0, 0, 10, 10, 20, 20, 30, 30, 30, 30, 45, 45, 60, 60], dtype=float)
    points = np.tile(np.stack([x + 80, y + 30], axis=-1), (count, 1, 1))
    boxes = np.tile([70.0, 25.0, 90.0, 95.0], (count, 1))
    return Person2D("anna", "resident", np.ones(count, bool), boxes, points, np.full((count, 17), score))


def moved(person: Person2D, by: tuple[float, float]) -> Person2D:
    return replace(person, keypoints_px=person.keypoints_px + by, boxes_px=person.boxes_px + [*by, *by])


@pytest.fixture
def clips(tmp_path):
    """Two videos of even grey that brightens by 20 a frame; somebody stands in the first, who is lost half way."""
    for name, base in (("a", 20), ("b", 60)):
        pictures = [np.full((120, 160, 3), base + 20 * index, np.uint8) for index in range(8)]
        write_video(tmp_path / f"{name}.mp4", pictures, 10.0, quality=0)
    visible = np.array([True, True, True, False, False, False, True, True])
    person = replace(someone(8), visible=visible)
    return tmp_path, footage("a", 8), footage("b", 8), person


def test_person_mask_covers_the_body_and_not_the_room():
    person = someone()
    mask = person_mask([person], 1, 120, 160)
    columns, rows = person.keypoints_px[1].astype(int).T
    assert mask[rows, columns].all()
    assert mask[35:60, 78:82].all()
    assert not mask[:, :50].any() and not mask[:, 110:].any()
    hidden = replace(person, visible=np.array([True, False, True, True]))
    assert not person_mask([hidden], 1, 120, 160).any()
    # Moving the person moves the mask.
    moved = replace(person, keypoints_px=person.keypoints_px + [20, 0], boxes_px=person.boxes_px + [20, 0, 20, 0])
    assert np.array_equal(person_mask([moved], 1, 120, 160)[:, 20:], mask[:, :-20])


def test_with_few_keypoints_the_box_is_covered():
    scores = np.zeros((4, 17))
    scores[:, :3] = 0.9
    mask = person_mask([replace(someone(), scores=scores)], 0, 120, 160)
    assert mask[25:96, 70:91].all() and mask.sum() == 71 * 21


def test_who_is_lost_is_where_they_were_last_and_next_seen():
    person = replace(someone(6), visible=np.array([False, True, True, False, False, True]))
    assert [nearest_sightings(person, frame) for frame in range(6)] == [[1], [1], [2], [2, 5], [2, 5], [5]]
    assert nearest_sightings(replace(person, visible=np.zeros(6, bool)), 3) == []


def test_samples_are_of_all_clips_and_mask_who_is_lost(clips):
    root, first, second, person = clips
    everywhere = np.ones(8, dtype=bool)
    samples = sample_frames(root, [(first, [person], everywhere), (second, [], everywhere)], 6)
    assert samples.clips.tolist() == [0, 0, 0, 1, 1, 1]
    assert samples.masks[:3].any(axis=(1, 2)).all() and not samples.masks[3:].any()
    everything = sample_frames(root, [(first, [person], everywhere), (second, [], everywhere)], 16)
    grey = everything.frames.reshape(16, -1).mean(axis=1)
    np.testing.assert_allclose(grey[:8], np.arange(20, 180, 20), atol=3)
    assert np.array_equal(everything.masks[4], person_mask([person], 2, 120, 160))  # lost, and stands still


def test_only_frames_in_which_people_were_looked_for_are_read(clips):
    root, first, second, person = clips
    looked = np.arange(8) >= 6
    samples = sample_frames(root, [(first, [person], looked), (second, [], np.zeros(8, bool))], 16)
    np.testing.assert_allclose(samples.frames.reshape(2, -1).mean(axis=1), [140, 160], atol=3)
    assert sample_frames(root, [(first, [person], np.zeros(8, bool))], 16) is None


def test_the_foot_beyond_the_ankle_is_covered():
    person = someone()
    mask = person_mask([person], 1, 120, 160)
    # The ankles are at row 90, the box is 73 px across.
    assert mask[97, 83:86].all() and mask[97, 75:78].all()


def test_key_frames_come_after_the_plate_with_their_people_masked(clips):
    root, first, second, person = clips
    plate = np.full((120, 160, 3), 7, np.uint8)
    views = [(first, np.array([1, 3]), [person]), (second, np.array([0, 5]), [])]
    images, masks = sample_key_frames(root, views, plate, 2)
    np.testing.assert_allclose(images.reshape(3, -1).mean(axis=1), [7, 80, 160], atol=3)
    assert not masks.any()  # of the first clip frame 3 was chosen, in which nobody is seen
    images, masks = sample_key_frames(root, views, plate, 9)
    assert len(images) == 5 and masks[1].any() and not masks[[0, 2, 3, 4]].any()
    images, masks = sample_key_frames(root, views, plate, 0)
    assert np.array_equal(images, plate[None]) and not masks.any()


def test_feet_are_the_ankles_of_upright_people():
    person = someone(2)
    feet = feet_px([person, moved(person, (20, 0))])
    assert feet.tolist() == [[84, 90], [84, 90], [76, 90], [76, 90], [104, 90], [104, 90], [96, 90], [96, 90]]
    lying = replace(person, keypoints_px=person.keypoints_px[..., ::-1].copy())
    unsure, lost = replace(person, scores=np.full((2, 17), 0.2)), replace(person, visible=np.zeros(2, bool))
    assert feet_px([lying, unsure, lost]).shape == (0, 2)
