"""MoveNet through LiteRT sees the same person whichever way up the image is."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
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


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is not a TFLite model"),
        (b"no model", "is not a TFLite model"),
        (b"\0\0\0\0TFL3" + b"\0" * 30, "is not a TFLite model"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "is a Git LFS pointer, not the file"),
    ],
)
def test_a_file_that_is_no_model_is_one_line(tmp_path, content, problem):
    from models.people2d.movenet import TflitePose

    (tmp_path / "a.tflite").write_bytes(content)
    with pytest.raises(InputError, match=f"a.tflite: {problem}; "):
        TflitePose(tmp_path / "a.tflite")


@needs_shared
@pytest.mark.parametrize("kept", [1_000, 1_000_000, 2_800_000])
def test_a_file_that_is_cut_off_is_one_line(tmp_path, kept):
    from models.people2d.movenet import TflitePose

    (tmp_path / "a.tflite").write_bytes(MOVENET.read_bytes()[:kept])
    with pytest.raises(InputError, match="a.tflite: is not a TFLite model; "):
        TflitePose(tmp_path / "a.tflite")


@needs_shared
def test_another_model_is_named(tmp_path):
    from models.people2d.movenet import TflitePose

    with pytest.raises(
        InputError, match=r"takes \(1, .*\) and gives \(1, .*\), expected \(1, n, n, 3\) and \(1, 1, 17, 3\)"
    ):
        TflitePose(SHARED / "weights" / "pose_detection.tflite")


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
