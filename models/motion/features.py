"""What the motion model sees of a person in a frame: 268 numbers, clean and redundant. DESIGN §5; InterGen's layout
plus rotations.

Joint positions and velocities (world, z up), rotations as two columns (Zhou et al. 2019) and contacts of the feet.
Everything follows from rotations, root and the person's own rest joints; sampled motion is read back from rotations and
root alone.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.body.kinematics import forward_kinematics
from models.body.rest_skeleton import BODY_JOINTS
from models.geometry.rotations import matrices_from_axis_angle, matrix_from_columns
from models.geometry.transforms import axis_angle_from_matrix
from models.types import FPS

POSITIONS = slice(0, 66)
"""22 joints, metres."""
VELOCITIES = slice(66, 132)
"""To the next frame, metres per second; the last frame repeats the one before."""
ROTATIONS = slice(132, 264)
"""Root to the world, 21 joints to their parents; first column, then second."""
CONTACTS = slice(264, 268)
"""1 where FEET stand on the floor, else 0."""
VECTORS = slice(0, ROTATIONS.start + 6)
"""What turns with the frame that features are told in: three numbers each, x, y, z."""
FEATURES = 268
LAYOUT = "positions 66, velocities 66, rotations 132, contacts 4; 20 Hz"
"""Checkpoints name what they were trained on."""
FEET = (7, 10, 8, 11)
"""Left ankle, left foot, right ankle, right foot."""
CONTACT_HEIGHT_M = (0.13, 0.07, 0.13, 0.07)
"""Joints of standing feet are lower than this; they lie inside the foot."""
CONTACT_SPEED_M_S = 0.2


def matrices(features: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 22 3 3"]:
    """Read the rotations, made orthonormal."""
    return matrix_from_columns(features[..., ROTATIONS].unflatten(-1, (BODY_JOINTS, 6)))


def root_matrices(features: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 3 3"]:
    """Read the pelvis' rotation alone."""
    return matrix_from_columns(features[..., ROTATIONS][..., :6])


def positions(features: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 22 3"]:
    """Read the stored joint positions, metres."""
    return features[..., POSITIONS].unflatten(-1, (BODY_JOINTS, 3))


def encode(
    rest: Float[Tensor, "*#batch 22 3"],
    rotations: Float[Tensor, "*batch time 24 3"],
    transl: Float[Tensor, "*batch time 3"],
) -> Float[Tensor, "*batch time 268"]:
    """Encode motion in SMPL's parameters (axis-angle, SMPL's `transl`), in the same world. `rest`: of each person."""
    R = matrices_from_axis_angle(rotations[..., :BODY_JOINTS, :])
    return from_matrices(rest, R, transl + rest[..., None, 0, :])


def from_matrices(
    rest: Float[Tensor, "*#batch 22 3"], R: Float[Tensor, "*batch time 22 3 3"], root: Float[Tensor, "*batch time 3"]
) -> Float[Tensor, "*batch time 268"]:
    """Encode rotation matrices and the pelvis' position."""
    joints = forward_kinematics(rest[..., None, :, :], R, root)
    velocities = _velocities(joints)
    feet = joints[..., list(FEET), :]
    low = feet[..., 2] < torch.tensor(CONTACT_HEIGHT_M).to(feet)
    slow = velocities[..., list(FEET), :].norm(dim=-1) < CONTACT_SPEED_M_S
    columns = R[..., :2].transpose(-1, -2).flatten(-3)
    return torch.cat([joints.flatten(-2), velocities.flatten(-2), columns, (low & slow).to(joints)], dim=-1)


def _velocities(joints: Float[Tensor, "*batch time joint 3"]) -> Float[Tensor, "*batch time joint 3"]:
    if joints.shape[-3] == 1:
        return torch.zeros_like(joints)
    ahead = (joints[..., 1:, :, :] - joints[..., :-1, :, :]) * FPS
    return torch.cat([ahead, ahead[..., -1:, :, :]], dim=-3)


def decode(
    features: Float[Tensor, "*batch time 268"], rest: Float[Tensor, "*#batch 22 3"]
) -> tuple[Float[Tensor, "*batch time 22 3 3"], Float[Tensor, "*batch time 3"]]:
    """Decode rotation matrices and SMPL's `transl`, in the same world: what `encode` was given, hands at rest."""
    return matrices(features), features[..., :3] - rest[..., None, 0, :]


def smpl_parameters(
    features: Float[Tensor, "person time 268"], rest: Float[Tensor, "person 22 3"]
) -> tuple[Float[np.ndarray, "person time 3"], Float[np.ndarray, "person time 69"], Float[np.ndarray, "person time 3"]]:
    """Decode `global_orient`, `body_pose` (hands at rest) and `transl` of each person, axis-angle in radians and
    metres."""
    R, transl = decode(features, rest)
    angles = axis_angle_from_matrix(R.double().numpy())
    pose = np.pad(angles[:, :, 1:].reshape(*angles.shape[:2], 63), ((0, 0), (0, 0), (0, 6)))
    return angles[:, :, 0], pose, transl.double().numpy()


def heading(root: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 2"]:
    """Find where a body faces on the floor, unit; also of who lies or bends: chest and head together never both
    point up.

    With the body's forward axis f and its upward axis u in the world: f_xy - f_z u_xy.
    """
    forward, up = root[..., :, 2], root[..., :, 1]
    return nn.functional.normalize(forward[..., :2] - forward[..., 2:] * up[..., :2], dim=-1)


def canonicalise(
    features: Float[Tensor, "batch person time 268"],
) -> tuple[Float[Tensor, "batch person time 268"], Float[Tensor, "batch 3"]]:
    """Rotate and move a scene so that the first person's first frame stands at x = y = 0 and faces +x.

    Also returns what was taken away, per scene: x, y and the yaw, radians; `transformed` gives it back. The floor stays
    where it is.
    """
    first = features[:, 0, 0]
    ahead = heading(matrices(first)[:, 0])
    pose = torch.stack([first[:, 0], first[:, 1], torch.atan2(ahead[:, 1], ahead[:, 0])], dim=-1)
    return inverse_transformed(features, pose), pose


def inverse_transformed(
    features: Float[Tensor, "batch person time 268"], pose: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch person time 268"]:
    """Move a scene by minus pose's x and y, then rotate it about the origin by minus its yaw: undoes `transformed`."""
    return to_frames(features, pose[:, None, None])


def transformed(
    features: Float[Tensor, "batch person time 268"], pose: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch person time 268"]:
    """Rotate a scene about the origin by pose's yaw, then move it by its x and y: undoes `inverse_transformed`."""
    return from_frames(features, pose[:, None, None])


def to_frames(
    features: Float[Tensor, "batch person time 268"], poses: Float[Tensor, "batch #person #time 3"]
) -> Float[Tensor, "batch person time 268"]:
    """Tell features in frames that stand on the floor at x and y, turned by yaw; one for each person and frame, or one
    for many. Undoes `from_frames`."""
    joints = positions(features) - nn.functional.pad(poses[..., :2], (0, 1))[..., None, :]
    return _rotated(torch.cat([joints.flatten(-2), features[..., 66:]], dim=-1), -poses[..., 2])


def from_frames(
    features: Float[Tensor, "batch person time 268"], poses: Float[Tensor, "batch #person #time 3"]
) -> Float[Tensor, "batch person time 268"]:
    """Tell features that are told in frames at x, y and yaw in the world of the frames: undoes `to_frames`."""
    rotated = _rotated(features, poses[..., 2])
    joints = positions(rotated) + nn.functional.pad(poses[..., :2], (0, 1))[..., None, :]
    return torch.cat([joints.flatten(-2), rotated[..., 66:]], dim=-1)


def _rotated(
    features: Float[Tensor, "batch person time 268"], yaw: Float[Tensor, "batch #person #time"]
) -> Float[Tensor, "batch person time 268"]:
    """Every vector to the world rotated about the vertical: positions, velocities and the root's columns."""
    c, s = yaw.cos()[..., None], yaw.sin()[..., None]
    x, y, z = features[..., VECTORS].unflatten(-1, (-1, 3)).unbind(-1)
    vectors = torch.stack([c * x - s * y, s * x + c * y, z], dim=-1)
    return torch.cat([vectors.flatten(-2), features[..., VECTORS.stop :]], dim=-1)


class Normaliser(nn.Module):
    """Features to about unit standard deviation and back.

    Horizontal axes share one, so that rotating a scene changes nothing.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("std", torch.ones(FEATURES))

    def fit(self, frames: Float[Tensor, "frame 268"]) -> None:
        """Fit mean and standard deviation to some frames."""
        rows = frames.double()
        self.mean.copy_(rows.mean(0))
        variance = (rows - rows.mean(0)).square().mean(0)
        # Of each part, one standard deviation a kind of axis: what seldom moves must not be blown up to noise.
        for part, width in ((POSITIONS, 3), (VELOCITIES, 3), (ROTATIONS, 6)):
            values = variance[part].unflatten(0, (-1, width))
            variance[part] = values.mean(0).expand_as(values).flatten()
        for part in (POSITIONS, VELOCITIES):
            values = variance[part].unflatten(0, (-1, 3))
            values[:, :2] = values[:, :2].mean()
        variance[CONTACTS] = variance[CONTACTS].mean()
        self.std.copy_(variance.sqrt().clamp(min=0.05))

    def forward(self, features: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 268"]:
        """Scale metres and so on to what the network sees."""
        return (features - self.mean) / self.std

    def denormalise(self, normal: Float[Tensor, "*batch 268"]) -> Float[Tensor, "*batch 268"]:
        """Scale what the network says back to metres and so on."""
        return normal * self.std + self.mean
