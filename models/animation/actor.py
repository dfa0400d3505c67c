"""Procedural people for sample footage: walking along paths, standing, turning, gestures, sitting down, lying down.

A performance is told by a pelvis, two feet and a few angles; two-bone inverse kinematics gives the legs, so that a
planted foot stays where it is. World frame of DESIGN §2, metres and radians. No motion capture is used.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation, Slerp

from models.animation.gait import along_path, swing
from models.animation.recording import Recording
from models.animation.rig import Rig, rig_of
from models.animation.support import Support
from models.body.subject import Subject
from models.geometry.easing import smoothstep
from models.geometry.transforms import R_ZUP_YUP
from models.types import ACTIONS, PersonTrack


@dataclass
class Actor:
    """One person who acts, segment after segment; every method appends frames."""

    rig: Rig
    fps: float
    rng: np.random.Generator
    xy: Float[np.ndarray, "2"]
    """Where the person stands now."""
    heading: float
    """World angle of the direction faced."""
    age_years: float = 50.0
    frailty: float = 0.0
    """In [0, 1], beyond what age does: stoop, short low steps, slow."""

    def __post_init__(self) -> None:
        self.old = float(np.clip((self.age_years - 50.0) / 40.0, 0.0, 1.0))
        self.base = 0.16 + 0.05 * self.old + 0.03 * self.frailty
        self.stoop = 0.05 + 0.3 * self.old + 0.25 * self.frailty
        self.recording = Recording(self.rig, self.fps)
        self.elbow_rest = self.rng.uniform(0.2, 0.45, 2)

    @property
    def frames(self) -> int:
        """How many have been performed."""
        return self.recording.frames

    def walk(
        self, path: Float[np.ndarray, "point 2"], seconds: float | None = None, step_m: float | None = None
    ) -> None:
        """Walk along a path from where the person stands; the first stretch should lead in the direction faced.

        At the person's own pace, or in so many seconds; by the person's own steps, or by steps of about `step_m`.
        """
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        total = along[-1]
        speed = (1.1 - 0.5 * self.old) * self.rng.uniform(0.9, 1.1) * (1.0 - 0.45 * self.frailty)
        ease = 0.7
        count = max(3, round((total / speed + ease if seconds is None else seconds) * self.fps))
        velocity = np.clip(np.minimum(np.arange(count) + 0.5, count - np.arange(count) - 0.5) / (ease * self.fps), 0, 1)
        s = np.cumsum(velocity)
        s = np.concatenate([[0.0], s * total / s[-1]])[:count]
        own_step = (0.62 - 0.22 * self.old) * self.rng.uniform(0.95, 1.05) * (1.0 - 0.4 * self.frailty)
        strides = max(2, round(total / (own_step if step_m is None else step_m)))
        step = total / strides
        dense = np.linspace(0.0, total, max(8, int(total / 0.05)))
        points = np.stack([np.interp(dense, along, path[:, i]) for i in (0, 1)], axis=1)
        tangent = gaussian_filter1d(np.gradient(points, axis=0), 4.0, axis=0, mode="nearest")
        turn = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
        turn += 2 * np.pi * np.round((self.heading - turn[0]) / (2 * np.pi))

        def heading_at(where: np.ndarray) -> np.ndarray:
            return np.interp(where, dense, turn)

        def point_at(where: np.ndarray) -> np.ndarray:
            return np.stack([np.interp(where, dense, points[:, i]) for i in (0, 1)], axis=-1)

        first = int(self.rng.integers(2))
        plants = [[0.0], [0.0]]
        for k in range(1, strides + 1):
            plants[(first + k) % 2].append(k * step)
        plants[(first + strides + 1) % 2].append(total)
        contact, foot_yaw, pitch, lift = (np.zeros((count, 2, n)) for n in (2, 1, 1, 1))
        for foot, side in enumerate((1.0, -1.0)):
            place, at, up = swing(s, np.array(plants[foot]), step, total)
            angle = heading_at(place)
            across = np.stack([-np.sin(angle), np.cos(angle)], axis=-1)
            contact[:, foot] = point_at(place) + side * self.base / 2 * across
            foot_yaw[:, foot, 0] = angle + side * 0.1
            # Who shuffles hardly lifts the foot, and sets it down flat.
            pitch[:, foot, 0] = at * (1.0 - 0.45 * self.old) * (1.0 - 0.6 * self.frailty)
            lift[:, foot, 0] = up * (0.09 - 0.05 * self.old) * (1.0 - 0.5 * self.frailty)
        signal = np.stack([along_path(contact[:, i], point_at(s), heading_at(s)) for i in (0, 1)], axis=1) / step
        stride = np.clip(gaussian_filter1d(signal[:, 0] - signal[:, 1], 0.05 * self.fps, axis=0), -1.3, 1.3)
        loaded = gaussian_filter1d(
            (lift[:, 1, 0] > 0).astype(float) - (lift[:, 0, 0] > 0), 0.12 * self.fps, mode="nearest"
        )
        facing = heading_at(s)
        across = np.stack([-np.sin(facing), np.cos(facing)], axis=-1)
        # The trunk looks a little into the turn.
        middle = point_at(s) + 0.02 * loaded[:, None] * across
        self.recording.append(
            "walk",
            np.concatenate([middle, np.full((count, 1), self.rig.standing)], axis=1),
            _root(facing - 0.07 * stride * (1 - 0.5 * self.old), 0.35 * self.stoop + 0.03, 0.03 * loaded),
            contact,
            foot_yaw[..., 0],
            pitch[..., 0],
            lift[..., 0],
            spine_yaw=0.14 * stride,
            spine_roll=-0.05 * loaded,
            spine_pitch=0.65 * self.stoop + 0.03,
            flex_l=0.38 * -stride * (1.0 - 0.5 * self.old) + 0.06 + 0.5 * self.stoop,
            flex_r=0.38 * stride * (1.0 - 0.5 * self.old) + 0.06 + 0.5 * self.stoop,
            elbow_l=self.elbow_rest[0] + 0.16 * np.clip(-stride, -0.5, 1.3),
            elbow_r=self.elbow_rest[1] + 0.16 * np.clip(stride, -0.5, 1.3),
            head_yaw=-0.05 * stride,
        )
        self.xy, self.heading = path[-1].copy(), float(turn[-1])

    def turn_to(self, heading: float) -> None:
        """Turn on the spot by small steps."""
        angle = (heading - self.heading + np.pi) % (2 * np.pi) - np.pi
        if abs(angle) < 0.15:
            self.heading += angle
            return
        count_steps = int(np.ceil(abs(angle) / 1.0))
        per_foot = max(3, round((0.3 + 0.1 * self.old) * self.fps))
        count = 2 * per_foot * count_steps
        phase = np.arange(count) / count
        contact, lift, foot_yaw = np.zeros((count, 2, 2)), np.zeros((count, 2)), np.zeros((count, 2))
        lead = 0 if angle > 0 else 1
        for foot, side in enumerate((1.0, -1.0)):
            begin = 0.0 if foot == lead else 0.5
            progress = phase * count_steps
            inside = np.clip((progress % 1.0 - begin) * 2.0, 0.0, 1.0)
            eased = smoothstep(inside)
            yaw_now = self.heading + angle * (np.floor(progress) + eased) / count_steps
            across = np.stack([-np.sin(yaw_now), np.cos(yaw_now)], axis=-1)
            contact[:, foot] = self.xy + side * self.base / 2 * across
            foot_yaw[:, foot] = yaw_now + side * 0.1
            lift[:, foot] = 0.05 * np.sin(np.pi * inside) * (inside < 1)
        eased = smoothstep(phase)
        pelvis = np.tile([*self.xy, self.rig.standing], (count, 1))
        root = _root(self.heading + angle * eased, 0.35 * self.stoop, np.zeros(count))
        self.recording.append(
            "standing",
            pelvis,
            root,
            contact,
            foot_yaw,
            np.zeros((count, 2)),
            lift,
            **self.at_ease(count),
            head_yaw=0.35 * np.sign(angle) * np.sin(np.pi * phase),
        )
        self.heading += angle

    def stand(self, seconds: float, gesture: str = "idle") -> None:
        """Stand: `idle`, `raise` an arm, `bend` down to reach, `look` around."""
        count = max(2, round(seconds * self.fps))
        phase = np.arange(count) / count
        noise = _slow(self.rng, count, 6, self.fps)
        pelvis = np.tile([*self.xy, self.rig.standing], (count, 1))
        pelvis[:, :2] += 0.012 * noise[:, :2]
        angles = self.at_ease(count)
        pitch = np.full(count, 0.35 * self.stoop)
        bell = np.sin(np.pi * np.clip(phase * 1.15, 0, 1)) ** 1.5
        action = "standing"
        if gesture == "raise":
            side = str(self.rng.choice(["l", "r"]))
            angles[f"flex_{side}"] = angles[f"flex_{side}"] + bell * self.rng.uniform(1.2, 2.3)
            angles[f"elbow_{side}"] = angles[f"elbow_{side}"] + bell * self.rng.uniform(0.0, 0.9)
        elif gesture == "bend":
            action = "other"
            depth = self.rng.uniform(0.6, 1.0)
            pitch = pitch + 0.75 * depth * bell
            angles["spine_pitch"] = angles["spine_pitch"] + 0.7 * depth * bell
            angles["flex_r"] = angles["flex_r"] + 1.2 * depth * bell
            angles["flex_l"] = angles["flex_l"] + 0.6 * depth * bell
            pelvis[:, 2] -= 0.22 * depth * bell
            back = 0.13 * depth * bell[:, None] * [np.cos(self.heading), np.sin(self.heading)]
            pelvis[:, :2] -= back
        elif gesture == "look":
            angles["head_yaw"] = angles.get("head_yaw", 0.0) + 0.9 * np.sin(2 * np.pi * phase) * np.sin(np.pi * phase)
            angles["spine_yaw"] = 0.2 * np.sin(2 * np.pi * phase) * np.sin(np.pi * phase)
        angles["head_yaw"] = angles.get("head_yaw", 0.0) + 0.12 * noise[:, 2]
        root = _root(self.heading + 0.03 * noise[:, 3], pitch, 0.012 * noise[:, 4])
        self.recording.append(action, pelvis, root, *self._feet_here(count), **angles)

    def tip(self, direction: float, metres: float, reaching: bool, seconds: float) -> None:
        """Lean over: the pelvis moves so many metres in a direction, an angle from the front, the trunk with it, feet
        planted.

        Who is `reaching` stretches the arms out in that direction; who is not leans on something with the arm of that
        side.
        """
        count = max(4, round(seconds * self.fps))
        t = np.arange(count) / (count - 1.0)
        over = smoothstep(t)
        ahead, left = np.cos(direction), np.sin(direction)
        world = self.heading + direction
        pelvis = np.tile([*self.xy, self.rig.standing], (count, 1))
        pelvis[:, :2] += metres * over[:, None] * np.array([np.cos(world), np.sin(world)])
        lean = over * (0.5 if reaching else 0.2)
        angles = self.at_ease(count)
        angles["spine_pitch"] = angles["spine_pitch"] + (0.7 if reaching else 0.1) * ahead * lean
        angles["spine_roll"] = -0.6 * left * lean
        for side, sign in (("l", 1.0), ("r", -1.0)):
            share = over * (1.0 if reaching and abs(left) < 0.5 else max(0.0, sign * left))
            angles[f"flex_{side}"] = angles[f"flex_{side}"] + 1.4 * share * max(ahead, 0.25)
            angles[f"out_{side}"] = 1.2 * share * abs(left)
            angles[f"elbow_{side}"] = angles[f"elbow_{side}"] * (1.0 - 0.7 * share)
        root = _root(np.full(count, self.heading), 0.35 * self.stoop + ahead * lean, -left * lean)
        self.recording.append("standing", pelvis, root, *self._feet_here(count), **angles)

    def sit_down(self, support: Support, seconds: float = 2.0) -> None:
        """Sit on a support from standing before it, the back to it."""
        self._to_seat("sit_down", support, seconds, 1.0)

    def sit(self, support: Support, seconds: float) -> None:
        """Stay seated."""
        count = max(2, round(seconds * self.fps))
        noise = _slow(self.rng, count, 4, self.fps)
        pelvis = np.tile(self._seat(support), (count, 1))
        root = _root(self.heading + 0.02 * noise[:, 0], -0.12 + 0.02 * noise[:, 1], np.zeros(count))
        self.recording.append(
            "sitting", pelvis, root, *self._feet_here(count), **self._seated(count), head_yaw=0.25 * noise[:, 2]
        )

    def stand_up(self, support: Support, seconds: float = 2.0) -> None:
        """Rise from a support."""
        self._to_seat("stand_up", support, seconds, 0.0)

    def lie_down(self, support: Support, seconds: float, rest_seconds: float) -> None:
        """Lie down from sitting on the edge of a bed: legs up, onto the back, head to the pillow; then stay so."""
        count, rest = max(4, round(seconds * self.fps)), max(1, round(rest_seconds * self.fps))
        done = self.recording
        start_pelvis, start_root = done.pelvis[-1], done.root[-1]
        start_ankles, start_feet = done.ankles[-1], done.feet[-1]
        head = np.array([*support.head, 0.0])
        up = np.array([0.0, 0.0, 1.0])
        lying = np.stack([np.cross(head, up), head, up], axis=1)
        centre = np.array([*support.centre, support.height_m + self.rig.back]) - 0.05 * head
        leg = sum(self.rig.leg)
        ankles = np.stack([centre - head * leg * 0.985 + side * 0.09 * lying[:, 0] for side in (1.0, -1.0)])
        ankles[:, 2] = support.height_m + 0.07
        t = np.minimum(np.arange(count + rest) / count, 1.0)
        eased = smoothstep(t)
        spin = Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([start_root, lying])))(
            np.clip(eased * 1.1, 0, 1)
        ).as_matrix()
        pelvis = start_pelvis + (centre - start_pelvis) * eased[:, None]
        pelvis[:, 2] += 0.03 * np.sin(np.pi * eased)
        legs = smoothstep((t - 0.1) / 0.8)
        moved = start_ankles + (ankles - start_ankles) * legs[:, None, None]
        moved[..., 2] += 0.28 * np.sin(np.pi * legs)[:, None]
        feet = np.stack(
            [
                Slerp([0.0, 1.0], Rotation.from_matrix(np.stack([start_feet[i], lying])))(legs).as_matrix()
                for i in (0, 1)
            ],
            axis=1,
        )
        fade = 1.0 - eased
        seated = self._seated(count + rest)
        angles = {name: seated[name] * fade for name in seated}
        angles["spine_pitch"] = 0.35 * np.sin(np.pi * eased)
        angles["head_pitch"] = 0.3 * np.sin(np.pi * eased) + 0.25 * eased
        angles["flex_l"] = angles["flex_l"] + 0.12 * eased
        self.recording.store("lie_down", pelvis, spin, moved, feet, angles)
        self.recording.actions[-rest:] = [ACTIONS.index("lying")] * rest

    def sit_up(self, support: Support, seconds: float, rest_seconds: float) -> None:
        """Lie on the back, then sit up on the edge of the bed: `lie_down` backwards, from its end.

        Who does it should have sat there before: that lying has not been come to is not seen.
        """
        first, rest = self.frames, max(1, round(rest_seconds * self.fps))
        self.lie_down(support, seconds, rest_seconds)
        self.recording.reverse(first)
        self.recording.actions[first + rest :] = [ACTIONS.index("stand_up")] * (self.frames - first - rest)

    def rise_and_sink(self, support: Support, seconds: float, share: float) -> None:
        """Rise from a support by a share of the way, stay there for a moment, and sink back onto it."""
        count = max(4, round(seconds * self.fps))
        t = np.arange(count) / (count - 1.0)
        first = self.frames
        self._over_seat("stand_up", support, 1.0 - share * (smoothstep(t / 0.45) - smoothstep((t - 0.6) / 0.4)))
        sinks = first + round(0.6 * count)
        self.recording.actions[sinks:] = [ACTIONS.index("sit_down")] * (self.frames - sinks)

    def _seat(self, support: Support) -> np.ndarray:
        reach = self.rig.leg[0] + 0.02
        spot = self.xy - reach * np.array([np.cos(self.heading), np.sin(self.heading)])
        return np.array([*spot, support.height_m + self.rig.seat])

    def _to_seat(self, action: str, support: Support, seconds: float, end: float) -> None:
        count = max(4, round(seconds * self.fps))
        t = np.arange(count) / (count - 1.0)
        self._over_seat(action, support, smoothstep(t) if end else 1.0 - smoothstep(t))

    def _over_seat(self, action: str, support: Support, down: np.ndarray) -> None:
        """Between standing, 0, and sitting, 1."""
        count = len(down)
        seat, stand = self._seat(support), np.array([*self.xy, self.rig.standing])
        pelvis = stand + (seat - stand) * down[:, None]
        # Hips go back before they go down.
        pelvis[:, :2] -= 0.09 * np.sin(np.pi * down)[:, None] * np.array([np.cos(self.heading), np.sin(self.heading)])
        lean = np.sin(np.pi * np.clip(down, 0, 1)) ** 1.2
        root = _root(
            np.full(count, self.heading), 0.35 * self.stoop * (1 - down) + 0.6 * lean - 0.12 * down, np.zeros(count)
        )
        ease, seated = self.at_ease(count), self._seated(count)
        angles = {name: ease[name] * (1 - down) + seated[name] * down for name in seated}
        angles["spine_pitch"] = angles["spine_pitch"] + 0.35 * lean
        self.recording.append(action, pelvis, root, *self._feet_here(count), **angles)

    def _feet_here(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        across = np.array([-np.sin(self.heading), np.cos(self.heading)])
        contact = np.stack([self.xy + side * self.base / 2 * across for side in (1.0, -1.0)])
        yaws = np.array([self.heading + 0.1, self.heading - 0.1])
        return np.tile(contact, (count, 1, 1)), np.tile(yaws, (count, 1)), np.zeros((count, 2)), np.zeros((count, 2))

    def at_ease(self, count: int) -> dict[str, np.ndarray]:
        noise = _slow(self.rng, count, 4, self.fps)
        return {
            "spine_pitch": 0.65 * self.stoop + 0.02 * noise[:, 0],
            "flex_l": 0.06 + 0.5 * self.stoop + 0.03 * noise[:, 1],
            "flex_r": 0.06 + 0.5 * self.stoop + 0.03 * noise[:, 2],
            "elbow_l": self.elbow_rest[0] + 0.04 * noise[:, 3],
            "elbow_r": self.elbow_rest[1] + 0.04 * noise[:, 1],
        }

    def _seated(self, count: int) -> dict[str, np.ndarray]:
        noise = _slow(self.rng, count, 2, self.fps)
        return {
            "spine_pitch": 0.22 + 0.5 * self.stoop + 0.02 * noise[:, 0],
            "flex_l": 0.5 + 0.02 * noise[:, 1],
            "flex_r": 0.5 - 0.02 * noise[:, 1],
            "elbow_l": np.full(count, 0.95),
            "elbow_r": np.full(count, 0.95),
        }

    def track(self, subject: Subject, frames: int) -> tuple[PersonTrack, Int[np.ndarray, "time"]]:
        """Return the first `frames` frames as SMPL parameters in the world, and the action of each (index into
        ACTIONS)."""
        return self.recording.track(subject, frames)


def actor_of(
    subject: Subject,
    fps: float,
    rng: np.random.Generator,
    xy: Float[np.ndarray, "2"] | None = None,
    heading: float = 0.0,
    frailty: float = 0.0,
) -> Actor:
    """Return somebody standing at `xy` (the origin) and facing a world angle, to be told what to do."""
    place = np.zeros(2) if xy is None else xy
    return Actor(rig_of(subject.body, subject.betas), fps, rng, place, heading, subject.age_years, frailty)


def _slow(rng: np.random.Generator, count: int, channels: int, fps: float) -> np.ndarray:
    """Smooth noise of unit deviation that changes over about a second and begins and ends at 0."""
    sigma = 0.6 * fps
    pad = int(4 * sigma) + 1
    noise = gaussian_filter1d(rng.normal(size=(count + 2 * pad, channels)), sigma, axis=0)[pad:-pad]
    fade = np.clip(np.minimum(np.arange(count), count - 1 - np.arange(count)) / (0.5 * fps), 0, 1)
    return noise * np.sqrt(2.0 * np.sqrt(np.pi) * sigma) * fade[:, None]


def _root(heading: np.ndarray, pitch: np.ndarray | float, roll: np.ndarray) -> np.ndarray:
    angles = np.stack(np.broadcast_arrays(heading, pitch, roll), axis=-1)
    return Rotation.from_euler("ZYX", angles).as_matrix() @ R_ZUP_YUP
