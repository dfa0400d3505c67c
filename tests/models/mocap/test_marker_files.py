"""Episodes of markers: read from where they begin, short gaps bridged, anything else refused with its reason."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.marker_files import bridged, episodes, read_markers
from models.mocap.plug_in_gait import MARKERS
from models.types import SMPL_JOINTS

AT = {name: index for index, name in enumerate(SMPL_JOINTS)}
REMEDY = "give an npz of data, starts, names and markers, of 39 Plug-in Gait markers"
EXPECTED = f"expected int16 (frames, 39, 3); {REMEDY}"


@pytest.fixture
def arrays(marker_take) -> dict[str, np.ndarray]:
    """Two episodes: the first half of the take, and all of it."""
    worn = np.round(np.stack([marker_take.markers[name] for name in MARKERS], axis=1) * 1e4).astype(np.int16)
    data = np.concatenate([worn[:45], worn])
    return {"data": data, "starts": np.array([0, 45, 135]), "names": np.array(["a", "b"]), "markers": np.array(MARKERS)}


def test_an_episode_is_read_from_its_beginning_to_its_end(marker_take, arrays, tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, **arrays)
    assert episodes(path) == ("a", "b")
    for name, count in (("a", 45), ("b", 90)):
        motion = read_markers(path, 30.0, name)
        assert len(motion.timestamps_s) == count and motion.timestamps_s[1] == pytest.approx(1.0 / 30.0)
        assert motion.path.name == f"m.npz#{name}"
        found, known = motion.forward()[1] @ R_ZUP_YUP.T, marker_take.joints[:count]
        for joint in ("left_hip", "right_knee", "left_ankle", "right_wrist", "left_elbow"):
            np.testing.assert_allclose(found[:, AT[joint]], known[:, AT[joint]], atol=0.006)


def test_short_gaps_are_bridged_and_long_ones_refused(marker_take, arrays, tmp_path: Path) -> None:
    path, column = tmp_path / "m.npz", MARKERS.index("LKNE")
    arrays["data"][50:56, column] = arrays["data"][45:48, MARKERS.index("LASI")] = -32768  # held, or filled
    arrays["data"][45:, MARKERS.index("LTHI")] = -32768  # is not needed
    np.savez(path, **arrays)
    found = read_markers(path, 30.0, "b").forward()[1] @ R_ZUP_YUP.T
    np.testing.assert_allclose(found[:, AT["left_knee"]], marker_take.joints[:, AT["left_knee"]], atol=0.02)
    arrays["data"][50:60, column] = -32768
    np.savez(path, **arrays)
    with pytest.raises(InputError) as caught:
        read_markers(path, 30.0, "b")
    assert str(caught.value) == (
        f"{path}#b: marker LKNE is missing for 0.33 s from frame 5 on; "
        "give takes with gaps of at most 0.25 s, or fill them before"
    )


@pytest.mark.parametrize("marker", ["LASI", "RPSI", "STRN", "C7", "RBHD"])
def test_one_marker_of_a_rigid_part_follows_from_the_others(marker_take, arrays, tmp_path: Path, marker: str) -> None:
    """Missing in the whole episode, it is known from the same person's other one, and from nobody else's."""
    path = tmp_path / "m.npz"
    arrays["data"][45:, MARKERS.index(marker)] = -32768
    np.savez(path, **arrays, subject=np.array([7, 7]))
    found = read_markers(path, 30.0, "b").forward()[1] @ R_ZUP_YUP.T
    for joint in ("left_hip", "right_hip", "neck", "left_knee", "right_shoulder"):
        np.testing.assert_allclose(found[:, AT[joint]], marker_take.joints[:, AT[joint]], atol=0.006)
    for others in (arrays, arrays | {"subject": np.array([7, 8])}):
        np.savez(path, **others)
        with pytest.raises(InputError, match=f"#b: marker {marker} is missing for 3.00 s from frame 0 on"):
            read_markers(path, 30.0, "b")


def test_a_gap_is_a_straight_line_and_an_end_is_held() -> None:
    path = np.arange(24.0).reshape(8, 3) ** 2
    seen = np.array([False, True, True, False, False, True, True, False])
    found = bridged(Path("x"), "C7", np.where(seen[:, None], path, 1e9), seen, 30.0)
    np.testing.assert_allclose(found[3], path[2] + (path[5] - path[2]) / 3.0)
    np.testing.assert_array_equal(found[[0, 7]], path[[1, 6]])
    with pytest.raises(InputError, match=r"marker C7 is missing for 0.07 s from frame 0 on"):
        bridged(Path("x"), "C7", path[:2], np.zeros(2, dtype=bool), 30.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"starts": None}, f"has no array starts; {REMEDY}"),
        ({"markers": np.array([*MARKERS[:-1], "X"])}, f"has no marker RTOE; {REMEDY}"),
        (
            {"data": np.zeros((135, 38, 3), np.int16)},
            f"data is int16 (135, 38, 3), {EXPECTED}",
        ),
        ({"data": np.zeros((135, 39, 3))}, f"data is float64 (135, 39, 3), {EXPECTED}"),
        ({"starts": np.array([0, 45, 136])}, f"starts does not cut its 135 frames into 2 episodes; {REMEDY}"),
        ({"starts": np.array([0, 45])}, f"starts does not cut its 135 frames into 2 episodes; {REMEDY}"),
        ({"subject": np.array([1])}, f"subject is (1,), expected one of each of 2 episodes; {REMEDY}"),
        ({"names": np.array(["a", "c"])}, "has no episode 'b' among its 2; correct the name"),
    ],
)
def test_another_layout_says_so(arrays, tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, **{name: value for name, value in (arrays | change).items() if value is not None})
    with pytest.raises(InputError) as caught:
        read_markers(path, 30.0, "b")
    assert str(caught.value) == f"{path}: {message}"
