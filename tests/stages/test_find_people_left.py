"""Who is left in a plate is painted over, who is in a clip and not ours is counted, and our own people are ours."""

from pathlib import Path

import numpy as np
import pytest

from models.footage.inpainting import fill
from models.footage.video import read_frames_at
from models.people2d.movenet import TflitePose
from models.people2d.pose2d import Pose2D
from models.people2d.still_search import search_crops
from stages.find_people_left import FindPeopleLeftConfig, believed, count_in_clip, search_plate

SHARED = Path(__file__).parents[2].parent / "shared"
MOVENET = SHARED / "weights" / "movenet_lightning_ptq.tflite"
FALL = SHARED / "footage" / "upfall" / "A01_S01_T01_C2.mp4"
HEIGHT, WIDTH = 120, 160
needs_shared = pytest.mark.skipif(not (MOVENET.exists() and FALL.exists()), reason="../shared is not here")


def red_figures(rgb: np.ndarray) -> list[Pose2D]:
    """Finds everything red, as one person."""
    rows, columns = np.nonzero(rgb[..., 0].astype(int) - rgb[..., 1] > 60)
    if not len(rows):
        return []
    picked = np.linspace(0, len(rows) - 1, 17).round().astype(int)
    return [Pose2D(np.stack([columns[picked], rows[picked]], axis=-1).astype(float), np.full(17, 0.6), 0)]


def picture(left: int | None, width: int = 20) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 130, np.uint8)
    image[::6] = 110
    if left is not None:
        image[30:90, left : left + width] = (220, 30, 30)
    return image


def test_who_is_left_in_a_plate_is_painted_over():
    valid = np.ones((HEIGHT, WIDTH), dtype=bool)
    done = search_plate(FindPeopleLeftConfig(), red_figures, picture(60), valid, fill)
    assert (done.painted_over, done.left) == (1, 0)
    assert not red_figures(done.image) and not done.valid[40:80, 62:78].any()
    assert np.abs(done.image[40:80, 62:78].astype(int) - picture(None)[40:80, 62:78]).mean() < 12
    same = search_plate(FindPeopleLeftConfig(), red_figures, picture(None), valid, fill)
    assert (same.painted_over, same.left) == (0, 0) and same.valid.all()
    np.testing.assert_array_equal(same.image, picture(None))


def test_who_cannot_be_painted_over_is_said():
    valid = np.ones((HEIGHT, WIDTH), dtype=bool)
    calls = []

    def in_vain(image: np.ndarray, kept: np.ndarray) -> np.ndarray:
        calls.append(kept.mean())
        return image

    done = search_plate(FindPeopleLeftConfig(rounds=2), red_figures, picture(60), valid, in_vain)
    assert (done.left, len(calls)) == (1, 2)


def clip(stranger: int | None, shown_in: set[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """40 frames of our own figure at the left, with a stranger in some."""
    frames = np.stack([picture(stranger if index in shown_in else None) for index in range(40)])
    masks = np.zeros((40, HEIGHT, WIDTH), np.uint8)
    masks[:, 30:90, 10:30] = 1
    boxes = np.tile([10.0, 30.0, 29.0, 89.0], (1, 40, 1))
    return frames, masks, boxes


def test_a_stranger_in_a_clip_is_counted_and_our_own_people_are_not():
    config = FindPeopleLeftConfig()
    assert count_in_clip(config, red_figures, *clip(100, set(range(40)))) == 4  # every tenth frame was searched
    frames, masks, boxes = clip(10, set(range(40)))
    assert count_in_clip(config, red_figures, frames, masks, boxes) == 0
    # Hidden limbs are ours where the box holds them.
    masks[:, 60:] = 0
    assert count_in_clip(config, red_figures, frames, masks, boxes) == 0
    # Once is furniture; a person is seen again.
    assert count_in_clip(config, red_figures, *clip(100, {10})) == 0
    assert count_in_clip(config, red_figures, *clip(100, {10, 30})) == 2


def test_the_doubtful_and_the_tiny_are_not_believed():
    pose = red_figures(picture(60))[0]
    doubtful = Pose2D(pose.keypoints_px, np.full(17, 0.2), 0)
    tiny = Pose2D(pose.keypoints_px * 0.05, pose.scores, 0)
    assert believed(FindPeopleLeftConfig(), [pose, doubtful, tiny], HEIGHT) == [pose]


@needs_shared
def test_real_people_in_a_plate_are_found_and_painted_over():
    """A frame taken for a plate: one stands, one sits."""
    config, search = FindPeopleLeftConfig(), search_crops(TflitePose(MOVENET, 1))
    frame = read_frames_at(FALL, [0])[0]
    done = search_plate(config, search, frame, np.ones(frame.shape[:2], dtype=bool), fill)
    assert done.painted_over >= 2 and done.left == 0
    assert not believed(config, search(done.image), frame.shape[0])
    assert not done.valid[130, 325]  # the chest of who stands
    assert done.valid[:, :200].mean() > 0.9


@needs_shared
def test_real_people_in_a_clip_are_not_ours():
    frames = np.stack(list(read_frames_at(FALL, range(3)).values()))
    quick = search_crops(TflitePose(MOVENET, 1), sizes=(0.6, 1.1), turns=(0,))
    masks, boxes = np.zeros(frames.shape[:3], np.uint8), np.zeros((0, len(frames), 4))
    assert count_in_clip(FindPeopleLeftConfig(every=1), quick, frames, masks, boxes) == 3
    masks[:], boxes = 1, np.zeros((1, len(frames), 4))
    assert count_in_clip(FindPeopleLeftConfig(every=1), quick, frames, masks, boxes) == 0
