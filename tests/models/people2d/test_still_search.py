"""People in one picture: whom a network finds again in larger crops, and no chair."""

from pathlib import Path

import numpy as np
import pytest

from models.footage.video import read_frames_at
from models.people2d.movenet import TflitePose
from models.people2d.pose2d import Crop, Pose2D
from models.people2d.still_search import inside, search_crops

SHARED = Path(__file__).parents[3].parent / "shared"
MOVENET = SHARED / "weights" / "movenet_lightning_ptq.tflite"
FALL = SHARED / "footage" / "upfall" / "A01_S01_T01_C2.mp4"
FIGURE = np.stack([np.tile([-6.0, 6.0], 9)[:17], np.linspace(-40.0, 40.0, 17)], axis=-1)


class OneFigure:
    """A network that finds a figure where it stands, and in small crops a second thing that is none."""

    def __init__(self, centre: tuple[float, float], chair: tuple[float, float]):
        self.centre, self.chair = np.array(centre), np.array(chair)

    def __call__(self, rgb: np.ndarray, crop: Crop) -> Pose2D:
        middle, half = np.array(crop.centre_px), crop.side_px / 2
        if np.abs(self.centre - middle).max() < half - 30:
            return Pose2D(self.centre + FIGURE, np.full(17, 0.6), crop.turn)
        if np.abs(self.chair - middle).max() < half:
            # A thing that looks like a person, and like another one in another crop.
            return Pose2D(self.chair + FIGURE + 0.5 * crop.side_px, np.full(17, 0.5), crop.turn)
        return Pose2D(middle + FIGURE, np.full(17, 0.05), crop.turn)


def test_who_is_found_again_is_somebody_and_what_is_not_is_none():
    found = search_crops(OneFigure((100.0, 120.0), (330.0, 60.0)))(np.zeros((240, 400, 3), np.uint8))
    assert len(found) == 1 and found[0].score == pytest.approx(0.6)
    np.testing.assert_allclose(found[0].keypoints_px, np.array([100.0, 120.0]) + FIGURE)


def test_the_share_inside_a_mask():
    pose = Pose2D(np.array([50.0, 60.0]) + FIGURE, np.full(17, 0.6), 0)
    mask = np.zeros((120, 100), dtype=bool)
    assert inside(pose, mask) == 0.0
    mask[:60] = True
    assert 0.4 < inside(pose, mask) < 0.6
    assert inside(pose, np.ones_like(mask)) == 1.0


@pytest.mark.skipif(not (MOVENET.exists() and FALL.exists()), reason="../shared is not here")
def test_movenet_finds_two_real_people():
    picture = read_frames_at(FALL, [0])[0]
    found = search_crops(TflitePose(MOVENET, 1))(picture)
    assert [pose.score > 0.45 for pose in found[:2]] == [True, True]
    middles = sorted(float(pose.box_px[[0, 2]].mean()) for pose in found[:2])
    assert 280 < middles[0] < 370 and 530 < middles[1] < 640  # one stands, one sits at the right
    grey = np.full_like(picture, 120)
    assert all(pose.score < 0.3 for pose in search_crops(TflitePose(MOVENET, 1))(grey))
