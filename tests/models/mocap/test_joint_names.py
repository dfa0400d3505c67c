"""Names of joints in the wild find their partners; what has none is listed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.mocap.joint_names import match_joints, spine_between
from models.mocap.skeleton_motion import SkeletonMotion, still_limbs
from models.mocap.smpl_skeleton import SMPL_OFFSETS
from models.types import SMPL_JOINTS, SMPL_PARENTS


def named(names: tuple[str, ...], parents: tuple[int, ...] = SMPL_PARENTS) -> SkeletonMotion:
    count = len(names)
    offsets = np.resize(SMPL_OFFSETS, (count, 3))
    rotations = np.tile(np.eye(3), (2, count, 1, 1))
    root = np.zeros((2, 3))
    return SkeletonMotion(
        Path("x.bvh"), names, parents, offsets, still_limbs(root, offsets), rotations, np.arange(2) / 20.0
    )


def test_our_own_names_are_their_own_partners() -> None:
    """A BVH file that we export has ankles and feet, wrists and hands."""
    found = match_joints(named(SMPL_JOINTS))
    assert {SMPL_JOINTS[index] for name, index in found.items() if SMPL_JOINTS[index] != name} == set()
    assert set(SMPL_JOINTS) - set(found) == {"spine1", "spine2", "spine3", "left_hand", "right_hand"}
    assert spine_between(named(SMPL_JOINTS), 0, 12) == [0, 3, 6, 9]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            {
                "left_shoulder": "LeftArm",
                "left_collar": "LeftShoulder",
                "left_ankle": "LeftFoot",
                "left_foot": "LeftToeBase",
                "left_wrist": "LeftHand",
                "left_hand": "LeftHandIndex1",
            },
            "mixamorig:",
        ),
        (
            {
                "left_shoulder": "L_UpperArm",
                "left_collar": "L_Clavicle",
                "left_hip": "L_Thigh",
                "left_knee": "L_Calf",
                "left_ankle": "L_Foot",
                "left_foot": "L_ToeBase",
                "left_elbow": "L_Forearm",
                "left_wrist": "L_Hand",
                "left_hand": "L_Finger",
            },
            "CC_Base_",
        ),
        (
            {
                "pelvis": "root",
                "left_hip": "lfemur",
                "left_knee": "ltibia",
                "left_ankle": "lfoot",
                "left_foot": "ltoes",
                "left_collar": "lclavicle",
                "left_shoulder": "lhumerus",
                "left_elbow": "lradius",
                "left_wrist": "lhand",
                "left_hand": "lfingers",
                "neck": "lowerneck",
            },
            "",
        ),
        (
            {
                "left_hip": "L Thigh",
                "left_knee": "L Calf",
                "left_ankle": "L Foot",
                "left_foot": "L Toe0",
                "left_collar": "L Clavicle",
                "left_shoulder": "L UpperArm",
                "left_elbow": "L Forearm",
                "left_wrist": "L Hand",
                "left_hand": "L Finger0",
            },
            "Bip01 ",
        ),
        (
            {
                "left_hip": "thigh_l",
                "left_knee": "calf_l",
                "left_ankle": "foot_l",
                "left_foot": "ball_l",
                "left_collar": "clavicle_l",
                "left_shoulder": "upperarm_l",
                "left_elbow": "lowerarm_l",
                "left_wrist": "hand_l",
                "left_hand": "middle_01_l",
                "neck": "neck_01",
            },
            "",
        ),
    ],
)
def test_names_of_other_programs(theirs: dict[str, str], ours: str) -> None:
    names = tuple(ours + theirs.get(name, name) for name in SMPL_JOINTS)
    found = match_joints(named(names))
    assert {SMPL_JOINTS[found[name]] for name in theirs if name != "left_hand"} == set(theirs) - {"left_hand"}
    assert all(SMPL_JOINTS[found[name]] == name for name in theirs if name != "left_hand")


def test_low_legs_are_legs() -> None:
    names = tuple(name.replace("left_knee", "LeftLowLeg").replace("right_knee", "RightLowLeg") for name in SMPL_JOINTS)
    assert match_joints(named(names))["left_knee"] == 4


def test_a_joint_that_cannot_carry_the_motion_is_named() -> None:
    motion = named(SMPL_JOINTS)
    with pytest.raises(InputError, match=r"x\.bvh: does not let its joint left_knee turn, our left_knee; export rot"):
        match_joints(replace(motion, still=frozenset({4})))
    short = motion.offsets.copy()
    short[7] = 0.0
    with pytest.raises(InputError, match=r"x\.bvh: has its joint left_ankle where left_knee is; export the bones"):
        match_joints(replace(motion, offsets=short))


def test_what_has_no_partner_is_listed() -> None:
    names = tuple("Bone_7" if name == "left_hip" else "Bone_8" if name == "neck" else name for name in SMPL_JOINTS)
    with pytest.raises(InputError) as caught:
        match_joints(named(names))
    assert str(caught.value).startswith(
        "x.bvh: has no joint that is neck, left_hip (its joints: pelvis, Bone_7, right_hip"
    )
