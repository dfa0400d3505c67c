"""BVH files: a skeleton whose answer is known, round trip, and what is wrong with broken ones."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.mocap.bvh import read_bvh, write_bvh

SHARED = Path(__file__).parents[3].parent / "shared" / "mocap"

ARM = """HIERARCHY
ROOT Hips
{
  OFFSET 0 90 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT LeftArm
  {
    OFFSET 20 50 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT LeftForeArm
    {
      OFFSET 30 0 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      End Site
      {
        OFFSET 25 0 0
      }
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.1
1 100 2  0 0 0  0 0 0  0 0 0
1 100 2  0 90 0  90 0 0  0 0 -90
"""


@pytest.fixture
def arm(tmp_path: Path) -> Path:
    path = tmp_path / "arm.bvh"
    path.write_text(ARM)
    return path


def test_forward_kinematics_of_a_known_arm(arm: Path) -> None:
    motion = read_bvh(arm)
    assert motion.names == ("Hips", "LeftArm", "LeftForeArm", "LeftForeArm_end")
    assert motion.parents == (-1, 0, 1, 2)
    np.testing.assert_allclose(motion.timestamps_s, [0.0, 0.1])
    _, positions = motion.forward()
    np.testing.assert_allclose(positions[0], [[1, 100, 2], [21, 150, 2], [51, 150, 2], [76, 150, 2]], atol=1e-12)
    # The root's half turn of 90 degrees about y sends x to -z; the upper arm turns up, the forearm (about its y)
    # sideways.
    np.testing.assert_allclose(positions[1], [[1, 100, 2], [1, 150, -18], [1, 180, -18], [26, 180, -18]], atol=1e-9)
    np.testing.assert_allclose(motion.rest_positions()[2], [50, 140, 0])


def test_forward_of_some_joints_equals_forward_of_all(arm: Path) -> None:
    motion = read_bvh(arm)
    rotations, positions = motion.forward({2})
    np.testing.assert_array_equal(positions[:, :3], motion.forward()[1][:, :3])
    assert np.isnan(rotations[:, 3]).all()


def test_written_file_reads_back(arm: Path, tmp_path: Path) -> None:
    motion = read_bvh(arm)
    write_bvh(motion, tmp_path / "again.bvh")
    again = read_bvh(tmp_path / "again.bvh")
    assert (again.names, again.parents) == (motion.names, motion.parents)
    np.testing.assert_allclose(again.rotations, motion.rotations, atol=1e-8)
    np.testing.assert_allclose(again.forward()[1], motion.forward()[1], atol=1e-6)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ARM[:-20], "MOTION promises 2 frames of 12 numbers = 24, but 17 came; the file is cut short or damaged"),
        (ARM[: ARM.index("MOTION")], "has no MOTION section; the file is cut short"),
        (ARM.replace("}\nMOTION", "MOTION"), "HIERARCHY is not closed; the file is cut short"),
        ("a text about bvh", "is not a BVH file: it does not begin with HIERARCHY"),
        (ARM.replace("Zrotation", "Wrotation"), "has the unknown channels Wrotation; BVH knows Xposition"),
        (ARM.replace("0 90 0  90", "0 ninety 0  90"), "MOTION holds something that is not a number"),
        (ARM.replace("0 90 0  90", "0 nan 0  90"), "MOTION holds a number that is not finite"),
        (ARM.replace("Frame Time: 0.1", ""), "MOTION lacks 'Frames:' or 'Frame Time:'"),
        (ARM.replace("Frames: 2", "Frames: 1"), "has 1 frames of 0.1 s; give a motion of at least two frames"),
        (ARM.replace("JOINT", "BONE", 1), "HIERARCHY holds the unknown word 'BONE'"),
    ],
)
def test_broken_files_say_what_is_wrong(tmp_path: Path, broken: str, message: str) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(broken)
    with pytest.raises(InputError) as caught:
        read_bvh(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_missing_and_binary_files_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read as text"):
        read_bvh(tmp_path / "nothing.bvh")
    (tmp_path / "binary.bvh").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="cannot be read as text"):
        read_bvh(tmp_path / "binary.bvh")


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/mocap beside the repository")
@pytest.mark.parametrize("name", ["cmu_pair/18_01.bvh", "cmu_iclone/002_03.bvh", "cmu_indian/13.bvh"])
def test_captured_files_read_and_bones_keep_their_length(name: str) -> None:
    motion = read_bvh(SHARED / name)
    _, positions = motion.forward()
    moving = [j for j, parent in enumerate(motion.parents) if parent >= 0]
    assert len(moving) > 20 and np.ptp(positions, axis=0).max() > 5.0
    lengths = np.linalg.norm(positions[:, moving] - positions[:, [motion.parents[j] for j in moving]], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(lengths[:1], (len(lengths), 1)), atol=1e-6)
