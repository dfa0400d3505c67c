"""The fall or stumble of one of two people, by physics."""

from dataclasses import replace

import numpy as np

from models.body.subject import Subject
from models.errors import Rejected
from models.falls.causes import SIMULATED_HZ, PlannedFall
from models.falls.controller import PhysicsConfig
from models.falls.scenes import fall_scene
from models.falls.simulation import simulate_fall
from models.interactions.interaction import Acted
from models.order import CAUSE_DIRECTIONS, Cause, Direction
from models.types import Motion, take

CATCHABLE: tuple[Cause, ...] = ("push", "slip", "trip", "misstep")


def simulated_resident_fall(resident: Subject, recovers: bool, rng: np.random.Generator) -> Motion:
    """Simulate how a resident who walks falls, or stumbles and recovers; Rejected where it went the other way."""
    causes = CATCHABLE if recovers else (*CATCHABLE, "faint")
    cause = causes[int(rng.integers(len(causes)))]
    directions: list[Direction] = [one for one in CAUSE_DIRECTIONS[cause] if one != "down"]
    direction = directions[int(rng.integers(len(directions)))]
    scene = fall_scene(resident, cause, direction, "walking", 7.5, SIMULATED_HZ, rng)
    fall = PlannedFall(cause, direction, scene.onset_s, recovers)
    motion = simulate_fall(resident, scene.source, fall, PhysicsConfig(), rng)
    if motion.details["recovered"] != recovers:
        raise Rejected("composed_fall_went_another_way")
    return replace(motion, people=(replace(motion.people[0], person=resident.name),))


def held_at_end(motion: Motion, fps: float, more_s: float) -> Acted:
    """Return one person's motion at another rate, its last pose held."""
    count = round((float(motion.timestamps_s[-1]) + more_s) * fps)
    frames = np.rint(np.arange(count) / fps * SIMULATED_HZ).astype(int).clip(0, len(motion.timestamps_s) - 1)
    return take(motion.people[0], frames), motion.actions[0][frames]
