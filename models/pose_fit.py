"""Fit of one body's motion to 2D keypoints of one clip, all frames at once. Thesis §5.3, DESIGN §4 people3d.

The thesis's eq. 5.7, L = reprojection + pose + shape + smooth, with the reprojection robust and annealed, and what the
thesis lacks: joint limits, contact with the floor by feet, or by back and hips when lying, and no penetration. One shape
for all frames; the root's rotation is 6D; poses are axis-angle per joint under a Gaussian about the start, soft limits and
a learned prior (models/pose_prior.py), which the thesis optimises the latent of, and which here only weighs the pose.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from models.body import BodyModel, trunk_points
from models.furniture_top import FurnitureTop, clearance
from models.joint_limits import joint_limits
from models.pose_prior import PRIOR_JOINTS, PosePrior
from models.pose_start import Start
from models.shape_space import ShapeSpace
from pipeline.camera import Camera
from pipeline.frames import invert, rotation_6d_from_matrix
from pipeline.types import SMPL_JOINTS, SupportSurface


class FitConfig(BaseModel):
    """Weights of the objective: spreads in metres, radians or shares are where a term starts to count."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    steps: int = Field(default=150, ge=1)
    """Of Adam, while the reprojection grows stricter."""
    last_steps: int = Field(default=30, ge=0)
    """Of L-BFGS, at the strictest."""
    step_size: float = Field(default=0.03, gt=0.0)
    pixel_spread: float = Field(default=0.016, gt=0.0)
    """Of a keypoint, as a share of the person's extent in the image, 1.5 pixels added."""
    robust_from: float = Field(default=15.0, gt=0.0)
    robust_to: float = Field(default=3.0, gt=0.0)
    """Geman-McClure scale in spreads, annealed: far keypoints pull at first."""
    pose: float = Field(default=0.6, ge=0.0)
    regression: float = Field(default=0.5, ge=0.0)
    """Of joints and root where they start from a regression: nearness to it, by its confidence."""
    pose_prior: float = Field(default=0.4, ge=0.0)
    """Of the learned prior (models/pose_prior.py): the pose's distance from its reconstruction, and the thesis's |z|^2."""
    limits: float = Field(default=4.0, ge=0.0)
    shape: float = Field(default=1.0, ge=0.0)
    smooth: float = Field(default=0.6, ge=0.0)
    acceleration: float = Field(default=8.0, gt=0.0)
    """Metres per second squared: above it a change of velocity costs linearly, not squared."""
    spin: float = Field(default=0.3, ge=0.0)
    """Smoothness of joint rotations, which also stills what no keypoint sees."""
    contact: float = Field(default=2.0, ge=0.0)
    contact_spread_m: float = Field(default=0.03, gt=0.0)
    contact_reach_m: float = Field(default=0.25, gt=0.0)
    """Bodies farther from the floor than this rest on something else, and are hardly pulled."""
    raised_m: float = Field(default=0.12, gt=0.0)
    """Who a regressor lays higher than this above the floor lies on something."""
    flat: float = Field(default=1.0, ge=0.0)
    """Who lies still touches one plane with hips, chest and whatever else is lowest."""
    gravity: float = Field(default=0.3, ge=0.0)
    """Limbs of who lies still lie too, unless they are seen raised: a ray alone fits an arm mirrored upwards as well."""
    rest: float = Field(default=0.5, ge=0.0)
    """Who is still in the image is still in depth."""
    skate: float = Field(default=1.0, ge=0.0)
    penetration: float = Field(default=2.0, ge=0.0)
    """Of skin below the floor or inside furniture."""
    seat_m: float = Field(default=0.12, gt=0.0)
    """What is no bed and no sofa is solid so far below its top; legs may be under it."""
    gap_s: float = Field(default=0.6, gt=0.0)
    """Longer gaps in time are not smoothed across."""


@dataclass(frozen=True)
class Fit:
    """What was found, per observed frame, in the world."""

    betas: Float[np.ndarray, "10"]
    latent: Float[np.ndarray, "3"]
    """The shape in spreads of stature, sex and build: what `betas` came from."""
    global_orient: Float[np.ndarray, "time 3 3"]
    body_pose: Float[np.ndarray, "time 69"]
    transl: Float[np.ndarray, "time 3"]
    loss: float


LIMBS = [
    SMPL_JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "elbow", "wrist")
]


def _per_joint(values: dict[str, float], default: float) -> Float[Tensor, "23"]:
    """One value per body joint 1 to 23, by the joint's name without its side."""
    return torch.tensor([values.get(name.split("_")[-1], default) for name in SMPL_JOINTS[1:]])


ROOT_SPREAD_RAD = 0.3
"""How far the root turns from where a regression put it."""

# How far a joint strays from where the start put it, radians: the spine little, hips, shoulders, knees and elbows far.
POSE_SPREAD = _per_joint(
    {"hip": 0.45, "knee": 0.5, "shoulder": 0.7, "elbow": 0.7, "ankle": 0.25, "foot": 0.1, "wrist": 0.15, "hand": 0.05,
     "spine1": 0.2, "spine2": 0.15, "spine3": 0.15, "neck": 0.25, "head": 0.25, "collar": 0.12}, 0.2,
)  # fmt: skip


def _rotation(rotation_6d: Float[Tensor, "time 6"]) -> Float[Tensor, "time 3 3"]:
    """Zhou et al. 2019, eq. 15."""
    a, b = rotation_6d[..., :3], rotation_6d[..., 3:]
    x = torch.nn.functional.normalize(a, dim=-1)
    y = torch.nn.functional.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def _geman_mcclure(squared: Tensor, scale: float) -> Tensor:
    """Squared near zero, never more than scale squared."""
    return squared * (scale**2 / (scale**2 + squared))


class Fitter:
    """Fits one person of one clip."""

    def __init__(
        self,
        config: FitConfig,
        body: BodyModel,
        camera: Camera,
        keypoints_px: Float[np.ndarray, "time 17 2"],
        weights: Float[np.ndarray, "time 17"],
        timestamps_s: Float[np.ndarray, "time"],
        stature_m: float = 1.68,
        stature_spread_m: float = 0.09,
        prior: PosePrior | None = None,
        supports: Sequence[SupportSurface] = (),
    ):
        assert (prior is not None) or config.pose_prior == 0.0, "pose_prior has a weight, and no prior was given"
        self.config, self.body, self.prior = config, body, prior
        self.shape = ShapeSpace(body, stature_m, stature_spread_m)
        T = torch.as_tensor(invert(camera.T_world_camera), dtype=torch.float32)
        self.R_camera_world, self.t_camera_world = T[:3, :3], T[:3, 3]
        self.K = torch.as_tensor(camera.intrinsics, dtype=torch.float32)
        self.keypoints = torch.as_tensor(keypoints_px, dtype=torch.float32)
        self.weights = torch.as_tensor(weights, dtype=torch.float32)
        extents = [np.linalg.norm(np.ptp(k[w > 0], axis=0)) for k, w in zip(keypoints_px, weights, strict=True)]
        self.spread = torch.as_tensor(config.pixel_spread * np.maximum(extents, 20.0) + 1.5, dtype=torch.float32)
        self.dt = torch.as_tensor(np.diff(timestamps_s), dtype=torch.float32)
        self.still = torch.as_tensor(stillness(keypoints_px, weights, timestamps_s), dtype=torch.float32)
        self.low, self.high = joint_limits()
        self.supports = [FurnitureTop(support) for support in supports]
        owner = body.weights[body.surface_vertices].argmax(-1)
        left = torch.isin(owner, torch.tensor([7, 10]))
        right = torch.isin(owner, torch.tensor([8, 11]))
        self.feet = [torch.nonzero(left)[:, 0], torch.nonzero(right)[:, 0]]
        self.trunk = [torch.as_tensor(part) for part in trunk_points(body)]

    def fit(self, start: Start, betas_latent: Float[np.ndarray, "3"] | None = None) -> Fit:
        """Adam, then L-BFGS, on all frames together, from one start. Deterministic."""
        config = self.config
        latent = torch.zeros(3) if betas_latent is None else torch.as_tensor(betas_latent, dtype=torch.float32)
        latent.requires_grad_(betas_latent is None)
        root = torch.as_tensor(rotation_6d_from_matrix(start.global_orient), dtype=torch.float32).requires_grad_()
        pose = torch.as_tensor(start.body_pose, dtype=torch.float32).reshape(-1, 23, 3).clone().requires_grad_()
        pelvis = torch.as_tensor(start.pelvis, dtype=torch.float32).clone().requires_grad_()
        # The library's steps are no information; what was regressed is smooth already, and moves as fast as people fall.
        trust = torch.as_tensor(start.trust, dtype=torch.float32)
        self.anchor = torch.where(trust[:, None, None] > 0.0, pose.detach(), self._smoothed(pose.detach()))
        self.trust, self.root_anchor = trust, torch.as_tensor(start.global_orient, dtype=torch.float32)
        self.ground = self._ground(start, latent)
        variables = [root, pose, pelvis] + ([latent] if betas_latent is None else [])
        optimiser = torch.optim.Adam(variables, lr=config.step_size, betas=(0.9, 0.98))
        total = None
        for step in range(config.steps):
            done = step / max(config.steps - 1, 1)
            robust = config.robust_from * (config.robust_to / config.robust_from) ** min(1.0, done / 0.7)
            for group in optimiser.param_groups:
                group["lr"] = config.step_size * (1.0 if done < 0.6 else 0.05 ** ((done - 0.6) / 0.4))
            optimiser.zero_grad()
            total = self._loss(latent, root, pose, pelvis, robust)
            total.backward()
            optimiser.step()
        if config.last_steps:
            total = self._finished(variables, lambda: self._loss(latent, root, pose, pelvis, config.robust_to))
        with torch.no_grad():
            betas = self.shape(latent)
            transl = pelvis - self.body.rest_joints(betas)[0]
            orient = _rotation(root)
        return Fit(
            betas.numpy().copy(),
            latent.detach().double().numpy().copy(),
            orient.double().numpy(),
            pose.detach().reshape(-1, 69).double().numpy(),
            transl.double().numpy(),
            float(total.detach()) if total is not None else float("inf"),
        )

    def _finished(self, variables: list[Tensor], loss: Callable[[], Tensor]) -> Tensor:
        """L-BFGS (Liu and Nocedal 1989) from where Adam came; the loss at its end."""
        optimiser = torch.optim.LBFGS(
            variables, max_iter=self.config.last_steps, max_eval=2 * self.config.last_steps, history_size=10,
            line_search_fn="strong_wolfe",
        )  # fmt: skip

        def closure() -> Tensor:
            optimiser.zero_grad()
            total = loss()
            total.backward()
            return total

        optimiser.step(closure)
        with torch.no_grad():
            return loss()

    def reshaped(self, fit: Fit, latent: Float[np.ndarray, "3"]) -> Fit:
        """The same postures and places of the pelvis, of another shape."""
        betas = self.shape(torch.as_tensor(latent, dtype=torch.float32)).numpy()
        moved = rest_pelvis(self.body, fit.betas) - rest_pelvis(self.body, betas)
        return replace(fit, betas=betas, latent=latent, transl=fit.transl + moved)

    @torch.no_grad()
    def _ground(self, start: Start, latent: Float[Tensor, "3"]) -> Float[Tensor, "time"]:
        """Height of what carries the body where no support is known: the floor, or, where a regressor lays who lies still
        well above it, something as high as that.

        The regressor's heights scatter from frame to frame, so one median stands for each time of lying still.
        """
        betas = self.shape(latent)
        orient = torch.as_tensor(start.global_orient, dtype=torch.float32)
        pose = _matrices(torch.as_tensor(start.body_pose, dtype=torch.float32).reshape(-1, 23, 3))
        transl = torch.as_tensor(start.pelvis, dtype=torch.float32) - self.body.rest_joints(betas)[0]
        posed = self.body._pose(betas[None], orient, pose, transl)
        # Of the trunk: an arm that hangs over the edge, or seems to, says nothing of the mattress.
        underside = self.body._surface(betas[None], *posed)[:, torch.cat(self.trunk), 2].amin(-1)
        lies = (orient[:, 2, 1].abs() < 0.5) & (self.still > 0.3) & (self.trust > 0.0)
        for top in self.supports:
            lies &= top.outside(torch.as_tensor(start.pelvis[:, :2], dtype=torch.float32)) > 0.0
        ground = torch.zeros(len(underside))
        edges = torch.nonzero(torch.diff(lies.int(), prepend=torch.zeros(1), append=torch.zeros(1)))[:, 0]
        for first, last in edges.reshape(-1, 2).tolist():
            height = underside[first:last].median()
            if height > self.config.raised_m:
                ground[first:last] = height
        return ground

    def _smoothed(self, pose: Float[Tensor, "time 23 3"]) -> Float[Tensor, "time 23 3"]:
        """Poses averaged over about half a second."""
        if len(pose) < 3:
            return pose.clone()
        reach = min(4, (len(pose) - 1) // 2)
        kernel = torch.ones(1, 1, 2 * reach + 1) / (2 * reach + 1)
        flat = pose.reshape(len(pose), 1, 69).permute(2, 1, 0)
        padded = torch.nn.functional.pad(flat, (reach, reach), mode="replicate")
        return torch.nn.functional.conv1d(padded, kernel).permute(2, 1, 0).reshape(-1, 23, 3)

    def _loss(
        self,
        latent: Float[Tensor, "3"],
        root: Float[Tensor, "time 6"],
        pose: Float[Tensor, "time 23 3"],
        pelvis: Float[Tensor, "time 3"],
        robust: float,
    ) -> Tensor:
        """Sum over frames of all terms, divided by the number of frames."""
        config = self.config
        betas = self.shape(latent)
        orient = _rotation(root)
        transl = pelvis - self.body.rest_joints(betas)[0]
        # Forward kinematics once for joints, keypoints and contact points; one row of betas is the fast path.
        rotations = _matrices(pose)
        posed = self.body._pose(betas[None], orient, rotations, transl)
        joints = posed[2]
        keypoints, surface = self.body._keypoints(betas[None], *posed), self.body._surface(betas[None], *posed)
        camera = keypoints @ self.R_camera_world.T + self.t_camera_world
        projected = (camera @ self.K.T)[..., :2] / camera[..., 2:].clamp(min=0.1)
        squared = (projected - self.keypoints).square().sum(-1) / self.spread[:, None].square()
        terms = (self.weights * _geman_mcclure(squared, robust)).sum()
        # Behind the image plane there is no gradient from pixels.
        terms = terms + 100.0 * (0.3 - camera[..., 2]).clamp(min=0.0).square().sum()
        strayed = (pose - self.anchor) / POSE_SPREAD[:, None]
        near = 0.2 * config.pose + config.regression * self.trust
        terms = terms + (near[:, None, None] * strayed.square()).sum()
        turned = 0.5 * (orient - self.root_anchor).square().sum((-1, -2)) / ROOT_SPREAD_RAD**2
        terms = terms + config.regression * (self.trust * turned).sum()
        beyond = (self.low - pose).clamp(min=0.0) + (pose - self.high).clamp(min=0.0)
        terms = terms + config.limits * (beyond / 0.1).square().sum()
        if self.prior is not None and config.pose_prior > 0.0:
            terms = terms + config.pose_prior * self.prior.energy(rotations[:, :PRIOR_JOINTS]).sum()
        terms = terms + self._contact(surface, joints)
        if len(pose) > 2:
            terms = terms + self._smooth(joints, pose)
        return terms / len(pose) + config.shape * 0.05 * latent.square().sum()

    def _smooth(
        self,
        joints: Float[Tensor, "time 24 3"],
        pose: Float[Tensor, "time 23 3"],
    ) -> Tensor:
        """Constant velocity (thesis eq. 5.6), by true time; linear beyond an acceleration, so that impacts may happen."""
        config = self.config
        dt = self.dt[:, None, None]
        velocity = (joints[1:] - joints[:-1]) / dt
        near = ((dt[1:] < config.gap_s) & (dt[:-1] < config.gap_s))[..., 0]
        middle = (dt[1:] + dt[:-1]) / 2.0
        acceleration = ((velocity[1:] - velocity[:-1]) / middle).square().sum(-1) / config.acceleration**2
        smooth = ((1.0 + acceleration).sqrt() - 1.0) * near
        turn = (pose[1:] - pose[:-1]) / dt
        turn_change = ((turn[1:] - turn[:-1]) / middle).square().sum(-1) / 60.0**2
        still = ((1.0 + turn_change).sqrt() - 1.0) * near
        return config.smooth * smooth.sum() + config.spin * still.sum()

    def _contact(self, surface: Float[Tensor, "time point 3"], joints: Float[Tensor, "time 24 3"]) -> Tensor:
        """Something always carries the body: its lowest point, the still foot, the trunk of one who lies still."""
        config = self.config
        z, inside = clearance(self.supports, surface, config.seat_m)
        reach = config.contact_reach_m / config.contact_spread_m

        def touches(height: Tensor) -> Tensor:
            return _geman_mcclure((height / config.contact_spread_m).square(), reach) / 9.0

        total = config.contact * touches(z.amin(-1) - self.ground).sum()
        total = total + config.penetration * (inside / 0.02).square().clamp(max=400.0).sum(-1).mul(0.05).sum()
        with torch.no_grad():
            trunk = torch.nn.functional.normalize(joints[:, 12] - joints[:, 0], dim=-1)
            upright = ((trunk[:, 2] - 0.5) / 0.3).clamp(0.0, 1.0)
            lies = (1.0 - upright) * self.still
        for group in self.trunk:
            above = z[:, group].amin(-1)
            total = total + config.contact * (lies * touches(above - self.ground)).sum()
            # Not bounded like contact with the floor: on a bed, too, a body lies flat.
            tilt = (above - z.amin(-1)) / 0.05
            total = total + config.flat * (lies * ((1.0 + tilt.square()).sqrt() - 1.0)).sum()
        hips = surface[:, self.trunk[0]]
        for top in self.supports:
            # Who sits still over a seat sits on it; bounded, so that who bends over a bed is not drawn onto it.
            sits = self.still * upright * (top.outside(hips[..., :2].detach()).mean(-1) < 0.0)
            total = total + config.contact * (sits * touches(hips[..., 2].amin(-1) - top.height_m)).sum()
        raised = (joints[:, LIMBS, 2] - surface[..., 2].amin(-1, keepdim=True)) / 0.1
        total = total + config.gravity * (lies * ((1.0 + raised.square()).sqrt() - 1.0).sum(-1)).sum()
        if len(joints) > 1:
            creep = ((joints[1:] - joints[:-1]).square().sum(-1) / self.dt[:, None].square() / 0.1**2).mean(-1)
            both = torch.minimum(self.still[1:], self.still[:-1]) * (self.dt < config.gap_s)
            total = total + config.rest * (both * ((1.0 + creep).sqrt() - 1.0)).sum()
            for foot in self.feet:
                low = z[:, foot].amin(-1)
                centre = surface[:, foot].mean(1)
                slide = (centre[1:, :2] - centre[:-1, :2]).norm(dim=-1) / self.dt
                with torch.no_grad():
                    planted = torch.exp(-(slide / 0.6).square()) * torch.exp(-(low[1:] / 0.12).square())
                    planted = planted * (self.dt < config.gap_s) * upright[1:]
                total = total + (planted * (config.skate * (slide / 0.15).square() * 0.2)).sum()
                total = total + config.contact * (planted * touches(low[1:])).sum()
        return total


def _matrices(pose: Float[Tensor, "time 23 3"]) -> Float[Tensor, "time 23 3 3"]:
    """Rodrigues' formula; the small constant keeps the gradient finite at zero."""
    angle = (pose.square().sum(-1, keepdim=True) + 1e-8).sqrt()
    axis = pose / angle
    x, y, z = axis.unbind(-1)
    zero = torch.zeros_like(x)
    K = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    s, c = angle.sin()[..., None], angle.cos()[..., None]
    return torch.eye(3) + s * K + (1.0 - c) * (K @ K)


def stillness(
    keypoints_px: Float[np.ndarray, "time 17 2"],
    weights: Float[np.ndarray, "time 17"],
    timestamps_s: Float[np.ndarray, "time"],
) -> Float[np.ndarray, "time"]:
    """1 where the person does not move in the image, 0 above a quarter of their extent per second.

    Motion is measured between averages of the 0.3 s before and after, so that the scatter of keypoints is no motion.
    """
    count = len(timestamps_s)
    speed = np.zeros(count)
    for t in range(count):
        before = (timestamps_s > timestamps_s[t] - 0.35) & (timestamps_s <= timestamps_s[t])
        after = (timestamps_s >= timestamps_s[t]) & (timestamps_s < timestamps_s[t] + 0.35)
        means = []
        for side in (before, after):
            weight = weights[side] + 1e-9
            means.append((keypoints_px[side] * weight[..., None]).sum(0) / weight.sum(0)[:, None])
        seen = (weights[before].sum(0) > 0) & (weights[after].sum(0) > 0)
        if not seen.any() or before.sum() + after.sum() < 3:
            continue
        extent = max(float(np.linalg.norm(np.ptp(keypoints_px[t][weights[t] > 0], axis=0))), 20.0)
        elapsed = max(float(timestamps_s[after].mean() - timestamps_s[before].mean()), 1e-3)
        speed[t] = np.median(np.linalg.norm(means[1] - means[0], axis=-1)[seen]) / extent / elapsed
    return np.clip(2.0 - speed / 0.12, 0.0, 1.0)


def upright_frames(body: BodyModel, fit: Fit, least: float = 0.8) -> Bool[np.ndarray, "time"]:
    """Frames in which the body stands: trunk and both thighs near vertical."""
    with torch.no_grad():
        joints = fit_joints(body, fit)
    trunk = joints[:, 12] - joints[:, 0]
    thighs = [joints[:, hip] - joints[:, knee] for hip, knee in ((1, 4), (2, 5))]
    tall = [v[:, 2] / np.linalg.norm(v, axis=-1) > least for v in (trunk, *thighs)]
    return np.logical_and.reduce(tall)


def _batch(body: BodyModel, fit: Fit, frames: Int[np.ndarray, "kept"] | slice):
    betas = torch.as_tensor(fit.betas, dtype=torch.float32)
    orient = torch.as_tensor(fit.global_orient[frames], dtype=torch.float32)
    pose = _matrices(torch.as_tensor(fit.body_pose[frames], dtype=torch.float32).reshape(-1, 23, 3))
    return betas.expand(len(orient), 10), orient, pose, torch.as_tensor(fit.transl[frames], dtype=torch.float32)


def rest_pelvis(body: BodyModel, betas: Float[np.ndarray, "10"]) -> Float[np.ndarray, "3"]:
    """J0(betas): what lies between `transl` and the pelvis."""
    return body.rest_joints(torch.as_tensor(betas, dtype=torch.float32))[0].double().numpy()


def fit_joints(body: BodyModel, fit: Fit) -> Float[np.ndarray, "time 24 3"]:
    """Joints in the world."""
    with torch.no_grad():
        return body.joints(*_batch(body, fit, slice(None))).double().numpy()


def fit_keypoints(body: BodyModel, fit: Fit) -> Float[np.ndarray, "time 17 3"]:
    """COCO-17 in the world."""
    with torch.no_grad():
        return body.keypoints(*_batch(body, fit, slice(None))).double().numpy()


def fit_feet(body: BodyModel, fit: Fit) -> Float[np.ndarray, "time 2"]:
    """Height of the lowest contact point of the left and right foot above the floor, metres."""
    owner = body.weights[body.surface_vertices].argmax(-1)
    with torch.no_grad():
        z = body.surface_points(*_batch(body, fit, slice(None)))[..., 2]
    feet = [z[:, torch.isin(owner, torch.tensor(joints))].amin(-1) for joints in ([7, 10], [8, 11])]
    return torch.stack(feet, dim=-1).double().numpy()
