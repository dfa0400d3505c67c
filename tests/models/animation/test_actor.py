"""Procedural people: feet that stay where they stand, soles on the floor, seats that carry, actions that are named."""

import numpy as np
import pytest
import torch

from models.animation.actor import Actor
from models.animation.rig import rig_of
from models.animation.support import Support
from models.body.model import BodyShape, load_body
from models.body.subject import Subject
from models.body.tracks import track_joints, track_parameters
from models.sample_footage.scenes import lowest_vertex
from models.types import ACTIONS, SMPL_JOINTS

FPS = 15.0


@pytest.fixture(scope="module")
def body():
    return load_body()


def actor_of(body, age=50.0, seed=0, heading=0.0):
    betas = body.betas_from_shape(BodyShape(age_years=age))
    return Actor(rig_of(body, betas), FPS, np.random.default_rng(seed), np.zeros(2), heading, age), betas


def chair(actor):
    """A seat behind whoever stands at the origin and faces +x."""
    outline = np.array([[-0.7, -0.25], [-0.2, -0.25], [-0.2, 0.25], [-0.7, 0.25]])
    return Support("chair", 0.45, outline, np.array([-0.4, 0.0]), np.array([1.0, 0.0]), np.zeros(2))


@pytest.mark.parametrize("age", [25.0, 90.0])
def test_a_walk_goes_where_it_is_sent_and_planted_feet_do_not_slide(body, age):
    actor, betas = actor_of(body, age)
    path = np.stack([np.linspace(0.0, 3.0, 60), 0.4 * np.sin(np.linspace(0.0, 2.0, 60))], axis=1)
    actor.turn_to(0.3)
    actor.walk(path)
    track, actions = actor.track(Subject(body, betas, 50.0, "resident", name="person_1"), actor.frames)
    joints = track_joints(body, track)
    assert np.linalg.norm(joints[-1, 0, :2] - path[-1]) < 0.06
    walking = actions == ACTIONS.index("walk")
    assert 2.5 < walking.sum() / FPS < 9.0
    for name in ("left_ankle", "right_ankle"):
        ankle = joints[:, SMPL_JOINTS.index(name)]
        flat = np.abs(ankle[:, 2] - actor.rig.ankle_height) < 1e-3
        both = flat[1:] & flat[:-1]
        slide = np.linalg.norm(np.diff(ankle[:, :2], axis=0), axis=1)[both]
        # The largest is a foot that rolls over its heel as it lands.
        assert both.sum() > 10 and np.median(slide) < 1e-5 and slide.max() < 6e-3
    # Each foot swings clear of the other in turn: arms and legs of a walk, not a glide.
    assert joints[:, SMPL_JOINTS.index("left_ankle"), 2].max() > actor.rig.ankle_height + 0.02
    heads = joints[walking][:, SMPL_JOINTS.index("head"), 2]
    assert np.ptp(heads) < 0.15 and np.isfinite(joints).all()


def test_the_body_faces_where_it_walks(body):
    actor, betas = actor_of(body, heading=np.pi / 2)
    actor.walk(np.array([[0.0, 0.0], [0.0, 2.0]]))
    track, _ = actor.track(Subject(body, betas, 50.0, "person", name="person_1"), actor.frames)
    joints = track_joints(body, track)
    left, right = (joints[:, SMPL_JOINTS.index(f"{side}_hip")] for side in ("left", "right"))
    assert np.all(left[:, 0] < right[:, 0]), "facing +y, the left is at -x"
    with torch.no_grad():
        nose = body.posed(*track_parameters(track)).keypoints.numpy()[:, 0]
    assert np.all(nose[:, 1] > joints[:, SMPL_JOINTS.index("head"), 1])


def test_soles_are_on_the_floor_standing_and_close_to_it_walking(body):
    actor, betas = actor_of(body)
    actor.stand(1.0, "raise")
    actor.walk(np.array([[0.0, 0.0], [1.5, 0.0]]))
    track, actions = actor.track(Subject(body, betas, 50.0, "person", name="person_1"), actor.frames)
    lowest = lowest_vertex(body, track)
    assert np.abs(lowest[actions == ACTIONS.index("standing")]).max() < 0.004
    assert np.abs(lowest).max() < 0.012


def test_who_sits_is_carried_by_the_seat_and_gets_up_again(body):
    actor, betas = actor_of(body)
    seat = chair(actor)
    actor.sit_down(seat)
    actor.sit(seat, 1.0)
    actor.stand_up(seat)
    actor.stand(0.5)
    track, actions = actor.track(Subject(body, betas, 50.0, "person", name="person_1"), actor.frames)
    assert [ACTIONS[a] for a in dict.fromkeys(actions.tolist())] == ["sit_down", "sitting", "stand_up", "standing"]
    seated = np.flatnonzero(actions == ACTIONS.index("sitting"))[3:-3]
    joints = track_joints(body, track)
    with torch.no_grad():
        skin = body.posed(*(value[seated[:1]] for value in track_parameters(track))).vertices.numpy()[0]
    over_seat = skin[(skin[:, 0] < -0.2) & (np.abs(skin[:, 1]) < 0.2)]
    assert abs(over_seat[:, 2].min() - seat.height_m) < 0.05
    assert joints[seated, 0, 2].max() < 0.65 < joints[-1, 0, 2]
    feet = joints[:, [SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle")]]
    assert np.ptp(feet, axis=0).max() < 2e-3


def test_who_lies_lies_on_the_bed_face_up_head_to_the_pillow(body):
    actor, betas = actor_of(body)
    outline = np.array([[-1.1, -1.0], [-0.1, -1.0], [-0.1, 1.0], [-1.1, 1.0]])
    bed = Support("bed", 0.5, outline, np.array([-0.6, 0.0]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    actor.sit(bed, 0.5)
    actor.lie_down(bed, 2.5, 1.0)
    track, actions = actor.track(Subject(body, betas, 50.0, "person", name="person_1"), actor.frames)
    assert ACTIONS[actions[-1]] == "lying"
    joints = track_joints(body, track)[-1]
    assert joints[SMPL_JOINTS.index("head"), 1] > 0.4 > -0.5 > joints[SMPL_JOINTS.index("left_ankle"), 1]
    assert abs(lowest_vertex(body, track)[-1] - 0.5) < 0.06
    with torch.no_grad():
        nose = body.posed(*(value[-1] for value in track_parameters(track))).keypoints.numpy()[0]
    assert nose[2] > joints[SMPL_JOINTS.index("head"), 2] + 0.05
