"""Parts of a table are one table to pandas, whenever they were written."""

import numpy as np
import pandas as pd

from models.dataset.frames import FramesWriter, read_clips


def write(folder, clips, per_part=3):
    writer = FramesWriter(folder, per_part)
    for clip in clips:
        writer.add(clip)
    writer.close()
    return writer.parts


def test_parts_are_one_table(labelled_clip, tmp_path):
    names = [f"clip_{number:05d}" for number in range(7)]
    clips = [labelled_clip(name) for name in names]
    assert write(tmp_path / "frames.parquet", clips[:5]) == [names[:3], names[3:5]]
    first = (tmp_path / "frames.parquet" / "part-00000.parquet").read_bytes()
    assert write(tmp_path / "frames.parquet", clips[5:]) == [names[5:]]
    assert (tmp_path / "frames.parquet" / "part-00000.parquet").read_bytes() == first
    rows = pd.read_parquet(tmp_path / "frames.parquet")
    assert rows["clip"].unique().tolist() == names and len(rows) == 7 * 12
    assert rows["action"][3:5].tolist() == ["walk", "fall"]
    widths = {"smpl_poses": 72, "joints_world": 72, "keypoints_px": 34, "keypoints_visible": 17, "distortion": 0}
    assert {name: len(rows[name][0]) for name in widths} == widths
    np.testing.assert_array_equal(rows["keypoints_px"][0], np.tile([20.0, 30.0], 17))
    np.testing.assert_array_equal(rows["intrinsics"][0].reshape(3, 3), clips[0].camera.intrinsics)


def test_clips_are_read_one_by_one_from_parts_and_from_a_file_of_before(labelled_clip, tmp_path):
    clips = [labelled_clip(f"clip_{number:05d}") for number in range(4)]
    write(tmp_path / "frames.parquet", clips)
    pd.read_parquet(tmp_path / "frames.parquet").to_parquet(tmp_path / "old.parquet", index=False)
    for table in ("frames.parquet", "old.parquet"):
        read = list(read_clips(tmp_path / table, ["frame", "room"]))
        assert [name for name, _ in read] == [clip.clip for clip in clips]
        assert all(rows["frame"].to_pylist() == list(range(12)) for _, rows in read)
