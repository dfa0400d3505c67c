"""Positions of joints become a motion whose joints are there; other shapes, units and names are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.joint_positions import (
    motion_from_positions,
    read_joint_positions,
    read_json_positions,
    smpl_positions,
)
from models.types import SMPL_JOINTS

AT = {name: index for index, name in enumerate(SMPL_JOINTS)}
_SIDED = "Shoulder collar Arm shoulder ForeArm elbow Hand wrist HandThumb1 hand "
_SIDED += "UpLeg hip Leg knee Foot ankle ToeBase foot"
NAMES = {"Hips": "pelvis", "Spine": "spine1", "Spine1": "spine3", "Neck": "neck", "Head": "head"} | {
    f"{side.capitalize()}{theirs}": f"{side}_{ours}"
    for side in ("left", "right")
    for theirs, ours in zip(_SIDED.split()[::2], _SIDED.split()[1::2], strict=True)
}
"""What a file calls our joints."""
REMEDY = "give positions [frames, joints, 3] in metres, z up, and their joints' names in joints.txt"
EXPECTED = f"expected two frames or more of the 23 joints in joints.txt by 3; {REMEDY}"


@pytest.fixture
def file(marker_take, tmp_path: Path) -> Path:
    np.save(tmp_path / "a.npy", marker_take.joints[:, [AT[ours] for ours in NAMES.values()]].astype(np.float32))
    (tmp_path / "joints.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path / "a.npy"


def test_joints_are_exactly_where_the_file_has_them(marker_take, file: Path) -> None:
    motion = read_joint_positions(file, 120.0)
    found = motion.forward()[1] @ R_ZUP_YUP.T
    for joint in set(NAMES.values()) - {"left_hand", "right_hand"}:
        np.testing.assert_allclose(found[:, AT[joint]], marker_take.joints[:, AT[joint]], atol=1e-5)
    assert motion.timestamps_s[-1] == pytest.approx(89.0 / 120.0)
    between = (marker_take.joints[:, AT["spine1"]] + marker_take.joints[:, AT["spine3"]]) / 2.0
    np.testing.assert_allclose(found[:, AT["spine2"]], between, atol=1e-5)
    # What turns is told by bones alone: the pelvis by hips and spine.
    pelvis = Rotation.from_matrix(R_ZUP_YUP @ motion.forward()[0][:, 0])
    apart = pelvis.inv() * Rotation.from_matrix(marker_take.rotations[:, 0])
    assert np.degrees((apart[0].inv() * apart).magnitude().max()) < 6.0


def test_measured_rotations_are_kept(marker_take) -> None:
    positions = marker_take.joints[:, :22] @ R_ZUP_YUP
    known = {"spine3": R_ZUP_YUP.T @ marker_take.rotations[:, AT["spine3"]]}
    world, places = motion_from_positions(Path("x"), positions, 30.0, known).forward()
    np.testing.assert_allclose(world[:, AT["spine3"]], known["spine3"], atol=1e-9)
    np.testing.assert_allclose(places[:, :22], positions, atol=1e-9)


def test_a_body_without_collars_and_spine_has_them_between(marker_take) -> None:
    names = [name for name in NAMES if not name.startswith("Spine") and not name.endswith("Shoulder")]
    positions = marker_take.joints[:, [AT[NAMES[name]] for name in names]]
    found = smpl_positions(Path("x"), names, positions)
    shown = {name: marker_take.joints[:, AT[name]] for name in ("pelvis", "neck", "left_shoulder")}
    np.testing.assert_allclose(found[:, AT["spine2"]], (shown["pelvis"] + shown["neck"]) / 2.0)
    np.testing.assert_allclose(found[:, AT["left_collar"]], (shown["neck"] + shown["left_shoulder"]) / 2.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.zeros((9, 22, 3)),
            f"is (9, 22, 3), expected two frames or more of the 23 joints in joints.txt by 3; {REMEDY}",
        ),
        (
            np.zeros((1, 23, 3)),
            f"is (1, 23, 3), expected two frames or more of the 23 joints in joints.txt by 3; {REMEDY}",
        ),
        (np.full((9, 23, 3), np.nan), f"array holds a number that is not finite; {REMEDY}"),
        (
            np.tile(np.linspace(0.0, 1800.0, 23)[:, None], (9, 1, 3)),
            f"has joints 1.8e+03 m apart, so that they are no person's in metres; {REMEDY}",
        ),
    ],
)
def test_another_shape_or_unit_says_so(file: Path, values: np.ndarray, message: str) -> None:
    np.save(file, values)
    with pytest.raises(InputError) as caught:
        read_joint_positions(file, 120.0)
    assert str(caught.value) == f"{file}: {message}"


def test_names_that_do_not_tell_the_body_say_so(file: Path) -> None:
    names = file.with_name("joints.txt")
    names.write_text(names.read_text().replace("LeftLeg", "LeftThing"))
    with pytest.raises(InputError, match=r"a.npy: has no joint that is left_knee \(its joints: Hips, "):
        read_joint_positions(file, 120.0)
    names.write_text(names.read_text().replace("LeftThing", "LeftLeg").replace("RightToeBase", "x"))
    with pytest.raises(InputError, match=r"has no joint that is right_foot; positions of wrists and toes are needed"):
        read_joint_positions(file, 120.0)
    names.unlink()
    with pytest.raises(InputError, match=r"joints.txt: cannot be opened"):
        read_joint_positions(file, 120.0)


def test_a_json_is_put_on_the_floor(marker_take, tmp_path: Path) -> None:
    path, names = tmp_path / "a.json", list(NAMES)
    floating = marker_take.joints[:12, [AT[ours] for ours in NAMES.values()]] + [0.0, 0.0, 0.7]
    frames = {str(number): frame.reshape(-1).tolist() for number, frame in enumerate(floating)}
    path.write_text(json.dumps({"bones": names, "tdata": frames}))
    found = read_json_positions(path, 30.0).forward()[1][:, :22] @ R_ZUP_YUP.T
    np.testing.assert_allclose(found[..., 2].min(axis=1), 0.0, atol=1e-9)
    known = marker_take.joints[:12]
    np.testing.assert_allclose(found[:, 4] - found[:, 0], known[:, 4] - known[:, 0], atol=1e-9)
    path.write_text(json.dumps({"bones": names, "tdata": {"0": [0.0] * 66, "1": [0.0] * 66}}))
    with pytest.raises(InputError, match=r"holds \(2, 66\), expected .* 3 numbers for each of its 23 bones"):
        read_json_positions(path, 30.0)
    path.write_text("[]")
    with pytest.raises(InputError, match=r"holds no positions of named joints"):
        read_json_positions(path, 30.0)
