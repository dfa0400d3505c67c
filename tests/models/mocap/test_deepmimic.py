"""DeepMimic's clips: poses whose answer is known, the clock of durations, and what is wrong with broken files."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.mocap.deepmimic import JOINTS, WIDTH, read_deepmimic

NAMES = [name for name, *_ in JOINTS]


def frame(duration: float, turned: dict[str, list[float]]) -> list[float]:
    values = [duration, 0.5, 0.9, -0.2]
    for name, _, _, count in JOINTS:
        values += turned.get(name, [1.0, 0.0, 0.0, 0.0][:count] if count == 4 else [0.0] * count)
    return values


def test_poses_and_durations_are_read(tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    frames = [
        frame(0.1, {}),
        frame(0.3, {"right_knee": [-np.pi / 2.0], "left_shoulder": [half, half, 0.0, 0.0]}),
        frame(0.0, {"root": [half, 0.0, half, 0.0]}),
    ]
    path = tmp_path / "clip.txt"
    path.write_text(json.dumps({"Loop": "none", "Frames": frames}))
    motion = read_deepmimic(path)
    np.testing.assert_allclose(motion.timestamps_s, [0.0, 0.1, 0.4])
    _, positions = motion.forward()
    at = {name: positions[:, index] for index, name in enumerate(NAMES)}
    np.testing.assert_allclose(at["root"][0], [0.5, 0.9, -0.2])
    # Facing +x with y up, the right side is at +z; the zero pose stands with hanging arms.
    assert at["right_hip"][0, 2] > at["left_hip"][0, 2] and at["left_wrist"][0, 1] < at["left_shoulder"][0, 1] - 0.5
    # A knee bends backward by a negative angle about z: the shank goes from -y to -x. An arm goes about +x from -y to
    # -z.
    np.testing.assert_allclose(at["right_ankle"][1] - at["right_knee"][1], [-0.40987, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(at["left_elbow"][1] - at["left_shoulder"][1], [0.0, 0.0, -0.274788], atol=1e-9)
    # Turned by 90 degrees about y, the right hip is at +x.
    np.testing.assert_allclose(at["right_hip"][2] - at["root"][2], [0.084887, 0.0, 0.0], atol=1e-9)


VALUES = st.one_of(st.none(), st.floats(), st.integers(-(10**400), 10**400), st.text(max_size=3), st.builds(list))


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spoiled_file_is_refused_in_one_line_or_read(tmp_path: Path, data: st.DataObject) -> None:
    frames: list = [frame(0.1, {}), frame(0.1, {}), frame(0.1, {})]
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(0, 2))
        if isinstance(frames[row], list) and len(frames[row]) and data.draw(st.booleans()):
            frames[row][data.draw(st.integers(0, len(frames[row]) - 1))] = data.draw(VALUES)
        else:
            frames[row] = data.draw(VALUES)
    (tmp_path / "a.txt").write_text(json.dumps({"Frames": frames}))
    try:
        motion = read_deepmimic(tmp_path / "a.txt")
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert np.isfinite(motion.forward()[1]).all()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "'Frames' is  and not at least two rows"),
        ("[]", "'Frames' is  and not at least two rows"),
        (
            json.dumps({"Frames": [[0.1, 0, 0, 0] + [0.0] * (WIDTH - 4)] * 2}),
            "turns root by a quaternion of zeros",
        ),
        (json.dumps({"Frames": [frame(1e300, {})] * 2}), "holds a duration that is not above 0 and up to 10 s"),
        (
            json.dumps({"Frames": [[1.0] * 3, [1.0] * 4]}),
            "is no json with equal rows of numbers under 'Frames' (setting",
        ),
        (json.dumps({"Frames": [[1.0] * 40] * 3}), f"'Frames' is 3 x 40 and not at least two rows of {WIDTH} numbers"),
        (
            json.dumps({"Frames": [frame(0.0, {})] * 2}),
            "holds a duration that is not above 0 and up to 10 s, or a number that",
        ),
    ],
)
def test_broken_files_say_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_deepmimic(path)
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert str(caught.value).endswith("; give a motion file of DeepMimic's humanoid3d")
