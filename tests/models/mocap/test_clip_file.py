"""A clip's npz is read by our own reader and, one person a file, as AMASS is read."""

from pathlib import Path

import numpy as np
import pytest

from models.animation.gait_curves import procedural_walking
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import track_joints
from models.errors import InputError
from models.geometry.transforms import matrix_from_axis_angle
from models.mocap.clip_file import SMPL_PELVIS_M, is_part, read_motion, write_motion, write_other_people
from models.mocap.importers import amass
from models.mocap.smpl_skeleton import SMPL_OFFSETS
from models.motion_sources.simulated import PhysicsFalls
from models.order import ClipOrder
from models.types import SMPL_JOINTS, SMPL_PARENTS, Motion, PersonTrack

LIMBS = [
    (SMPL_JOINTS.index(f"{side}_{a}"), SMPL_JOINTS.index(f"{side}_{b}"))
    for side in ("left", "right")
    for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def motion(body) -> Motion:
    """One falls, and one walks past."""
    order = {"event": "fall", "cause": "push", "direction": "left", "start": "standing", "seconds": 4.0, "fps": 15.0}
    order |= {"role": "resident", "age_years": 80.0, "stature_m": 1.6, "build": 0.5, "sex": 0.0, "text": ""}
    fall = PhysicsFalls(body).sample(ClipOrder.model_validate(order), None, np.random.default_rng(1))
    betas = np.asarray(body.betas_from_shape(BodyShape(stature_m=1.85)), dtype=np.float64)
    walk = procedural_walking(body, betas, 4.0, 15.0, np.random.default_rng(0), person="bert").people[0]
    walk = PersonTrack(**{**vars(walk), "transl": walk.transl + [1.0, 1.0, 0.0]})
    return Motion(fall.timestamps_s, (fall.people[0], walk), np.full((2, 60), -1), "made")


@pytest.fixture(scope="module")
def files(body, motion, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    write_motion(motion, folder / "clip_00000.npz", body)
    write_other_people(motion, folder / "clip_00000.npz", body)
    return sorted(folder.iterdir())


def limbs(joints: np.ndarray) -> np.ndarray:
    bones = np.stack([joints[:, b] - joints[:, a] for a, b in LIMBS], axis=1)
    return bones / np.linalg.norm(bones, axis=-1, keepdims=True)


def smpl_joints(poses: np.ndarray, trans: np.ndarray) -> np.ndarray:
    """Forward kinematics of SMPL's mean skeleton, as its own layer does it: the root at trans + J0."""
    local = matrix_from_axis_angle(poses[:, :66].astype(np.float64).reshape(-1, 22, 3))
    places, world = np.zeros((len(poses), 22, 3)), np.zeros((len(poses), 22, 3, 3))
    for joint, parent in enumerate(SMPL_PARENTS[:22]):
        if parent < 0:
            places[:, joint], world[:, joint] = trans + SMPL_PELVIS_M, local[:, joint]
        else:
            world[:, joint] = world[:, parent] @ local[:, joint]
            places[:, joint] = places[:, parent] + world[:, parent] @ SMPL_OFFSETS[joint]
    return places


def test_every_person_is_a_take_of_amass_on_smpl_s_own_bones(body, motion, files):
    assert [file.name for file in files] == ["clip_00000.npz", "clip_00000_1.npz"]
    for file, track in zip(files, motion.people, strict=True):
        with np.load(file, allow_pickle=False) as take:
            assert take["poses"].shape == (60, 156) and take["trans"].shape == (60, 3) and take["betas"].shape == (16,)
            assert str(take["gender"]) == "neutral" and str(take["surface_model_type"]) == "smplh"
            assert float(take["mocap_framerate"]) == pytest.approx(15.0)
            assert not take["poses"][:, 66:].any()  # hands
            theirs = smpl_joints(take["poses"], take["trans"])
        ours = track_joints(body, track)
        np.testing.assert_allclose(theirs[:, 0], ours[:, 0], atol=1e-5)  # z up, metres: the pelvis is where it was
        angles = np.degrees(np.arccos(np.clip((limbs(ours) * limbs(theirs)).sum(axis=-1), -1.0, 1.0)))
        assert angles.max() < 0.5, angles.max(axis=0)


def test_our_importer_of_amass_reads_it(body, motion, files):
    """Up to the heading, which an importer takes away: limbs are as steep, and whoever fell has fallen."""
    for file, track in zip(files, motion.people, strict=True):
        (again,) = amass.read(file, body, track.betas, 15.0)
        assert again.details["model"] == "SMPL-H" and len(again.timestamps_s) == 60
        ours, theirs = track_joints(body, track), track_joints(body, again.people[0])
        assert np.abs(theirs[:, 0, 2] - ours[:, 0, 2]).max() < 0.15
        steepness = [np.degrees(np.arcsin(limbs(joints)[..., 2])) for joints in (ours, theirs)]
        assert np.median(np.abs(steepness[1] - steepness[0])) < 2.0


def test_our_own_reader_has_everybody_as_they_were(motion, files):
    again = read_motion(files[0])
    for track, same in zip(motion.people, again.people, strict=True):
        assert (same.person, same.role) == (track.person, track.role)
        np.testing.assert_allclose(same.body_pose, track.body_pose, atol=1e-6)
        np.testing.assert_allclose(same.transl, track.transl, atol=1e-6)
    assert [is_part(file) for file in files] == [False, True]
    with pytest.raises(InputError, match="clip_00000_1.npz: is no motion of a dataset"):
        read_motion(files[1])
