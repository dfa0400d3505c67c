"""A captured motion on its own skeleton, as every motion-capture format is read: a tree of joints that turn over time.

World axes are y up, lengths in the file's own units. Readers of other axes turn the root.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from models.body.kinematics import joint_positions, world_rotations

SLOWEST_HZ, FASTEST_HZ = 1.0, 1000.0
"""Frame rates between which motion is captured: what a file says beyond them is no rate."""


@dataclass(frozen=True)
class SkeletonMotion:
    """A skeleton and its motion, y up, in the file's units."""

    path: Path
    names: tuple[str, ...]
    """Joints, parents before children; one that only marks where a limb ends is called `<its joint>_end`."""
    parents: tuple[int, ...]
    """Index of the parent, -1 for the root."""
    offsets: Float[np.ndarray, "joint 3"]
    """From the parent, in the rest pose."""
    translations: Float[np.ndarray, "time joint 3"]
    """From the parent, over time: the offset, or what the file says instead; the root's are its places in the world."""
    rotations: Float[np.ndarray, "time joint 3 3"]
    """Of the joint in its parent's frame."""
    timestamps_s: Float[np.ndarray, "time"]
    still: frozenset[int] = frozenset()
    """Joints that the file does not let turn."""

    def rest_positions(self) -> Float[np.ndarray, "joint 3"]:
        """Return joint positions with every rotation zero, root at its offset."""
        positions = self.offsets.copy()
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                positions[joint] += positions[parent]
        return positions

    def rotated(self, rotation: Float[np.ndarray, "3 3"]) -> "SkeletonMotion":
        """Return the same motion in other world axes: p becomes `rotation` @ p."""
        return replace(
            self,
            offsets=self.offsets @ rotation.T,
            translations=self.translations @ rotation.T,
            rotations=rotation @ self.rotations @ rotation.T,
        )

    def forward(
        self, joints: Collection[int] | None = None
    ) -> tuple[Float[np.ndarray, "time joint 3 3"], Float[np.ndarray, "time joint 3"]]:
        """Return rotations and positions in the file's world, of all joints or of some; the others' rows are NaN."""
        world = world_rotations(self.rotations, self.parents, joints)
        return world, joint_positions(world, self.translations, self.parents, joints)


def still_limbs(
    root: Float[np.ndarray, "time 3"], offsets: Float[np.ndarray, "joint 3"]
) -> Float[np.ndarray, "time joint 3"]:
    """Return translations of a skeleton whose bones keep their offsets while its root, joint 0, moves."""
    translations = np.tile(offsets, (len(root), 1, 1))
    translations[:, 0] = root
    return translations
