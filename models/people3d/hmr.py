"""The regressor `hmr`: crops of a person to bodies in the room's world, frame by frame (network:
`models/people3d/hmr_network.py`).

The network's rotations, in the axes of each crop's camera, are turned to the world by `T_world_camera` and the crop's
own turn. Its depth is poor (people differ in size, and a weak camera knows no perspective), so the pelvis is solved
again: the body's keypoints are laid on the rays of those seen, rotations kept, by linear least squares
(`pelvis_on_rays`). Where too few keypoints are seen, the weak camera's place stays.

Confidence is agreement with keypoints that the network did not look at: exp(-e / 0.05) x min(1, n / 8), with e the mean
distance of its body's keypoints from those seen, in longer sides of the box, and n how many are seen. Nobody's
keypoints, no confidence.

Betas never cross body models. A network made for another body than the one asked with (the published checkpoint: SMPL)
has its betas refit to that body's rest joints, and its rotations corrected by how the two rest poses differ.
"""

import logging
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.geometry.camera import Camera
from models.geometry.transforms import axis_angle_from_matrix, rotation_between
from models.people3d.hmr_network import Bodies, Hmr, crop, crop_camera
from models.people3d.regressor import Regression
from models.types import SMPL_PARENTS

logger = logging.getLogger(__name__)

MIN_SCORE = 0.3
"""Of a keypoint that counts."""
MIN_KEYPOINTS, CONFIRMING_KEYPOINTS = 6, 8
"""Fewer do not say how far away somebody is; so many confirm a body."""
AGREEMENT = 0.05
"""Mean distance of keypoints, in longer sides of the box, at which confidence falls to 1/e."""
HUBER = 0.03
"""Distance of a keypoint, in longer sides of the box, beyond which it pulls less."""
ITERATIONS = 6
RIDGE = 1e-4
"""Square metres: one unit of betas is as likely as 1 cm off in a rest joint."""


class HmrRegressor:
    """Implements `models.people3d.regressor.Regressor`."""

    reads_frames = True

    def __init__(self, network: Hmr, body: BodyModel, batch: int = 32, flip: bool = True):
        self.network, self.body, self.batch, self.flip = network, body, batch, flip
        self._foreign = network.config.body != body.name
        if self._foreign:
            logger.warning(
                "hmr was trained for the body %s: betas are refit to the rest joints of %s",
                network.config.body,
                body.name,
            )

    def regress(
        self,
        keypoints_px: Float[np.ndarray, "time 17 2"],
        scores: Float[np.ndarray, "time 17"],
        boxes_px: Float[np.ndarray, "time 4"],
        timestamps_s: Float[np.ndarray, "time"],
        camera: Camera,
        frames: Iterable[UInt8[np.ndarray, "height width 3"]],
    ) -> Regression:
        """Regress as `Regressor.regress` says; InputError for an empty box, or frames of another size than the
        camera's.

        The network's answers of all frames share one shape, their median.
        """
        views = [crop_camera(camera, box, self.network.config) for box in boxes_px]
        found = self._predict(frames, camera, views)
        rotations, betas, pelvis_view = self._of_our_body(found, views)
        R_world_view = np.stack([view.T_world_camera[:3, :3] for view in views])
        R_world_camera, place = camera.T_world_camera[:3, :3], camera.T_world_camera[:3, 3]
        global_orient = R_world_view @ rotations[:, 0]
        pelvis = (R_world_view @ pelvis_view[..., None])[..., 0] + place
        limbs = self._limbs(global_orient, rotations[:, 1:], betas)
        sides = np.max(boxes_px[:, 2:] - boxes_px[:, :2], axis=1)
        weights = np.where(scores >= MIN_SCORE, scores, 0.0)
        solved, sure = pelvis_on_rays(
            limbs @ R_world_camera, camera.rays_camera(keypoints_px)[..., :2], weights, sides / camera.focal_px
        )
        pelvis = np.where(sure[:, None], solved @ R_world_camera.T + place, pelvis)
        off = np.linalg.norm(camera.project(limbs + pelvis[:, None]) - keypoints_px, axis=-1) / sides[:, None]
        return Regression(
            global_orient,
            axis_angle_from_matrix(rotations[:, 1:]).reshape(-1, 69),
            pelvis,
            betas,
            agreement(np.nan_to_num(off, nan=np.inf), weights),
        )

    def _predict(
        self, frames: Iterable[UInt8[np.ndarray, "height width 3"]], camera: Camera, views: list[Camera]
    ) -> Bodies:
        """The network's answers; no more than a batch of crops is held at a time."""
        parts, waiting = [], []
        for index, (frame, view) in enumerate(zip(frames, views, strict=True)):
            waiting.append(crop(frame, camera, view, self.network.config.columns_px))
            if len(waiting) == self.batch or index == len(views) - 1:
                parts.append(self.network.predict(np.stack(waiting), self.batch, self.flip))
                waiting = []
        return Bodies(*(torch.cat([vars(part)[name] for part in parts]) for name in vars(parts[0])))

    def _of_our_body(
        self, found: Bodies, views: list[Camera]
    ) -> tuple[Float[np.ndarray, "time 24 3 3"], Float[np.ndarray, "10"], Float[np.ndarray, "time 3"]]:
        """Rotations and betas of the body asked with, and where the weak camera puts the pelvis in each crop's axes."""
        focal = torch.tensor([view.focal_px for view in views], dtype=torch.float32)
        betas = found.betas.median(0).values
        joints, directions = (part.cpu().float() for part in (self.network.rest_joints, self.network.rest_directions))
        rest = joints + directions @ betas
        pelvis = rest[0] + found.translation(focal, self.network.config.rows_px)
        rotations, shape = found.rotations.double().numpy(), betas.double().numpy()
        if self._foreign:
            theirs = rest.double().numpy()
            shape = betas_from_rest_joints(self.body, theirs)
            own = self.body.rest_joints(torch.as_tensor(shape, dtype=torch.float32)).double().numpy()
            rotations = on_other_rest(rotations, rest_offsets(own, theirs))
        return rotations, shape, pelvis.double().numpy()

    def _limbs(
        self,
        global_orient: Float[np.ndarray, "time 3 3"],
        body_pose: Float[np.ndarray, "time 23 3 3"],
        betas: Float[np.ndarray, "10"],
    ) -> Float[np.ndarray, "time 17 3"]:
        """The body's keypoints less its pelvis, along the world's axes."""
        shape = torch.as_tensor(betas, dtype=torch.float32)
        orient, pose = (torch.as_tensor(value, dtype=torch.float32) for value in (global_orient, body_pose))
        with torch.no_grad():
            points = self.body.posed(shape.expand(len(orient), -1), orient, pose, torch.zeros(len(orient), 3)).keypoints
            return (points - self.body.rest_joints(shape)[0]).double().numpy()


def agreement(off: Float[np.ndarray, "time 17"], weights: Float[np.ndarray, "time 17"]) -> Float[np.ndarray, "time"]:
    """Return confidence from distances of keypoints, in longer sides of the box (see the module's docstring)."""
    counted = weights > 0
    mean = np.where(counted, np.minimum(off, 1.0), 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return np.exp(-mean / AGREEMENT) * np.minimum(1.0, counted.sum(axis=1) / CONFIRMING_KEYPOINTS)


def pelvis_on_rays(
    limbs_camera: Float[np.ndarray, "time 17 3"],
    rays: Float[np.ndarray, "time 17 2"],
    weights: Float[np.ndarray, "time 17"],
    sides: Float[np.ndarray, "time"],
) -> tuple[Float[np.ndarray, "time 3"], Bool[np.ndarray, "time"]]:
    """Solve for pelves, in the camera's axes, that lay keypoints on their rays, and which of them can be relied on.

    Keypoint k at l_k from the pelvis p lies on the ray (r_x, r_y, 1) where p_x + l_x = r_x (p_z + l_z), and so for y:
    linear in p. Weighted least squares; equations are divided by depth so that they count in the image, and keypoints
    further off than `HUBER` x `sides` (the box's longer side, as rays are: at depth 1) count less.
    """
    time = len(rays)
    A = np.zeros((time, 17, 2, 3))
    A[..., 0, 0] = A[..., 1, 1] = 1.0
    A[..., 2] = -rays
    b = rays * limbs_camera[..., 2:] - limbs_camera[..., :2]
    now, depth = weights.copy(), np.ones((time, 17))
    sure = (weights > 0).sum(axis=1) >= MIN_KEYPOINTS
    pelvis = np.tile([0.0, 0.0, 1.0], (time, 1))
    for _ in range(ITERATIONS):
        w = now / depth**2
        normal = np.einsum("tk,tkia,tkib->tab", w, A, A)
        pull = np.einsum("tk,tkia,tki->ta", w, A, b)
        pelvis[sure] = np.linalg.solve(normal[sure], pull[sure, :, None])[..., 0]
        depth = np.maximum(pelvis[:, None, 2] + limbs_camera[..., 2], 0.1)
        off = np.linalg.norm(np.einsum("tkia,ta->tki", A, pelvis) - b, axis=-1) / depth / sides[:, None]
        now = weights * HUBER / np.maximum(off, HUBER)
    return pelvis, sure & (pelvis[:, 2] > 0.1)


def betas_from_rest_joints(body: BodyModel, rest: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "10"]:
    """Fit betas whose rest joints are nearest to those of another body model, pelvis on pelvis (ridge regression)."""
    J, D = body.J_template.double().numpy(), body.J_shapedirs.double().numpy()
    D = (D - D[:1]).reshape(72, 10)
    wanted = ((rest - rest[:1]) - (J - J[:1])).reshape(72)
    return np.linalg.solve(D.T @ D + RIDGE * np.eye(10), D.T @ wanted)


def rest_offsets(own: Float[np.ndarray, "24 3"], theirs: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "24 3 3"]:
    """Return rotations that turn each joint's bones of our rest pose onto those of theirs; ends follow their
    parents."""
    offsets = np.tile(np.eye(3), (24, 1, 1))
    for joint in range(24):
        children = [child for child in range(24) if SMPL_PARENTS[child] == joint]
        ours, bones = (rest[children] - rest[joint] for rest in (own, theirs))
        if not children:
            offsets[joint] = offsets[SMPL_PARENTS[joint]]
        elif len(children) == 1:
            offsets[joint] = rotation_between(ours[0] / np.linalg.norm(ours[0]), bones[0] / np.linalg.norm(bones[0]))
        else:
            offsets[joint] = Rotation.align_vectors(bones, ours)[0].as_matrix()
    return offsets


def on_other_rest(
    rotations: Float[np.ndarray, "*batch 24 3 3"], offsets: Float[np.ndarray, "24 3 3"]
) -> Float[np.ndarray, "*batch 24 3 3"]:
    """Return the same posture counted from our rest pose: in the world every joint turns by its own rotation times its
    offset."""
    parents = np.concatenate([np.eye(3)[None], offsets[list(SMPL_PARENTS[1:])]])
    return np.swapaxes(parents, -1, -2) @ rotations @ offsets
