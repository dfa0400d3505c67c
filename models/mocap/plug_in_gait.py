"""Joints of a body from the 39 skin markers of Vicon's Plug-in Gait.

Pelvis, thorax, head and hands are frames of their own markers; hips follow from the pelvis by regression (Harrington
et al. 2007, Journal of Biomechanics 40), the joint at C7 and the shoulders by those of Dumas et al. (2007, ibid. 40)
and Rab et al. (2002, Gait & Posture 15). Knees, ankles and elbows lie half a joint's breadth from the marker on their
outer side, at a right angle to the limb (the chord function of R. Davis et al. 1991, Human Movement Science 10), along
the hinge about which the limb bends. Breadths of joints are those of the average adult: nobody's are in the file.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from models.geometry.easing import smoothstep
from models.geometry.transforms import matrix_from_axis_angle, unit
from models.types import SMPL_JOINTS

_SIDED = "FHD BHD SHO UPA ELB FRM WRA WRB FIN ASI PSI THI KNE TIB ANK HEE TOE"
MARKERS = ("C7", "T10", "CLAV", "STRN", "RBAK", *(f"{side}{name}" for side in "LR" for name in _SIDED.split()))
"""As the Plug-in Gait guide names them."""
UNUSED = frozenset({"RBAK", "LFRM", "RFRM", "LTHI", "RTHI", "LTIB", "RTIB"})
"""Markers that tell left from right, or turns that follow from others."""
KNEE_M, ANKLE_M, ELBOW_M = 0.056, 0.042, 0.041
"""From the marker's centre to the joint's: half the breadth of the average adult's joint (0.098, 0.070, 0.068 m) and
the radius of a marker (0.007 m)."""
KNEE_BELOW_M, BENDS_DEG = 0.045, 45.0
"""How far the axis of the knee lies along the thigh below what the marker shows, in a take whose knee bends by less
than this many degrees; of others it is fitted. It is the mean of the ten people of UI-PRMD (0.03 to 0.07 m): skin
slides over the epicondyle, and without it their shins are 4 to 9 cm shorter in a squat than when they stand."""
PELVIC_TILT_DEG = 11.0
"""How far the plane of the four pelvic markers leans forward in who stands (Levine and Whittle 1996, J Orthop Sports
Phys Ther 24)."""
BALL_BELOW_TOE_M = 0.03
"""The joint of the ball of the foot below the marker on the second metatarsal head."""
COLLAR_M = (0.08, -0.03, -0.075)
"""SMPL's collar from the marker CLAV, thorax axes (left, up, ahead), of the left side."""
CJC_SHARE, CJC_DEG = 0.55, 11.0
"""The joint at C7 from its marker: of the distance to CLAV, above the line to it (mean of women's 14 and men's 8)."""


def joints_from_markers(
    at: Mapping[str, Float[np.ndarray, "time 3"]],
) -> tuple[Float[np.ndarray, "time 22 3"], dict[str, Float[np.ndarray, "time 3 3"]]]:
    """Return positions of SMPL's first 22 joints, and rotations in the world of pelvis, spine3, neck, head and wrists,
    of markers by name; metres, in any world axes (right-handed).

    Rotations are of the body's axes (left, up, ahead), zero in the T-pose.
    """
    joints: dict[str, Float[np.ndarray, "time 3"]] = {}
    pelvis = _pelvis(at, joints)
    thorax = _thorax(at)
    joints["neck"] = _neck_joint(at, thorax)
    spine3 = joints["neck"] + thorax @ np.array([0.0, -0.2139, 0.0429])
    for number, share in ((2, 2.0 / 3.0), (3, 1.0)):
        joints[f"spine{number}"] = joints["spine1"] + share * (spine3 - joints["spine1"])
    head = _frame(
        left=at["LFHD"] - at["RFHD"] + at["LBHD"] - at["RBHD"],
        ahead=at["LFHD"] + at["RFHD"] - at["LBHD"] - at["RBHD"],
    )
    # A neck turns half as far as the head upon it.
    neck = _frame(thorax[..., 0] + head[..., 0], thorax[..., 2] + head[..., 2])
    joints["head"] = joints["neck"] + neck @ np.array([0.0, 0.065, 0.0513])
    known = {"pelvis": pelvis, "spine3": thorax, "neck": neck, "head": head}
    # Acromia come together in who lifts the arms: their distance is that of the arms hanging.
    across = float(np.percentile(np.linalg.norm(at["LSHO"] - at["RSHO"], axis=-1), 90.0))
    for side, letter, sign in (("left", "L", 1.0), ("right", "R", -1.0)):
        joints[f"{side}_collar"] = at["CLAV"] + thorax @ (np.array(COLLAR_M) * (sign, 1.0, 1.0))
        joints[f"{side}_shoulder"] = at[f"{letter}SHO"] - 0.17 * across * thorax[..., 1]
        known[f"{side}_wrist"] = _arm(at, joints, side, letter, sign)
        _leg(at, joints, side, letter, sign)
    return np.stack([joints[name] for name in SMPL_JOINTS[:22]], axis=1), known


def _frame(left: Float[np.ndarray, "time 3"], ahead: Float[np.ndarray, "time 3"]) -> Float[np.ndarray, "time 3 3"]:
    """Axes left, up, ahead as columns: the first exactly, the last as nearly as that allows."""
    left = unit(left)
    up = unit(np.cross(ahead, left))
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _pelvis(
    at: Mapping[str, Float[np.ndarray, "time 3"]], joints: dict[str, Float[np.ndarray, "time 3"]]
) -> Float[np.ndarray, "time 3 3"]:
    """Hips, pelvis and the spine's first joint into `joints`; the pelvis' axes."""
    front, back = (at["LASI"] + at["RASI"]) / 2.0, (at["LPSI"] + at["RPSI"]) / 2.0
    axes = _frame(at["LASI"] - at["RASI"], front - back)
    width = np.median(np.linalg.norm(at["LASI"] - at["RASI"], axis=-1))
    depth = np.median(np.linalg.norm(front - back, axis=-1))
    for side, sign in (("left", 1.0), ("right", -1.0)):
        inside = np.array([sign * (0.33 * width + 0.0073), -0.30 * width - 0.0109, -0.24 * depth - 0.0099])
        joints[f"{side}_hip"] = front + axes @ inside
    upright = axes @ matrix_from_axis_angle(np.array([-np.radians(PELVIC_TILT_DEG), 0.0, 0.0]))
    joints["pelvis"] = (joints["left_hip"] + joints["right_hip"]) / 2.0 + upright @ np.array([0.0, 0.091, 0.0056])
    joints["spine1"] = joints["pelvis"] + upright @ np.array([0.0, 0.109, -0.0267])
    return upright


def _thorax(at: Mapping[str, Float[np.ndarray, "time 3"]]) -> Float[np.ndarray, "time 3 3"]:
    """The thorax' axes after Plug-in Gait: up first, ahead as nearly as that allows."""
    up = unit(at["CLAV"] + at["C7"] - at["STRN"] - at["T10"])
    ahead = at["CLAV"] + at["STRN"] - at["C7"] - at["T10"]
    left = unit(np.cross(up, ahead))
    return np.stack([left, up, np.cross(left, up)], axis=-1)


def _neck_joint(
    at: Mapping[str, Float[np.ndarray, "time 3"]], thorax: Float[np.ndarray, "time 3 3"]
) -> Float[np.ndarray, "time 3"]:
    """The joint between neck and thorax."""
    across = at["CLAV"] - at["C7"]
    left = thorax[..., 0]
    across = across - np.sum(across * left, axis=-1, keepdims=True) * left
    turn = matrix_from_axis_angle(-np.radians(CJC_DEG) * left)
    return at["C7"] + CJC_SHARE * np.einsum("tij,tj->ti", turn, across)


def _hinged(
    above: Float[np.ndarray, "time 3"],
    marker: Float[np.ndarray, "time 3"],
    below: Float[np.ndarray, "time 3"],
    straight: Float[np.ndarray, "time 3"],
    turns: float,
    distance_m: float,
) -> Float[np.ndarray, "time 3"]:
    """A joint whose marker is on the outer side of its hinge: inward is `turns` times upper x lower limb (1 or -1);
    while the limb is nearly straight, `straight`."""
    joint = _chord(above, marker, straight, distance_m)
    for _ in range(4):
        hinge = turns * np.cross(unit(above - joint), unit(below - joint))
        sine = np.linalg.norm(hinge, axis=-1, keepdims=True)
        share = smoothstep((sine - 0.2) / 0.3)
        inward = share * hinge / np.maximum(sine, 1e-9) + (1.0 - share) * unit(straight)
        joint = _chord(above, marker, inward, distance_m)
    return joint


def _chord(
    above: Float[np.ndarray, "time 3"],
    marker: Float[np.ndarray, "time 3"],
    inward: Float[np.ndarray, "time 3"],
    distance_m: float,
) -> Float[np.ndarray, "time 3"]:
    """The joint at a distance from the marker on its outer side, where the limb from the joint above is at a right
    angle to that line, towards `inward`."""
    along = above - marker
    length = np.linalg.norm(along, axis=-1, keepdims=True)
    along = along / length
    across = unit(inward - np.sum(inward * along, axis=-1, keepdims=True) * along)
    cosine = np.minimum(distance_m / length, 1.0)
    return marker + distance_m * (cosine * along + np.sqrt(1.0 - cosine**2) * across)


def _leg(
    at: Mapping[str, Float[np.ndarray, "time 3"]],
    joints: dict[str, Float[np.ndarray, "time 3"]],
    side: str,
    letter: str,
    sign: float,
) -> None:
    """Knee, ankle and ball of the foot into `joints`: the markers at knee and ankle are on the outer side."""
    hip, outer, toe = joints[f"{side}_hip"], at[f"{letter}KNE"], at[f"{letter}TOE"]
    malleolus, ahead = at[f"{letter}ANK"], toe - at[f"{letter}HEE"]
    across = sign * np.cross(ahead, outer - malleolus)
    ankle = _chord(outer, malleolus, across, ANKLE_M)
    knee = _hinged(hip, outer, ankle, across, sign, KNEE_M)
    thigh = unit(knee - hip)
    knee = knee + _knee_below(thigh, knee - _chord(knee, malleolus, across, ANKLE_M)) * thigh
    ankle = _chord(knee, malleolus, across, ANKLE_M)
    joints[f"{side}_knee"], joints[f"{side}_ankle"] = knee, ankle
    # Heel and toe markers are equally high above the sole: what is across their line, towards the ankle, is up.
    along = unit(ahead)
    up = ankle - toe
    up = unit(up - np.sum(up * along, axis=-1, keepdims=True) * along)
    joints[f"{side}_foot"] = toe - BALL_BELOW_TOE_M * up


def _knee_below(thigh: Float[np.ndarray, "time 3"], shin: Float[np.ndarray, "time 3"]) -> float:
    """Return how far below the knee that markers show, along the thigh, a knee is from which the shin is of one length
    in all frames; `shin` points from the ankle to the first."""
    along = np.sum(thigh * shin, axis=-1)
    bend = np.degrees(np.arccos(np.clip(-along / np.linalg.norm(shin, axis=-1), -1.0, 1.0)))
    if np.ptp(np.percentile(bend, [5.0, 95.0])) < BENDS_DEG:
        return KNEE_BELOW_M
    # |shin + c thigh|^2 = |shin|^2 + 2 c along + c^2: the c with the least variance over time.
    covariance = np.cov(np.sum(shin**2, axis=-1), along)
    return float(np.clip(-covariance[0, 1] / (2.0 * covariance[1, 1]), -0.02, 0.10))


def _arm(
    at: Mapping[str, Float[np.ndarray, "time 3"]],
    joints: dict[str, Float[np.ndarray, "time 3"]],
    side: str,
    letter: str,
    sign: float,
) -> Float[np.ndarray, "time 3 3"]:
    """Elbow and wrist into `joints`; the hand's axes."""
    shoulder, marker = joints[f"{side}_shoulder"], at[f"{letter}ELB"]
    wrist = (at[f"{letter}WRA"] + at[f"{letter}WRB"]) / 2.0
    # The marker on the upper arm shows the outer side of a straight elbow.
    along = unit(shoulder - marker)
    straight = marker - at[f"{letter}UPA"]
    straight = straight - np.sum(straight * along, axis=-1, keepdims=True) * along
    joints[f"{side}_elbow"] = _hinged(shoulder, marker, wrist, straight, -sign, ELBOW_M)
    joints[f"{side}_wrist"] = wrist
    # Palms face down in the T-pose: the thumb's side is ahead.
    out = unit(at[f"{letter}FIN"] - wrist)
    thumb = at[f"{letter}WRA"] - at[f"{letter}WRB"]
    thumb = unit(thumb - np.sum(thumb * out, axis=-1, keepdims=True) * out)
    left = sign * out
    return np.stack([left, np.cross(thumb, left), thumb], axis=-1)
