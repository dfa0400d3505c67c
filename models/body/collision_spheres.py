"""Spheres inside a body, moved by its bones: what of one person cannot be inside another.

Every sphere lies on a bone (or, for the head, in its middle) and reaches as far as the nearest skin of that bone's
limbs, so the spheres are inside the body and a little smaller than it: people who touch do not overlap, people who
share space do.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import cdist
from torch import Tensor

from models.body.model import BodyModel
from models.types import SMPL_JOINTS, SMPL_PARENTS

SPACING_M = 0.07
"""At most so far from one sphere's centre to the next along a bone."""
MIN_RADIUS_M = 0.025
"""Smaller ones (fingers, toes) are left out."""
SKIN_SHARE = 0.05
"""Skinning weight from which on a vertex is skin of a limb."""


class CollisionSpheres:
    """Of one body shape."""

    def __init__(self, body: BodyModel, betas: Float[np.ndarray, "10"]):
        self.body = body
        self.betas = torch.as_tensor(betas, dtype=torch.float32)
        with torch.no_grad():
            rest = body.rest_joints(self.betas).double().numpy()
            skin = (body.v_template + torch.einsum("vcb,b->vc", body.shapedirs, self.betas)).double().numpy()
        weights = body.weights.numpy()
        centres, radii, owners = [], [], []

        def put(points: Float[np.ndarray, "point 3"], owner: int, limbs: list[int]) -> None:
            of = skin[(weights[:, limbs] > SKIN_SHARE).any(axis=1)]
            if not len(of):
                return
            reach = cdist(points, of).min(axis=1)
            large = reach >= MIN_RADIUS_M
            centres.extend(points[large] - rest[owner])
            radii.extend(reach[large])
            owners.extend([owner] * int(large.sum()))

        for joint in range(1, len(SMPL_JOINTS)):
            parent = SMPL_PARENTS[joint]
            length = float(np.linalg.norm(rest[joint] - rest[parent]))
            shares = np.linspace(0.0, 1.0, max(2, int(np.ceil(length / SPACING_M)) + 1))[:-1, None]
            put((1.0 - shares) * rest[parent] + shares * rest[joint], parent, [parent, joint])
        head = SMPL_JOINTS.index("head")
        put(skin[weights[:, head] > 0.9].mean(axis=0)[None], head, [head])
        self.owners = torch.tensor(owners)
        self.offsets = torch.tensor(np.array(centres), dtype=torch.float32)
        self.radii = torch.tensor(np.array(radii), dtype=torch.float32)

    @torch.no_grad()
    def centres(
        self,
        global_orient: Float[np.ndarray, "time ..."],
        body_pose: Float[np.ndarray, "time ..."],
        transl: Float[np.ndarray, "time 3"],
    ) -> Float[Tensor, "time sphere 3"]:
        """Return where they are, in the frame of the motion; rotations as axis-angle or as matrices, as `BodyModel`
        takes them."""
        pose = (torch.as_tensor(value, dtype=torch.float32) for value in (global_orient, body_pose, transl))
        posed = self.body.posed(self.betas[None], *pose)
        return posed.joints[:, self.owners] + (posed.rotations[:, self.owners] @ self.offsets[..., None])[..., 0]


def depths(
    a: Float[Tensor, "time m 3"], a_radii: Float[Tensor, "m"], b: Float[Tensor, "time n 3"], b_radii: Float[Tensor, "n"]
) -> Float[Tensor, "time m n"]:
    """Return how deep each sphere of one body reaches into each of another, metres; negative where they are apart."""
    apart = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")
    return a_radii[:, None] + b_radii - apart
