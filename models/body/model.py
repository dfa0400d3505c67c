"""The body: shapes, forward kinematics, skinning and surface landmarks of a SMPL-layout model, in torch.

Axes are SMPL's: y up, facing +z, left = +x, metres. `global_orient` and `transl` carry it anywhere; the pelvis lies at
transl + J0(betas), not at transl. Joints, keypoints and contact points do not skin the mesh: each is a fixed
combination of vertices, so its skinning folds into a few numbers per joint.

COCO-17 come from the surface (`keypoint_regressor`): for the default body, the mixtures of vertices that Anny
publishes, which lie where annotators click; for a SMPL file, those of `models.body.smpl_file`. Never from inner joints.
"""

import hashlib
import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.body.anny_bake import BAKE_VERSION, baked_body, farthest_points, shape_features
from models.body.arrays import BodyArrays
from models.body.kinematics import posed_skeleton
from models.body.skinning import SurfacePoints, local_rotations
from models.body.smpl_file import read_smpl
from models.config import Config
from models.types import SMPL_JOINTS, SMPL_PARENTS

logger = logging.getLogger(__name__)

REGIONS = ("head", "hair", "torso", "upper_arm", "forearm", "hand", "hips", "thigh", "shin", "foot")
"""What `BodyModel.regions` indexes; the neck belongs to the head."""

N_SURFACE_POINTS = 150


class BodyShape(Config):
    """What a person is; `BodyModel.betas_from_shape` turns it into betas of that model."""

    age_years: float = Field(75.0, ge=8.0, le=110.0)
    sex: float = Field(0.5, ge=0.0, le=1.0)
    """0 is female, 1 is male."""
    stature_m: float = Field(1.68, ge=0.9, le=2.2)
    """Standing height."""
    build: float = Field(0.5, ge=0.0, le=1.0)
    """0 is slight, 1 is heavy."""


class BodyModel(nn.Module):
    """A SMPL-layout body, which grows into a `ShapedBody` and a `PosedBody`.

    Batch axes lead and broadcast; gradients pass.

    Rotations are axis-angle (`global_orient` [*b, 3], `body_pose` [*b, 69], radians) or matrices ([*b, 3, 3] and
    [*b, 23, 3, 3]); both have the same number of batch axes. `betas` [*b, 10], `transl` [*b, 3].
    """

    v_template: Tensor
    shapedirs: Tensor
    posedirs: Tensor | None
    weights: Tensor
    J_template: Tensor
    J_shapedirs: Tensor
    bone_template: Tensor
    bone_shapedirs: Tensor

    def __init__(self, name: str, arrays: BodyArrays):
        super().__init__()
        self.name = name
        v_template, shapedirs, J_regressor = arrays.v_template, arrays.shapedirs, arrays.J_regressor
        weights, posedirs = arrays.weights, arrays.posedirs
        self.faces = arrays.faces
        self.J_regressor = J_regressor
        self.shape_map = arrays.shape_map
        parts = [v_template, shapedirs, J_regressor, weights, self.faces, arrays.keypoint_regressor, posedirs]
        parts.append(self.shape_map)
        self.digest = hashlib.sha256(
            b"".join(np.ascontiguousarray(part).tobytes() for part in parts if part is not None)
        ).hexdigest()
        J = J_regressor.astype(np.float64)
        self.register_buffer("v_template", torch.as_tensor(v_template))
        self.register_buffer("shapedirs", torch.as_tensor(shapedirs))
        self.register_buffer("weights", torch.as_tensor(weights))
        self.register_buffer("posedirs", None if posedirs is None else torch.as_tensor(posedirs))
        self.register_buffer("J_template", torch.as_tensor(J @ v_template, dtype=torch.float32))
        J_shape = np.einsum("jv,vcb->jcb", J, shapedirs, optimize=True)
        self.register_buffer("J_shapedirs", torch.as_tensor(J_shape, dtype=torch.float32))
        bones = np.eye(24)
        bones[np.arange(1, 24), SMPL_PARENTS[1:]] = -1.0
        self.register_buffer("bone_template", torch.as_tensor(bones @ (J @ v_template), dtype=torch.float32))
        bone_shape = np.einsum("ij,jcb->icb", bones, J_shape)
        self.register_buffer("bone_shapedirs", torch.as_tensor(bone_shape, dtype=torch.float32))
        self.regions = vertex_regions(v_template, weights)
        """Index into REGIONS per vertex."""
        self.surface_vertices = _contact_vertices(v_template)
        one_each = np.zeros((len(self.surface_vertices), len(v_template)))
        one_each[np.arange(len(one_each)), self.surface_vertices] = 1.0
        model = (weights, v_template, shapedirs, posedirs)
        self._keypoints = SurfacePoints(arrays.keypoint_regressor, *model)
        self._surface = SurfacePoints(one_each, *model)
        self.requires_grad_(False)

    def rest_joints(self, betas: Float[Tensor, "*batch 10"]) -> Float[Tensor, "*batch 24 3"]:
        """Return joints of the T-pose."""
        return self.J_template + torch.einsum("jcb,...b->...jc", self.J_shapedirs, betas)

    def shaped(self, betas: Float[Tensor, "*batch 10"]) -> "ShapedBody":
        """Return the body in one shape, or in many."""
        return ShapedBody(self, betas, self.rest_joints(betas))

    def posed(
        self,
        betas: Float[Tensor, "*#batch 10"],
        global_orient: Float[Tensor, "..."],
        body_pose: Float[Tensor, "..."],
        transl: Float[Tensor, "*#batch 3"],
    ) -> "PosedBody":
        """Return the body in a shape and a pose: `shaped(betas).posed(global_orient, body_pose, transl)`."""
        return self.shaped(betas).posed(global_orient, body_pose, transl)

    def betas_from_shape(self, shape: BodyShape) -> Float[np.ndarray, "10"]:
        """Return betas of a person; the standing height is met exactly, the rest as the model's shape space allows."""
        if self.shape_map is None:
            return self._betas_of_stature(shape)

        def betas(height: float) -> Float[np.ndarray, "10"]:
            person = (np.array([value]) for value in (shape.age_years, shape.sex, shape.build, height))
            return (shape_features(*person) @ self.shape_map)[0].astype(np.float32)

        # Stature is nearly linear in Anny's height knob: the secant method meets it in a few steps.
        knobs = [0.3, 0.5]
        statures = [self.stature(betas(knob)) for knob in knobs]
        while abs(statures[-1] - shape.stature_m) > 1e-4 and len(knobs) < 20:
            slope = (statures[-1] - statures[-2]) / (knobs[-1] - knobs[-2])
            knobs.append(knobs[-1] + (shape.stature_m - statures[-1]) / slope)
            statures.append(self.stature(betas(knobs[-1])))
        return betas(knobs[-1])

    def _betas_of_stature(self, shape: BodyShape) -> Float[np.ndarray, "10"]:
        """For a model without ages: the most average body of that height; build along what deepens the trunk."""
        logger.warning("%s has no map from age and sex to betas: only stature and build are used", self.name)
        trunk = self.regions == REGIONS.index("torso")
        width = (
            self.shapedirs[trunk, 2].numpy()
            * np.sign(self.v_template[trunk, 2].numpy() - self.J_template[6, 2].item())[:, None]
        )
        wider = width.mean(axis=0)
        betas = np.zeros(10, dtype=np.float32)
        for _ in range(20):
            y = self.v_template[:, 1].numpy() + self.shapedirs[:, 1].numpy() @ betas
            taller = (self.shapedirs[int(y.argmax()), 1] - self.shapedirs[int(y.argmin()), 1]).numpy()
            across = wider - taller * (wider @ taller) / (taller @ taller)
            target = (shape.build - 0.5) * 4.0 * across / np.linalg.norm(across)
            betas = target + taller * (shape.stature_m - self.stature(target)) / (taller @ taller)
        return betas.astype(np.float32)

    def stature(self, betas: Float[np.ndarray, "10"]) -> float:
        """Return standing height: from the soles to the crown of the T-pose, metres."""
        y = self.v_template[:, 1].numpy() + self.shapedirs[:, 1].numpy() @ np.asarray(betas, dtype=np.float32)
        return float(y.max() - y.min())


@dataclass(frozen=True, eq=False)
class ShapedBody:
    """A body model in a shape."""

    model: BodyModel
    betas: Float[Tensor, "*batch 10"]
    rest_joints: Float[Tensor, "*batch 24 3"]
    """Joints of the T-pose before `transl`, metres."""

    def posed(
        self,
        global_orient: Float[Tensor, "..."],
        body_pose: Float[Tensor, "..."],
        transl: Float[Tensor, "*#batch 3"],
    ) -> "PosedBody":
        """Return the body in a pose, by forward kinematics; rotations as `BodyModel` takes them."""
        model = self.model
        local = local_rotations(global_orient, body_pose)
        bones = model.bone_template + torch.einsum("jcb,...b->...jc", model.bone_shapedirs, self.betas)
        rotations, joints = posed_skeleton(bones, local, transl)
        feature = None
        if model.posedirs is not None:
            feature = (local[..., 1:, :, :] - torch.eye(3, dtype=local.dtype, device=local.device)).flatten(-3)
        return PosedBody(self, rotations, joints, feature)


@dataclass(frozen=True, eq=False)
class PosedBody:
    """A body model in a shape and a pose; what lies on its surface is computed when it is asked for, and once."""

    shaped: ShapedBody
    rotations: Float[Tensor, "*#batch 24 3 3"]
    """Of the joints to the world."""
    joints: Float[Tensor, "*batch 24 3"]
    """Posed joints, metres."""
    pose_feature: Float[Tensor, "*#batch 207"] | None = None
    """Of SMPL's corrections: rotations less the identity; None for a body without."""

    @cached_property
    def keypoints(self) -> Float[Tensor, "*batch 17 3"]:
        """COCO-17: points of the surface, as annotators click them (the middle of the limb at a joint)."""
        return self._skinned(self.shaped.model._keypoints)

    @cached_property
    def surface_points(self) -> Float[Tensor, "*batch point 3"]:
        """The vertices `surface_vertices`, spread all over the body, for contact."""
        return self._skinned(self.shaped.model._surface)

    @cached_property
    def vertices(self) -> Float[Tensor, "*batch vertex 3"]:
        """The whole skinned mesh (linear blend skinning, SMPL 2015, eq. 2 to 4)."""
        model, rest = self.shaped.model, self.shaped.rest_joints
        shaped = model.v_template + torch.einsum("vcb,...b->...vc", model.shapedirs, self.shaped.betas)
        if self.pose_feature is not None and model.posedirs is not None:
            shaped = shaped + torch.einsum("vcb,...b->...vc", model.posedirs, self.pose_feature)
        offset = self.joints - (self.rotations @ rest[..., None])[..., 0]
        blended = model.weights @ torch.cat([self.rotations.flatten(-2), offset], dim=-1)
        linear = blended[..., :9].unflatten(-1, (3, 3))
        return (linear @ shaped[..., None])[..., 0] + blended[..., 9:]

    def _skinned(self, points: SurfacePoints) -> Tensor:
        return points(self.shaped.betas, self.rotations, self.shaped.rest_joints, self.joints, self.pose_feature)


def relaxed_pose() -> Float[np.ndarray, "69"]:
    """Return the body pose of standing at ease: arms down beside the body, elbows a little bent."""
    pose = np.zeros((23, 3))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        pose[SMPL_JOINTS.index(f"{side}_collar") - 1] = (0.0, 0.0, -0.10 * sign)
        pose[SMPL_JOINTS.index(f"{side}_shoulder") - 1] = (0.12, 0.0, -1.18 * sign)
        pose[SMPL_JOINTS.index(f"{side}_elbow") - 1] = (0.0, -0.30 * sign, 0.0)
    return pose.reshape(69)


def vertex_regions(
    v_template: Float[np.ndarray, "vertex 3"], weights: Float[np.ndarray, "vertex 24"]
) -> Int[np.ndarray, "vertex"]:
    """Return region (index into REGIONS) of each vertex, by the joint that moves it most; hair is the head's upper
    back."""
    region_of = {
        "pelvis": "hips",
        "hip": "thigh",
        "spine1": "torso",
        "spine2": "torso",
        "spine3": "torso",
        "knee": "shin",
        "ankle": "foot",
        "foot": "foot",
        "neck": "head",
        "head": "head",
        "collar": "torso",
        "shoulder": "upper_arm",
        "elbow": "forearm",
        "wrist": "hand",
        "hand": "hand",
    }
    of_joint = np.array([REGIONS.index(region_of[name.split("_")[-1]]) for name in SMPL_JOINTS])
    regions = of_joint[weights.argmax(axis=1)]
    skull = weights[:, SMPL_JOINTS.index("head")] > 0.9
    top, low = v_template[skull].max(axis=0), v_template[skull].min(axis=0)
    up = (v_template[:, 1] - low[1]) / (top[1] - low[1])
    back = (top[2] - v_template[:, 2]) / (top[2] - low[2])
    regions[skull & (up + 0.9 * back > 1.12) & (up > 0.35)] = REGIONS.index("hair")
    return regions


def _contact_vertices(v_template: Float[np.ndarray, "vertex 3"]) -> Int[np.ndarray, "point"]:
    """Vertices spread over the skin, the same on both sides, with five under each foot."""
    half = np.flatnonzero(v_template[:, 0] >= 0.0)
    points = v_template[half].astype(np.float64)
    sole = np.flatnonzero(points[:, 1] < points[:, 1].min() + 0.01)
    under = sole[farthest_points(points[sole], 5)]
    left = half[farthest_points(points, N_SURFACE_POINTS // 2, under)]
    mirrored = v_template[left] * np.array([-1.0, 1.0, 1.0], dtype=np.float32)
    right = [int(np.square(v_template - point).sum(axis=1).argmin()) for point in mirrored]
    return np.unique(np.concatenate([left, right]))


def load_body(path: Path | None = None) -> BodyModel:
    """Load the default body (Anny in SMPL's layout, cached on disk), or a licensed SMPL file (.pkl, .npz) through
    `smplx`.

    SMPL files and the smplx package are for non-commercial use. Raises InputError for a file that is not a SMPL model.
    """
    if path is None:
        return BodyModel(f"anny-bake-{BAKE_VERSION}", baked_body())
    return BodyModel("smpl", read_smpl(path))


def trunk_points(body: BodyModel) -> tuple[Int[np.ndarray, "hip"], Int[np.ndarray, "chest"]]:
    """Return which of `surface_points` are the hips' and the chest's: what carries those who lie."""
    owner = body.weights[body.surface_vertices].numpy().argmax(axis=-1)
    hips = np.flatnonzero(body.regions[body.surface_vertices] == REGIONS.index("hips"))
    chest = np.flatnonzero(np.isin(owner, [SMPL_JOINTS.index("spine2"), SMPL_JOINTS.index("spine3")]))
    return hips, chest
