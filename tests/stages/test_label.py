import numpy as np
import pytest

from models.errors import Rejected
from models.order import ClipOrder
from models.types import ACTIONS, SMPL_JOINTS
from stages import label
from stages.label import LabelConfig, audit, find_fall, run, run_audited

STANDING = 0.95


def upright(t):
    """A stick person facing +x with the left side at +y."""
    joints = np.zeros((t, 24, 3))
    heights = {"pelvis": 0.95, "left_hip": 0.9, "right_hip": 0.9, "left_knee": 0.5, "right_knee": 0.5, "neck": 1.45}
    heights |= {"head": 1.6, "left_foot": 0.03, "right_foot": 0.03, "left_ankle": 0.08, "right_ankle": 0.08}
    for name, z in heights.items():
        side = 0.1 if name.startswith("left") else -0.1 if name.startswith("right") else 0.0
        joints[:, SMPL_JOINTS.index(name)] = (0.0, side, z)
    return joints


def falling(fps, toward_deg=180.0, onset=1.0, seconds=0.8, still=2.0):
    """Rigid fall about the feet from upright to flat, pelvis and all, in `seconds` with growing speed."""
    times = np.arange(0, onset + seconds + still, 1 / fps)
    angle = np.clip((times - onset) / seconds, 0, 1) ** 2 * np.pi / 2
    base = upright(len(times))
    radial, height = base[..., 0], base[..., 2]
    direction = np.array([np.cos(np.radians(toward_deg)), np.sin(np.radians(toward_deg))])
    joints = base.copy()
    reach = height * np.sin(angle)[:, None]
    joints[..., 0] = radial + reach * direction[0]
    joints[..., 1] = base[..., 1] + reach * direction[1]
    joints[..., 2] = np.maximum(height * np.cos(angle)[:, None], 0.1)
    return joints, times


def order(**values):
    base = dict(
        event="fall", cause="push", direction="backward", start="standing", seconds=4.0, fps=15.0, role="resident"
    )
    return ClipOrder(**(base | dict(age_years=80, stature_m=1.6, build=0.5, sex=0.5, text="") | values))


@pytest.mark.parametrize("fps", [10, 15, 30])
def test_a_known_fall_is_found_at_its_times(fps):
    joints, times = falling(fps)
    labels, fall = run(LabelConfig(), joints, times, STANDING)
    assert fall is not None
    assert fall.onset_s == pytest.approx(1.1, abs=0.25)  # quadratic: support is lost slowly
    assert fall.rest_s == pytest.approx(1.8, abs=0.25)
    assert fall.drop_m == pytest.approx(0.85, abs=0.05)
    names = [ACTIONS[i] for i in labels]
    assert names[0] == "standing" and names[-1] == "fallen" and "fall" in names
    assert names.index("fall") < names.index("fallen")


def test_who_rolls_over_an_edge_faces_where_the_hips_were_last_level():
    # On their back, feet along +x; then over on their left side, the right hip above and a little beyond; then down,
    # left.
    times = np.arange(60) / 20.0
    joints = np.zeros((60, 24, 3))
    joints[:, SMPL_JOINTS.index("neck"), 0] = joints[:, SMPL_JOINTS.index("head"), 0] = -0.1
    for name in ("left_foot", "right_foot"):
        joints[:, SMPL_JOINTS.index(name), 0] = 0.1
    rolled = np.clip(times - 0.4, 0.0, 0.6)[:, None] * np.pi
    side = np.concatenate([0.0 * rolled, np.cos(rolled), -np.sin(rolled)], axis=1)
    joints[:, SMPL_JOINTS.index("left_hip")] = 0.1 * side
    joints[:, SMPL_JOINTS.index("right_hip")] = -0.1 * side
    way = np.clip((times - 1.2) / 0.4, 0.0, 1.0)[:, None]
    joints[..., 1] += 1.0 * way
    joints[..., 2] += 0.6 - 0.5 * way**2
    fall = find_fall(LabelConfig(), joints, times, STANDING)
    assert fall is not None and fall.onset_s >= 0.9
    assert fall.direction_deg == pytest.approx(90.0, abs=15.0)


@pytest.mark.parametrize("toward", [0.0, 90.0, 180.0, -90.0])
def test_direction_is_measured_from_the_facing(toward):
    joints, times = falling(20, toward)
    fall = find_fall(LabelConfig(), joints, times, STANDING)
    assert fall is not None and abs((fall.direction_deg - toward + 180) % 360 - 180) < 10


def test_labels_do_not_change_when_the_room_is_turned():
    joints, times = falling(15, 40.0)
    turn = np.array([[0.0, -1.0, 0], [1.0, 0, 0], [0, 0, 1.0]])
    a, fall_a = run(LabelConfig(), joints, times, STANDING)
    b, fall_b = run(LabelConfig(), joints @ turn.T + [3.0, -2.0, 0.0], times, STANDING)
    np.testing.assert_array_equal(a, b)
    assert (
        fall_a is not None
        and fall_b is not None
        and fall_a.direction_deg == pytest.approx(fall_b.direction_deg, abs=1e-6)
    )


def test_walking_standing_and_slow_lying_down_are_no_falls():
    times = np.arange(0, 4, 1 / 15)
    walking = upright(len(times))
    walking[..., 0] += 0.8 * times[:, None]
    labels, fall = run(LabelConfig(), walking, times, STANDING)
    assert fall is None and set(labels) == {ACTIONS.index("walk")}
    assert set(run(LabelConfig(), upright(60), np.arange(60) / 15, STANDING)[0]) == {ACTIONS.index("standing")}
    slow, times = falling(15, seconds=6.0)
    labels, fall = run(LabelConfig(), slow, times, STANDING)
    assert fall is None and ACTIONS[labels[-1]] == "lying"


def test_the_audit_rejects_with_reasons():
    config = LabelConfig()
    joints, times = falling(15)
    labels, fall = run(config, joints, times, STANDING)
    audit(config, order(), labels, fall)
    with pytest.raises(
        Rejected, match="fell in another direction: asked forward, went -?180 deg|fell in another direction"
    ):
        audit(config, order(direction="forward"), labels, fall)
    with pytest.raises(Rejected, match="a fall happened that was not asked for"):
        audit(config, order(event="walk", cause=None, direction=None), labels, fall)
    standing = np.full(60, ACTIONS.index("standing"))
    with pytest.raises(Rejected, match="no fall happened"):
        audit(config, order(), standing, None)
    with pytest.raises(Rejected, match="the asked walk did not happen"):
        audit(config, order(event="walk"), standing, None)


def test_everybody_in_a_clip_is_labelled_and_audited():
    joints, times = falling(15)
    labels, fall = run(LabelConfig(), joints, times, STANDING)
    actions, falls = run_audited(LabelConfig(), order(), np.stack([joints, joints]), times, [STANDING, STANDING])
    assert np.array_equal(actions, np.stack([labels, labels])) and falls == [fall, fall]
    with pytest.raises(Rejected, match="no fall happened"):
        run_audited(LabelConfig(), order(), np.stack([joints, upright(len(times))]), times, [STANDING, STANDING])


def test_smoothing_is_the_mean_of_all_within_the_width():
    rng = np.random.default_rng(0)
    for _ in range(50):
        times = np.cumsum(rng.choice([1 / 15, 1 / 30, 0.1, 0.04], 80))
        values, width_s = rng.random((80, 3)), float(rng.choice([0.2, 0.3, 0.5]))
        expected = [values[np.abs(times - time) <= width_s / 2].mean(axis=0) for time in times]
        np.testing.assert_array_equal(label._smooth(values, times, width_s), expected)
