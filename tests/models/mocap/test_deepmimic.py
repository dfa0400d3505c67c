"""DeepMimic's clips: poses whose answer is known, the clock of durations, and what is wrong with broken files."""

import json
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is no json with equal rows of numbers under 'Frames' (Expecting property name"),
        ("{}", "is no json with equal rows of numbers under 'Frames' ('Frames')"),
        (
            json.dumps({"Frames": [[1.0] * 3, [1.0] * 4]}),
            "is no json with equal rows of numbers under 'Frames' (setting",
        ),
        (json.dumps({"Frames": [[1.0] * 40] * 3}), f"'Frames' is 3 x 40 and not at least two rows of {WIDTH} numbers"),
        (json.dumps({"Frames": [frame(0.0, {})] * 2}), "holds a duration of no time, or a number that is not finite"),
    ],
)
def test_broken_files_say_what_is_wrong(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "broken.txt"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_deepmimic(path)
    assert str(caught.value).startswith(f"{path}: {problem}")
    assert str(caught.value).endswith("; give a motion file of DeepMimic's humanoid3d")
