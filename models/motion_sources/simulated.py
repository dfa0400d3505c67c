"""Ordered falls by physics."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.anthropometry import body_mass_kg
from models.body.model import BodyModel
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.errors import Rejected
from models.falls.causes import SIMULATED_HZ, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.scenes import fall_scene
from models.falls.simulation import check_fall_matches_request, simulate_fall
from models.motion_sources.captured import MocapClips
from models.motion_sources.source import betas_of
from models.order import ClipOrder
from models.types import Motion, Room, take


class PhysicsFalls:
    """Falls: a source motion (procedural, or captured where a folder is configured) that physics takes over."""

    name = "physics"

    def __init__(self, body: BodyModel, config: PhysicsConfig | None = None, captured: "MocapClips | None" = None):
        self.body, self.config, self.captured = body, config or PhysicsConfig(), captured

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Fall as ordered, onset in the first half; Rejected where the simulation fails or the clip is under 3 s.

        The motion is made on a bare floor before it has a place in the room; the room is not consulted.
        """
        if order.event != "fall" or order.cause is None or order.direction is None:
            raise Rejected("event_not_a_fall", order.event)
        if order.seconds < 3.0:
            raise Rejected("clip_too_short_for_fall", f"{order.seconds:g} s ordered, 3 s needed")
        # The source runs at 60 Hz or more, a whole multiple of the order's rate, so frames are taken, not blended.
        multiple = int(np.ceil(SIMULATED_HZ / order.fps))
        fps = order.fps * multiple
        frames = max(2, round(order.seconds * order.fps))
        seconds = ((frames - 1) * multiple + 1) / fps
        betas = betas_of(self.body, order)
        source, onset_s = self._source(order, betas, seconds, fps, rng)
        frailty = float(np.clip((order.age_years - 55.0) / 40.0 + rng.normal(0.0, 0.1), 0.0, 1.0))
        mass_kg = body_mass_kg(order.stature_m, order.build)
        subject = Subject(self.body, betas, order.age_years, order.role, mass_kg, frailty=frailty)
        fall = PlannedFall(order.cause, order.direction, onset_s)
        motion = simulate_fall(subject, source, fall, self.config, rng)
        check_fall_matches_request(motion, track_joints(self.body, motion.people[0]))
        return replace(
            motion,
            timestamps_s=motion.timestamps_s[::multiple],
            people=(take(motion.people[0], np.arange(0, len(motion.timestamps_s), multiple)),),
            actions=motion.actions[:, ::multiple],
        )

    def _source(
        self, order: ClipOrder, betas: Float[np.ndarray, "10"], seconds: float, fps: float, rng: np.random.Generator
    ) -> tuple[Motion, float]:
        """What is done until balance is lost (and what the muscles aim at after), and when that is."""
        assert order.cause is not None and order.direction is not None
        walks = order.start == "walking" or order.cause == "trip"
        if order.cause in ("push", "slip", "faint", "trip"):
            onset_s = float(rng.uniform(0.15 * order.seconds, min(0.45 * order.seconds, order.seconds - 2.4)))
            if self.captured is not None and rng.random() < 0.5:
                update = {"event": "walk" if walks else "stand", "seconds": onset_s + 0.3, "fps": fps}
                captured = self.captured.sample(order.model_copy(update=update), None, rng)
                return _held(captured, round(seconds * fps), fps), onset_s
            act = procedural_walking if walks else procedural_standing
            return act(self.body, betas, seconds, fps, rng, order.age_years, role=order.role), onset_s
        subject = Subject(self.body, betas, order.age_years, order.role)
        scene = fall_scene(subject, order.cause, order.direction, order.start, seconds, fps, rng)
        if scene.boxes:
            raise Rejected("cause_needs_furniture", f"{order.cause} with a {scene.boxes[0].label}")
        if seconds - scene.onset_s < 2.4:
            raise Rejected(
                "clip_too_short_for_fall", f"{seconds - scene.onset_s:.1f} s left after the onset, 2.4 s needed"
            )
        return scene.source, scene.onset_s


def _held(motion: Motion, frames: int, fps: float) -> Motion:
    """The motion made longer by its last pose: what the muscles go on aiming at after the onset."""
    index = np.minimum(np.arange(frames), len(motion.timestamps_s) - 1)
    return replace(
        motion,
        timestamps_s=np.arange(frames) / fps,
        people=(take(motion.people[0], index),),
        actions=motion.actions[:, index],
    )
