"""Features say what the motion says: there and back, wherever the scene stands, and nothing is lost in between."""

import numpy as np
import pytest
import torch

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.kinematics import forward_kinematics
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.geometry.rotations import matrices_from_axis_angle
from models.motion.features import (
    CONTACTS,
    FEATURES,
    ROTATIONS,
    VELOCITIES,
    Normaliser,
    canonicalise,
    decode,
    encode,
    from_matrices,
    heading,
    matrices,
    positions,
    transformed,
)


@pytest.fixture(scope="module")
def body():
    return load_body()


def walked(body, seconds=3.0, act=procedural_walking):
    """Rest joints, rotations and transl of one person at 20 Hz."""
    track = act(body, np.zeros(10), seconds, 20.0, np.random.default_rng(0)).people[0]
    angles = np.concatenate([track.global_orient, track.body_pose], axis=1).reshape(-1, 24, 3)
    rest = skeleton_of(body).rest_joints(torch.zeros(1, 10))
    return (
        rest,
        torch.as_tensor(angles, dtype=torch.float32)[None],
        torch.as_tensor(track.transl, dtype=torch.float32)[None],
    )


def test_there_and_back(body):
    rest, angles, transl = walked(body)
    features = encode(rest, angles, transl)
    assert features.shape == (1, 60, FEATURES)
    R, found = decode(features, rest)
    torch.testing.assert_close(found, transl, atol=1e-6, rtol=0.0)
    torch.testing.assert_close(R, matrices_from_axis_angle(angles[:, :, :22]), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(from_matrices(rest, R, features[..., :3]), features, atol=1e-4, rtol=0.0)


def test_what_is_stored_follows_from_the_rotations(body):
    rest, angles, transl = walked(body)
    features = encode(rest, angles, transl)
    joints = forward_kinematics(rest[:, None], matrices(features), features[..., :3])
    torch.testing.assert_close(joints, positions(features), atol=1e-5, rtol=0.0)
    speed = features[0, :-1, VELOCITIES].reshape(-1, 22, 3)
    torch.testing.assert_close(speed, (joints[0, 1:] - joints[0, :-1]) * 20.0, atol=1e-3, rtol=0.0)


def test_who_walks_stands_on_one_foot_or_the_other_and_who_stands_on_both(body):
    contacts = encode(*walked(body, 6.0))[0, :, CONTACTS]
    left, right = contacts[:, :2].amax(1), contacts[:, 2:].amax(1)
    assert 0.3 < left.mean() < 0.95 and 0.3 < right.mean() < 0.95 and torch.maximum(left, right).mean() > 0.6
    standing = encode(*walked(body, 3.0, procedural_standing))[0, :, CONTACTS]
    assert standing.mean() > 0.9


def test_a_scene_is_the_same_wherever_it_stands(body):
    rest, angles, transl = walked(body)
    scene = torch.cat([encode(rest, angles, transl), encode(rest, angles, transl + torch.tensor([1.0, 2.0, 0.0]))])[
        None
    ]
    home, pose = canonicalise(scene)
    torch.testing.assert_close(home[0, 0, 0, :2], torch.zeros(2), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(heading(matrices(home[:, 0, 0])[:, 0]), torch.tensor([[1.0, 0.0]]), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(transformed(home, pose), scene, atol=1e-5, rtol=0.0)
    elsewhere = transformed(scene, torch.tensor([[3.0, -1.0, 2.2]]))
    torch.testing.assert_close(canonicalise(elsewhere)[0], home, atol=2e-5, rtol=0.0)
    # Heights are told over the floor, and the two keep their distance.
    torch.testing.assert_close(home[..., 2], scene[..., 2], atol=1e-6, rtol=0.0)
    apart = (home[0, 0, :, :2] - home[0, 1, :, :2]).norm(dim=-1)
    torch.testing.assert_close(apart, torch.full_like(apart, 5.0**0.5), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize(("pitch", "along"), [(0.0, 1.0), (1.0, 1.0), (np.pi / 2, 1.0), (-1.0, 1.0), (-np.pi / 2, 1.0)])
def test_who_bends_or_lies_still_faces_somewhere(pitch, along):
    """Pitched forward until prone, or backward until supine, a body that faced +x still does."""
    upright = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    c, s = float(np.cos(pitch)), float(np.sin(pitch))
    about_y = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    torch.testing.assert_close(heading((about_y @ upright)[None]), torch.tensor([[along, 0.0]]), atol=1e-6, rtol=0.0)


def test_normaliser_goes_there_and_back_and_knows_no_direction(body):
    rest, angles, transl = walked(body)
    scene = encode(rest, angles, transl)[:, None]
    normaliser = Normaliser()
    normaliser.fit(scene.flatten(0, 2))
    torch.testing.assert_close(normaliser.denormalise(normaliser(scene)), scene, atol=1e-4, rtol=0.0)
    assert torch.equal(normaliser.std[0:66:3], normaliser.std[1:66:3])
    assert normaliser.std.min() >= 0.05 and torch.isfinite(normaliser(scene)).all()
    assert normaliser(scene)[..., ROTATIONS].std() < 3.0
