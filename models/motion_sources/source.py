"""Where ordered motion comes from: simulated falls, procedural everyday motion, motion capture, or the motion model.

Every source answers one order with one `Motion` in a local frame: first-frame pelvis at x = y = 0 facing +x, z up,
floor at z = 0, at the order's frame rate and length.
"""

import csv
import logging
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int

from models.animation.gait_curves import procedural_standing, procedural_walking
from models.body.model import BodyModel, BodyShape
from models.errors import InputError, Rejected
from models.falls.causes import SIMULATED_HZ
from models.falls.scenes import fall_scene
from models.falls.simulation import PhysicsConfig, as_asked, simulate_fall
from models.mocap.bvh import read_bvh
from models.mocap.retarget import body_joints, retarget
from models.order import ClipOrder
from models.types import ACTIONS, Motion, PersonTrack, Room, take

log = logging.getLogger(__name__)

EVENT_WORDS: dict[str, tuple[str, ...]] = {
    "walk": ("walk",),
    "stand": ("idle", "stand"),
    "everyday": ("walk", "idle", "stand", "wash", "bend", "shake hands", "reach", "carry", "sweep"),
}
UNUSUAL_WORDS = ("uneven", "dance", "salsa", "playground", "jump", "climb", "run", "zombie", "stealthy", "martial")
"""Descriptions of captured motion that fit an event, and what nobody does in a care home."""


@runtime_checkable
class MotionSource(Protocol):
    """Anything that can act an order."""

    name: str

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """One motion for the order; raises Rejected with a reason when it cannot."""
        ...


def body_mass_kg(stature_m: float, build: float) -> float:
    """Mass from stature and build by body mass index: 18.5 kg/m2 (slight) to 33.5 kg/m2 (heavy)."""
    return (18.5 + 15.0 * build) * stature_m**2


def betas_of(body: BodyModel, order: ClipOrder) -> Float[np.ndarray, "10"]:
    """Shape of the person whom the order describes."""
    shape = BodyShape(age_years=order.age_years, sex=order.sex, stature_m=order.stature_m, build=order.build)
    return np.asarray(body.betas_from_shape(shape), dtype=np.float64)


class ProceduralEveryday:
    """Walking and standing from joint-angle curves; needs nothing."""

    name = "procedural"

    def __init__(self, body: BodyModel):
        self.body = body

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Walk or stand as ordered (`everyday` draws one of them); Rejected for any other event. The floor is bare."""
        if order.event not in ("walk", "stand", "everyday"):
            raise Rejected("event_not_procedural", order.event)
        walks = rng.random() < 0.5 if order.event == "everyday" else order.event == "walk"
        act = procedural_walking if walks else procedural_standing
        return act(
            self.body, betas_of(self.body, order), order.seconds, order.fps, rng, order.age_years, role=order.role
        )


class MocapClips:
    """Everyday motion from a folder of BVH files: by its `index.csv` (file, description), or every *.bvh by its name."""

    name = "mocap"

    def __init__(self, body: BodyModel, folder: Path):
        self.body = body
        index = folder / "index.csv"
        if index.exists():
            with index.open(newline="") as file:
                rows = [(row.get("file") or "", row.get("description") or "") for row in csv.DictReader(file)]
            described = [(folder / name, text) for name, text in rows if name.endswith(".bvh")]
        else:
            described = [(path, path.stem) for path in sorted(folder.rglob("*.bvh"))]
        if not described:
            raise InputError(folder, "holds no BVH motion capture", "name a folder with *.bvh files, or remove the key")
        self.files = {
            event: tuple(path for path, text in described if _describes(text.lower(), words))
            for event, words in EVENT_WORDS.items()
        }

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """A random piece of a random file of the event; Rejected when no readable file is long enough."""
        reasons = ["no file describes it"]
        for choice in rng.permutation(len(self.files.get(order.event, ()))):
            path = self.files[order.event][choice]
            try:
                bvh = read_bvh(path)
                # Half a second to spare: a calibration frame is dropped, and ends of takes are ragged.
                spare = float(bvh.timestamps_s[-1]) - order.seconds - 0.5
                if spare < 0.0:
                    reasons.append(f"{path.name} lasts {bvh.timestamps_s[-1]:.1f} s")
                    continue
                start = 0.25 + float(rng.uniform(0.0, spare))
                motion = retarget(
                    [bvh], self.body, betas_of(self.body, order), order.fps, role=order.role,
                    window_s=(start, start + order.seconds + 0.1),
                )  # fmt: skip
            except InputError as error:
                reasons.append(str(error))
                continue
            frames = max(2, round(order.seconds * order.fps))
            track = take(motion.people[0], np.arange(frames))
            return replace(
                motion,
                timestamps_s=motion.timestamps_s[:frames],
                people=(track,),
                actions=_upright_actions(self.body, track, order.fps),
                details=motion.details | {"caption": order.text or f"a person: {order.event}", "start_s": start},
            )
        raise Rejected("no_mocap_for_event", f"{order.event} for {order.seconds:g} s: {reasons[-1]}")


def _describes(text: str, words: tuple[str, ...]) -> bool:
    return any(word in text for word in words) and not any(word in text for word in UNUSUAL_WORDS)


def _upright_actions(body: BodyModel, track: PersonTrack, fps: float) -> Int[np.ndarray, "1 time"]:
    """Walk where the pelvis travels, standing where it stays, other where it is well below standing height."""
    pelvis = body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)[:, 0]
    index, reach = np.arange(len(pelvis)), max(1, round(0.3 * fps))
    before, after = np.maximum(index - reach, 0), np.minimum(index + reach, len(pelvis) - 1)
    speed = np.linalg.norm(pelvis[after, :2] - pelvis[before, :2], axis=-1) * fps / np.maximum(after - before, 1)
    actions = np.where(speed > 0.3, ACTIONS.index("walk"), ACTIONS.index("standing"))
    with torch.no_grad():
        rest = body.rest_joints(torch.as_tensor(track.betas, dtype=torch.float32)).numpy()
    leg = rest[0, 1] - rest[:, 1].min()
    return np.where(pelvis[:, 2] < 0.8 * leg, ACTIONS.index("other"), actions)[None]


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
        motion = simulate_fall(
            self.body, source, order.cause, order.direction, onset_s, body_mass_kg(order.stature_m, order.build),
            frailty, self.config, rng,
        )  # fmt: skip
        track = motion.people[0]
        as_asked(motion, body_joints(self.body, track.betas, track.global_orient, track.body_pose, track.transl))
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
        scene = fall_scene(
            self.body, betas, order.cause, order.direction, order.start, seconds, fps, order.age_years, order.role, rng
        )
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


def draw_motion(
    body: BodyModel,
    physics: PhysicsConfig,
    mocap: Path | None,
    order: ClipOrder,
    room: Room | None,
    rng: np.random.Generator,
    model: MotionSource | None = None,
) -> tuple[Motion, str]:
    """The motion of the first source that can act the order, and that source's name; Rejected where none can.

    `model` is asked alone where it is given. `mocap` is a folder of BVH files. What no capture is long enough for is made from joint-angle curves.
    """
    if model is not None:
        return model.sample(order, room, rng), model.name
    captured = MocapClips(body, mocap) if mocap else None
    if order.event == "fall":
        sources: list[MotionSource] = [PhysicsFalls(body, physics, captured)]
    else:
        sources = [*([captured] if captured else []), ProceduralEveryday(body)]
    for source in sources[:-1]:
        try:
            return source.sample(order, room, rng), source.name
        except Rejected as error:
            log.info("%s: %s; the next source is asked", source.name, error)
    return sources[-1].sample(order, room, rng), sources[-1].name
