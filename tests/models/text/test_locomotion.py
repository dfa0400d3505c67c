"""Where constructed motions go."""

from dataclasses import replace

import numpy as np
import pytest

from models.body.mirror import mirrored_motion
from models.body.model import BodyModel, load_body, relaxed_pose
from models.body.tracks import rest_root
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, matrix_from_axis_angle, yaw
from models.text.locomotion import Locomotion, fall_direction, locomotion_of
from models.types import Motion, PersonTrack


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def track_of(
    body: BodyModel,
    xy: np.ndarray,
    heading: np.ndarray,
    height: float | np.ndarray = 0.9,
    tilt: np.ndarray | None = None,
) -> PersonTrack:
    """A stiff body whose pelvis goes along a path, facing given headings, tilted by angles about its own left axis."""
    count = len(xy)
    lean = np.zeros((count, 3)) if tilt is None else np.stack([tilt, 0 * tilt, 0 * tilt], axis=1)
    turns = [yaw(angle) @ R_ZUP_YUP @ matrix_from_axis_angle(own) for angle, own in zip(heading, lean, strict=True)]
    pelvis = np.concatenate([xy, np.broadcast_to(height, count)[:, None]], axis=1)
    return PersonTrack(
        "person_0",
        "resident",
        np.zeros(10),
        axis_angle_from_matrix(np.stack(turns)),
        np.tile(relaxed_pose(), (count, 1)),
        pelvis - rest_root(body, np.zeros(10)),
        np.ones(count, dtype=bool),
        np.ones(count),
    )


def in_the_mirror(body: BodyModel, track: PersonTrack) -> PersonTrack:
    count = len(track.transl)
    motion = Motion(np.arange(count) / 20.0, (track,), np.full((1, count), -1), "made")
    return mirrored_motion(motion, body).people[0]


def ways(locomotion: Locomotion) -> tuple:
    return locomotion.direction, locomotion.pace, locomotion.turns


@pytest.mark.parametrize("heading", [0.0, 2.0, -3.0])
@pytest.mark.parametrize(
    ("angle", "speed", "expected", "in_mirror"),
    [
        (0.0, 0.5, ("forward", "slow", None), ("forward", "slow", None)),
        (np.pi, 1.0, ("backward", "normal", None), ("backward", "normal", None)),
        (np.pi / 2, 1.0, ("left", "normal", None), ("right", "normal", None)),
        (-np.pi / 2 + 0.3, 1.5, ("right", "quick", None), ("left", "quick", None)),
    ],
)
def test_a_straight_way(body: BodyModel, heading: float, angle: float, speed: float, expected, in_mirror) -> None:
    way = np.array([np.cos(heading + angle), np.sin(heading + angle)])
    track = track_of(body, np.arange(81)[:, None] / 20.0 * speed * way + [2.0, -1.0], np.full(81, heading))
    locomotion = locomotion_of(body, track, 20.0)
    assert ways(locomotion) == expected
    assert locomotion.speed_m_s == pytest.approx(speed, rel=0.1) and locomotion.distance_m == pytest.approx(
        4 * speed, rel=0.1
    )
    assert ways(locomotion_of(body, in_the_mirror(body, track), 20.0)) == in_mirror


def test_a_curve_to_the_left_and_its_mirror(body: BodyModel) -> None:
    # Half a circle, across the heading where angles jump from pi to -pi.
    heading = np.linspace(2.0, 2.0 + np.pi, 121)
    xy = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1) * 0.05, axis=0)
    track = track_of(body, xy, heading)
    locomotion = locomotion_of(body, track, 20.0)
    assert ways(locomotion) == ("forward", "normal", "left") and locomotion.turn_deg == pytest.approx(180.0, abs=8.0)
    other = locomotion_of(body, in_the_mirror(body, track), 20.0)
    assert ways(other) == ("forward", "normal", "right") and other.turn_deg == pytest.approx(
        -locomotion.turn_deg, abs=1e-6
    )


def test_who_stays_or_sways_goes_nowhere(body: BodyModel) -> None:
    sway = np.stack([0.03 * np.sin(np.arange(100) / 3.0), np.zeros(100)], axis=1)
    assert ways(locomotion_of(body, track_of(body, sway, np.zeros(100)), 20.0)) == (None, None, None)
    back_and_forth = np.stack([np.sin(np.arange(201) / 200 * 2 * np.pi), np.zeros(201)], axis=1)
    locomotion = locomotion_of(body, track_of(body, back_and_forth, np.zeros(201)), 20.0)
    assert ways(locomotion) == (None, None, None) and locomotion.distance_m > 2.0


def test_who_lies_faces_nowhere(body: BodyModel) -> None:
    heading = np.linspace(0.0, 2.0, 60)
    track = track_of(body, np.zeros((60, 2)), heading, 0.1, np.full(60, np.pi / 2))
    assert locomotion_of(body, track, 20.0).turn_deg == 0.0
    assert fall_direction(body, track, 0, 59) is None


@pytest.mark.parametrize("heading", [0.0, 2.5])
@pytest.mark.parametrize(
    ("angle", "expected", "in_mirror"),
    [(0.1, "forward", "forward"), (3.0, "backward", "backward"), (1.5, "left", "right"), (-1.5, "right", "left")],
)
def test_the_way_of_a_fall(body: BodyModel, heading: float, angle: float, expected: str, in_mirror: str) -> None:
    fallen = np.linspace(0.0, 1.0, 30)
    way = np.array([np.cos(heading + angle), np.sin(heading + angle)])
    track = track_of(body, 0.8 * fallen[:, None] * way, np.full(30, heading), 0.9 - 0.7 * fallen)
    assert fall_direction(body, track, 0, 29) == expected
    assert fall_direction(body, in_the_mirror(body, track), 0, 29) == in_mirror
    still = replace(track, transl=track.transl - 0.8 * fallen[:, None] * np.append(way, 0.0))
    assert fall_direction(body, still, 0, 29) == "down"
