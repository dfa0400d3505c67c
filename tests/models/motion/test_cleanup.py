"""Sampled motion cleaned up: what slides stands, what sinks rises, who shares space steps aside, and the rest stays."""

import numpy as np
import pytest
import torch

from models.body.floor_contact import lowest_surface
from models.body.kinematics import forward_kinematics
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.geometry.rotations import matrices_from_axis_angle
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.motion.cleanup import CleanupConfig, clean_up, foot_corrections
from models.motion.evaluation.physical_metrics import (
    BodySurfaces,
    foot_skate_cm_s,
    jerk_m_s3,
    joints_of,
    stated_contacts,
)
from models.motion.features import CONTACTS, canonicalise, from_matrices, heading, matrices
from models.motion.floor_clearance import floor_clearance_of, resolve_floor_penetration
from models.motion.holding import palms_of
from models.types import FPS, SMPL_JOINTS

CONFIG = CleanupConfig()


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def scene(body, items):
    """Of some items: betas, rest joints, features."""
    from models.body.tracks import track_parameters
    from models.motion.features import encode

    found = {}
    for item in items:
        tracks = [track_parameters(track) for track in item.motion.people]
        betas = np.stack([track.betas for track in item.motion.people]).astype(np.float64)
        rest = skeleton_of(body).rest_joints(torch.as_tensor(betas, dtype=torch.float32))
        turns = [torch.cat([orient[:, None], pose.unflatten(1, (23, 3))], dim=1) for _, orient, pose, _ in tracks]
        features = encode(rest, torch.stack(turns), torch.stack([transl for *_, transl in tracks]))
        found[item.name] = betas, rest, canonicalise(features[None])[0][0]
    return found


def moved(rest, features, shift):
    """The motion with its root shifted (metres), stating the contacts that it stated."""
    found = from_matrices(rest, matrices(features), features[..., :3] + shift)
    return torch.cat([found[..., : CONTACTS.start], features[..., CONTACTS]], dim=-1)


def test_a_body_whose_feet_both_slip_stands_still():
    """Both feet slip at 0.1 m/s along x; where only the body's way is dear to nobody, it goes back by just that."""
    feet = np.zeros((40, 4, 3))
    feet[:, :, 0] = 0.1 * np.arange(40)[:, None] / FPS
    free = CleanupConfig(body_std_m=1e3, body_speed_std_m_s=1e3, leg_std_m=1e-3, slip_std_m_s=1e-3)
    found = foot_corrections(free, feet, np.ones((40, 4), dtype=bool))
    np.testing.assert_allclose(np.diff(found[..., 0], axis=0) * FPS, -0.1, atol=1e-4)
    np.testing.assert_allclose(found[..., 1], 0.0, atol=1e-9)
    np.testing.assert_array_equal(foot_corrections(free, feet, np.zeros((40, 4), dtype=bool)), 0.0)


def test_a_foot_that_rolls_about_its_toes_is_let_roll():
    feet = np.zeros((30, 4, 3))
    feet[:, 0, 0] = 0.2 * np.arange(30) / FPS
    on_toes = np.tile([False, True, False, False], (30, 1))
    np.testing.assert_allclose(foot_corrections(CONFIG, feet, on_toes), 0.0, atol=1e-12)
    flat = np.tile([True, True, False, False], (30, 1))
    assert np.abs(foot_corrections(CONFIG, feet, flat)[:, 1, 0]).max() > 0.05


@pytest.mark.parametrize("name", ["walk_0", "stand_0", "fall_0"])
def test_sound_motion_stays(body, scene, name):
    betas, rest, features = scene[name]
    found = clean_up(CONFIG, body, betas, rest, features)
    off = np.linalg.norm(joints_of(found, rest) - joints_of(features, rest), axis=-1)
    assert off.mean() < 0.05 and torch.equal(found[..., CONTACTS], features[..., CONTACTS])
    torch.testing.assert_close(found[0, 0, :2], torch.zeros(2), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(heading(matrices(found)[0, 0, 0]), torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0.0)


def test_sliding_feet_stand(body, scene):
    betas, rest, features = scene["stand_0"]
    away = torch.zeros(features.shape[1], 3)
    away[:, 1] = 0.2 * torch.arange(len(away)) / FPS
    slides = moved(rest, features, away)
    found = clean_up(CONFIG, body, betas, rest, slides)
    before, after = (foot_skate_cm_s(joints_of(one, rest), stated_contacts(one)) for one in (slides, found))
    assert before > 18.0 and after < 1.5
    wandered = joints_of(found, rest)[0, :, 0, :2] - joints_of(features, rest)[0, :, 0, :2]
    assert np.abs(wandered - wandered.mean(axis=0)).max() < 0.1, "the body came back with its feet"


def test_who_sinks_rises_and_nothing_is_left_below(body, scene):
    betas, rest, features = scene["fall_0"]
    sunk = moved(rest, features, torch.tensor([0.0, 0.0, -0.06]))
    surfaces, shapes = BodySurfaces(body), torch.as_tensor(betas, dtype=torch.float32)
    assert surfaces.penetration_cm(sunk, rest, shapes) > 5.0
    assert surfaces.penetration_cm(clean_up(CONFIG, body, betas, rest, sunk), rest, shapes) < 0.5


def test_only_what_is_in_the_floor_is_bent_out_of_it(body, scene):
    """Half a metre lower, someone standing has feet and shanks in the floor: legs bend, trunk and arms stay as they
    are."""
    _, rest, features = scene["stand_0"]
    solid, R, root = floor_clearance_of(body), matrices(features), features[..., :3]
    assert (solid.radii > 0.005).all() and (solid.radii < 0.15).all()
    same = resolve_floor_penetration(solid, rest, R, root + torch.tensor([0.0, 0.0, 0.2]))
    assert torch.equal(same[0], R), "nothing was too low"
    low = root - torch.tensor([0.0, 0.0, 0.5])
    bent, place = resolve_floor_penetration(solid, rest, R, low)
    assert torch.equal(place, low), "the pelvis was high enough"
    before, after = (forward_kinematics(rest[:, None], turns, low) for turns in (R, bent))
    legs = [joint for joint in range(22) if joint in (1, 2, 4, 5, 7, 8, 10, 11)]
    upper = [joint for joint in range(22) if joint not in legs]
    torch.testing.assert_close(after[:, :, upper], before[:, :, upper], atol=1e-4, rtol=0.0)
    assert before[..., 2].min() < -0.4 and after[..., 2].min() > before[..., 2].min() + 0.25
    identity = torch.eye(3).expand_as(bent)
    torch.testing.assert_close(bent @ bent.transpose(-1, -2), identity, atol=1e-5, rtol=0.0)


def test_a_head_in_the_floor_is_bent_out_of_it_and_the_body_stays_down(body, scene):
    """Someone lies on their back, the neck bent back so far that the head is in the floor."""
    betas, rest, _ = scene["fall_0"]
    R = torch.eye(3).repeat(1, 40, 22, 1, 1)
    R[:, :, 0] = torch.as_tensor(R_ZUP_YUP @ matrix_from_axis_angle(np.array([-np.pi / 2.0, 0.0, 0.0])))
    surfaces, shapes = BodySurfaces(body), torch.as_tensor(betas, dtype=torch.float32)
    flat = from_matrices(rest, R, torch.tensor([0.0, 0.0, 0.3]).expand(1, 40, 3))
    skin = [track.double().numpy() for track in (R[0, :, 0], torch.nn.functional.pad(R[0, :, 1:], (0, 0, 0, 0, 0, 2)))]
    skin[1][:, -2:] = np.eye(3)
    lowest = lowest_surface(body, betas[0], *skin, np.array([[0.0, 0.0, 0.3]] * 40) - rest[0, 0].numpy())[0]
    sound = moved(rest, flat, torch.tensor([0.0, 0.0, -float(lowest)]))
    R[:, :, 12] = matrices_from_axis_angle(torch.tensor([-1.0, 0.0, 0.0]))
    sunk = from_matrices(rest, R, sound[..., :3])
    assert surfaces.penetration_cm(sound, rest, shapes) < 0.5 and surfaces.penetration_cm(sunk, rest, shapes) > 6.0
    mended = clean_up(CONFIG, body, betas, rest, sunk)
    assert surfaces.penetration_cm(mended, rest, shapes) < 0.5
    assert float((mended[..., 2] - sound[..., 2]).max()) < 0.03, "the pelvis is not lifted after the head"


def test_jitter_goes_and_falls_stay_falls(body, scene):
    betas, rest, features = scene["fall_0"]
    noise = 0.01 * torch.randn(features.shape[1], 3, generator=torch.Generator().manual_seed(0))
    joints = [joints_of(one, rest) for one in (features, moved(rest, features, noise))]
    after = joints_of(clean_up(CONFIG, body, betas, rest, moved(rest, features, noise)), rest)
    assert jerk_m_s3(joints[1]) > 2.5 * jerk_m_s3(joints[0]) and jerk_m_s3(after) < 0.3 * jerk_m_s3(joints[1])
    down = [np.diff(one[0, :, 0, 2]).min() * FPS for one in (joints[0], after)]
    assert down[1] < 0.8 * down[0], "the pelvis still falls about as fast"


def test_people_in_one_place_stand_beside_each_other(body, scene):
    betas, rest, features = scene["pair"]
    together = torch.stack([moved(rest[one], features[one], torch.zeros(3)) for one in (0, 1)])
    gap = together[1, 0, :3] - together[0, 0, :3]
    together[1] = moved(rest[1], together[1], torch.tensor([0.0, 0.12 - float(gap[1]), 0.0]))
    surfaces, shapes = BodySurfaces(body), torch.as_tensor(betas, dtype=torch.float32)
    assert surfaces.overlap_cm(together, rest, shapes) > 8.0
    found = clean_up(CONFIG, body, betas, rest, together)
    assert surfaces.overlap_cm(found, rest, shapes) < 1.2
    skates = [foot_skate_cm_s(joints_of(one, rest), stated_contacts(one)) for one in (together, found)]
    assert skates[1] <= skates[0] + 0.1, "feet that stood stand"
    # Whoever is named first: the same scene.
    turned = clean_up(CONFIG, body, betas[::-1].copy(), rest.flip(0), canonicalise(together.flip(0)[None])[0][0])
    apart = [
        np.linalg.norm(np.diff(joints_of(one, r), axis=0), axis=-1)
        for one, r in ((found, rest), (turned, rest.flip(0)))
    ]
    np.testing.assert_allclose(apart[0], apart[1], atol=2e-3)
    same = clean_up(CleanupConfig(interpenetration_rounds=0), body, betas, rest, together)
    assert surfaces.overlap_cm(same, rest, shapes) > 8.0


def test_who_steps_out_of_one_person_does_not_step_into_the_next(body, scene):
    """Two people in one place, and a third beyond whoever steps aside, at first farther away than anything is looked
    at."""
    betas, rest, features = scene["pair"]
    which = [0, 1, 1]
    placed_at = [moved(rest[one], features[one], torch.zeros(3)) for one in which]
    for person, y in enumerate((0.0, 0.05, 0.75)):
        ahead = placed_at[person][0, :3] - placed_at[0][0, :3]
        shift = torch.tensor([-float(ahead[0]), y - float(ahead[1]), 0.0])
        placed_at[person] = moved(rest[which[person]], placed_at[person], shift)
    crowd, shapes = torch.stack(placed_at), torch.as_tensor(betas[which], dtype=torch.float32)
    surfaces = BodySurfaces(body)
    assert surfaces.overlap_cm(crowd[1:], rest[[1, 1]], shapes[1:]) == 0.0
    found = clean_up(CONFIG, body, betas[which], rest[which], crowd)
    assert surfaces.overlap_cm(found[1:], rest[[1, 1]], shapes[1:]) < 2.5
    assert surfaces.overlap_cm(found[:2], rest, shapes[:2]) < 2.5


def on_the_floor(body, betas, rest, R, xy):
    """Root of somebody who stands in one pose, soles on the floor."""
    pose = torch.nn.functional.pad(R[1:], (0, 0, 0, 0, 0, 2)).double().numpy()
    pose[-2:] = np.eye(3)
    lowest = lowest_surface(body, betas, R[None, 0].double().numpy(), pose[None], np.zeros((1, 3)))[0]
    return torch.tensor([*xy, float(rest[0, 2]) - lowest], dtype=torch.float32)


def holding_scene(body, frames=60):
    """Somebody whose left palm is on the back of somebody in front, both standing still and looking along +x: betas,
    rest joints, features."""
    betas = np.zeros((2, 10))
    rest = skeleton_of(body).rest_joints(torch.zeros(2, 10))
    R = torch.eye(3).repeat(2, 22, 1, 1)
    R[:, 0] = torch.as_tensor(R_ZUP_YUP)
    for name, turn in (("shoulder", (0.0, 0.0, -1.2)), ("hip", (-0.1, 0.0, 0.0)), ("knee", (0.2, 0.0, 0.0))):
        for side, mirror in (("left", 1.0), ("right", -1.0)):
            turned = matrices_from_axis_angle(torch.tensor(turn) * torch.tensor([1.0, mirror, mirror]))
            R[:, SMPL_JOINTS.index(f"{side}_{name}")] = turned
    for ankle in ("left_ankle", "right_ankle"):
        R[:, SMPL_JOINTS.index(ankle)] = matrices_from_axis_angle(torch.tensor([-0.1, 0.0, 0.0]))
    down = matrices_from_axis_angle(torch.tensor([[0.0, -1.2, 0.0], [0.0, 0.0, -0.4]]))
    R[0, SMPL_JOINTS.index("left_shoulder")] = down[0] @ down[1]
    R[0, SMPL_JOINTS.index("left_elbow")] = matrices_from_axis_angle(torch.tensor([0.0, -1.1, 0.0]))
    root = torch.stack([on_the_floor(body, betas[k], rest[k], R[k], (0.0, 0.0)) for k in (0, 1)])
    palm = palms_of(forward_kinematics(rest, R, root))[0, 0]
    root[1, :2] = palm[:2] + torch.tensor([0.3, 0.0])
    while palm_to_skin(body, rest, R[:, None], root[:, None])[0] > 0.014:
        root[1, 0] -= 0.004
    features = from_matrices(rest, R[:, None].repeat(1, frames, 1, 1, 1), root[:, None].repeat(1, frames, 1))
    return betas, rest, features


def palm_to_skin(body, rest, R, root):
    """Metres from the first one's left palm to the nearest vertex of the second one, each frame given."""
    palms = palms_of(forward_kinematics(rest[:, None], R, root))[0, :, 0]
    pose = torch.cat([R[1, :, 1:], torch.eye(3).expand(R.shape[1], 2, 3, 3)], dim=1)
    vertices = body.posed(torch.zeros(1, 10), R[1, :, 0], pose, root[1] - rest[1, 0]).vertices
    return (vertices - palms[:, None]).norm(dim=-1).amin(-1).numpy()


def some_frames(features):
    """Rotations and root of every tenth frame."""
    return matrices(features)[:, ::10], features[:, ::10, :3]


def test_motion_that_is_clean_stays_and_the_same_input_gives_the_same_bytes(body):
    betas, rest, features = holding_scene(body)
    found = clean_up(CONFIG, body, betas, rest, features)
    off = np.linalg.norm(joints_of(found, rest) - joints_of(canonicalise(features[None])[0][0], rest), axis=-1)
    assert off.max() < 1e-3
    assert torch.equal(clean_up(CONFIG, body, betas, rest, features), found)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.05), (0.0, 0.0, -0.05)])
def test_a_hand_that_held_still_holds(body, shift):
    """The one who is held stands above the floor, or in it, and is set on it."""
    betas, rest, features = holding_scene(body)
    shifted = torch.stack([features[0], moved(rest[1], features[1], torch.tensor(shift))])
    assert palm_to_skin(body, rest, *some_frames(shifted)).max() < 0.03
    found = clean_up(CONFIG, body, betas, rest, shifted)
    root, before = found[..., :3], shifted[..., :3]
    assert (root[1, :, 2] - before[1, :, 2] + shift[2]).abs().max() < 0.01, "set on the floor"
    assert palm_to_skin(body, rest, *some_frames(found)).max() < 0.03
    backs = [positions_of(one, rest)[1, :, SMPL_JOINTS.index("spine3")] for one in (shifted, found)]
    palms = [palms_of(positions_of(one, rest))[0, :, 0] for one in (shifted, found)]
    assert ((palms[1] - backs[1]) - (palms[0] - backs[0])).norm(dim=-1).max() < 0.015, "in the same place"


def test_a_hand_that_is_planned_to_hold_does(body):
    """It is 14 cm off, drawn back: brought there where the plan has it on the other, and left alone where not."""
    betas, rest, features = holding_scene(body)
    R = matrices(features)
    R[0, :, SMPL_JOINTS.index("left_elbow")] = matrices_from_axis_angle(torch.tensor([0.0, -1.7, 0.0]))
    off = from_matrices(rest, R, features[..., :3])
    holding = torch.zeros(*off.shape[:2], 2, dtype=torch.bool)
    assert torch.equal(clean_up(CONFIG, body, betas, rest, off, holding), clean_up(CONFIG, body, betas, rest, off))
    assert palm_to_skin(body, rest, *some_frames(clean_up(CONFIG, body, betas, rest, off))).min() > 0.1
    holding[0, :, 0] = True
    assert palm_to_skin(body, rest, *some_frames(clean_up(CONFIG, body, betas, rest, off, holding))).max() < 0.03


def positions_of(features, rest):
    return forward_kinematics(rest[:, None], matrices(features), features[..., :3])


def test_a_hand_that_holds_drives_nobody_apart(body):
    """The palm is in the other's back: it is brought onto it, and both stand where they stood."""
    betas, rest, features = holding_scene(body)
    pressed = torch.stack([features[0], moved(rest[1], features[1], torch.tensor([-0.05, 0.0, 0.0]))])
    found = clean_up(CONFIG, body, betas, rest, pressed)
    torch.testing.assert_close(found[..., :2], pressed[..., :2], atol=2e-3, rtol=0.0)


def test_a_fast_fall_stays_fast(body, scene):
    betas, rest, features = scene["fall_0"]
    slow = CONFIG.model_copy(update={"fall_cutoff_hz": 2.0, "cutoff_hz": 2.0})
    raw, found, slowed = (
        -np.diff(joints_of(one, rest)[0, :, 0, 2]).min() * FPS
        for one in (
            features,
            clean_up(CONFIG, body, betas, rest, features),
            clean_up(slow, body, betas, rest, features),
        )
    )
    assert raw > 1.5 and found > 0.9 * raw and slowed < 0.9 * raw


def test_a_gesture_of_one_arm_is_let_be(body, scene):
    """Somebody stands and waves a forearm once a second."""
    betas, rest, features = scene["stand_0"]
    R, elbow = matrices(features).clone(), SMPL_JOINTS.index("right_elbow")
    swing = torch.sin(2.0 * torch.pi * torch.arange(R.shape[1]) / FPS)[:, None] * torch.tensor([0.0, 0.35, 0.0])
    R[0, :, elbow] = R[0, :, elbow] @ matrices_from_axis_angle(swing)
    waves = torch.cat([from_matrices(rest, R, features[..., :3])[..., : CONTACTS.start], features[..., CONTACTS]], -1)
    ranges = [
        np.ptp(joints_of(one, rest)[0, 20:-20, SMPL_JOINTS.index("right_wrist")], axis=0).max()
        for one in (waves, clean_up(CONFIG, body, betas, rest, waves))
    ]
    assert ranges[0] > 0.1 and ranges[1] > 0.95 * ranges[0]


def test_who_has_fallen_lies(body, scene):
    """A fall after which the trunk is held up by nothing."""
    betas, rest, features = scene["fall_0"]
    R, root = matrices(features), features[..., :3]
    head = SMPL_JOINTS.index("head")
    down = int(np.flatnonzero(joints_of(features, rest)[0, :, 0, 2] < 0.25)[0]) + 5
    line = positions_of(features, rest)[0, -1, head] - root[0, -1]
    axis = torch.linalg.cross(line, torch.tensor([0.0, 0.0, 1.0]))
    lift = 0.7 * torch.clamp((torch.arange(R.shape[1]) - down) / 10.0, 0.0, 1.0)[:, None] * axis / axis.norm()
    lifted = R.clone()
    lifted[0, :, 0] = matrices_from_axis_angle(lift) @ R[0, :, 0]
    for hip in (1, 2):
        lifted[0, :, hip] = lifted[0, :, 0].transpose(-1, -2) @ R[0, :, 0] @ R[0, :, hip]
    hovers = from_matrices(rest, lifted, root)
    assert joints_of(hovers, rest)[0, -10:, head, 2].min() > 0.4
    found = clean_up(CONFIG, body, betas, rest, hovers)
    assert joints_of(found, rest)[0, -10:, head, 2].max() < 0.35


def test_a_foot_that_runs_does_not_stand_whatever_is_stated(body, scene):
    """Somebody walks, and states that both feet stand all along: the body does not stay with them."""
    betas, rest, features = scene["walk_0"]
    stated = features.clone()
    stated[..., CONTACTS] = 1.0
    found = clean_up(CONFIG, body, betas, rest, stated)
    assert 0.2 < float(found[..., CONTACTS].mean()) < 0.8
    ways = [float((one[0, -1, :2] - one[0, 0, :2]).norm()) for one in (features, found)]
    assert ways[0] > 1.0 and abs(ways[1] - ways[0]) < 0.1 * ways[0]


def test_who_drifts_beside_somebody_steps_and_stays_with_them(body, scene):
    """Two people stand, one drifting off at 10 cm/s with planted feet: the feet step after the body."""
    (betas, rest, features), (others, other_rest, other) = scene["stand_0"], scene["stand_1"]
    drift = 0.1 * torch.arange(features.shape[1])[:, None] / FPS * torch.tensor([0.0, 1.0, 0.0])
    away = torch.tensor([0.0, 2.0, 0.0])
    pair = torch.cat([features, moved(other_rest, other, away + drift)])
    rests = torch.cat([rest, other_rest])
    found = clean_up(CONFIG, body, np.concatenate([betas, others]), rests, pair)
    gaps = [(one[1, :, :2] - one[0, :, :2]).norm(dim=-1) for one in (pair, found)]
    assert float((gaps[1] - gaps[0]).abs().mean()) < 0.05
    assert foot_skate_cm_s(joints_of(found, rests), stated_contacts(found)) < 3.0
    assert float(found[1, :, CONTACTS].mean()) > 0.5, "mostly standing"
