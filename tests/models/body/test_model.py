"""Shapes, kinematics, skinning and landmarks of the body."""

import numpy as np
import pytest
import smplx
import torch
from pydantic import ValidationError
from smplx.utils import Struct
from smplx.vertex_ids import vertex_ids

from models.body.anny_bake import baked_body
from models.body.model import REGIONS, BodyShape, load_body, relaxed_pose
from models.geometry.rotations import matrices_from_axis_angle
from models.types import COCO_KEYPOINTS, SMPL_JOINTS, SMPL_PARENTS


@pytest.fixture(scope="module")
def body():
    return load_body()


def _random(batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    betas, orient, pose, transl = (torch.randn(batch, size, generator=generator) for size in (10, 3, 69, 3))
    return betas, orient, 0.5 * pose, 2.0 * transl


def _tree() -> np.ndarray:
    tree = np.stack([np.array(SMPL_PARENTS), np.arange(24)])
    tree[0, 0] = 2**32 - 1
    return tree


def test_the_skinned_mesh_is_what_smplx_makes_of_the_same_model(body):
    baked = baked_body()
    data = Struct(
        v_template=baked.v_template,
        shapedirs=baked.shapedirs,
        posedirs=np.zeros((*baked.v_template.shape, 207), dtype=np.float32),
        J_regressor=baked.J_regressor,
        kintree_table=_tree(),
        weights=baked.weights,
        f=baked.faces,
    )
    reference = smplx.SMPL("", data_struct=data, vertex_ids=dict.fromkeys(vertex_ids["smplh"], 0), batch_size=5)
    betas, orient, pose, transl = _random(5)
    expected = reference(betas=betas, body_pose=pose, global_orient=orient, transl=transl)
    assert (body.posed(betas, orient, pose, transl).vertices - expected.vertices).abs().max() < 1e-5
    assert (body.posed(betas, orient, pose, transl).joints - expected.joints[:, :24]).abs().max() < 1e-5


def test_the_pelvis_lies_at_transl_plus_j0_whatever_the_orientation(body):
    betas, orient, pose, transl = _random(4)
    j0 = body.rest_joints(betas)[:, 0]
    assert j0.norm(dim=-1).min() > 0.02
    torch.testing.assert_close(body.posed(betas, orient, pose, transl).joints[:, 0], transl + j0, rtol=0, atol=1e-6)


def test_batches_equal_singles_and_broadcast(body):
    betas, orient, pose, transl = _random(6)
    together, single = body.posed(betas, orient, pose, transl), body.posed(betas[2], orient[2], pose[2], transl[2])
    grid = body.posed(betas[0], orient.reshape(2, 3, 3), pose.reshape(2, 3, 69), transl.reshape(2, 3, 3))
    cell = body.shaped(betas[0]).posed(orient[5], pose[5], transl[5])
    for name in ("joints", "keypoints", "surface_points", "vertices"):
        assert (getattr(together, name)[2] - getattr(single, name)).abs().max() < 1e-5
        assert getattr(grid, name).shape == (2, 3, *getattr(single, name).shape)
        assert (getattr(grid, name)[1, 2] - getattr(cell, name)).abs().max() < 1e-5


def test_gradients_pass_and_are_exact_at_the_rest_pose(body):
    angle = torch.zeros(2, 3, requires_grad=True)
    matrices_from_axis_angle(angle)[..., 2, 1].sum().backward()  # d R_zy / d angle = e_x at zero
    torch.testing.assert_close(angle.grad, torch.tensor([[1.0, 0, 0], [1.0, 0, 0]]))
    inputs = [torch.zeros(2, size, requires_grad=True) for size in (10, 3, 69, 3)]
    target = body.posed(*_random(2)).keypoints.detach()
    (body.posed(*inputs).keypoints - target).square().sum().backward()
    for value in inputs:
        assert torch.isfinite(value.grad).all() and value.grad.abs().sum() > 0
    torch.testing.assert_close(inputs[3].grad, 2.0 * (body.posed(*inputs).keypoints - target).detach().sum(dim=1))


def test_sparse_points_are_points_of_the_skinned_mesh(body):
    inputs = _random(4)
    mesh = body.posed(*inputs).vertices
    assert (body.posed(*inputs).surface_points - mesh[:, body.surface_vertices]).abs().max() < 1e-5
    regressor = torch.as_tensor(baked_body().keypoint_regressor, dtype=torch.float64)
    assert (body.posed(*inputs).keypoints.double() - regressor @ mesh.double()).abs().max() < 1e-5


def test_keypoints_lie_where_annotators_click(body):
    """In the middle of the limb seen from any side, on the right side of the body, the face in front."""
    rest = [torch.zeros(size) for size in (10, 3, 69, 3)]
    points = dict(zip(COCO_KEYPOINTS, body.posed(*rest).keypoints.numpy(), strict=True))
    mesh = body.posed(*rest).vertices.numpy()
    for part in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert points[f"left_{part}"][0] > 0.01
        np.testing.assert_allclose(points[f"left_{part}"], points[f"right_{part}"] * [-1, 1, 1], atol=3e-3)
    for part, axis, reach in (("elbow", 0, 0.07), ("wrist", 0, 0.06), ("knee", 1, 0.1), ("ankle", 1, 0.08)):
        offset = mesh - points[f"left_{part}"]
        ring = offset[(np.abs(offset[:, axis]) < 0.012) & (np.linalg.norm(offset, axis=1) < reach)]
        across = np.delete(ring, axis, axis=1)
        middle = (across.max(axis=0) + across.min(axis=0)) / 2.0
        assert len(ring) > 10 and np.abs(middle).max() < 0.015, part
    head = mesh[body.regions == REGIONS.index("head")]
    assert np.linalg.norm(head - points["nose"], axis=1).min() < 0.015 and points["nose"][2] > head[:, 2].max() - 0.03
    assert points["left_eye"][1] > points["nose"][1] and points["left_ear"][2] < points["left_eye"][2] - 0.05
    # Hips as people see them, by the proportions of detectors' skeletons.
    shoulders = points["left_shoulder"][0] - points["right_shoulder"][0]
    hips = points["left_hip"][0] - points["right_hip"][0]
    assert 0.5 < hips / shoulders < 0.75
    assert abs(points["left_hip"][1] - body.rest_joints(rest[0])[1, 1].item()) < 0.05


@pytest.mark.parametrize("age", [10.0, 25.0, 60.0, 75.0, 95.0])
@pytest.mark.parametrize("sex", [0.0, 1.0])
def test_stature_is_met_within_a_centimetre(body, age, sex):
    for stature in (1.3, 1.4) if age < 12 else (1.45, 1.6, 1.75, 1.9):
        for build in (0.1, 0.9):
            betas = body.betas_from_shape(BodyShape(age_years=age, sex=sex, stature_m=stature, build=build))
            assert body.stature(betas) == pytest.approx(stature, abs=2e-3)


def test_people_look_their_age_sex_and_build(body):
    def measure(**person: float) -> dict[str, float]:
        betas = torch.as_tensor(body.betas_from_shape(BodyShape(stature_m=1.7, **person)))
        mesh = body.posed(betas, torch.zeros(3), torch.zeros(69), torch.zeros(3)).vertices.numpy()
        a, b, c = (mesh[body.faces[:, i]] for i in range(3))
        torso = mesh[body.regions == REGIONS.index("torso")]
        joints = body.rest_joints(betas).numpy()
        arm = SMPL_JOINTS.index("left_shoulder"), SMPL_JOINTS.index("right_shoulder")
        return {
            "litres": float(np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6.0 * 1e3),
            "depth": float(torso[:, 2].max() - torso[:, 2].min()),
            "shoulders": float(joints[arm[0], 0] - joints[arm[1], 0]),
        }

    slight, heavy = measure(build=0.1), measure(build=0.9)
    assert 45 < slight["litres"] < heavy["litres"] - 15 < 130
    assert heavy["depth"] > slight["depth"] + 0.02
    woman, man = measure(sex=0.0, age_years=40), measure(sex=1.0, age_years=40)
    assert man["shoulders"] > woman["shoulders"] + 0.02  # of the same height
    shape = {"sex": 0.0, "stature_m": 1.6, "build": 0.5}
    young = body.betas_from_shape(BodyShape(age_years=25, **shape))
    old = body.betas_from_shape(BodyShape(age_years=90, **shape))
    assert np.linalg.norm(young - old) > 1.5
    moved = np.linalg.norm(np.einsum("vcb,b->vc", body.shapedirs.numpy(), old - young), axis=1)
    assert moved[body.regions == REGIONS.index("torso")].mean() > 0.005


def test_contact_points_are_all_over_the_body(body):
    mesh = body.v_template.numpy()
    chosen = mesh[body.surface_vertices]
    nearest = np.linalg.norm(mesh[:, None] - chosen[None], axis=-1).min(axis=1)
    assert nearest.max() < 0.1
    assert set(np.unique(body.regions[body.surface_vertices])) == set(range(len(REGIONS)))
    joints = dict(zip(SMPL_JOINTS, body.rest_joints(torch.zeros(10)).numpy(), strict=True))
    places = {
        "back": joints["spine3"] + [0, 0, -0.12],
        "buttock": joints["left_hip"] + [0, -0.05, -0.13],
        "heel": joints["left_ankle"] + [0, -0.06, -0.05],
        "toes": joints["left_foot"] + [0, -0.01, 0.06],
        "hand": joints["left_hand"] + [0.06, 0, 0],
        "crown": [0, mesh[:, 1].max(), 0.02],
        "knee": joints["right_knee"] + [0, 0, 0.06],
        "elbow": joints["right_elbow"],
    }
    for name, place in places.items():
        assert np.linalg.norm(chosen - place, axis=1).min() < 0.09, name
    soles = chosen[chosen[:, 1] < mesh[:, 1].min() + 0.011]
    for sign in (1, -1):
        foot = soles[sign * soles[:, 0] > 0]
        assert len(foot) >= 5 and np.ptp(foot[:, 2]) > 0.15  # from heel to toes
    assert abs((chosen[:, 0] > 0.005).sum() - (chosen[:, 0] < -0.005).sum()) <= 2


def test_regions_lie_where_their_names_say(body):
    mesh = body.v_template.numpy()
    middle = {name: mesh[body.regions == index].mean(axis=0) for index, name in enumerate(REGIONS)}
    heights = [middle[name][1] for name in ("foot", "shin", "thigh", "hips", "torso", "head", "hair")]
    assert heights == sorted(heights)
    reach = [
        np.abs(mesh[body.regions == REGIONS.index(name), 0]).mean()
        for name in ("torso", "upper_arm", "forearm", "hand")
    ]
    assert reach == sorted(reach)


def test_the_relaxed_pose_lets_the_arms_hang(body):
    zero = torch.zeros(10), torch.zeros(3), torch.as_tensor(relaxed_pose(), dtype=torch.float32), torch.zeros(3)
    joints = dict(zip(SMPL_JOINTS, body.posed(*zero).joints.numpy(), strict=True))
    for side, sign in (("left", 1), ("right", -1)):
        assert joints[f"{side}_wrist"][1] < joints[f"{side}_elbow"][1] - 0.15 < joints[f"{side}_shoulder"][1] - 0.3
        assert 0.15 < sign * joints[f"{side}_wrist"][0] < 0.4
        assert joints[f"{side}_wrist"][2] > joints[f"{side}_elbow"][2]  # elbows bend forward


def test_the_digest_names_the_body(body):
    again = load_body()
    assert again.digest == body.digest and len(body.digest) == 64 and again.name == body.name


@pytest.mark.parametrize("field, value", [("age_years", 3.0), ("stature_m", 3.0), ("build", 1.5), ("sex", -0.1)])
def test_impossible_people_are_refused(field, value):
    with pytest.raises(ValidationError, match=field):
        BodyShape(**{field: value})
