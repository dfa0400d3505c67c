"""ASF/AMC: an arm whose answer is known by hand, CMU's own files, and what is wrong with broken ones."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.mocap.asf_amc import read_amc

SHARED = Path(__file__).parents[3].parent / "shared" / "mocap" / "cmu_amc"
needs_mocap = pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/mocap beside the repository")

ASF = """# made by hand
:version 1.10
:units
  mass 1.0
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name upper
     direction 1 0 0
     length 3
     axis 0 0 90 XYZ
     dof rx ry rz
  end
  begin
     id 2
     name lower
     direction 1 0 0
     length 2
     axis 0 0 0 XYZ
     dof rz
  end
:hierarchy
  begin
    root upper
    upper lower
  end
"""
AMC = """#!OML:ASF arm
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
upper 0 0 0
lower 0
2
root 1 2 3 0 0 0
upper 90 0 0
lower 90
3
root 1 2 3 90 90 0
upper 0 0 0
lower 0
"""


@pytest.fixture
def arm(tmp_path: Path) -> Path:
    (tmp_path / "07.asf").write_text(ASF)
    path = tmp_path / "07_01.amc"
    path.write_text(AMC)
    return path


def test_forward_kinematics_of_a_known_arm(arm: Path) -> None:
    motion = read_amc(arm, 100.0)
    assert motion.names == ("root", "upper", "lower", "lower_end") and motion.parents == (-1, 0, 1, 2)
    np.testing.assert_allclose(motion.timestamps_s, [0.0, 0.01, 0.02])
    _, positions = motion.forward()
    np.testing.assert_allclose(positions[0], [[1, 2, 3], [1, 2, 3], [4, 2, 3], [6, 2, 3]], atol=1e-12)
    # The upper bone's own x axis is the world's y (its axes are turned by 90 degrees about z): +x goes to -z. There the
    # lower bone turns about the z of its parent, which the turn has brought to +x: it goes on along +y.
    np.testing.assert_allclose(positions[1], [[1, 2, 3], [1, 2, 3], [1, 2, 0], [1, 4, 0]], atol=1e-12)
    # The root: about x first, then about the fixed y; +x is left alone by the first and goes to -z by the second.
    np.testing.assert_allclose(positions[2, 3], [1, 2, -2], atol=1e-12)


def test_the_skeleton_is_found_by_name_or_alone(arm: Path) -> None:
    arm.with_name("07.asf").rename(arm.with_name("somebody.asf"))
    assert len(read_amc(arm).timestamps_s) == 3
    arm.with_name("other.asf").write_text(ASF)
    with pytest.raises(InputError) as caught:
        read_amc(arm)
    assert str(caught.value) == (
        f"{arm}: has no skeleton 07_01.asf or 07.asf beside it; put the subject's .asf file there"
    )


def test_the_longest_beginning_of_a_name_is_the_subject(arm: Path) -> None:
    """HDM_bd.asf is of HDM_bd_squat_001.amc, HDM.asf and HDM_tr.asf are not."""
    take = arm.with_name("HDM_bd_squat_001.amc")
    take.write_bytes(b"# recorded in K\xf6ln\n" + arm.read_bytes())
    for name in ("HDM_bd", "HDM_tr", "HDM"):
        take.with_name(f"{name}.asf").write_text(ASF if name == "HDM_bd" else "no skeleton")
    assert len(read_amc(take).timestamps_s) == 3


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (AMC[: AMC.rindex("lower")], "frame 3 of 3: lower has 0 numbers and not 1; the file is cut short or damaged"),
        (AMC[: AMC.rindex(" 0 0\nlower")], "frame 3 of 3: upper has 1 numbers and not 3; the file is cut short"),
        (AMC.replace("upper 90 0 0", "upper 90 0"), "frame 2 of 3: upper has 2 numbers and not 3; the file is cut"),
        (AMC.replace("upper 90", "upper ninety"), "upper: could not convert string to float: 'ninety'; the file is"),
        (AMC.replace("upper 90", "upper nan"), "upper holds a number that is not finite; the file is cut short"),
        (AMC.replace("lower", "tail"), "moves tail, which 07.asf has not; put the subject's own .asf there"),
        (AMC[: AMC.index("2\nroot")], "has 1 frames; give an AMC motion of at least two frames"),
    ],
)
def test_broken_motions_say_what_is_wrong(arm: Path, broken: str, message: str) -> None:
    arm.write_text(broken)
    with pytest.raises(InputError) as caught:
        read_amc(arm)
    assert str(caught.value).startswith(f"{arm}: {message}")


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (ASF[: ASF.index(":hierarchy")], "is no ASF skeleton: it has no section :hierarchy; give the .asf file"),
        (ASF.replace("     length 2\n", ""), "lacks or garbles 'length'; the file is cut short"),
        (ASF.replace("length 2", "length two"), "lacks or garbles could not convert string to float: 'two'; the file"),
        (ASF[: ASF.index("    upper lower")] + "  end\n", "lacks or garbles 'lower'; the file is cut short"),
        (
            ASF.replace("length 2", "length nan"),
            "lacks or garbles a bone: its name is another's, too, or its length is",
        ),
        (ASF.replace("name lower", "name upper"), "lacks or garbles a bone: its name is another's, too, or its length"),
        (
            ASF.replace("direction 1 0 0\n     length 2", "direction 1 0\n     length 2"),
            "lacks or garbles three numbers",
        ),
        (ASF.replace("dof rz", "dof rq"), "lacks or garbles degrees of freedom, and has rq; the file is cut short"),
        (ASF.replace("dof rz", "dof rz rz"), "lacks or garbles degrees of freedom, and has rz rz; the file is cut"),
        (ASF.replace("TX TY TZ RX", "RX"), "lacks or garbles the root's order, which needs TX TY TZ; the file is cut"),
        ("a text", "is no ASF skeleton: it has no section :root, :bonedata, :hierarchy; give the .asf file"),
    ],
)
def test_broken_skeletons_say_what_is_wrong(arm: Path, broken: str, message: str) -> None:
    arm.with_name("07.asf").write_text(broken)
    with pytest.raises(InputError) as caught:
        read_amc(arm)
    assert str(caught.value).startswith(f"{arm.with_name('07.asf')}: {message}")


@pytest.mark.parametrize("hz", [0.0, -30.0, 1e-9, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(arm: Path, hz: float) -> None:
    with pytest.raises(InputError, match="frames a second, expected 1 to 1000; correct its frame rate"):
        read_amc(arm, hz)


def test_what_windows_writes_is_the_same_motion(arm: Path) -> None:
    known = read_amc(arm)
    arm.write_bytes(AMC.replace("\n", "\r\n").encode("utf-8-sig"))
    arm.with_name("07.asf").write_bytes(ASF.encode("utf-16"))
    np.testing.assert_array_equal(read_amc(arm).forward()[1], known.forward()[1])


@given(st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spoiled_files_are_refused_in_one_line_or_read(arm: Path, data: st.DataObject) -> None:
    for path, text in ((arm, AMC), (arm.with_name("07.asf"), ASF)):
        words = re.split(r"(\s+)", text)
        odd = st.sampled_from(["", "nan", "-1", "1e400", "rx", "end", "begin", ":root", "root", "XYZ", "upper"])
        for _ in range(data.draw(st.integers(0, 2))):
            words[data.draw(st.integers(0, len(words) - 1))] = data.draw(st.one_of(odd, st.text(max_size=3)))
        path.write_bytes("".join(words).encode("utf-8", "surrogatepass"))
    try:
        motion = read_amc(arm)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(motion.forward()[1]).all() and len(motion.timestamps_s) >= 2


@needs_mocap
def test_captured_people_stand_on_legs_of_constant_length() -> None:
    motion = read_amc(SHARED / "02_01.amc", 30.0)
    _, positions = motion.forward()
    at = {name: positions[:, index] for index, name in enumerate(motion.names)}
    moving = [joint for joint, parent in enumerate(motion.parents) if parent >= 0]
    lengths = np.linalg.norm(positions[:, moving] - positions[:, [motion.parents[j] for j in moving]], axis=-1)
    np.testing.assert_allclose(lengths, np.tile(lengths[:1], (len(lengths), 1)), atol=1e-9)
    # y is up, the feet are the lowest, and the walker covers more ground than he rises; 0.45 of the file is an inch.
    assert (at["head"][:, 1] > at["root"][:, 1]).all() and (at["root"][:, 1] > at["lfoot"][:, 1]).all()
    metres = 0.0254 / 0.45
    assert 0.9 < np.linalg.norm(np.diff(at["root"], axis=0), axis=-1).mean() * metres * 30.0 < 1.6
