"""What bodies cannot do: feet that slide while they are planted, skin below the floor, jerks, people inside each other.

All from rotations and root by forward kinematics, as the motion will be used; the stored positions are not looked at.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import wasserstein_distance
from torch import Tensor

from models.body.collision_spheres import CollisionSpheres, depths
from models.body.floor_contact import lowest_surface
from models.body.kinematics import forward_kinematics
from models.body.model import BodyModel
from models.motion.features import CONTACTS, FEET, decode, smpl_parameters
from models.types import FPS


def joints_of(
    features: Float[Tensor, "person time 268"], rest: Float[Tensor, "person 22 3"]
) -> Float[np.ndarray, "person time 22 3"]:
    """Compute joints by forward kinematics, metres."""
    R, transl = decode(features, rest)
    return forward_kinematics(rest[:, None], R, transl + rest[:, None, 0]).double().numpy()


def stated_contacts(features: Float[Tensor, "person time 268"]) -> Bool[np.ndarray, "person time 4"]:
    """Read which feet the motion itself says are planted."""
    return (features[..., CONTACTS] > 0.5).numpy()


def foot_skate_cm_s(
    joints: Float[np.ndarray, "person time 22 3"], contacts: Bool[np.ndarray, "person time 4"]
) -> float | None:
    """Compute the mean horizontal speed of planted feet from a frame of contact to the next, also one of contact.

    None without contact.
    """
    feet = joints[:, :, list(FEET), :2]
    speed = np.linalg.norm(np.diff(feet, axis=1), axis=-1) * FPS
    planted = contacts[:, 1:] & contacts[:, :-1]
    return float(100.0 * speed[planted].mean()) if planted.any() else None


def jerk_m_s3(joints: Float[np.ndarray, "person time 22 3"]) -> float:
    """Compute the mean length of the third difference of joints over time, m/s³; 0 of fewer than four frames."""
    if joints.shape[1] < 4:
        return 0.0
    return float(np.linalg.norm(np.diff(joints, n=3, axis=1), axis=-1).mean() * FPS**3)


def closest_m(joints: Float[np.ndarray, "person time 22 3"]) -> float | None:
    """Find the smallest distance between joints of two people at one time; None of one person."""
    people = range(len(joints))
    found = [
        float(np.linalg.norm(joints[a, :, :, None] - joints[b, :, None], axis=-1).min())
        for a in people
        for b in people
        if a < b
    ]
    return min(found) if found else None


def distance_shift_cm(sampled: Sequence[float], real: Sequence[float]) -> float:
    """Compute the Wasserstein distance of two samples of closest distances (metres), centimetres."""
    return float(100.0 * wasserstein_distance(sampled, real))


class BodySurfaces:
    """Skin and collision spheres of people by their betas; what is made for a shape is kept."""

    def __init__(self, body: BodyModel):
        self.body = body
        self._spheres: dict[bytes, CollisionSpheres] = {}

    def penetration_cm(
        self,
        features: Float[Tensor, "person time 268"],
        rest: Float[Tensor, "person 22 3"],
        betas: Float[Tensor, "person 10"],
    ) -> float:
        """Measure how deep the deepest point of anybody's skin goes below the floor z = 0, at any time."""
        deepest = 0.0
        for orient, pose, transl, shape in self._people(features, rest, betas):
            deepest = max(deepest, -float(lowest_surface(self.body, shape, orient, pose, transl).min()))
        return 100.0 * deepest

    def overlap_cm(
        self,
        features: Float[Tensor, "person time 268"],
        rest: Float[Tensor, "person 22 3"],
        betas: Float[Tensor, "person 10"],
    ) -> float | None:
        """Measure how deep the collision spheres of two people go into each other at most; 0 where they stay apart,
        None of one person."""
        if len(features) < 2:
            return None
        spheres_of = []
        for orient, pose, transl, shape in self._people(features, rest, betas):
            key = shape.tobytes()
            if key not in self._spheres:
                self._spheres[key] = CollisionSpheres(self.body, shape)
            spheres = self._spheres[key]
            spheres_of.append((spheres.centres(orient, pose, transl), spheres.radii))
        pairs = itertools.combinations(spheres_of, 2)
        deepest = max(float(depths(*own, *other).max()) for own, other in pairs)
        return 100.0 * max(deepest, 0.0)

    def _people(
        self,
        features: Float[Tensor, "person time 268"],
        rest: Float[Tensor, "person 22 3"],
        betas: Float[Tensor, "person 10"],
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Of each: global_orient, body_pose (hands at rest), transl, betas."""
        orient, pose, transl = smpl_parameters(features, rest)
        return [(orient[k], pose[k], transl[k], betas[k].double().numpy()) for k in range(len(features))]
