"""MoveNet through LiteRT sees the same person whichever way up the image is."""

from pathlib import Path

import numpy as np
import pytest

from models.types import Footage

SHARED = Path(__file__).parents[3].parent / "shared"


MOVENET = SHARED / "weights" / "movenet_lightning_ptq.tflite"


FALL = SHARED / "footage" / "upfall" / "A01_S01_T01_C2.mp4"


def footage(count: int = 4, width: int = 160, height: int = 120) -> Footage:
    return Footage("clip", "clip.mp4", "s", "r", "c", np.arange(count) / 10.0, width, height, "0" * 64)


needs_shared = pytest.mark.skipif(
    not (MOVENET.exists() and FALL.exists()), reason="../shared/weights and ../shared/footage are not here"
)


@pytest.fixture(scope="module")
def fall_frames():
    from models.footage.video import read_frames

    return [frame for i, frame in enumerate(read_frames(FALL)) if 30 <= i < 100 and i % 2 == 0]


@needs_shared
def test_movenet_does_not_care_which_way_up_the_image_is(fall_frames):
    from models.people2d.movenet import TflitePose
    from models.people2d.pose2d import Crop

    network = TflitePose(MOVENET, threads=1)
    image = fall_frames[0][1][60:340, 200:440]
    upright = network(image, Crop((120.0, 140.0), 280.0, 0))
    # np.rot90 turns the picture counter-clockwise: the head points left, and turn 3 shows it upright again.
    lying = network(np.ascontiguousarray(np.rot90(image)), Crop((140.0, 120.0), 280.0, 3))
    x, y = lying.keypoints_px.T
    back = np.stack([239.0 - y, x], axis=-1)
    seen = upright.scores > 0.3
    assert seen.sum() >= 12
    assert np.abs(back - upright.keypoints_px)[seen].max() < 6.0
