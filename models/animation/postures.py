"""Postures that people hold between movements, by flexion in degrees: standing, kneeling, squatting, on all fours,
lying.

Signs are those of clinics: flexion of a hip lifts the knee forward, of a knee bends it; dorsiflexion lifts the toes.
Pairs are (left, right). Frames and limits are those of `models.physics.joint_specs`. Where a fit begins is another
question with other postures: `models.body.posture_library`.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.posture_library import tilt
from models.types import SMPL_JOINTS

Pair = tuple[float, float]


@dataclass(frozen=True)
class Posture:
    """Joint angles in degrees."""

    lean: float = 0.0
    """Of the pelvis forward; -90 lies on the back, 90 on the front."""
    roll: float = 0.0
    """About the body's long axis: of who lies on the back, 90 is onto the left side, -90 onto the right."""
    hips: Pair = (0.0, 0.0)
    out: Pair = (5.0, 5.0)
    """Abduction of the hips."""
    turn: Pair = (4.0, 4.0)
    """Outward rotation of the hips."""
    knees: Pair = (4.0, 4.0)
    ankles: Pair | None = None
    """Dorsiflexion; None lays the soles flat."""
    spine: float = 0.0
    bend: float = 0.0
    """Of the spine to the left."""
    twist: float = 0.0
    """Of the spine to the left."""
    neck: float = 0.0
    arms: Pair = (5.0, 5.0)
    """Flexion of the shoulders."""
    aside: Pair = (8.0, 8.0)
    """Abduction of the shoulders."""
    spin: Pair = (0.0, 0.0)
    """Outward rotation of the upper arms."""
    elbows: Pair = (20.0, 20.0)
    pronation: Pair = (10.0, 10.0)
    wrists: Pair = (0.0, 0.0)
    """Extension."""

    @property
    def tilt(self) -> Float[np.ndarray, "3 3"]:
        """Of the pelvis, in SMPL axes."""
        return tilt(np.radians(self.lean), 0.0, np.radians(self.roll))

    @property
    def body_pose(self) -> Float[np.ndarray, "69"]:
        """SMPL's body pose."""
        pose = np.zeros((23, 3))

        def rotated(joint: str, axes: str, *degrees: float) -> None:
            pose[SMPL_JOINTS.index(joint) - 1] = Rotation.from_euler(axes, degrees, degrees=True).as_rotvec()

        for index, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
            hip, knee = self.hips[index], self.knees[index]
            ankle = self.ankles[index] if self.ankles else min(28.0, knee + self.lean - hip)
            rotated(f"{side}_hip", "XZY", -hip, sign * self.out[index], sign * self.turn[index])
            rotated(f"{side}_knee", "XZY", knee, 0.0, 0.0)
            rotated(f"{side}_ankle", "XZY", -ankle, -sign * self.out[index] if self.ankles is None else 0.0, 0.0)
            rotated(f"{side}_collar", "XZY", 0.0, -5.0 * sign, 0.0)
            down = -sign * (82.0 - self.aside[index])
            rotated(f"{side}_shoulder", "XZX", -self.arms[index], down, -self.spin[index])
            rotated(f"{side}_elbow", "YZX", -sign * self.elbows[index], 0.0, self.pronation[index])
            rotated(f"{side}_wrist", "ZYX", sign * self.wrists[index], 0.0, 0.0)
        for joint in ("spine1", "spine2", "spine3"):
            rotated(joint, "XZY", self.spine / 3.0, -self.bend / 3.0, self.twist / 3.0)
        for joint in ("neck", "head"):
            rotated(joint, "XZY", self.neck / 2.0, 0.0, 0.0)
        return pose.reshape(69)


def varied(posture: Posture, rng: np.random.Generator) -> Posture:
    """Return the posture as another person has it: arms, trunk and head by some degrees each, legs by a few, alike."""

    def each(values: Pair, degrees: float) -> Pair:
        return values[0] + rng.normal(0.0, degrees), values[1] + rng.normal(0.0, degrees)

    return replace(
        posture,
        spine=posture.spine + rng.normal(0.0, 3.0),
        bend=posture.bend + rng.normal(0.0, 1.5),
        neck=posture.neck + rng.normal(0.0, 4.0),
        arms=each(posture.arms, 5.0),
        aside=each(posture.aside, 3.0),
        elbows=each(posture.elbows, 5.0),
        out=each(posture.out, 1.0),
    )


def both(degrees: float) -> Pair:
    """Return the same left and right."""
    return degrees, degrees


def shin_down(hip: float, lean: float) -> float:
    """Return flexion of a knee on the floor: the shin lies behind it, the ankle a little higher, the toes down."""
    return min(98.0 + hip - lean, 142.0)


def standing(old: float) -> Posture:
    """Return the posture: upright; `old` in [0, 1] stoops and bends the knees."""
    return Posture(
        lean=3.0 + 3.0 * old,
        hips=both(6.0 + 9.0 * old),
        knees=both(9.0 + 12.0 * old),
        spine=5.0 + 20.0 * old,
        neck=-3.0 - 14.0 * old,
        arms=both(6.0 + 14.0 * old),
        elbows=both(18.0 + 10.0 * old),
    )


def squatting(depth: float) -> Posture:
    """Return the posture: both knees bent, soles flat; `depth` in [0, 1] is from a half squat to a deep one."""
    return Posture(
        lean=28.0 + 8.0 * depth,
        hips=both(75.0 + 35.0 * depth),
        out=(12.0, 12.0),
        turn=(12.0, 12.0),
        knees=both(75.0 + 35.0 * depth),
        spine=20.0,
        neck=-25.0,
        arms=(55.0, 55.0),
        aside=(15.0, 15.0),
        elbows=(25.0, 25.0),
    )


def lunging(old: float) -> Posture:
    """Return the posture: half way down to one knee: the left foot in front, flat, the right behind on its toes."""
    return Posture(
        lean=14.0 + 14.0 * old,
        hips=(72.0, 12.0),
        out=(7.0, 4.0),
        knees=(70.0, 58.0),
        ankles=(12.0, -8.0),
        spine=15.0 + 12.0 * old,
        neck=-12.0,
        arms=(45.0, 45.0),
        elbows=(35.0, 35.0),
        aside=(6.0, 6.0),
    )


def half_kneeling(old: float) -> Posture:
    """Return the posture: the left foot in front, the right knee on the floor; hands on the front knee."""
    lean, hip = 8.0 + 14.0 * old, 2.0 + 6.0 * old
    return Posture(
        lean=lean,
        hips=(92.0 + 14.0 * old, hip),
        out=(8.0, 4.0),
        knees=(84.0, shin_down(hip, lean)),
        ankles=(0.0, -40.0),
        spine=15.0 + 12.0 * old,
        neck=-12.0,
        arms=(42.0, 42.0),
        elbows=(40.0, 40.0),
        aside=(2.0, -4.0),
    )


def drawing(old: float) -> Posture:
    """Return the posture: between both knees and one: the left thigh drawn up, its foot off the floor behind; the right
    knee carries."""
    lean, hip = 26.0 + 14.0 * old, 27.0 + 14.0 * old
    return Posture(
        lean=lean,
        hips=(84.0 + 14.0 * old, hip),
        out=(6.0, 4.0),
        knees=(134.0, shin_down(hip, lean)),
        ankles=(5.0, -40.0),
        spine=14.0 + 10.0 * old,
        neck=-15.0,
        arms=(45.0, 60.0),
        elbows=(30.0, 30.0),
    )


def kneeling(low: float) -> Posture:
    """Return the posture: on both knees; `low` in [0, 1] sits down on the heels."""
    lean, hip = 4.0 + 24.0 * low, 4.0 + 70.0 * low
    return Posture(
        lean=lean,
        hips=(hip, hip),
        out=(6.0, 6.0),
        knees=both(shin_down(hip, lean)),
        ankles=(-42.0, -42.0),
        spine=6.0 + 14.0 * low,
        neck=-6.0,
        arms=both(10.0 + 30.0 * low),
        elbows=(35.0, 35.0),
    )


def all_fours() -> Posture:
    """Return the posture: on hands and knees."""
    return crawling(0.0, 0.0)


def crawling(stride: float, lifted: float) -> Posture:
    """Return the posture: on all fours with the left knee and right hand in front for positive strides; `lifted` raises
    the ones that swing.

    At `stride` 0 with `lifted` 1 the left knee and right hand swing forward, with -1 the right knee and left hand.
    """
    left, right, lean = max(lifted, 0.0), max(-lifted, 0.0), 75.0
    hips = (75.0 + 16.0 * stride + 5.0 * left, 75.0 - 16.0 * stride + 5.0 * right)
    return Posture(
        lean=lean,
        hips=hips,
        out=(4.0, 4.0),
        knees=(shin_down(hips[0], lean), shin_down(hips[1], lean)),
        ankles=(-42.0, -42.0),
        spine=4.0,
        twist=-4.0 * stride,
        neck=-25.0,
        arms=(78.0 - 15.0 * stride + 8.0 * right, 78.0 + 15.0 * stride + 8.0 * left),
        aside=(6.0, 6.0),
        elbows=(20.0 + 15.0 * right, 20.0 + 15.0 * left),
        pronation=(65.0, 65.0),
        wrists=(55.0, 55.0),
    )


def supine() -> Posture:
    """Return the posture: on the back, arms beside the body."""
    return Posture(
        lean=-90.0,
        hips=(2.0, 2.0),
        out=(8.0, 8.0),
        turn=(18.0, 18.0),
        knees=(5.0, 5.0),
        ankles=(-28.0, -28.0),
        neck=6.0,
        arms=(-4.0, -4.0),
        aside=(16.0, 16.0),
        elbows=(18.0, 18.0),
        pronation=(45.0, 45.0),
    )


def knees_up() -> Posture:
    """Return the posture: on the back, knees bent, soles on the floor."""
    return replace(supine(), hips=(52.0, 52.0), out=(5.0, 5.0), turn=(0.0, 0.0), knees=(102.0, 102.0), ankles=None)


def on_side() -> Posture:
    """Return the posture: on the left side, knees drawn up, the left arm in front below, the right one over the
    chest."""
    return Posture(
        lean=-90.0,
        roll=88.0,
        hips=(45.0, 65.0),
        out=(0.0, -16.0),
        turn=(0.0, -4.0),
        knees=(65.0, 80.0),
        ankles=(-20.0, -20.0),
        spine=12.0,
        neck=4.0,
        arms=(70.0, 45.0),
        aside=(0.0, -15.0),
        spin=(0.0, -35.0),
        elbows=(70.0, 25.0),
    )


def prone() -> Posture:
    """Return the posture: on the front, hands beside the shoulders (turned over the left side from `supine`)."""
    return Posture(
        lean=-90.0,
        roll=180.0,
        hips=(0.0, 0.0),
        out=(7.0, 7.0),
        turn=(8.0, 8.0),
        knees=(6.0, 6.0),
        ankles=(-42.0, -42.0),
        spine=-3.0,
        neck=-18.0,
        arms=(-8.0, -8.0),
        aside=(50.0, 50.0),
        spin=(72.0, 72.0),
        elbows=(105.0, 105.0),
    )


def propped(lies: str, share: float) -> Posture:
    """Return the posture: half risen from lying (`supine`, `left_side`, `prone`): the trunk raised on the arms, as far
    as the strength goes."""
    if lies == "supine":
        return replace(
            supine(),
            lean=-90.0 + 30.0 * share,
            hips=(20.0 * share, 26.0 * share),
            knees=(20.0, 30.0),
            spine=40.0 * share,
            neck=18.0,
            arms=(-30.0 * share, -30.0 * share),
            aside=(22.0, 22.0),
            elbows=(65.0, 65.0),
        )
    if lies == "left_side":
        return replace(
            on_side(),
            roll=100.0,
            lean=-90.0 + 10.0 * share,
            bend=-30.0 * share,
            neck=6.0,
            aside=(30.0, -20.0),
            elbows=(85.0, 30.0),
        )
    return replace(
        prone(), spine=-26.0 * share, neck=-22.0, arms=(14.0 * share, 14.0 * share), elbows=both(105.0 - 35.0 * share)
    )
