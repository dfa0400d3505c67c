"""People together before physics: who does what, and which hands are to hold what, as every act returns it."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from models.animation.postures import Posture
from models.body.anthropometry import body_mass_kg
from models.body.model import BodyModel, BodyShape
from models.body.placement import transform_track
from models.body.subject import Subject
from models.body.tracks import rest_root, track_joints
from models.geometry.easing import minimum_jerk
from models.geometry.transforms import axis_angle_from_matrix, transform, yaw
from models.interactions.hand_holds import Hold, Side, check_holds
from models.physics.humanoid import Box
from models.text.captions import Facts, age_of, sex_of
from models.text.vocabulary import Event
from models.types import SMPL_JOINTS, PersonTrack, Role, take

OTHER: dict[Side, Side] = {"left": "right", "right": "left"}
OFFERED = Posture(arms=(28.0, 28.0), aside=(14.0, 14.0), elbows=(78.0, 78.0), pronation=(55.0, 55.0))
"""Forearms held out to be taken."""
IN_FRONT = Posture(arms=(14.0, 14.0), aside=(8.0, 8.0), elbows=(40.0, 40.0))
"""An arm out of the way of somebody's hand on the back, and still."""
CHANGE_S = 0.5
"""How long somebody takes from how one movement ends to how the next begins."""
Acted = tuple[PersonTrack, Int[np.ndarray, "_"]]
"""A track and its actions."""


def draw_subject(
    body: BodyModel, name: str, role: Role, age_years: tuple[float, float], rng: np.random.Generator
) -> Subject:
    """Draw a grown person of an age between two, of any stature, build and sex."""
    age, stature, build = float(rng.uniform(*age_years)), float(rng.uniform(1.5, 1.85)), float(rng.uniform(0.2, 0.8))
    shape = BodyShape(age_years=age, sex=rng.uniform(), stature_m=stature, build=build)
    betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)
    return Subject(body, betas, age, role, body_mass_kg(stature, build), shape.sex, frailty=0.5, name=name)


def facts_of(event: Event, one: Subject, other: Subject, **said: Any) -> Facts:
    """Return the facts of what `other` does, to or with `one`."""
    return Facts(event, role=other.role, sex=sex_of(other.sex), age=age_of(other.age_years), other=one.role, **said)


@dataclass(frozen=True)
class Interaction:
    """Two people or more, not touching yet; InputError where hands are given more to hold than they can."""

    people: tuple[Acted, ...]
    """The first is helped, met or talked to."""
    facts: Facts
    holds: tuple[Hold, ...] = ()
    boxes: tuple[Box, ...] = ()
    given_s: float = 0.0
    """Until when the motion of the first comes from the simulation of a fall."""
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_holds(self.holds, len(self.people))


def rising_holds(side: Side | None, grab_s: float, until_s: float) -> tuple[tuple[Hold, ...], tuple[Side, ...]]:
    """Return how a carer holds somebody who is helped up, and the arms that are offered for it: both forearms from the
    front, or from a side the back and that forearm."""
    if side is None:
        arms: tuple[Side, ...] = ("left", "right")
        holds = tuple(
            Hold(OTHER[arm], f"{arm}_forearm", grab_s, grab_s + 0.9, until_s, until_s + 0.8, (0.3, out, -0.6))
            for arm, out in zip(arms, (0.6, -0.6), strict=True)
        )
        return holds, arms
    out = 0.3 if side == "left" else -0.3
    return (
        Hold(OTHER[side], "back", grab_s, grab_s + 0.9, until_s, until_s + 0.8),
        Hold(side, f"{side}_forearm", grab_s + 0.2, grab_s + 1.1, until_s, until_s + 0.8, (0.4, out, 0.4)),
    ), (side,)


def followed_by(person: Subject, before: Acted, after: Acted, heading: float, fps: float) -> Acted:
    """Return one act after the other, the second placed on the feet of the first's end and eased into over CHANGE_S."""
    root = rest_root(person.body, person.betas)
    ankles = [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
    last = take(before[0], np.array([len(before[1]) - 1]))
    rotated = transform_track(after[0], root, transform(yaw(heading), np.zeros(3)))
    shift = track_joints(person.body, last)[0, ankles].mean(axis=0) - track_joints(
        person.body, take(rotated, np.array([0]))
    )[0, ankles].mean(axis=0)
    transformed = replace(rotated, transl=rotated.transl + np.array([*shift[:2], 0.0]))
    fade = 1.0 - minimum_jerk(np.arange(len(after[1])) / fps / CHANGE_S)

    def eased(vectors: Float[np.ndarray, "time 3"], start: Float[np.ndarray, "3"]) -> Float[np.ndarray, "time 3"]:
        now = Rotation.from_rotvec(vectors)
        away = (now.inv() * Rotation.from_rotvec(start)).as_rotvec()
        return axis_angle_from_matrix((now * Rotation.from_rotvec(fade[:, None] * away)).as_matrix())

    pose = np.concatenate(
        [eased(transformed.body_pose[:, i : i + 3], last.body_pose[0, i : i + 3]) for i in range(0, 69, 3)], axis=-1
    )
    transl = transformed.transl + fade[:, None] * (last.transl[0] - transformed.transl[0])
    orient = eased(transformed.global_orient, last.global_orient[0])
    both = replace(
        before[0],
        global_orient=np.concatenate([before[0].global_orient, orient]),
        body_pose=np.concatenate([before[0].body_pose, pose]),
        transl=np.concatenate([before[0].transl, transl]),
        visible=np.concatenate([before[0].visible, transformed.visible]),
        confidence=np.concatenate([before[0].confidence, transformed.confidence]),
    )
    return both, np.concatenate([before[1], after[1]])
