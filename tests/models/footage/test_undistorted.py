"""Frames of footage are undistorted where its lens distorts them, and handed on as they are where none does."""

from dataclasses import replace

import numpy as np
import pytest

from models.footage.undistorted import frames, frames_at
from models.footage.video_writer import write_video
from models.geometry.lens import Lens
from models.types import Footage

LENS = Lens(
    "opencv", np.array([-0.3, 0.1, 0.0, 0.0]), np.array([[90.0, 0, 79.5], [0, 90.0, 59.5], [0, 0, 1]]), 160, 120
)


@pytest.fixture
def footage(tmp_path) -> Footage:
    image = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    write_video(tmp_path / "clip.mp4", [np.roll(image, 10 * t, axis=1) for t in range(5)], 10.0, quality=0)
    return Footage("clip", "clip.mp4", "s", "r", "c", np.arange(5) / 10.0, 160, 120, "")


def test_without_a_lens_frames_are_the_files(footage, tmp_path):
    every = list(frames(tmp_path, footage))
    assert [time for time, _ in every] == pytest.approx(footage.timestamps_s.tolist())
    some = frames_at(tmp_path, footage, [3, 1])
    assert sorted(some) == [1, 3] and np.array_equal(some[3], every[3][1])


def test_with_a_lens_frames_are_undistorted(footage, tmp_path):
    plain, bent = list(frames(tmp_path, footage)), list(frames(tmp_path, replace(footage, lens=LENS)))
    for (_, image), (_, undistorted) in zip(plain, bent, strict=True):
        assert np.array_equal(undistorted, LENS.undistort_image(image)) and not np.array_equal(undistorted, image)
    some = frames_at(tmp_path, replace(footage, lens=LENS), [2])
    assert np.array_equal(some[2], bent[2][1])
