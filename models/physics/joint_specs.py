"""Joints of the humanoid: axes, ranges, strength, shares of mass, and which limbs may touch.

Segment masses: de Leva 1964, Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters (mean of women and men);
the trunk's share is split over the spine's joints by height.
"""

from dataclasses import dataclass

from models.types import SMPL_JOINTS


@dataclass(frozen=True)
class JointSpec:
    """One kind of joint of the left side; the right side mirrors the ranges about x."""

    axes: str
    """Order of the hinges; empty is a ball joint."""
    ranges_deg: tuple[tuple[float, float], ...]
    stiffness: float
    """Proportional gain when fully awake, N m / rad."""
    torque: float
    """Greatest torque of a healthy adult, N m."""
    damping: float
    """N m s / rad."""
    mass: float
    """Share of body mass moved by this joint (de Leva)."""


JOINTS: dict[str, JointSpec] = {
    "pelvis": JointSpec("", (), 0.0, 0.0, 0.0, 0.1142),
    "hip": JointSpec("xzy", ((-125.0, 25.0), (-25.0, 45.0), (-40.0, 40.0)), 350.0, 180.0, 6.0, 0.1447),
    "knee": JointSpec("xzy", ((-2.0, 145.0), (-4.0, 4.0), (-12.0, 12.0)), 300.0, 160.0, 4.0, 0.0457),
    "ankle": JointSpec("xzy", ((-30.0, 45.0), (-20.0, 20.0), (-25.0, 25.0)), 220.0, 110.0, 3.0, 0.0133),
    "spine1": JointSpec("xzy", ((-12.0, 28.0), (-13.0, 13.0), (-12.0, 12.0)), 400.0, 200.0, 10.0, 0.0850),
    "spine2": JointSpec("xzy", ((-10.0, 25.0), (-13.0, 13.0), (-14.0, 14.0)), 400.0, 200.0, 10.0, 0.0782),
    "spine3": JointSpec("xzy", ((-10.0, 22.0), (-12.0, 12.0), (-14.0, 14.0)), 400.0, 200.0, 10.0, 0.1127),
    "neck": JointSpec("xzy", ((-30.0, 30.0), (-20.0, 20.0), (-35.0, 35.0)), 60.0, 25.0, 1.5, 0.0118),
    "head": JointSpec("xzy", ((-25.0, 22.0), (-18.0, 18.0), (-35.0, 35.0)), 40.0, 18.0, 1.0, 0.0563),
    "collar": JointSpec("xzy", ((-10.0, 10.0), (-12.0, 25.0), (-22.0, 15.0)), 150.0, 60.0, 4.0, 0.0203),
    "shoulder": JointSpec("", ((0.0, 125.0),), 130.0, 60.0, 2.5, 0.0263),
    "elbow": JointSpec("yzx", ((-145.0, 2.0), (-4.0, 4.0), (-80.0, 80.0)), 60.0, 45.0, 1.2, 0.0150),
    "wrist": JointSpec("zyx", ((-60.0, 60.0), (-25.0, 25.0), (-30.0, 30.0)), 10.0, 8.0, 0.3, 0.0058),
}

SIMULATED = tuple(index for index, name in enumerate(SMPL_JOINTS) if not name.endswith(("_foot", "_hand")))
TRUNK = ("pelvis", "spine1", "spine2", "spine3")
# Limbs that must not pass through other parts of the body; neighbours in the tree overlap by nature and are left out.
COLLIDING = tuple(
    (a, b)
    for side, other in (("left", "right"), ("right", "left"))
    for a, targets in (
        ("wrist", ("pelvis", "spine1", "spine2", "spine3", "head", f"{side}_hip", f"{other}_hip", f"{other}_elbow")),
        ("elbow", ("pelvis", "spine1", "spine2", "spine3", "head", f"{side}_hip", f"{other}_hip")),
        ("shoulder", ("spine1", "spine2")),
        ("knee", (f"{other}_hip",)),
    )
    for a, b in [(f"{side}_{a}", target) for target in targets]
) + (("left_hip", "right_hip"), ("left_knee", "right_knee"), ("left_ankle", "right_ankle"),
     ("left_elbow", "right_elbow"), ("left_wrist", "right_wrist"),
     ("left_ankle", "right_knee"), ("right_ankle", "left_knee"))  # fmt: skip


def joint_spec(name: str) -> JointSpec:
    """Return specification of a joint by its SMPL name."""
    return JOINTS[name.removeprefix("left_").removeprefix("right_")]
