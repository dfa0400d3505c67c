"""People who share space: spheres lie inside the skin, who overlaps is taken apart, everybody else stays as they
are."""

import numpy as np
import pytest
import torch

from models.body.collision_spheres import CollisionSpheres, depths
from models.body.model import load_body, relaxed_pose
from models.geometry.transforms import R_ZUP_YUP, axis_angle_from_matrix, yaw
from models.people3d.interpenetration import InterpenetrationConfig, resolve_interpenetration
from models.types import PersonTrack

CLOCK = np.arange(45) / 15.0
CAMERA = np.array([0.0, 0.0])
CROUCHED = relaxed_pose()
CROUCHED[[0, 3]] = -1.6
CROUCHED[[9, 12]] = 1.9


@pytest.fixture(scope="module")
def body():
    return load_body()


def standing(name: str, xy, heading: float = 0.0, pose=None, confidence: float = 0.8, clock=CLOCK) -> PersonTrack:
    frames = len(clock)
    orient = axis_angle_from_matrix((yaw(heading) @ R_ZUP_YUP)[None])
    transl = np.zeros((frames, 3))
    transl[:, :2] = xy
    transl[:, 2] = 0.95
    return PersonTrack(
        name,
        "person",
        np.zeros(10),
        np.repeat(orient, frames, axis=0),
        np.repeat((relaxed_pose() if pose is None else pose)[None], frames, axis=0),
        transl,
        np.ones(frames, dtype=bool),
        np.full(frames, confidence),
    )


def overlap(body, a: PersonTrack, b: PersonTrack) -> float:
    found = [(CollisionSpheres(body, t.betas), t) for t in (a, b)]
    places = [s.centres(t.global_orient, t.body_pose, t.transl) for s, t in found]
    return float(depths(places[0], found[0][0].radii, places[1], found[1][0].radii).max())


@pytest.mark.parametrize("pose", [relaxed_pose(), CROUCHED], ids=["standing", "crouched"])
def test_spheres_lie_inside_the_posed_skin(body, pose):
    track = standing("a", (0.0, 0.0), 0.7, pose)
    spheres = CollisionSpheres(body, track.betas)
    centres = spheres.centres(track.global_orient[:1], track.body_pose[:1], track.transl[:1])[0]
    parameters = [
        torch.as_tensor(v[:1], dtype=torch.float32) for v in (track.global_orient, track.body_pose, track.transl)
    ]
    with torch.no_grad():
        skin = body.posed(torch.zeros(1, 10), *parameters).vertices[0]
    nearest = torch.cdist(centres, skin).amin(1)
    # Skinning pinches joints that bend far; nothing may stick out by more than that.
    assert float((spheres.radii - nearest).max()) < 0.03
    assert len(spheres.radii) > 40
    trunk = torch.isin(spheres.owners, torch.tensor([0, 3, 6]))
    assert float(spheres.radii[trunk].max()) > 0.07


def test_who_shares_space_is_taken_apart_mostly_along_the_line_of_sight(body):
    a, b = standing("a", (3.0, 0.0)), standing("b", (3.12, 0.03))
    assert overlap(body, a, b) > 0.05
    (c, d), told = resolve_interpenetration(InterpenetrationConfig(), body, [a, b], CLOCK, CAMERA)
    assert overlap(body, c, d) < 0.03
    assert told[0].before_m > 0.05 and told[0].after_m < 0.03 and told[0].people == ("a", "b")
    for before, after in ((a, c), (b, d)):
        shift = after.transl - before.transl
        assert np.abs(shift[:, 2]).max() == 0.0
        assert np.abs(shift[:, 0]).mean() > 2.0 * np.abs(shift[:, 1]).mean()
        # Nobody who stands still begins to slide.
        assert np.linalg.norm(np.diff(shift, axis=0), axis=1).max() * 15.0 < 0.02
    assert c.transl[0, 0] < 3.0 and d.transl[0, 0] > 3.12


def test_the_less_certain_one_moves_more(body):
    a, b = standing("a", (3.0, 0.0), confidence=0.9), standing("b", (3.12, 0.0), confidence=0.1)
    (c, d), _ = resolve_interpenetration(InterpenetrationConfig(), body, [a, b], CLOCK, CAMERA)
    assert np.abs(d.transl - b.transl).max() > 1.5 * np.abs(c.transl - a.transl).max()


def test_others_keep_every_bit_and_order_does_not_matter(body):
    a, b, far = standing("a", (3.0, 0.0)), standing("b", (3.15, 0.0)), standing("c", (4.5, 0.0))
    tracks, told = resolve_interpenetration(InterpenetrationConfig(), body, [a, b, far], CLOCK, CAMERA)
    assert tracks[2] is far and len(told) == 1
    again, _ = resolve_interpenetration(InterpenetrationConfig(), body, [far, b, a], CLOCK, CAMERA)
    np.testing.assert_allclose(again[2].transl, tracks[0].transl, atol=1e-4)
    alone, told = resolve_interpenetration(InterpenetrationConfig(), body, [a, far], CLOCK, CAMERA)
    assert alone[0] is a and told == []


def test_passing_through_is_felt_only_while_it_lasts(body):
    clock = np.arange(150) / 15.0
    a, b = standing("a", (4.0, 0.0), clock=clock), standing("b", (4.1, 0.0), clock=clock)
    b.transl[:, 1] = np.linspace(-2.0, 2.0, len(clock))
    (_, d), told = resolve_interpenetration(InterpenetrationConfig(), body, [a, b], clock, CAMERA)
    assert told[0].before_m > 0.05 and told[0].after_m < 0.03
    assert np.abs((d.transl - b.transl)[[0, -1]]).max() < 0.5 * np.abs(d.transl - b.transl).max()


def test_zero_steps_only_tell(body):
    a, b = standing("a", (3.0, 0.0)), standing("b", (3.1, 0.0))
    tracks, told = resolve_interpenetration(InterpenetrationConfig(steps=0), body, [a, b], CLOCK, CAMERA)
    assert tracks == [a, b] and told[0].before_m == told[0].after_m > 0.05
