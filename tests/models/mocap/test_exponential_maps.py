"""CMU's exponential maps: which way they turn, that the same take as ASF/AMC is the same, and what is wrong with broken
ones."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.mocap.asf_amc import read_amc
from models.mocap.exponential_maps import BONES, read_expmap

SHARED = Path(__file__).parents[3].parent / "shared" / "mocap"
NAMES = [name for name, _, _ in BONES]


def rows(frames: int = 3) -> np.ndarray:
    table = np.zeros((frames, 117))
    table[:, :3] = [1.0, 17.0, -2.0]
    return table


def write(path: Path, table: np.ndarray) -> Path:
    np.savetxt(path, table, delimiter=",", fmt="%.5f")
    return path


def test_zeros_are_the_t_pose_and_a_joint_turns_by_the_opposite(tmp_path: Path) -> None:
    table = rows()
    # Rows that multiply from the left turn by the transpose: a quarter turn about -z raises the left arm from +x to ...
    table[1, 3 + 3 * NAMES.index("LeftArm") :][:3] = [0.0, 0.0, -np.pi / 2.0]
    motion = read_expmap(write(tmp_path / "a.txt", table), 30.0)
    np.testing.assert_allclose(motion.timestamps_s, [0.0, 1.0 / 30.0, 2.0 / 30.0])
    _, positions = motion.forward()
    np.testing.assert_allclose(positions[0] - [1.0, 17.0, -2.0], motion.rest_positions(), atol=1e-5)
    forearm = positions[:, NAMES.index("LeftForeArm")] - positions[:, NAMES.index("LeftArm")]
    np.testing.assert_allclose(forearm[0], [4.86513, 0.0, 0.0], atol=1e-5)
    np.testing.assert_allclose(forearm[1], [0.0, 4.86513, 0.0], atol=1e-4)


@pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/mocap beside the repository")
def test_the_same_walk_as_asf_amc_has_limbs_in_the_same_directions() -> None:
    """walking_1 is subject 2's first take behind a frame of calibration."""
    theirs, ours = (
        read_amc(SHARED / "cmu_amc" / "02_01.amc", 30.0),
        read_expmap(SHARED / "cmu_expmap" / "walking_1.txt"),
    )
    amc, expmap = theirs.forward()[1], ours.forward()[1][1:]
    limbs = [
        (("lfemur", "ltibia"), ("LeftUpLeg", "LeftLeg")),
        (("rtibia", "rfoot"), ("RightLeg", "RightFoot")),
        (("lhumerus", "lradius"), ("LeftArm", "LeftForeArm")),
        (("rradius", "rhand"), ("RightForeArm", "RightHand")),
    ]
    for (a, b), (c, d) in limbs:
        one = amc[:, theirs.names.index(b)] - amc[:, theirs.names.index(a)]
        other = expmap[:, NAMES.index(d)] - expmap[:, NAMES.index(c)]
        one, other = one[: len(other)], other[: len(one)]
        cosine = np.sum(one * other, axis=-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
        assert np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))).mean() < 4.0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("1,2,3\n4,5,6\n", "has 2 rows of 3 numbers"),
        ("1 2 three", "cannot be read as a table of numbers (could not convert string"),
        (",".join(["0"] * 117), "has 1 rows of 117 numbers"),
        ("\n".join([",".join(["0"] * 116 + ["nan"])] * 2), "holds a number that is not finite"),
    ],
)
def test_broken_files_say_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_expmap(path)
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert str(caught.value).endswith("give a CMU exponential-map file: rows of 117 numbers with commas between")
