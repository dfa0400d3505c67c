"""What people do on purpose that looks like a fall for a moment: sitting and lying down, kneeling, squatting, picking
up.

A classifier that has seen only walks and falls calls every low body a fall; these are the counterexamples. Keys
(models/animation/floor_transitions.py) or an `Actor` say what is done, and the humanoid does it
(models/physics/tracking.py), so that falls and look-alikes carry the same traces of physics.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int

from models.animation.actor import Actor, actor_of
from models.animation.floor_transitions import (
    FEET,
    both_knees,
    crawl_on,
    down_to_a_knee,
    down_to_the_side,
    key,
    paced,
    up_from_a_knee,
    up_to_all_fours,
    upright,
)
from models.animation.keyframes import Key, mirrored_key, perform
from models.animation.postures import Posture, all_fours, knees_up, on_side, prone, squatting, supine, varied
from models.animation.props import bed_behind, chair_behind, lowered
from models.body.subject import Subject
from models.physics.humanoid import Box, build_humanoid
from models.physics.tracking import TrackingConfig, substeps_of, track_motion
from models.types import Motion, PersonTrack, take

LONGEST_S = 9.0
SIDES = ("left", "right")
HULL_M = 0.03
"""How much lower than the skin of who sits the humanoid's thighs are, whose hulls do not give way; feet would hang."""


@dataclass(frozen=True)
class Act:
    """What is to be done, before physics."""

    caption: str
    keys: tuple[Key, ...] = ()
    """On the floor, or on the bed's top; empty where an actor acts."""
    performed: tuple[PersonTrack, Int[np.ndarray, "time"]] | None = None
    """Track and actions of an `Actor`."""
    boxes: tuple[Box, ...] = ()
    height_m: float = 0.0
    """Of what the keys are performed on."""
    side: str = ""
    """The side turned to or stepped with, where there is one."""
    sway: float = 1.0


def look_alike(subject: Subject, kind: str, fps: float, rng: np.random.Generator) -> Motion:
    """Return one look-alike of a fall (of LOOK_ALIKES), 4 to 9 s at `fps` (30 Hz or more), floor at z = 0.

    It begins near the origin; who stands, sits or crawls faces +x, who lies has the head at -x (at +y after
    `lie_down_bed`). The subject's mass is drawn here. Details: kind, age_years, caption, side, and furniture as label,
    height_m, centre, half_sizes and yaw in the same frame. Raises Rejected where physics will not have it.
    """
    act = LOOK_ALIKES[kind](Scene(subject, fps, rng))
    body, betas, frame_s = subject.body, subject.betas, 1.0 / fps
    mass_kg = float(rng.uniform(21.0, 29.0)) * body.stature(betas) ** 2
    humanoid = build_humanoid(body, betas, mass_kg, frame_s / substeps_of(fps), act.boxes)
    if act.performed is not None:
        track, actions = act.performed
    else:
        done = perform(body, humanoid, betas, act.keys, fps, act.sway, rng)
        transl = done.transl + np.array([0.0, 0.0, act.height_m])
        track, actions = subject.track(done.global_orient, done.body_pose, transl), done.actions
    track = track_motion(humanoid, track, fps, TrackingConfig())
    details = {
        "kind": kind,
        "age_years": subject.age_years,
        "caption": act.caption,
        "side": act.side,
        "furniture": [
            {
                "label": box.label,
                "height_m": box.top_m,
                "centre": box.centre.tolist(),
                "half_sizes": box.half_sizes.tolist(),
                "yaw": box.yaw,
            }
            for box in act.boxes
        ],
    }
    return Motion(np.arange(len(actions)) / fps, (track,), actions[None], "physics", details)


@dataclass(frozen=True)
class Scene:
    """Who acts, and chance."""

    subject: Subject
    fps: float
    rng: np.random.Generator

    @property
    def old(self) -> float:
        """How much age slows and stoops, see `Subject.old`."""
        return self.subject.old

    def pace(self) -> float:
        """Return how much longer things take than a young adult takes."""
        return float((0.95 + 0.5 * self.old) * self.rng.uniform(0.92, 1.2))

    def sided(self, keys: list[Key]) -> tuple[tuple[Key, ...], str]:
        """Return the keys at this person's pace, as they are or mirrored, and the side they go to."""
        side = str(self.rng.choice(SIDES))
        timed = paced(keys, self.pace(), LONGEST_S)
        return tuple(timed if side == "left" else [mirrored_key(k) for k in timed]), side

    def actor(self) -> Actor:
        """Return somebody at the origin who faces +x."""
        return actor_of(self.subject, self.fps, self.rng)

    def performed(self, actor: Actor, boxes: tuple[Box, ...], first: int, caption: str) -> Act:
        """Return what an actor did from a frame on, with the seat or bed as low as the body presses it."""
        track, actions = actor.track(self.subject, actor.frames)
        kept = np.arange(first, min(actor.frames, first + round(LONGEST_S * self.fps)))
        track, actions = take(track, kept), actions[kept]
        lowest = int(np.argmin(track.transl[:, 2]))
        seat = lowered(self.subject.body, track, boxes[0], lowest, HULL_M) if boxes else None
        return Act(caption, performed=(track, actions), boxes=(seat, *boxes[1:]) if seat else ())


def _sit_down(scene: Scene) -> Act:
    actor, rng = scene.actor(), scene.rng
    support, boxes = chair_behind(actor, float(rng.uniform(0.38, 0.50)), np.zeros(2))
    actor.stand(float(rng.uniform(0.6, 1.2)))
    actor.sit_down(support, float(rng.uniform(1.0, 1.6)) * (1.0 + 0.6 * scene.old))
    actor.sit(support, float(rng.uniform(2.4, 3.4)))
    return scene.performed(actor, boxes, 0, "a person sits down on a chair")


def _sit(scene: Scene) -> Act:
    actor = scene.actor()
    support, boxes = chair_behind(actor, float(scene.rng.uniform(0.38, 0.50)), np.zeros(2))
    actor.sit_down(support, 1.0)
    first = actor.frames + round(0.4 * scene.fps)
    actor.sit(support, float(scene.rng.uniform(5.0, 7.0)))
    return scene.performed(actor, boxes, first, "a person sits on a chair")


def _stand_up(scene: Scene) -> Act:
    actor, rng = scene.actor(), scene.rng
    label = str(rng.choice(["chair", "bed"]))
    height = float(rng.uniform(0.40, 0.52))
    if label == "chair":
        support, boxes = chair_behind(actor, height, np.zeros(2))
    else:
        support, bed = bed_behind(actor, height, float(rng.uniform(0.05, 0.12)))
        boxes = (bed,)
    actor.sit_down(support, 1.0)
    first = actor.frames + round(0.4 * scene.fps)
    actor.sit(support, float(rng.uniform(1.6, 2.4)))
    actor.stand_up(support, float(rng.uniform(1.2, 1.8)) * (1.0 + 0.8 * scene.old))
    actor.stand(float(rng.uniform(1.3, 2.0)))
    return scene.performed(actor, boxes, first, f"a person stands up from a {label}")


def _lie_down_bed(scene: Scene) -> Act:
    actor, rng = scene.actor(), scene.rng
    support, bed = bed_behind(actor, float(rng.uniform(0.42, 0.58)), float(rng.uniform(0.15, 0.30)))
    actor.stand(float(rng.uniform(0.4, 0.8)))
    actor.sit_down(support, float(rng.uniform(1.2, 1.6)) * (1.0 + 0.3 * scene.old))
    actor.sit(support, float(rng.uniform(0.3, 0.8)))
    actor.lie_down(support, float(rng.uniform(2.0, 2.6)), float(rng.uniform(1.2, 2.0)))
    return scene.performed(actor, (bed,), 0, "a person lies down on a bed")


def _pick_up(scene: Scene) -> Act:
    rng = scene.rng
    if rng.random() < 0.5:
        actor = scene.actor()
        actor.stand(float(rng.uniform(0.8, 1.2)))
        actor.stand(float(rng.uniform(2.4, 3.2)) * (1.0 + 0.4 * scene.old), "bend")
        actor.stand(float(rng.uniform(0.8, 1.2)))
        return scene.performed(actor, (), 0, "a person bends down and picks something up")
    standing_posture, first = upright(scene.old, float(rng.uniform(0.7, 1.1)), rng)
    depth = float(rng.uniform(0.5, 1.0)) * (1.0 - 0.5 * scene.old)
    low = squatting(depth)
    low = replace(low, lean=low.lean + 14.0, spine=42.0, arms=(65.0, 95.0), aside=(12.0, 4.0), elbows=(30.0, 8.0))
    keys = [
        first,
        key(low, 1.3, float(rng.uniform(0.5, 0.9)), "other", planted=FEET, balanced=True),
        key(standing_posture, 1.4, float(rng.uniform(0.8, 1.3)), "other", "standing", planted=FEET, balanced=True),
    ]
    timed, side = scene.sided(keys)
    return Act("a person squats and picks something up", timed, side=side)


def _squat(scene: Scene) -> Act:
    rng = scene.rng
    standing_posture, first = upright(scene.old, float(rng.uniform(0.6, 1.0)), rng)
    low = varied(squatting(float(rng.uniform(0.2, 1.0)) * (1.0 - 0.6 * scene.old)), rng)
    keys = [
        first,
        key(low, 1.3, float(rng.uniform(0.8, 1.6)), "squat_down", "squatting", planted=FEET, balanced=True),
        key(standing_posture, 1.4, float(rng.uniform(0.7, 1.1)), "stand_up", "standing", planted=FEET, balanced=True),
    ]
    timed, side = scene.sided(keys)
    return Act("a person squats and stands up again", timed, side=side)


def _kneel(scene: Scene) -> Act:
    rng, old = scene.rng, scene.old
    standing_posture, first = upright(old, float(rng.uniform(0.4, 0.8)), rng)
    keys = [first, *down_to_a_knee(old)]
    low = float(rng.uniform(0.0, 0.8))
    if rng.random() < 0.5:
        keys += [*both_knees(low, 0.8, float(rng.uniform(2.0, 3.5)))]
        caption = "a person kneels down"
    else:
        keys += [*both_knees(0.3 * low, 0.8, float(rng.uniform(0.6, 1.0))), *up_from_a_knee(standing_posture, old, 0.6)]
        caption = "a person kneels down and gets up again"
    timed, side = scene.sided(keys)
    return Act(caption, timed, side=side)


def _lie_down_floor(scene: Scene) -> Act:
    rng, old = scene.rng, scene.old
    _, first = upright(old, float(rng.uniform(0.3, 0.6)), rng)
    keys = [first, *down_to_a_knee(old), *down_to_the_side(old, np.pi)]
    if rng.random() < 0.6:
        keys.append(key(varied(supine(), rng), 1.3, 1.2, "lie_down", "lying", heading=np.pi))
    else:
        keys[-1] = replace(keys[-1], hold_s=1.6, action_held="lying")
    timed, side = scene.sided(keys)
    return Act("a person lies down on the floor", timed, side=side)


def _get_up_from_floor(scene: Scene) -> Act:
    rng, old = scene.rng, scene.old
    lies = str(rng.choice(["supine", "left_side", "prone"]))
    posture = {"supine": supine(), "left_side": on_side(), "prone": prone()}[lies]
    standing_posture, _ = upright(old, 0.0, rng)
    keys = [
        key(varied(posture, rng), 0.0, float(rng.uniform(0.5, 1.0)), "lying"),
        *up_to_all_fours(lies, 0.0, "stand_up"),
        *up_from_a_knee(standing_posture, old, 0.8, np.pi),
    ]
    timed, side = scene.sided(keys)
    return Act("a person gets up from the floor", timed, side=side)


def _crawl(scene: Scene) -> Act:
    rng = scene.rng
    keys = [
        key(varied(all_fours(), rng), 0.0, 0.4, "crawl"),
        *crawl_on(int(rng.integers(5, 9)), float(rng.uniform(0.6, 1.1))),
        key(all_fours(), 0.5, 0.4, "crawl"),
    ]
    timed, side = scene.sided(keys)
    return Act("a person crawls on hands and knees", timed, side=side)


def _bed_or_floor(scene: Scene, share: float) -> tuple[float, tuple[Box, ...]]:
    """Height and box of a bed under somebody who lies at the origin, head at -x; or the floor."""
    if scene.rng.random() > share:
        return 0.0, ()
    height = float(scene.rng.uniform(0.42, 0.60))
    return height, (Box("bed", np.array([0.1, 0.0, height / 2.0]), np.array([1.05, 0.45, height / 2.0])),)


def _lie(scene: Scene) -> Act:
    rng = scene.rng
    choices: dict[str, Posture] = {"supine": supine(), "side": on_side(), "prone": prone(), "knees up": knees_up()}
    height, boxes = _bed_or_floor(scene, 0.6)
    name = str(rng.choice(list(choices)))
    timed, side = scene.sided([key(varied(choices[name], rng), 0.0, float(rng.uniform(5.0, 7.0)), "lying")])
    where = "a bed" if boxes else "the floor"
    return Act(f"a person lies still on {where} ({name})", timed, boxes=boxes, height_m=height, side=side, sway=0.25)


def _bed_exercise(scene: Scene) -> Act:
    rng = scene.rng
    flat, bent = varied(supine(), rng), varied(knees_up(), rng)
    kind = str(rng.choice(["knee to chest", "straight leg raise", "bridge", "arms overhead", "knees to the side"]))
    base, lifted = {
        "knee to chest": (flat, replace(flat, hips=(95.0, 2.0), knees=(115.0, 5.0))),
        "straight leg raise": (flat, replace(flat, hips=(48.0, 2.0), knees=(8.0, 5.0), ankles=(-5.0, -28.0))),
        "bridge": (bent, replace(bent, lean=-112.0, hips=(18.0, 18.0), knees=(92.0, 92.0), neck=20.0)),
        "arms overhead": (flat, replace(flat, arms=(140.0, 140.0), aside=(10.0, 10.0))),
        "knees to the side": (bent, replace(bent, roll=28.0, twist=-20.0)),
    }[kind]
    keys = [key(base, 0.0, 0.4, "lying")]
    for _ in range(int(rng.integers(2, 4))):
        keys += [
            key(lifted, 1.0, float(rng.uniform(0.1, 0.6)), "lying"),
            key(base, 1.0, float(rng.uniform(0.1, 0.5)), "lying"),
        ]
    timed, side = scene.sided(keys)
    height, boxes = _bed_or_floor(scene, 1.0)
    return Act(f"a person does exercises in bed ({kind})", timed, boxes=boxes, height_m=height, side=side)


LOOK_ALIKES: dict[str, Callable[[Scene], Act]] = {
    "sit_down": _sit_down,
    "lie_down_bed": _lie_down_bed,
    "lie_down_floor": _lie_down_floor,
    "kneel": _kneel,
    "squat": _squat,
    "pick_up": _pick_up,
    "stand_up": _stand_up,
    "sit": _sit,
    "lie": _lie,
    "crawl": _crawl,
    "bed_exercise": _bed_exercise,
    "get_up_from_floor": _get_up_from_floor,
}
"""Every kind that `look_alike` knows."""
