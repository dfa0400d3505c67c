"""Smoothing: what moves steadily stays, noise shrinks as theory says, impacts stay sharp, gaps are not crossed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.animation.gait_curves import procedural_walking
from models.body.model import load_body
from models.errors import InputError
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.types import PersonTrack
from stages import smooth
from stages.smooth import SmoothConfig

FPS = 20.0


@pytest.fixture(scope="module")
def body():
    return load_body()


def steady(count: int = 40, seed: int = 0) -> tuple[PersonTrack, np.ndarray]:
    """Constant velocities at an uneven clock: the root glides and spins past half a turn, every joint turns
    steadily."""
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.03, 0.08, count))
    start, spin = Rotation.random(24, rng=rng), rng.normal(size=(24, 3)) * 1.2
    spin[0] = [0.3, 2.5, -0.4]
    turned = np.stack([(start * Rotation.from_rotvec(spin * t)).as_matrix() for t in times])
    vectors = axis_angle_from_matrix(turned)
    transl = np.array([0.5, -1.0, 0.9]) + times[:, None] * np.array([1.1, -0.3, 0.05])
    pose = vectors[:, 1:].reshape(count, 69)
    track = PersonTrack(
        "anna", "resident", np.zeros(10), vectors[:, 0], pose, transl, np.ones(count, bool), np.ones(count)
    )
    return track, times


def noisy(track: PersonTrack, place_m: float, turn: float, seed: int = 1) -> PersonTrack:
    rng = np.random.default_rng(seed)
    count = len(track.transl)
    vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(count, 23, 3)], axis=1)
    shaken = axis_angle_from_matrix(
        matrix_from_axis_angle(vectors) @ matrix_from_axis_angle(rng.normal(size=vectors.shape) * turn)
    )
    transl = track.transl + rng.normal(size=(count, 3)) * place_m
    return replace(track, global_orient=shaken[:, 0], body_pose=shaken[:, 1:].reshape(count, 69), transl=transl)


def turn_between(a: PersonTrack, b: PersonTrack) -> np.ndarray:
    """Angle between the two tracks' rotations, time x 24."""
    one, two = (
        matrix_from_axis_angle(np.concatenate([t.global_orient[:, None], t.body_pose.reshape(-1, 23, 3)], axis=1))
        for t in (a, b)
    )
    return np.linalg.norm(axis_angle_from_matrix(np.swapaxes(one, -1, -2) @ two), axis=-1)


@pytest.mark.parametrize("weight", [1.0, 1e4])
def test_constant_velocity_is_left_alone(body, weight):
    track, times = steady()
    (done,), figures = smooth.run(SmoothConfig(weight=weight), [track], times, body)
    assert np.abs(done.transl - track.transl).max() < 1e-6
    assert np.abs(done.global_orient - track.global_orient).max() < 1e-6
    assert np.abs(done.body_pose - track.body_pose).max() < 1e-6
    assert figures["people"][0]["stretches"] == 1 and figures["people"][0]["moved_mm"] < 1e-2


def test_noise_shrinks_by_the_factor_of_the_smoothing_spline(body):
    count, weight = 400, 3.0
    still = PersonTrack(
        "anna",
        "resident",
        np.zeros(10),
        np.zeros((count, 3)),
        np.zeros((count, 69)),
        np.zeros((count, 3)),
        np.ones(count, bool),
        np.ones(count),
    )
    config = SmoothConfig(weight=weight, spread_m=1.0, acceleration=8.0 / 0.03)  # never in the robust range
    shaken = noisy(still, 0.002, 0.004)
    (done,), _ = smooth.run(config, [shaken], np.arange(count) / FPS, body)
    bend = np.diff(np.eye(count), n=2, axis=0) * FPS**2
    ends = np.ones(count)
    ends[[0, -1]] = 0.5
    gain = np.linalg.solve(np.diag(ends) + weight * (0.03 / 8.0) ** 2 * bend.T @ bend, np.diag(ends))
    factor = np.sqrt(np.trace(gain @ gain.T) / count)
    assert 0.3 < factor < 0.6
    assert abs(done.body_pose.std() / 0.004 / factor - 1.0) < 0.02
    for found, given in ((done.transl, 0.002), (done.global_orient, 0.004)):  # few numbers: more chance in them
        assert abs(found.std() / given / factor - 1.0) < 0.12


def test_backwards_in_time_is_the_same(body):
    track, times = steady()
    shaken = noisy(track, 0.05, 0.3)
    confidence = np.linspace(0.2, 1.0, len(times))
    shaken = replace(shaken, confidence=confidence)
    (forward,), _ = smooth.run(SmoothConfig(), [shaken], times, body)
    flipped = {
        name: getattr(shaken, name)[::-1].copy()
        for name in ("global_orient", "body_pose", "transl", "visible", "confidence")
    }
    (back,), _ = smooth.run(SmoothConfig(), [replace(shaken, **flipped)], (times[-1] - times)[::-1].copy(), body)
    assert np.abs(back.transl[::-1] - forward.transl).max() < 1e-6
    assert turn_between(replace(back, **{n: getattr(back, n)[::-1].copy() for n in flipped}), forward).max() < 1e-5


def test_a_long_gap_is_not_crossed_and_is_carried_along(body):
    track, times = steady(40)
    times = np.arange(40) / FPS
    shaken = noisy(track, 0.02, 0.05)
    hidden = (np.arange(40) >= 10) & (np.arange(40) < 26)  # 0.8 s
    shaken = replace(shaken, visible=~hidden, confidence=np.where(hidden, 0.1, 0.9))
    other = replace(shaken, transl=np.where(np.arange(40)[:, None] >= 26, shaken.transl + 7.0, shaken.transl))
    (a,), figures = smooth.run(SmoothConfig(), [shaken], times, body)
    (b,), _ = smooth.run(SmoothConfig(), [other], times, body)
    assert np.array_equal(a.transl[:10], b.transl[:10])
    assert np.allclose(a.transl[26:] + 7.0, b.transl[26:], atol=1e-6)
    assert figures["people"][0]["stretches"] == 2
    # What bridges the gap moves as its ends do: half way between them in the middle.
    moved = a.transl - shaken.transl
    share = (np.arange(10, 26) - 9)[:, None] / 17.0
    assert np.allclose(moved[10:26], (1.0 - share) * moved[9] + share * moved[26], atol=1e-9)


def test_a_short_gap_is_bridged_at_constant_velocity(body):
    track, _ = steady(30)
    times = np.arange(30) / FPS
    track = replace(track, transl=np.outer(times, [1.0, 0.5, 0.0]))
    hidden = np.isin(np.arange(30), [12, 13, 14])
    held = np.where(hidden[:, None], track.transl[11], track.transl)
    given = replace(track, transl=held, visible=~hidden)
    (done,), _ = smooth.run(SmoothConfig(), [given], times, body)
    assert np.abs(done.transl - track.transl).max() < 1e-5


def test_an_impact_stays_sharp_and_a_wrong_frame_is_passed_over(body):
    times = np.arange(60) / FPS
    height = np.where(times < 1.0, 1.0 + 4.0 * (1.0 - times), 1.0)  # falls at 4 m/s, stops within one frame
    track, _ = steady(60)
    track = replace(track, transl=np.stack([0 * times, 0 * times, height], axis=-1))
    wrong = track.transl.copy()
    wrong[40, 0] += 0.5
    plain = SmoothConfig(spread_m=3.0, acceleration=800.0)  # the same smoothness, but squares all the way
    off = {}
    for name, config in (("robust", SmoothConfig()), ("squares", plain)):
        (done,), _ = smooth.run(config, [replace(track, transl=wrong)], times, body)
        off[name] = np.abs(done.transl[:, 2] - height).max(), abs(done.transl[40, 0])
    assert off["robust"][0] < 0.04 and off["robust"][0] < 0.6 * off["squares"][0]
    assert off["robust"][1] < 0.02 and off["squares"][1] > 0.1


def test_lag_of_a_known_delay():
    times = np.arange(200) / FPS
    path = np.stack([np.sin(times * 3.0), np.cos(times * 2.0), np.sin(times * 5.0 + 1.0)], axis=-1)[:, None]
    assert smooth.lag_s(path[3:], path[:-3], times[3:]) == pytest.approx(3 / FPS, abs=2e-3)
    assert smooth.lag_s(path, path, times) == pytest.approx(0.0, abs=1e-9)


def test_jitter_of_a_known_acceleration_without_the_gap():
    times = np.concatenate([np.arange(30) / FPS, 5.0 + np.arange(30) / FPS])
    path = (0.5 * 3.0 * times**2)[:, None, None] * np.array([0.6, 0.8, 0.0])
    assert smooth.jitter(path, times) == pytest.approx(3.0, abs=1e-9)


def test_the_ladder_trades_jitter_and_does_not_lag(body):
    walk = procedural_walking(body, np.zeros(10), 3.0, FPS, np.random.default_rng(0), 75.0)
    truth = walk.people[0]
    weights = (0.0, 0.1, 1.0, 10.0)
    rows = smooth.ladder(SmoothConfig(), noisy(truth, 0.02, 0.05), walk.timestamps_s, body, weights, truth)
    shaking = [row["jitter"] for row in rows]
    assert shaking == sorted(shaking, reverse=True) and shaking[2] < 0.4 * shaking[0]
    assert rows[0]["moved_mm"] == 0.0 and rows[2]["error_mm"] < rows[0]["error_mm"]
    assert max(abs(row["lag_ms"]) for row in rows) < 10.0
    picture = smooth.plot_ladder(rows)
    assert picture.shape[2] == 3 and picture.std() > 5.0


def test_same_bytes_again_and_each_alone(body):
    track, times = steady()
    anna, bert = noisy(track, 0.02, 0.1, 1), noisy(track, 0.02, 0.1, 2)
    together, _ = smooth.run(SmoothConfig(), [anna, bert], times, body)
    (alone,), _ = smooth.run(SmoothConfig(), [bert], times, body)
    assert together[1].transl.tobytes() == alone.transl.tobytes()
    assert together[1].body_pose.tobytes() == alone.body_pose.tobytes()


def test_one_frame_and_nobody(body):
    track, times = steady(4)
    seen = np.array([False, True, False, False])
    (done,), _ = smooth.run(SmoothConfig(), [replace(track, visible=seen)], times, body)
    assert np.array_equal(done.transl, track.transl)
    (done,), figures = smooth.run(SmoothConfig(), [replace(track, visible=seen & False)], times, body)
    assert np.array_equal(done.transl, track.transl) and figures["people"][0]["stretches"] == 0
    assert smooth.run(SmoothConfig(), [], times, body) == ([], {"people": []})


def test_bad_input_says_what_is_wrong(body):
    track, times = steady(6)
    with pytest.raises(InputError, match="^timestamps: do not increase strictly over at least two frames; give"):
        smooth.run(SmoothConfig(), [track], times[::-1].copy(), body)
    with pytest.raises(InputError, match="^anna: has 6 frames, the clock 5; give the timestamps"):
        smooth.run(SmoothConfig(), [track], times[:5], body)
    broken = replace(track, transl=np.where(np.arange(6)[:, None] == 2, np.nan, track.transl))
    with pytest.raises(InputError, match="^anna: holds a number that is not finite; lift"):
        smooth.run(SmoothConfig(), [broken], times, body)
