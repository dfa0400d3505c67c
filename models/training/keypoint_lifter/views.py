"""Windows of motion seen by imagined cameras through an imagined detector: what the keypoint regressor learns from.

A window is a stretch of a take at another speed, by a body of another shape, mirrored half of the time; the camera is
on a ceiling, a shelf or a wall; and the detector errs as detectors do: more on fast and lying people, sides swapped,
keypoints and whole bodies missed, cut at the image's edge, hidden behind furniture, taken from a bystander.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.body.mirror import mirrored
from models.body.model import BodyModel
from models.body.shape_space import ShapeSpace
from models.geometry.rotations import matrix_from_columns
from models.geometry.transforms import matrix_from_axis_angle
from models.people2d.simulated_detector import DetectorNoiseConfig, simulate_detections
from models.people3d.keypoint_lifter import STATURE_M, STATURE_STD_M
from models.training.keypoint_lifter.motions import MOTION_HZ, Motions

SHARES = {"mocap": 0.24, "fall": 0.26, "look_alike": 0.12, "composed": 0.06, "acted": 0.12, "postures": 0.2}
"""How often a window is of each source."""
TRIES = 16
"""Places tried for a window to be in view."""


@dataclass(frozen=True)
class Windows:
    """A batch; the world has its origin on the floor under the camera, z up."""

    rotations: Float[Tensor, "batch time 24 3 3"]
    """Truth: the root to the world, joints to their parents."""
    pelvis: Float[Tensor, "batch time 3"]
    """Truth, world, metres."""
    shape: Float[Tensor, "batch 3"]
    betas: Float[Tensor, "batch 10"]
    seconds: Float[Tensor, "batch time"]
    camera_height_m: Float[Tensor, "batch"]
    """As it is believed to be."""
    true_rays: Float[Tensor, "batch time 17 3"]
    """From the camera to the keypoints, world axes."""
    rays: Float[Tensor, "batch time 17 3"]
    """As detected, with the camera as it is believed to be."""
    scores: Float[Tensor, "batch time 17"]
    falling: Bool[Tensor, "batch time"]
    offset: Float[Tensor, "batch 3"]
    """The camera's true place, world."""


@dataclass(frozen=True)
class _Scene:
    """A batch before anything sees it; fields as in `Windows`."""

    rotations: Tensor
    pelvis: Tensor
    shape: Tensor
    betas: Tensor
    seconds: Tensor
    keypoints: Float[Tensor, "batch time 17 3"]
    """World, metres."""
    falling: Tensor


@dataclass(frozen=True)
class _Cameras:
    """One a window, above the world's origin, looking along x."""

    height_m: Float[np.ndarray, "batch"]
    pitch: Float[np.ndarray, "batch"]
    """Down, radians."""
    roll: Float[np.ndarray, "batch"]
    focal: Float[np.ndarray, "batch"]
    """Of the image's width."""
    aspect: Float[np.ndarray, "batch"]
    """Height of the image, of its width."""


class WindowSource:
    """Draws windows. What `draw` returns depends on the generator alone."""

    def __init__(self, motions: Motions, body: BodyModel, frames: int, held_out: bool):
        self.body, self.frames = body, frames
        self.shapes = ShapeSpace(body, STATURE_M, STATURE_STD_M)
        rest = body.rest_joints(self.shapes.mean)
        self.hips_m = float(rest[0, 1] - rest[7, 1])
        keep = motions.held_out == held_out
        self.rotations = torch.as_tensor(matrix_from_axis_angle(motions.rotations[keep]), dtype=torch.float32)
        self.pelvis = torch.as_tensor(motions.pelvis[keep], dtype=torch.float32)
        self.lowest = torch.as_tensor(motions.lowest[keep], dtype=torch.float32)
        self.falling = torch.as_tensor(motions.falling[keep])
        takes, first, counts = np.unique(motions.take[keep], return_index=True, return_counts=True)
        source = motions.source[keep][first]
        self.first, self.count = first, counts
        # A source's share is split over its takes by their length.
        share = np.zeros(len(takes))
        for number, part in enumerate(SHARES.values()):
            of = source == number
            share[of] = part * counts[of] / max(counts[of].sum(), 1)
        self.share = share / share.sum()

    def draw(self, batch: int, rng: np.random.Generator, faults: DetectorNoiseConfig) -> Windows:
        """Draw windows in view of cameras, with a detector's faults."""
        index, share, seconds = self._times(batch, rng)
        low, high = torch.as_tensor(index), torch.as_tensor(np.minimum(index + 1, self._last(index)))
        share = torch.as_tensor(share, dtype=torch.float32)
        mixed = torch.lerp(self.rotations[low], self.rotations[high], share[..., None, None, None])
        rotations = matrix_from_columns(mixed[..., :2].transpose(-1, -2).flatten(-2))
        pelvis = torch.lerp(self.pelvis[low], self.pelvis[high], share[..., None])
        lowest = torch.lerp(self.lowest[low], self.lowest[high], share)
        mirror = torch.as_tensor(rng.random(batch) < 0.5)
        rotations, pelvis = _across_y(rotations, pelvis, mirror)
        shape = torch.as_tensor(rng.standard_normal((batch, 3)), dtype=torch.float32)
        betas = self.shapes(shape)
        with torch.no_grad():
            pelvis = self._grounded(betas, rotations, pelvis, lowest, rng)
            root, limbs = rotations[:, :, 0], rotations[:, :, 1:]
            keypoints = self.body.posed(
                betas[:, None], root, limbs, pelvis - self.body.rest_joints(betas)[:, None, 0]
            ).keypoints
        cameras = _draw_cameras(batch, rng)
        scene = _Scene(rotations, pelvis, shape, betas, seconds, keypoints, self.falling[low])
        return _seen(self._in_view(scene, cameras, rng), cameras, faults, rng)

    def _times(
        self, batch: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, Float[Tensor, "batch time"]]:
        """Frame before each moment, share of the way to the next, and the seconds that a clock would show."""
        take = rng.choice(len(self.share), size=batch, p=self.share)
        spacing = 1.0 / np.exp(rng.uniform(np.log(7.0), np.log(20.0), (batch, 1)))
        step = spacing * np.clip(1.0 + 0.05 * rng.standard_normal((batch, self.frames)), 0.5, 1.5)
        gap = rng.random((batch, self.frames)) < 0.01
        seconds = np.cumsum(np.where(gap, step * rng.integers(2, 8, gap.shape), step), axis=1)
        seconds -= seconds[:, :1]
        span = seconds * rng.uniform(0.8, 1.25, (batch, 1)) * MOTION_HZ
        free = np.maximum(self.count[take] - 1.0 - 0.7 * span[:, -1], 0.0)
        place = np.clip(rng.random(batch)[:, None] * free[:, None] + span, 0.0, self.count[take][:, None] - 1.0)
        whole = np.floor(place).astype(np.int64)
        return self.first[take][:, None] + whole, place - whole, torch.as_tensor(seconds, dtype=torch.float32)

    def _last(self, index: Int[np.ndarray, "batch time"]) -> Int[np.ndarray, "batch time"]:
        """The last frame of the take that a frame is of."""
        take = np.searchsorted(self.first, index, side="right") - 1
        return self.first[take] + self.count[take] - 1

    def _grounded(
        self, betas: Tensor, rotations: Tensor, pelvis: Tensor, lowest: Tensor, rng: np.random.Generator
    ) -> Float[Tensor, "batch time 3"]:
        """The path of a body of this shape, its lowest point where the take's was; who is low throughout may be on a
        bed."""
        rest = self.body.rest_joints(betas)
        ratio = (rest[:, 0, 1] - rest[:, 7, 1]) / self.hips_m
        pelvis = pelvis * ratio[:, None, None]
        points = self.body.posed(
            betas[:, None], rotations[:, :, 0], rotations[:, :, 1:], pelvis - rest[:, None, 0]
        ).surface_points
        pelvis = pelvis.clone()
        pelvis[..., 2] += lowest - points[..., 2].amin(-1)
        upright = rotations[:, :, 0, 2, 1]
        low = (upright.amax(1) < 0.6) & torch.as_tensor(rng.random(len(betas)) < 0.25)
        raised = torch.as_tensor(rng.uniform(0.08, 0.65, len(betas)), dtype=torch.float32)
        pelvis[..., 2] += (low * raised)[:, None]
        return pelvis

    def _in_view(self, scene: _Scene, cameras: _Cameras, rng: np.random.Generator) -> _Scene:
        """Turn people about the vertical and place them somewhere before their camera, anew until they are in view."""
        batch = len(scene.betas)
        turn = rng.uniform(-np.pi, np.pi, (batch, TRIES))
        away = np.exp(rng.uniform(np.log(1.0), np.log(9.0), (batch, TRIES)))
        side = np.arctan(0.5 / cameras.focal)[:, None] * rng.uniform(-0.95, 0.95, (batch, TRIES))
        spot = np.stack([away * np.cos(side), away * np.sin(side)], axis=-1)
        middle = scene.keypoints.mean((1, 2))
        few = torch.as_tensor(np.linspace(0, self.frames - 1, 5).round().astype(int))
        centred = (scene.keypoints[:, few] - middle[:, None, None] * torch.tensor([1.0, 1.0, 0.0])).numpy()
        whole = rng.random(batch) < 0.8
        chosen = np.zeros(batch, dtype=np.int64)
        best = np.full(batch, -1.0)
        below = -cameras.height_m[:, None]
        for t in range(TRIES):
            points = _rotated(centred, turn[:, t]) + np.concatenate([spot[:, t], below], 1)[:, None, None]
            inside = _inside(points, cameras).mean((1, 2))
            # Whole people first, but a fifth of the windows is of people cut by the image's edge.
            worth = np.where(whole, inside, 1.0 - np.abs(inside - 0.7)) * (best < np.where(whole, 0.97, 0.9))
            better = worth > best
            chosen, best = np.where(better, t, chosen), np.maximum(best, worth)
        rows = np.arange(batch)
        rotation = torch.as_tensor(_yaw(turn[rows, chosen]), dtype=torch.float32)
        place = torch.as_tensor(np.concatenate([spot[rows, chosen], np.zeros((batch, 1))], 1), dtype=torch.float32)
        level = middle * torch.tensor([1.0, 1.0, 0.0])

        def moved(points: Tensor) -> Tensor:
            shift = level.view(batch, *[1] * (points.ndim - 2), 3)
            out = torch.einsum("bij,b...j->b...i", rotation, points - shift)
            return out + place.view(batch, *[1] * (points.ndim - 2), 3)

        root = (rotation[:, None] @ scene.rotations[:, :, 0])[:, :, None]
        rotations = torch.cat([root, scene.rotations[:, :, 1:]], dim=2)
        return replace(scene, rotations=rotations, pelvis=moved(scene.pelvis), keypoints=moved(scene.keypoints))


def _seen(scene: _Scene, cameras: _Cameras, faults: DetectorNoiseConfig, rng: np.random.Generator) -> Windows:
    """What a detector tells of people before cameras that are believed to stand a little off, half of the time."""
    batch = len(scene.betas)
    zero, height = np.zeros(batch), cameras.height_m
    offset = torch.as_tensor(np.stack([zero, zero, height], 1), dtype=torch.float32)
    true_rays = scene.keypoints - offset[:, None, None]
    axes = torch.as_tensor(_camera_axes(cameras.pitch, cameras.roll), dtype=torch.float32)
    camera = torch.einsum("bji,btkj->btki", axes, true_rays)
    focal = torch.as_tensor(cameras.focal, dtype=torch.float32)
    image = camera[..., :2] / camera[..., 2:].clamp(min=0.05) * focal[:, None, None, None]
    aspect = torch.as_tensor(cameras.aspect, dtype=torch.float32)
    upright = scene.rotations[:, :, 0, 2, 1]
    image, scores = simulate_detections(image, camera[..., 2] > 0.05, aspect, upright, scene.seconds, faults, rng)
    wrong = faults.scale * faults.calibration * (rng.random(batch) < 0.5)
    believed = _camera_axes(cameras.pitch + wrong * rng.normal(0.0, np.radians(1.0), batch), cameras.roll)
    believed_focal = cameras.focal * (1.0 + wrong * rng.normal(0.0, 0.03, batch))
    in_image = image / torch.as_tensor(believed_focal, dtype=torch.float32)[:, None, None, None]
    in_camera = torch.cat([in_image, torch.ones_like(image[..., :1])], dim=-1)
    rays = torch.einsum("bij,btkj->btki", torch.as_tensor(believed, dtype=torch.float32), in_camera)
    believed_height = torch.as_tensor(height * (1.0 + wrong * rng.normal(0.0, 0.03, batch)), dtype=torch.float32)
    return Windows(
        rotations=scene.rotations,
        pelvis=scene.pelvis,
        shape=scene.shape,
        betas=scene.betas,
        seconds=scene.seconds,
        camera_height_m=believed_height,
        true_rays=true_rays,
        rays=rays,
        scores=scores,
        falling=scene.falling,
        offset=offset,
    )


def _draw_cameras(batch: int, rng: np.random.Generator) -> _Cameras:
    """Cameras on a ceiling, a shelf or a wall."""
    height = np.where(rng.random(batch) < 0.35, rng.uniform(2.0, 3.0, batch), rng.uniform(0.8, 2.2, batch))
    steep = np.clip((height - 0.6) / 2.0, 0.1, 1.0)
    pitch = np.radians(np.clip(rng.uniform(-4.0, 60.0, batch) * steep, -4.0, 60.0))
    focal = rng.uniform(0.7, 1.3, batch)
    aspect = rng.choice([0.5625, 0.75, 1.0], batch, p=[0.5, 0.4, 0.1])
    return _Cameras(height, pitch, rng.normal(0.0, np.radians(1.2), batch), focal, aspect)


def _across_y(rotations: Tensor, pelvis: Tensor, mirror: Tensor) -> tuple[Tensor, Tensor]:
    """Some of the windows seen in a mirror across y: joints change sides, the body's x and the world's y their sign."""
    across_y = torch.tensor([1.0, -1.0, 1.0])
    root = rotations[:, :, :1] * across_y[:, None] * torch.tensor([-1.0, 1.0, 1.0])
    other = torch.cat([root, mirrored(rotations[:, :, 1:], first=1)], dim=2)
    flat = pelvis * across_y
    return torch.where(mirror[:, None, None, None, None], other, rotations), torch.where(
        mirror[:, None, None], flat, pelvis
    )


def _camera_axes(pitch: Float[np.ndarray, "batch"], roll: Float[np.ndarray, "batch"]) -> Float[np.ndarray, "batch 3 3"]:
    """R_world_camera of cameras that look along +x, pitched down and rolled about their axis; OpenCV's axes."""
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    zero, one = np.zeros_like(cp), np.ones_like(cp)
    level = np.stack(
        [np.stack([zero, -sp, cp], -1), np.stack([-one, zero, zero], -1), np.stack([zero, -cp, -sp], -1)], 1
    )
    turn = np.stack([np.stack([cr, -sr, zero], -1), np.stack([sr, cr, zero], -1), np.stack([zero, zero, one], -1)], 1)
    return level @ turn


def _yaw(angle: Float[np.ndarray, "batch"]) -> Float[np.ndarray, "batch 3 3"]:
    c, s, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return np.stack([np.stack([c, -s, zero], -1), np.stack([s, c, zero], -1), np.stack([zero, zero, one], -1)], 1)


def _rotated(points: np.ndarray, angle: Float[np.ndarray, "batch"]) -> np.ndarray:
    return np.einsum("bij,btkj->btki", _yaw(angle), points)


def _inside(points: np.ndarray, cameras: _Cameras) -> Bool[np.ndarray, "batch few 17"]:
    """Which points, from the camera in world axes, the image shows."""
    camera = np.einsum("bji,btkj->btki", _camera_axes(cameras.pitch, cameras.roll), points)
    image = camera[..., :2] / np.maximum(camera[..., 2:], 0.05) * cameras.focal[:, None, None, None]
    fits = (np.abs(image[..., 0]) < 0.5) & (np.abs(image[..., 1]) < 0.5 * cameras.aspect[:, None, None])
    return fits & (camera[..., 2] > 0.4)
