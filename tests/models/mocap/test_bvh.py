"""BVH files: a skeleton whose answer is known, round trip, and what is wrong with broken ones."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
        (ARM.replace("Frames: 2", "Frames: 1"), "has 1 frames; give a motion of at least two frames"),
        (ARM.replace("Frames: 2", "Frames: two"), "Frames is two, expected how many frames follow"),
        (ARM.replace("Frames: 2", "Frames: 3"), "MOTION promises 3 frames of 12 numbers = 36, but 24 came"),
        (ARM.replace("Time: 0.1", "Time: 0"), "Frame Time is 0, expected the seconds of a frame; correct that line"),
        (ARM.replace("Time: 0.1", "Time: nan"), "Frame Time is nan, expected the seconds of a frame"),
        (ARM.replace("Time: 0.1", "Time: 0,1"), "Frame Time is 0,1, expected the seconds of a frame"),
        (ARM.replace("OFFSET 20 50 0", "OFFSET 20 50"), "HIERARCHY is damaged near 'OFFSET'"),
        (ARM.replace("OFFSET 20 50 0", "OFFSET 20 50 nan"), "HIERARCHY is damaged near 'OFFSET'"),
        (ARM.replace("CHANNELS 6", "CHANNELS -6"), "HIERARCHY is damaged near 'CHANNELS'"),
        (
            ARM.replace("6 Xposition Yposition Zposition", "3"),
            "moves its root Hips by no Xposition, Yposition, Zposition, so that the body would stay where it is",
        ),
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
    with pytest.raises(InputError, match="cannot be opened"):
        read_bvh(tmp_path / "nothing.bvh")
    (tmp_path / "binary.bvh").write_bytes(bytes(range(256)))
    with pytest.raises(InputError, match="holds NUL bytes, so it is no text"):
        read_bvh(tmp_path / "binary.bvh")


@pytest.mark.parametrize(
    "write",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").replace("  ", "\t").encode(),
        lambda text: text.replace("Zposition", "ZPosition").replace("Xrotation", "XROTATION").encode(),
        lambda text: text.replace("ROOT", "root").replace("OFFSET", "Offset").replace("MOTION", "Motion").encode(),
        lambda text: text.replace("Frames: 2", "FRAMES :\t2").replace("Frame Time: 0.1", "frame time:\t0.1").encode(),
        lambda text: text.replace("LeftArm\n  {", "LeftArm {").encode(),
    ],
)
def test_other_programs_spelling_is_the_same_motion(arm: Path, write: Callable[[str], bytes]) -> None:
    known = read_bvh(arm)
    arm.write_bytes(write(ARM))
    again = read_bvh(arm)
    assert (again.names, again.parents) == (known.names, known.parents)
    np.testing.assert_array_equal(again.forward()[1], known.forward()[1])


def test_blanks_in_names_are_low_lines(arm: Path) -> None:
    arm.write_text(ARM.replace("JOINT Left", "JOINT Bip01 L "))
    assert read_bvh(arm).names == ("Hips", "Bip01_L_Arm", "Bip01_L_ForeArm", "Bip01_L_ForeArm_end")


def test_one_whole_frame_more_than_declared_is_read(arm: Path) -> None:
    arm.write_text(ARM + "3 100 2  0 0 0  0 0 0  0 0 0\n")
    motion = read_bvh(arm)
    np.testing.assert_allclose(motion.timestamps_s, [0.0, 0.1, 0.2])
    assert motion.translations[:, 0, 0].tolist() == [1.0, 1.0, 3.0]


@given(st.data())
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spoiled_file_is_refused_in_one_line_or_read(arm: Path, data: st.DataObject) -> None:
    words = re.split(r"(\s+)", ARM)
    odd = st.sampled_from(["", "{", "}", "nan", "-1", "1e400", "999999999", "0", "CHANNELS", "End", "JOINT", "\x01"])
    for _ in range(data.draw(st.integers(1, 3))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.one_of(odd, st.text(max_size=4)))
    content = "".join(words)[: data.draw(st.sampled_from([None, 40, 400, 600]))]
    arm.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        motion = read_bvh(arm)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(motion.forward()[1]).all() and len(motion.timestamps_s) >= 2


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/mocap beside the repository")
@pytest.mark.parametrize("name", ["cmu_pair/18_01.bvh", "cmu_iclone/002_03.bvh", "cmu_indian/13.bvh"])
def test_captured_files_read_and_bones_keep_their_length(name: str) -> None:
    motion = read_bvh(SHARED / name)
    _, positions = motion.forward()
    moving = [j for j, parent in enumerate(motion.parents) if parent >= 0]
    assert len(moving) > 20 and np.ptp(positions, axis=0).max() > 5.0
    lengths = np.linalg.norm(positions[:, moving] - positions[:, [motion.parents[j] for j in moving]], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(lengths[:1], (len(lengths), 1)), atol=1e-6)
