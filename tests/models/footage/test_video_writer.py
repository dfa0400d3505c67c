import hashlib

import numpy as np

from models.footage.video_writer import read_masks, write_masks, write_video


def moving_square(n=12, size=(48, 64)):
    frames = np.full((n, *size, 3), 40, np.uint8)
    for i in range(n):
        frames[i, 10:20, 4 * i : 4 * i + 10] = (220, 30, 30)
    return frames


def test_same_frames_same_bytes(tmp_path):
    digests = set()
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, moving_square(), 15.0)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_masks_are_lossless(tmp_path):
    masks = np.random.default_rng(0).integers(0, 4, (5, 48, 64), dtype=np.uint8)
    write_masks(tmp_path / "m.mkv", masks, 15.0)
    np.testing.assert_array_equal(read_masks(tmp_path / "m.mkv"), masks)
