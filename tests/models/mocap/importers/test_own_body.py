"""Our own clips and lifted tracks: nothing but clock and frame changes; other bodies and other files are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models import codec
from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import BodyModel
from models.body.tracks import track_joints
from models.errors import InputError
from models.geometry.transforms import matrix_from_axis_angle, yaw
from models.mocap.clip_file import write_motion
from models.mocap.importers import IMPORTERS
from models.types import ACTIONS, Motion


@pytest.fixture
def motion(body: BodyModel, betas: np.ndarray) -> Motion:
    """Two people of different shapes in a room's world, on a bed's height and an uneven clock, one unseen for a
    while."""
    rng = np.random.default_rng(5)
    walk, stand = (
        procedural_walking(body, betas, 3.0, 30.0, rng),
        procedural_standing(body, 0.5 * betas, 3.0, 30.0, rng),
    )
    people = []
    for number, one in enumerate((walk, stand)):
        track = one.people[0]
        seen = track.visible.copy()
        seen[20:30] = number == 0
        people.append(
            replace(track, person=f"p{number}", transl=track.transl + [2.0 + number, -1.0, 0.5], visible=seen)
        )
    actions = np.full((2, 90), ACTIONS.index("standing"))
    actions[0] = ACTIONS.index("walk")
    clock = np.arange(90) / 30.0 + 7.0
    clock[1:-1] += rng.uniform(-0.004, 0.004, 88)
    return Motion(clock, tuple(people), actions, "people3d", {"rest_s": 1.0})


def check(body: BodyModel, read: Motion, motion: Motion) -> None:
    assert [p.person for p in read.people] == ["p0", "p1"]
    np.testing.assert_allclose(read.timestamps_s, np.arange(60) / 20.0, atol=1e-9)
    assert (read.actions == motion.actions[:, :1]).all()
    clock = motion.timestamps_s - motion.timestamps_s[0]
    known = [track_joints(body, track) for track in motion.people]
    facing = matrix_from_axis_angle(motion.people[0].global_orient[0])[:, 2]
    turn, start = yaw(-float(np.arctan2(facing[1], facing[0]))), known[0][0, 0] * [1.0, 1.0, 0.0]
    for track, before, joints in zip(read.people, motion.people, known, strict=True):
        np.testing.assert_allclose(track.betas, before.betas, atol=1e-6)
        there = np.stack(
            [[np.interp(read.timestamps_s, clock, axis) for axis in way.T] for way in np.moveaxis(joints, 1, 0)]
        ).transpose(2, 0, 1)
        np.testing.assert_allclose(track_joints(body, track), (there - start) @ turn.T, atol=4e-3)
    assert read.people[0].visible.all() and 5 <= (~read.people[1].visible).sum() <= 8


def test_a_clip_comes_back(body: BodyModel, betas: np.ndarray, motion: Motion, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_motion(motion, tmp_path / f"{name}.npz", body)
    (read,) = IMPORTERS["clip"](tmp_path / "a.npz", body, 2.0 * betas)
    check(body, read, motion)
    assert len(IMPORTERS["clip"](tmp_path, body, betas)) == 2 and read.details["texts"] == ()


def test_lifted_tracks_come_back(body: BodyModel, betas: np.ndarray, motion: Motion, tmp_path: Path) -> None:
    codec.save(motion, tmp_path, "value")
    (tmp_path / "meta.json").write_text(json.dumps({"inputs": {"body": body.digest}}))
    (read,) = IMPORTERS["people3d"](tmp_path, body, betas)
    check(body, read, motion)
    assert read.details == {"rest_s": 1.0, "texts": ()}


def test_what_is_not_ours_is_refused(body: BodyModel, betas: np.ndarray, motion: Motion, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", poses=np.zeros((2, 72)))
    with pytest.raises(InputError, match=r"a.npz: is no motion of a dataset \('people is not a file in the archive'\)"):
        IMPORTERS["clip"](tmp_path / "a.npz", body, betas)
    np.savez(tmp_path / "b.npz", people=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="b.npz: is no motion of a dataset .Object arrays cannot be loaded"):
        IMPORTERS["clip"](tmp_path / "b.npz", body, betas)
    with pytest.raises(InputError, match="holds no motion; give STORE/people3d/<key>"):
        IMPORTERS["people3d"](tmp_path, body, betas)
    codec.save(motion, tmp_path, "value")
    (tmp_path / "meta.json").write_text(json.dumps({"inputs": {"body": "0"}}))
    with pytest.raises(InputError, match="was made with another body than run.body"):
        IMPORTERS["people3d"](tmp_path, body, betas)
