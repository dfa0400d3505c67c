"""What motion-capture files call the joints of SMPL's tree."""

from collections.abc import Sequence
from os.path import commonprefix
from pathlib import Path

import numpy as np

from models.errors import InputError
from models.mocap.skeleton_motion import SkeletonMotion

SIDES = ("left", "right")
_SIDED = {
    "hip": ("{Side}upleg", "{Side}upperleg", "{s}thigh", "thigh{s}", "{Side}thigh", "{s}femur", "{Side}hip"),
    "knee": (
        "{Side}leg",
        "{Side}lowleg",
        "{Side}lowerleg",
        "{s}shin",
        "shin{s}",
        "{s}calf",
        "calf{s}",
        "{Side}shin",
        "{s}tibia",
        "{Side}knee",
    ),
    # Who has both an ankle and a foot, or a wrist and a hand, means the tips by the latter.
    "ankle": ("{Side}ankle", "{Side}foot", "{s}foot", "foot{s}"),
    "foot": ("{Side}toebase", "{s}toebase", "toe{s}", "{Side}toe", "{s}toes", "{s}toe0", "ball{s}", "{Side}foot"),
    "shoulder": (
        "{Side}arm",
        "{s}shldr",
        "upperarm{s}",
        "{s}upperarm",
        "{Side}uparm",
        "{Side}upperarm",
        "{s}humerus",
        "{Side}shoulder",
    ),
    "collar": ("{Side}collar", "{s}collar", "{s}clavicle", "clavicle{s}", "shoulder{s}", "{Side}shoulder"),
    "elbow": (
        "{Side}forearm",
        "{s}forearm",
        "forearm{s}",
        "{Side}lowarm",
        "{Side}lowerarm",
        "lowerarm{s}",
        "{s}radius",
        "{Side}elbow",
    ),
    "wrist": ("{Side}wrist", "{Side}hand", "{s}hand", "hand{s}"),
}
NAMES: dict[str, tuple[str, ...]] = {
    "pelvis": ("hips", "hip", "pelvis", "root", "hipcentre"),
    "neck": ("neck", "neck01", "necktwist01", "lowerneck", "shouldercentre"),
    "head": ("head", "face"),
} | {
    f"{side}_{joint}": tuple(name.format(Side=side, s=side[0]) for name in names)
    for joint, names in _SIDED.items()
    for side in SIDES
}
"""What files call our joints, in lower case without the prefix that all share and without punctuation.

The spine is the path from pelvis to neck.
"""
OPTIONAL = tuple(f"{side}_{joint}" for side in SIDES for joint in ("foot", "collar", "wrist"))


def match_names(names: Sequence[str]) -> dict[str, int]:
    """Return the index of the name of each SMPL joint but the spine's, as far as names tell."""
    shared = commonprefix([name.lower() for name in names])
    plain = {}
    for index, name in enumerate(names):
        short = name.lower().removeprefix(shared).removeprefix("cc_base_").rpartition(":")[2]
        plain.setdefault("".join(letter for letter in short if letter.isalnum()), index)
    found: dict[str, int] = {}
    for joint, known in NAMES.items():
        candidates = [plain[name] for name in known if name in plain and plain[name] not in found.values()]
        if candidates:
            found[joint] = candidates[0]
    return found


def match_joints(motion: SkeletonMotion) -> dict[str, int]:
    """Return source joint of each SMPL joint but the spine's; InputError lists what has no partner."""
    found = match_names(motion.names)
    for side in SIDES:
        # A file without hand or toe may still say where the limb ends.
        for joint, above in (("wrist", "elbow"), ("foot", "ankle")):
            ends = [c for c, parent in enumerate(motion.parents) if parent == found.get(f"{side}_{above}")]
            if f"{side}_{joint}" not in found and ends:
                found[f"{side}_{joint}"] = ends[0]
    check_complete(motion.path, motion.names, found)
    _check_limbs(motion, found)
    return found


def check_complete(path: Path, names: Sequence[str], found: dict[str, int]) -> None:
    """Raise InputError where names told of no joint that we cannot do without."""
    missing = [joint for joint in NAMES if joint not in found and joint not in OPTIONAL]
    missing += [f"{side}_wrist" for side in SIDES if f"{side}_wrist" not in found and f"{side}_elbow" in found]
    if missing:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        raise InputError(
            path,
            f"has no joint that is {', '.join(missing)} (its joints: {shown})",
            "rename them to Hips, LeftUpLeg, LeftLeg, LeftFoot, Neck, Head, LeftArm, LeftForeArm, LeftHand, ...",
        )


def _check_limbs(motion: SkeletonMotion, found: dict[str, int]) -> None:
    """Raise InputError where a joint that carries the body's motion cannot: it does not turn, or has no bone."""
    turning = ["pelvis", *(f"{side}_{joint}" for side in SIDES for joint in ("hip", "knee", "shoulder", "elbow"))]
    for joint in turning:
        if found[joint] in motion.still:
            problem = f"does not let its joint {motion.names[found[joint]]} turn, our {joint}"
            raise InputError(motion.path, problem, "export rotations of every joint")
    rest = motion.rest_positions()
    least = 1e-4 * float(np.ptp(rest, axis=0).max())
    bones = [("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")]
    pairs = [(f"{side}_{upper}", f"{side}_{lower}") for side in SIDES for upper, lower in bones]
    for upper, lower in [*pairs, ("pelvis", "neck")]:
        apart = float(np.linalg.norm(rest[found[lower]] - rest[found[upper]]))
        if apart <= least:
            names = motion.names[found[lower]], motion.names[found[upper]]
            raise InputError(motion.path, f"has its joint {names[0]} where {names[1]} is", "export the bones' lengths")


def spine_between(motion: SkeletonMotion, pelvis: int, neck: int) -> list[int]:
    """Return joints from the pelvis up to the neck's parent; the pelvis alone where the neck does not hang on it."""
    chain, joint = [], motion.parents[neck]
    while joint >= 0 and joint != pelvis:
        chain.append(joint)
        joint = motion.parents[joint]
    return [pelvis, *chain[::-1]]
