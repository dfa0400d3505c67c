"""AMASS: a walk of SMPL's rotations in each layout comes back with its limbs; wrong files say what is wrong."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.body.model import BodyModel
from models.body.tracks import track_joints
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix
from models.mocap.importers.amass import read
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion

MISSING_REMEDY = "give a take of AMASS: an npz with poses, trans and mocap_framerate"


def arrays(source: SkeletonMotion, width: int, rate: str = "mocap_framerate") -> dict:
    """What AMASS would hold of the motion: z up, hands and face of nothing in particular."""
    rotations = source.rotations.copy()
    rotations[:, 0] = R_ZUP_YUP @ rotations[:, 0]
    poses = np.random.default_rng(0).normal(0.0, 0.3, (len(rotations), width))
    poses[:, :66] = axis_angle_from_matrix(rotations)[:, :22].reshape(-1, 66)
    return {
        "poses": poses,
        "trans": source.translations[:, 0] @ R_ZUP_YUP.T,
        rate: 60.0,
        "gender": "neutral",
        "betas": np.ones(16),
        "dmpls": np.zeros((len(rotations), 8)),
    }


@pytest.mark.parametrize(
    ("width", "rate"), [(72, "mocap_framerate"), (156, "mocap_framerate"), (165, "mocap_frame_rate")]
)
def test_a_known_walk_comes_back(
    body: BodyModel,
    betas: np.ndarray,
    smpl_walk: Callable,
    limb_angles: Callable,
    tmp_path: Path,
    width: int,
    rate: str,
) -> None:
    source = smpl_walk(60.0, 1.1)
    np.savez(tmp_path / "walk_poses.npz", **arrays(source, width, rate))
    (motion,) = read(tmp_path / "walk_poses.npz", body, betas, 20.0)
    np.testing.assert_allclose(motion.timestamps_s, np.arange(60) / 20.0)
    assert motion.details["texts"] == () and motion.source == "walk_poses.npz"
    angles = limb_angles(smpl_walk(60.0, 1.1), retarget([source], body, betas, 60.0), body)
    # Our arms point where SMPL's do, although our T-pose differs from SMPL's by 5 degrees; legs give way to the floor.
    assert angles[[2, 3, 6, 7]].max() < 0.1 and angles.max() < 8.0 and angles.mean() < 2.0
    known = track_joints(body, retarget([source], body, betas, 20.0).people[0])
    np.testing.assert_allclose(track_joints(body, motion.people[0]), known, atol=1e-4)


def test_rest_poses_are_not_taken_for_the_same(
    body: BodyModel, betas: np.ndarray, smpl_walk: Callable, limb_angles: Callable
) -> None:
    """The same numbers put straight on our body would point its arms elsewhere: what the test above can see."""
    source = smpl_walk(20.0)
    motion = retarget([source], body, betas, 20.0)
    naive = motion.people[0].body_pose.copy()
    straight = axis_angle_from_matrix(source.rotations)[:, 1:].reshape(-1, 69)
    assert np.degrees(np.abs(naive - straight)[:, 45:60]).max() > 4.0
    assert limb_angles(source, motion, body)[[2, 3, 6, 7]].max() < 0.1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"poses": None}, "has no poses (it has betas, dmpls, gender, mocap_framerate, trans)"),
        (
            {"poses": None, "trans": None, "mocap_framerate": None},
            "has no poses, trans, mocap_framerate (it has betas, dmpls, gender)",
        ),
        (
            {"poses": np.zeros((5, 70))},
            (
                "poses is (5, 70) and trans (180, 3); poses are "
                "(frames, 72 (SMPL), 156 (SMPL-H), 165 (SMPL-X)), trans (frames, 3)"
            ),
        ),
        ({"trans": np.full((180, 3), np.nan)}, "trans holds a number that is not finite"),
        ({"poses": np.array([["a"] * 156] * 180)}, "poses holds <U1 and no numbers"),
        ({"mocap_framerate": np.array(0.0)}, "has the frame rate 0., expected 1 to 1000 a second"),
        ({"mocap_framerate": np.array([30.0, 30.0])}, "has the frame rate [30. 30.], expected 1 to 1000 a second"),
        ({"mocap_framerate": np.array(1e-9)}, "has the frame rate 1.e-09, expected 1 to 1000 a second"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "poses is (0, 156) and trans (0, 3)"),
        (
            {"poses": np.array([{}], dtype=object)},
            "is no npz or npy that can be read (Object arrays cannot be loaded",
        ),
    ],
)
def test_other_files_say_what_is_wrong(
    body: BodyModel, betas: np.ndarray, smpl_walk: Callable, tmp_path: Path, change: dict, problem: str
) -> None:
    values = {name: value for name, value in (arrays(smpl_walk(60.0), 156) | change).items() if value is not None}
    path = tmp_path / "other.npz"
    np.savez(path, **values)
    with pytest.raises(InputError) as caught:
        read(path, body, betas)
    assert str(caught.value).startswith(f"{path}: {problem}") and str(caught.value).endswith(MISSING_REMEDY)


def test_no_npz_says_so(body: BodyModel, betas: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    (tmp_path / "b.npz").write_text("PK\x03\x04 but no archive")
    (tmp_path / "c.npz").write_text("nothing")
    (tmp_path / "e.npz").touch()
    problems = {"a.npy": "has no poses, trans", "e.npz": r"is empty \(0 bytes\)"}
    for name in ("a.npy", "b.npz", "c.npz", "d.npz", "e.npz"):
        with pytest.raises(InputError, match=problems.get(name, "is no npz or npy that can be read")):
            read(tmp_path / name, body, betas)
