"""`skeletons.pkl` after mmaction2's docs (skeleton-based action recognition, "Annotation File Format"): a pickle of
`split` and `annotations`; keypoint [person, time, joint, 2] and keypoint_score [person, time, joint], floats."""

import pickle

import numpy as np
import pytest

from models.dataset import skeletons
from models.types import ACTIONS, COCO_KEYPOINTS


def test_mmaction2_reads_it(labelled_clip, tmp_path):
    """What `PoseDataset` and `PreNormalize2D` of mmaction2 take from the file."""
    clip = labelled_clip(width_px=2048)
    clip.keypoints_px[:] = 2000.3
    skeletons.write(tmp_path / "s.pkl", [skeletons.annotation(clip, "room_1")], ["room_1"])
    content = skeletons.read(tmp_path / "s.pkl")
    (one,) = [one for one in content["annotations"] if one["frame_dir"] in set(content["split"]["train"])]
    assert one["label"] == ACTIONS.index("fall") and content["classes"][one["label"]] == "fall"
    assert one["img_shape"] == one["original_shape"] == (1536, 2048) and one["total_frames"] == 12
    assert one["keypoint"].shape == (1, 12, 17, 2) and one["keypoint_score"].shape == (1, 12, 17)
    assert one["keypoint"].dtype == one["keypoint_score"].dtype == np.float32
    assert np.abs(one["keypoint"] - 2000.3).max() < 1e-3  # half precision has steps of 1 px there
    assert content["joints"] == list(COCO_KEYPOINTS) and len(content["joints"]) == one["keypoint"].shape[2]


def test_a_pickle_that_could_run_something_is_refused(tmp_path):
    (tmp_path / "s.pkl").write_bytes(pickle.dumps(print))
    with pytest.raises(pickle.UnpicklingError, match="holds a builtins.print"):
        skeletons.read(tmp_path / "s.pkl")


def test_train_and_val_share_no_room(labelled_clip):
    rooms = [f"room_{number}" for number in range(1, 12)]
    found = [skeletons.annotation(labelled_clip(f"clip_{n:05d}"), rooms[n % 11]) for n in range(44)]
    parted, words = skeletons.split(found, rooms)
    room_of = {one["frame_dir"]: one["room"] for one in found}
    places = {name: {room_of[clip] for clip in clips} for name, clips in parted.items()}
    assert places["val"] == {"room_2", "room_7"} and not places["train"] & places["val"]
    assert len(parted["train"]) + len(parted["val"]) == 44 and words == "by room: val is room_2, room_7"
    two, _ = skeletons.split([one for one in found if one["room"] in ("room_4", "room_9")], rooms)
    assert {room_of[clip] for clip in two["val"]} == {"room_9"}


def test_one_room_is_parted_by_clip_and_that_is_said(labelled_clip):
    found = [skeletons.annotation(labelled_clip(f"clip_{n:05d}"), "room_1") for n in range(10)]
    parted, words = skeletons.split(found, ["room_1"])
    assert parted["val"] == ["clip_00004", "clip_00009"] and len(parted["train"]) == 8
    assert "it is in both" in words


def test_a_clip_has_one_label(labelled_clip):
    clip = labelled_clip()
    assert skeletons.clip_label(clip) == "fall"
    clip.motion.actions[:] = [ACTIONS.index("walk")] * 4 + [ACTIONS.index("standing")] * 8
    assert skeletons.clip_label(clip) == "standing"
    clip.motion.actions[:] = -1
    assert skeletons.clip_label(clip) == "other"
