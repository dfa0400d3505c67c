"""The objective of the fit of bodies to 2D keypoints, per person: reprojection, priors, smoothness, contact. Thesis
§5.3, DESIGN §4 people3d; models/people3d/fitting/fitter.py minimises it.

The thesis's eq. 5.7, L = reprojection + pose + shape + smooth, with the reprojection robust and annealed, and what the
thesis lacks: joint limits, contact with the floor by feet, or by back and hips when lying, and no penetration. One
shape for all frames; the root's rotation is 6D; poses are axis-angle per joint under a Gaussian about the start, soft
limits and a learned prior (models/people3d/pose_prior.py), which the thesis optimises the latent of, and which here
only weighs the pose.
"""

import copy

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from models.body.joint_limits import joint_limits
from models.body.model import BodyModel, PosedBody, ShapedBody, trunk_points
from models.body.shape_space import ShapeSpace
from models.config import Config, renamed
from models.geometry.rotations import matrices_from_axis_angle, matrix_from_columns
from models.people3d.fitting.observations import FitFrames
from models.people3d.fitting.support_surfaces import clearance
from models.people3d.pose_prior import PRIOR_JOINTS, PosePrior
from models.types import SMPL_JOINTS


class FitConfig(Config):
    """Weights of the objective's terms, and how it is minimised; standard deviations say where a term starts to
    count."""

    steps: int = Field(default=150, ge=1)
    """Steps of Adam, while the reprojection grows stricter."""
    last_steps: int = Field(default=30, ge=0)
    """Steps of L-BFGS, at the strictest."""
    step_size: float = Field(default=0.03, gt=0.0)
    """Step size of Adam, in radians of joints and metres of the pelvis."""
    pixel_std: float = renamed("pixel_spread", "pixel_std", 0.016, gt=0.0)
    """Standard deviation of a keypoint, as a share of the person's extent in the image; 1.5 pixels are added."""
    robust_from: float = Field(default=15.0, gt=0.0)
    """Geman-McClure scale at the first step, in standard deviations: far keypoints pull at first."""
    robust_to: float = Field(default=3.0, gt=0.0)
    """Geman-McClure scale at the last steps, in standard deviations: outliers no longer pull."""
    pose: float = Field(default=0.6, ge=0.0)
    """Weight of nearness to the pose that the fit starts from, library or regression."""
    regression: float = Field(default=0.5, ge=0.0)
    """Weight of nearness of joints and root to a regression, by its confidence, where they start from one."""
    pose_prior: float = Field(default=0.4, ge=0.0)
    """Weight of the learned prior (models/people3d/pose_prior.py): the pose's distance from its reconstruction, and the
    thesis's |z|^2."""
    limits: float = Field(default=4.0, ge=0.0)
    """Weight of joint angles beyond their limits."""
    shape: float = Field(default=1.0, ge=0.0)
    """Weight of the shape's distance from the average one."""
    smooth: float = Field(default=0.6, ge=0.0)
    """Weight of changes of the joints' velocity."""
    acceleration: float = Field(default=8.0, gt=0.0)
    """Metres per second squared: above it a change of velocity costs linearly, not squared."""
    spin: float = Field(default=0.3, ge=0.0)
    """Weight of changes of the joints' angular velocity, which also stills what no keypoint sees."""
    contact: float = Field(default=2.0, ge=0.0)
    """Weight of being carried: the lowest point, the still foot and the trunk of who lies touch what is below them."""
    contact_std_m: float = renamed("contact_spread_m", "contact_std_m", 0.03, gt=0.0)
    """Standard deviation of a touching point's height, metres."""
    contact_reach_m: float = Field(default=0.25, gt=0.0)
    """Bodies farther from the floor than this, metres, rest on something else, and are hardly pulled."""
    raised_m: float = Field(default=0.12, gt=0.0)
    """Who a regressor lays higher than this above the floor, metres, lies on something."""
    flat: float = Field(default=1.0, ge=0.0)
    """Weight of lying flat: who lies still touches one plane with hips, chest and whatever else is lowest."""
    gravity: float = Field(default=0.3, ge=0.0)
    """Weight of limbs that lie: those of who lies still lie too, unless they are seen raised: a ray alone fits an
    arm mirrored upwards as well."""
    rest: float = Field(default=0.5, ge=0.0)
    """Weight of keeping still: who is still in the image is still in depth."""
    skate: float = Field(default=1.0, ge=0.0)
    """Weight of the sliding of planted feet."""
    penetration: float = Field(default=2.0, ge=0.0)
    """Weight of skin below the floor or inside furniture."""
    seat_m: float = Field(default=0.12, gt=0.0)
    """What is no bed and no sofa is solid so many metres below its top; legs may be under it."""
    gap_s: float = Field(default=0.6, gt=0.0)
    """Gaps of more seconds are not smoothed across."""
    frames_at_once: int = Field(default=1200, ge=1)
    """People, and windows of long motions, are optimised together up to so many frames: a small batch costs as much
    as a large."""
    device: str = "cpu"
    """Where the fit runs, as torch names it: cpu, cuda, cuda:1, ... A GPU wants many more frames at once."""


LIMBS = [
    SMPL_JOINTS.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle", "elbow", "wrist")
]


def _per_joint(values: dict[str, float], default: float) -> Float[Tensor, "23"]:
    """One value per body joint 1 to 23, by the joint's name without its side."""
    return torch.tensor([values.get(name.split("_")[-1], default) for name in SMPL_JOINTS[1:]])


ROOT_STD_RAD = 0.3
"""Standard deviation of the root's rotation from where a regression put it."""

# Standard deviation of a joint's rotation from where the fit started, radians: the spine little, hips, shoulders, knees
# and elbows far.
POSE_STD_RAD = _per_joint(
    {"hip": 0.45, "knee": 0.5, "shoulder": 0.7, "elbow": 0.7, "ankle": 0.25, "foot": 0.1, "wrist": 0.15, "hand": 0.05,
     "spine1": 0.2, "spine2": 0.15, "spine3": 0.15, "neck": 0.25, "head": 0.25, "collar": 0.12}, 0.2,
)  # fmt: skip


def _geman_mcclure(squared: Tensor, scale: float) -> Tensor:
    """Squared near zero, never more than scale squared."""
    return squared * (scale**2 / (scale**2 + squared))


class FitObjective:
    """The sum of all terms, of many people at once: each as their own camera sees them and among the furniture of their
    own room. They do not see each other."""

    def __init__(
        self,
        config: FitConfig,
        body: BodyModel,
        shape: ShapeSpace,
        prior: PosePrior | None,
        device: torch.device,
    ):
        """A copy of the networks moves to the device: who gave them goes on with theirs."""
        assert (prior is not None) or config.pose_prior == 0.0, "pose_prior has a weight, and no prior was given"
        self.config, self.shape = config, shape
        self.body = copy.deepcopy(body).to(device)
        self.prior = copy.deepcopy(prior).to(device) if prior is not None else None
        self.low, self.high = (limit.to(device) for limit in joint_limits())
        self.pose_std = POSE_STD_RAD.to(device)
        owner = body.weights[body.surface_vertices].argmax(-1)
        left = torch.isin(owner, torch.tensor([7, 10]))
        right = torch.isin(owner, torch.tensor([8, 11]))
        self.feet = [torch.nonzero(of)[:, 0].to(device) for of in (left, right)]
        self.trunk = [torch.as_tensor(part, device=device) for part in trunk_points(body)]

    def __call__(
        self,
        frames: FitFrames,
        latent: Float[Tensor, "person 3"],
        root: Float[Tensor, "frame 6"],
        pose: Float[Tensor, "frame 23 3"],
        pelvis: Float[Tensor, "frame 3"],
        robust: float,
    ) -> Float[Tensor, "person"]:
        """Mean over each person's frames of the sum of all terms; `robust` is the Geman-McClure scale of keypoints, in
        spreads."""
        config = self.config
        betas = self.shape(latent)
        orient, rotations = matrix_from_columns(root), matrices_from_axis_angle(pose)
        joints, keypoints, surface = self._posed(frames, betas, orient, rotations, pelvis)
        camera = keypoints @ frames.R_camera_world.mT + frames.t_camera_world[:, None]
        projected = (camera @ frames.K.mT)[..., :2] / camera[..., 2:].clamp(min=0.1)
        squared = (projected - frames.keypoints).square().sum(-1) / frames.spread[:, None].square()
        terms = (frames.weights * _geman_mcclure(squared, robust)).sum(-1)
        # Behind the image plane there is no gradient from pixels.
        terms = terms + 100.0 * (0.3 - camera[..., 2]).clamp(min=0.0).square().sum(-1)
        strayed = (pose - frames.anchor) / self.pose_std[:, None]
        near = 0.2 * config.pose + config.regression * frames.trust
        terms = terms + near * strayed.square().sum((-1, -2))
        rotated = 0.5 * (orient - frames.root_anchor).square().sum((-1, -2)) / ROOT_STD_RAD**2
        terms = terms + config.regression * frames.trust * rotated
        beyond = (self.low - pose).clamp(min=0.0) + (pose - self.high).clamp(min=0.0)
        terms = terms + config.limits * (beyond / 0.1).square().sum((-1, -2))
        if self.prior is not None and config.pose_prior > 0.0:
            terms = terms + config.pose_prior * self.prior.energy(rotations[:, :PRIOR_JOINTS])
        terms = terms + self._contact(frames, surface, joints) + self._smooth(frames, joints, pose)
        return frames.per_person(terms) + config.shape * 0.05 * latent.square().sum(-1)

    def _posed(
        self,
        frames: FitFrames,
        betas: Float[Tensor, "person 10"],
        orient: Float[Tensor, "frame 3 3"],
        rotations: Float[Tensor, "frame 23 3 3"],
        pelvis: Float[Tensor, "frame 3"],
    ) -> tuple[Float[Tensor, "frame 24 3"], Float[Tensor, "frame 17 3"], Float[Tensor, "frame point 3"]]:
        """Joints, keypoints and contact points, by one pass of forward kinematics."""
        each = betas[frames.person]
        transl = pelvis - self.body.rest_joints(each)[:, 0]
        everybody = self.body.posed(each, orient, rotations, transl)
        keypoints, surface = [], []
        # Points of one body at a time: of one shape for all frames they are a plain matrix product.
        for person, rows in enumerate(frames.spans):
            rest = everybody.shaped.rest_joints[rows.start : rows.start + 1]
            feature = None if everybody.pose_feature is None else everybody.pose_feature[rows]
            shaped = ShapedBody(self.body, betas[person : person + 1], rest)
            posed = PosedBody(shaped, everybody.rotations[rows], everybody.joints[rows], feature)
            keypoints.append(posed.keypoints)
            surface.append(posed.surface_points)
        return everybody.joints, torch.cat(keypoints), torch.cat(surface)

    def _smooth(
        self, frames: FitFrames, joints: Float[Tensor, "frame 24 3"], pose: Float[Tensor, "frame 23 3"]
    ) -> Float[Tensor, "frame"]:
        """Constant velocity (thesis eq.

        5.6), by true time; linear beyond an acceleration, so that impacts may happen.
        """
        config = self.config
        dt = frames.since[1:, None, None]
        velocity = (joints[1:] - joints[:-1]) / dt
        near = ((dt[1:] < config.gap_s) & (dt[:-1] < config.gap_s))[..., 0]
        middle = (dt[1:] + dt[:-1]) / 2.0
        acceleration = ((velocity[1:] - velocity[:-1]) / middle).square().sum(-1) / config.acceleration**2
        smooth = ((1.0 + acceleration).sqrt() - 1.0) * near
        turn = (pose[1:] - pose[:-1]) / dt
        turn_change = ((turn[1:] - turn[:-1]) / middle).square().sum(-1) / 60.0**2
        still = ((1.0 + turn_change).sqrt() - 1.0) * near
        terms = config.smooth * smooth.sum(-1) + config.spin * still.sum(-1)
        return torch.nn.functional.pad(terms, (1, 1) if len(pose) > 1 else (0, 1))

    def _contact(
        self, frames: FitFrames, surface: Float[Tensor, "frame point 3"], joints: Float[Tensor, "frame 24 3"]
    ) -> Float[Tensor, "frame"]:
        """Something always carries the body: its lowest point, the still foot, the trunk of one who lies still."""
        config = self.config
        z, inside = clearance(frames.tops, surface, config.seat_m)
        reach = config.contact_reach_m / config.contact_std_m

        def touches(height: Tensor) -> Tensor:
            return _geman_mcclure((height / config.contact_std_m).square(), reach) / 9.0

        total = config.contact * touches(z.amin(-1) - frames.ground)
        total = total + config.penetration * (inside / 0.02).square().clamp(max=400.0).sum(-1).mul(0.05)
        with torch.no_grad():
            trunk = torch.nn.functional.normalize(joints[:, 12] - joints[:, 0], dim=-1)
            upright = ((trunk[:, 2] - 0.5) / 0.3).clamp(0.0, 1.0)
            lies = (1.0 - upright) * frames.still
        for group in self.trunk:
            above = z[:, group].amin(-1)
            total = total + config.contact * lies * touches(above - frames.ground)
            # Not bounded like contact with the floor: on a bed, too, a body lies flat.
            tilt = (above - z.amin(-1)) / 0.05
            total = total + config.flat * lies * ((1.0 + tilt.square()).sqrt() - 1.0)
        hips = surface[:, self.trunk[0]]
        for top in range(len(frames.tops)):
            # Who sits still over a seat sits on it; bounded, so that who bends over a bed is not drawn onto it.
            sits = frames.still * upright * (frames.tops.outside(top, hips[..., :2].detach()).mean(-1) < 0.0)
            total = total + config.contact * sits * touches(hips[..., 2].amin(-1) - frames.tops.height_m[:, top])
        raised = (joints[:, LIMBS, 2] - surface[..., 2].amin(-1, keepdim=True)) / 0.1
        total = total + config.gravity * lies * ((1.0 + raised.square()).sqrt() - 1.0).sum(-1)
        dt = frames.since[1:]
        creep = ((joints[1:] - joints[:-1]).square().sum(-1) / dt[:, None].square() / 0.1**2).mean(-1)
        both = torch.minimum(frames.still[1:], frames.still[:-1]) * (dt < config.gap_s)
        moving = config.rest * both * ((1.0 + creep).sqrt() - 1.0)
        for foot in self.feet:
            low = z[:, foot].amin(-1)
            centre = surface[:, foot].mean(1)
            slide = (centre[1:, :2] - centre[:-1, :2]).norm(dim=-1) / dt
            with torch.no_grad():
                planted = torch.exp(-(slide / 0.6).square()) * torch.exp(-(low[1:] / 0.12).square())
                planted = planted * (dt < config.gap_s) * upright[1:]
            moving = moving + planted * (config.skate * (slide / 0.15).square() * 0.2)
            moving = moving + config.contact * planted * touches(low[1:])
        return total + torch.nn.functional.pad(moving, (1, 0))
