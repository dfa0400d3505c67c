"""Falls in number: facts that agree with the motion, rooms that are collided with, figures."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.body.model import load_body
from models.body.tracks import track_joints
from models.errors import Rejected
from models.falls.sampling import FallsConfig, draw_kind
from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
from models.order import CAUSE_DIRECTIONS
from models.types import ACTIONS, Room, SupportSurface
from stages import simulate_falls as falls

BARE = FallsConfig(furnished=0.0, recovering=0.0, rising=0.0)


@pytest.fixture(scope="module")
def body():
    return load_body()


def test_facts_agree_with_the_motion(body):
    motion = falls.run(BARE, body, "slip", "backward", np.random.default_rng(0))
    joints, details = track_joints(body, motion.people[0]), motion.details
    at = {name: round(details[f"{name}_s"] * 20.0) for name in ("onset", "impact", "rest")}
    np.testing.assert_allclose(np.diff(motion.timestamps_s), 0.05)
    assert joints[at["onset"], 0, 2] > 0.6 and joints[at["impact"], 0, 2] < 0.4 and joints[-1, 0, 2] < 0.35
    names = [ACTIONS[action] for action in motion.actions[0]]
    assert names[at["onset"] + 1] == "fall" and names[-1] == "fallen" and "fall" not in names[: at["onset"] - 1]
    assert details["after"] == "lies_still" and details["start"] in ("standing", "walking")
    assert 1.0 <= motion.timestamps_s[-1] - details["rest_s"] + 0.06 and details["landing"] == "floor"
    assert body.stature(motion.people[0].betas) == pytest.approx(details["stature_m"], abs=0.03)


def test_some_get_up_again_from_where_they_lay(body):
    """The fall itself is the same one; what follows begins in its last pose and is labelled."""
    seeds = [np.random.default_rng(seed) for seed in range(8)]
    made = [falls.run(BARE.model_copy(update={"rising": 1.0}), body, "push", "backward", rng) for rng in seeds]
    after = {motion.details["after"] for motion in made}
    assert len(after) >= 2
    for motion in made:
        names = [ACTIONS[action] for action in motion.actions[0]]
        rest = round(motion.details["rest_s"] * 20.0)
        risen = {"gets_up": "stand_up", "crawls": "crawl", "tries_to_get_up": "stand_up"}.get(motion.details["after"])
        assert risen is None or risen in names[rest:]
        joints = track_joints(body, motion.people[0])
        assert np.linalg.norm(np.diff(joints[rest:, :22], axis=0), axis=-1).max() < 0.25, "nothing jumps"
        if motion.details["after"] == "gets_up":
            assert joints[-1, 0, 2] > 0.6


def test_same_generator_same_bytes(body):
    one, two = (falls.run(FallsConfig(), body, "trip", "left", np.random.default_rng(4)) for _ in range(2))
    assert one.people[0].body_pose.tobytes() == two.people[0].body_pose.tobytes() and one.details == two.details


def test_kinds_are_drawn_from_all_causes_and_the_ways_they_throw():
    kinds = {draw_kind(np.random.default_rng(seed)) for seed in range(400)}
    assert kinds == {(cause, way) for cause, ways in CAUSE_DIRECTIONS.items() for way in ways}


def test_a_fall_in_a_room_ends_on_its_furniture(body):
    """A floor that is walkable on one spot only, with beds all around it: whoever falls lands on one."""
    walkable = np.zeros((60, 40), dtype=bool)
    walkable[26:30, 18:22] = True
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    beds = tuple(
        SupportSurface("bed", 0.5, np.array([2.8, 0.0]) + offset + corners)
        for offset in ([1.45, 0.0], [-1.45, 0.0], [0.0, 1.45], [0.0, -1.45])
    )
    camera = Camera(
        intrinsics_from_focal(450, 640, 480), 640, 480, pose_over_floor(normal_from_angles(np.radians(25), 0.0), 2.2)
    )
    room = Room(
        "r",
        camera,
        np.zeros((480, 640, 3), np.uint8),
        np.ones((480, 640)),
        np.full((480, 640), -1),
        1.0,
        0.0,
        walkable,
        np.zeros((60, 40, 20), dtype=int),
        np.full((60, 40, 20), 1.0),
        np.array([0.0, -2.0, 0.0]),
        0.1,
        beds,
        0.0,
        True,
        "ok",
    )
    made = []
    for seed in range(12):
        try:
            made.append(falls.run(BARE, body, "faint", "backward", np.random.default_rng(seed), room))
        except Rejected:
            continue
    assert len(made) >= 3
    assert all("bed" in motion.details["struck"] for motion in made)
    for motion in made:
        onset = round(motion.details["onset_s"] * 20.0)
        start = track_joints(body, motion.people[0])[onset, 0]
        assert np.linalg.norm(start[:2] - [2.8, 0.0]) < 0.5
    with pytest.raises(Rejected, match="no walkable floor"):
        nowhere = replace(room, walkable=np.zeros_like(walkable))
        falls.run(BARE, body, "faint", "backward", np.random.default_rng(0), nowhere)


def test_figures_count_what_was_dropped(body):
    motions = [falls.run(BARE, body, "push", way, np.random.default_rng(1)) for way in ("forward", "left")]
    found = falls.metrics(motions, Counter({"simulation_unstable": 2}), 1.0)
    assert found["dropped_share"] == 0.5 and found["recovered"] == 0
    assert 0.4 < found["impact_time_s"][1] < 1.5 and 1.0 < found["hip_speed_m_s"][1] < 3.6
    assert found["realtime_factor"] == pytest.approx(sum(m.timestamps_s[-1] for m in motions))
    assert falls.metrics([], Counter(), 0.0)["impact_time_s"] is None
