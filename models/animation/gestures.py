"""What an actor does with head, arms and trunk while it stands, sits or walks: looks at somebody, nods, talks with its
hands, waves, shifts its weight, bends down.

Each adds to angles that a performance has already (`Actor.recording`), over some of its frames, and fades in and out.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from models.animation.actor import Actor
from models.geometry.easing import smoothstep
from models.types import SMPL_JOINTS

HEAD_YAW, TRUNK_SHARE = 1.15, 0.2
"""Furthest that a head turns, radians, and how much of looking aside the trunk does."""
BEHIND = (1.9, 2.5)
"""Between these angles from where the trunk faces, looking at somebody is given up."""
Frames = Float[np.ndarray, "time"]


def share_of(actor: Actor, begin_s: float, end_s: float, fade_s: float = 0.4) -> Frames:
    """Return 1 between two times, 0 else, over as many frames as have been performed, eased over `fade_s` inside."""
    times = np.arange(actor.frames) / actor.fps
    return smoothstep((times - begin_s) / fade_s) * smoothstep((end_s - times) / fade_s)


def head_places(actor: Actor) -> Float[np.ndarray, "time 3"]:
    """Return about where the head is in every frame, world."""
    rig, pelvis, root = actor.rig, np.array(actor.recording.pelvis), np.array(actor.recording.root)
    return pelvis + root @ (rig.rest[SMPL_JOINTS.index("head")] - rig.rest[0])


def look_at(actor: Actor, places: Float[np.ndarray, "time 3"], share: Frames) -> None:
    """Turn head and trunk towards places, as far as necks turn, by a share; never to what is behind."""
    recording = actor.recording
    count = min(len(places), actor.frames)
    root = np.array(recording.root)[:count]
    away = places[:count] - head_places(actor)[:count]
    aside = np.arctan2(away[:, 1], away[:, 0]) - np.arctan2(root[:, 1, 2], root[:, 0, 2])
    aside = (aside + np.pi) % (2.0 * np.pi) - np.pi
    seen = share[:count] * (1.0 - smoothstep((np.abs(aside) - BEHIND[0]) / (BEHIND[1] - BEHIND[0])))
    # Where the other changes from one side to the other behind, the head does not whip round.
    turn = gaussian_filter1d(
        seen * np.clip(aside, -HEAD_YAW / (1.0 - TRUNK_SHARE), HEAD_YAW / (1.0 - TRUNK_SHARE)),
        0.12 * actor.fps,
        mode="nearest",
    )
    down = np.arctan2(-away[:, 2], np.linalg.norm(away[:, :2], axis=-1))
    _add(actor, "head_yaw", (1.0 - TRUNK_SHARE) * turn)
    _add(actor, "spine_yaw", TRUNK_SHARE * turn)
    _add(actor, "head_pitch", gaussian_filter1d(seen * np.clip(down, -0.35, 0.6), 0.12 * actor.fps, mode="nearest"))


def nod(actor: Actor, begin_s: float, rng: np.random.Generator) -> None:
    """Nod two or three times."""
    hertz, times = rng.uniform(1.4, 2.2), int(rng.integers(2, 4))
    t = np.arange(actor.frames) / actor.fps - begin_s
    within = (t >= 0.0) & (t <= times / hertz)
    _add(actor, "head_pitch", rng.uniform(0.1, 0.2) * within * np.sin(np.pi * hertz * t) ** 2)


def talk(actor: Actor, begin_s: float, end_s: float, size: float, rng: np.random.Generator) -> None:
    """Talk with one hand or both: a forearm comes up and beats; `size` 1 is everyday, 1.6 an argument."""
    share = share_of(actor, begin_s, end_s, 0.5)
    t = np.arange(actor.frames) / actor.fps
    hands = ("l", "r") if rng.random() < 0.4 else (("l",) if rng.random() < 0.5 else ("r",))
    for side in hands:
        hertz, phase = rng.uniform(0.7, 1.5, 2), rng.uniform(0.0, 2.0 * np.pi, 2)
        beat = np.sin(2.0 * np.pi * hertz[0] * t + phase[0]), np.sin(2.0 * np.pi * hertz[1] * t + phase[1])
        now = np.array(actor.recording.angles[f"elbow_{side}"])
        up = rng.uniform(1.2, 1.75)
        _add(actor, f"elbow_{side}", share * (np.maximum(up - now, 0.0) + 0.22 * size * beat[0]))
        _add(actor, f"flex_{side}", share * size * (rng.uniform(0.05, 0.35) + 0.14 * beat[1]))
        _add(actor, f"out_{side}", share * size * (rng.uniform(0.05, 0.25) + 0.08 * beat[0]))
    _add(actor, "head_pitch", 0.05 * size * share * np.sin(2.0 * np.pi * rng.uniform(0.6, 1.1) * t))
    _add(actor, "spine_yaw", 0.05 * size * share * np.sin(2.0 * np.pi * rng.uniform(0.3, 0.6) * t))


def wave(actor: Actor, begin_s: float, end_s: float, rng: np.random.Generator) -> None:
    """Raise a hand in greeting."""
    share = share_of(actor, begin_s, end_s, 0.35)
    side = "l" if rng.random() < 0.5 else "r"
    now = np.array(actor.recording.angles[f"elbow_{side}"])
    t = np.arange(actor.frames) / actor.fps
    _add(actor, f"flex_{side}", rng.uniform(0.5, 1.0) * share)
    _add(actor, f"out_{side}", rng.uniform(0.2, 0.5) * share)
    _add(actor, f"elbow_{side}", share * (rng.uniform(1.6, 2.0) - now + 0.15 * np.sin(2.0 * np.pi * 1.8 * t)))


def shift_weight(actor: Actor, still: Bool[np.ndarray, "time"], rng: np.random.Generator) -> None:
    """Put the weight on one leg and the other by turns, some seconds each, while the person stands still."""
    count, fps = actor.frames, actor.fps
    changes = np.cumsum(rng.uniform(1.6, 4.0, int(count / fps) + 2))
    sides = np.cumsum(rng.random(len(changes)) < 0.8) % 2 * 2.0 - 1.0
    leg = sides[np.searchsorted(changes, np.arange(count) / fps)] * rng.uniform(0.6, 1.0)
    leg = gaussian_filter1d(leg, 0.3 * fps, mode="nearest")
    leg *= gaussian_filter1d(gaussian_filter1d(still.astype(float), 0.25 * fps, mode="nearest"), 0.25 * fps)
    recording = actor.recording
    root = np.array(recording.root)
    pelvis = np.array(recording.pelvis)
    pelvis[:, :2] += 0.03 * leg[:, None] * root[:, :2, 0]
    recording.pelvis = list(pelvis)
    # The hip of the leg that carries is the higher one; the trunk stays upright.
    recording.root = list(root @ Rotation.from_euler("z", -0.05 * leg[:, None]).as_matrix())
    _add(actor, "spine_roll", 0.05 * leg)


def bend_down(actor: Actor, share: Frames) -> None:
    """Lean forward from the hips, knees softly bent, feet where they are; 1 is to about a right angle, -0.2 is to be
    thrust back."""
    recording = actor.recording
    root, pelvis = np.array(recording.root), np.array(recording.pelvis)
    pelvis[:, :2] -= 0.16 * share[:, None] * root[:, :2, 2]
    pelvis[:, 2] -= 0.16 * np.abs(share)
    recording.pelvis = list(pelvis)
    recording.root = list(root @ Rotation.from_euler("x", 0.8 * share[:, None]).as_matrix())
    _add(actor, "spine_pitch", 0.75 * share)


def draw_arm(actor: Actor, side: str, flex: float, elbow: float, share: Frames) -> None:
    """Bring an arm (`l` or `r`) to a flexion of shoulder and elbow, radians, by a share."""
    for name, wanted in ((f"flex_{side}", flex), (f"elbow_{side}", elbow)):
        _add(actor, name, share * (wanted - np.array(actor.recording.angles[name])))


def standing_still(actor: Actor) -> Bool[np.ndarray, "time"]:
    """Tell in which frames both feet stay where they are and the person is up."""
    ankles = np.array(actor.recording.ankles)
    moved = np.linalg.norm(np.gradient(ankles, axis=0), axis=-1).max(axis=-1) * actor.fps
    return (moved < 0.02) & (np.array(actor.recording.pelvis)[:, 2] > 0.9 * actor.rig.standing)


def _add(actor: Actor, channel: str, values: Float[np.ndarray, "part"]) -> None:
    now = np.array(actor.recording.angles[channel], dtype=np.float64)
    now[: len(values)] += values
    actor.recording.angles[channel] = list(now)
