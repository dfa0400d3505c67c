"""Markers on a body of ours whose pose is known give that pose back, wherever it stands; left stays left."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.body.model import load_body
from models.body.tracks import track_joints
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.joint_positions import motion_from_positions
from models.mocap.plug_in_gait import joints_from_markers
from models.mocap.retarget import retarget
from models.types import SMPL_JOINTS

AT = {name: index for index, name in enumerate(SMPL_JOINTS)}


def test_joints_are_where_they_were(marker_take) -> None:
    found, known = joints_from_markers(marker_take.markers)
    off = np.linalg.norm(found - marker_take.joints[:, :22], axis=-1).max(axis=0)
    for name in SMPL_JOINTS[:22]:
        # Pelvis, spine and collars are drawn inside a trunk whose rotation is known; the head stands on its neck.
        if name.rpartition("_")[2] in ("hip", "knee", "ankle", "foot", "neck", "shoulder", "elbow", "wrist"):
            assert off[AT[name]] < 0.005, (name, off[AT[name]])
    for name, turn in known.items():
        if name != "neck":
            apart = Rotation.from_matrix(np.swapaxes(turn, -1, -2) @ marker_take.rotations[:, AT[name]]).magnitude()
            assert np.degrees(apart.max()) < 0.5, name


def test_a_pose_comes_back_on_the_same_body(marker_take) -> None:
    found, known = joints_from_markers(marker_take.markers)
    known = {joint: R_ZUP_YUP.T @ turn for joint, turn in known.items()}
    source = motion_from_positions(Path("worn"), found @ R_ZUP_YUP, 30.0, known)
    body = load_body()
    motion = retarget([source], body, marker_take.betas, 30.0)
    assert motion.details["metres_per_unit"][0] == pytest.approx(1.0, abs=0.005)
    ours, theirs = track_joints(body, motion.people[0]), marker_take.joints
    # The whole take is put where the first pelvis faces +x: undone by one turn about z.
    (x, y), (to_x, to_y) = ((joints[:, 1, :2] - joints[:, 2, :2]).T for joints in (ours, theirs))
    heading = np.arctan2(np.sum(x * to_y - y * to_x), np.sum(x * to_x + y * to_y))
    turn = Rotation.from_euler("z", heading)
    for side in ("left", "right"):
        for a, b in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            bones = [joints[:, AT[f"{side}_{b}"]] - joints[:, AT[f"{side}_{a}"]] for joints in (ours, theirs)]
            units = [bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in (turn.apply(bones[0]), bones[1])]
            angle = np.degrees(np.arccos(np.clip(np.sum(units[0] * units[1], axis=-1), -1.0, 1.0)))
            assert angle.mean() < 0.5 and angle.max() < 1.5, (side, a, b, angle.mean(), angle.max())
    pelvis = Rotation.from_rotvec(motion.people[0].global_orient)
    apart = (turn * pelvis).inv() * Rotation.from_matrix(marker_take.rotations[:, 0])
    assert np.degrees(apart.magnitude().max()) < 0.1
    # It crouches as deep, on the floor.
    drop = np.ptp(theirs[:, 0, 2] - theirs[:, [7, 8], 2].mean(axis=-1))
    assert np.ptp(ours[:, 0, 2] - ours[:, [7, 8], 2].mean(axis=-1)) == pytest.approx(drop, abs=0.01)


def test_the_world_turns_and_moves_with_the_markers(marker_take) -> None:
    turn, step = Rotation.from_euler("z", 130.0, degrees=True).as_matrix(), np.array([2.0, -1.0, 0.3])
    found, known = joints_from_markers(marker_take.markers)
    moved, turned = joints_from_markers({name: path @ turn.T + step for name, path in marker_take.markers.items()})
    np.testing.assert_allclose(moved, found @ turn.T + step, atol=1e-9)
    for name in known:
        np.testing.assert_allclose(turned[name], turn @ known[name], atol=1e-9)


def test_a_mirror_swaps_the_sides(marker_take) -> None:
    other = {"L": "R", "R": "L"}
    mirrored = {
        other.get(name[0], name[0]) + name[1:] if name not in ("RBAK",) else name: path * [1.0, -1.0, 1.0]
        for name, path in marker_take.markers.items()
    }
    found, swapped = joints_from_markers(marker_take.markers)[0], joints_from_markers(mirrored)[0]
    names = [name.replace("left", "x").replace("right", "left").replace("x", "right") for name in SMPL_JOINTS[:22]]
    np.testing.assert_allclose(swapped[:, [AT[name] for name in names]] * [1.0, -1.0, 1.0], found, atol=1e-9)


def test_a_marker_above_the_knee_is_found_out(marker_take) -> None:
    """Markers 5 cm up the thigh, as they slide on real people: shins of one length come from the right knee."""
    markers = dict(marker_take.markers)
    for letter, side in (("L", "left"), ("R", "right")):
        thigh = marker_take.joints[:, AT[f"{side}_hip"]] - marker_take.joints[:, AT[f"{side}_knee"]]
        markers[f"{letter}KNE"] = markers[f"{letter}KNE"] + 0.05 * thigh / np.linalg.norm(thigh, axis=-1, keepdims=True)
    found = joints_from_markers(markers)[0]
    for name in ("left_knee", "right_knee"):
        assert np.linalg.norm(found[:, AT[name]] - marker_take.joints[:, AT[name]], axis=-1).max() < 0.02
