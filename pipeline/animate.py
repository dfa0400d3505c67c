"""`careclips animate`: motion before and after one reconstructed frame."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from models.body.model import BodyModel
from models.body.skin_distance import skin_distance
from models.errors import InputError
from models.files import check_replaceable, replaced
from models.mocap import clip_file
from models.mocap.importers.artefact import read_artefact
from models.motion.features import positions
from models.motion.holding import TOUCH_M
from models.motion.interactive_pose import in_world_of, kept_pose, known_pose
from models.motion.model import load_motion_model, motion_model_digest
from models.motion.plan import PLAN_STRIDE
from models.motion.request import MotionRequest, check_request, motion_of
from models.motion.sampler import MotionSampler, request_for
from models.rendering.film_strip import motion_strip
from models.seeds import generator
from models.text.encoder import TextEncoder
from models.types import FPS, BodyLook, Motion, PersonTrack, take
from pipeline.add_people import Added, add_people, smpl_parameters
from pipeline.derived import note_derived
from pipeline.loaders import body_model
from pipeline.output_folder import holds
from pipeline.records import read_store_index
from pipeline.settings import Settings
from pipeline.store import Store

IMAGES = 9
"""Of a film strip; the one of the pose is framed."""
FRAME_RGB = (214, 39, 140)
NOBODY = Added()


@dataclass(frozen=True)
class StoreFrame:
    """A frame of a clip of a store."""

    store: str
    clip: str
    time_s: float
    people: tuple[str, ...] = ()
    """Who of those that are seen in it is animated; all where none is named."""


@holds("out")
def animate(
    frame: StoreFrame,
    span_s: tuple[float, float],
    text: str,
    count: int,
    out: Path,
    settings: Settings,
    added: Added = NOBODY,
) -> dict:
    """Sample motions that come to a frame and go on from it, so many seconds each, in the clip's world: a npz and a
    film strip each, and `summary.json`.

    InputError for a clip or a time that is not there, a frame with nobody in it, or with more people than the model
    does; two who do not touch are animated all the same, and the summary says so. Who is `added` joins those of the
    frame, in each motion another one.
    """
    config, body = settings.sample_motion, body_model(settings.run.body)
    check_replaceable(out, "summary.json")
    model = load_motion_model(config.model, config.device)
    time_s, people = people_at(frame, body)
    casts = add_people(people, added, text, count, settings, body)
    people = casts[0]
    if len(people) not in model.config.denoiser.people:
        most = max(model.config.denoiser.people)
        raise InputError("people", f"are {len(people)}, the model does up to {most}", "choose with --person")
    # The plan of a model that plans has a moment in the pose's frame.
    before = round(span_s[0] * FPS / PLAN_STRIDE) * PLAN_STRIDE
    frames = before + 1 + round(span_s[1] * FPS)
    requests = [_request(body, cast, text, (before, frames), settings.seed, n) for n, cast in enumerate(casts)]
    check_request(requests[0], model)
    apart_m = max(_apart_m(body, cast) for cast in casts[: None if added.roles else 1])
    began = time.monotonic()
    sampler = MotionSampler(model, TextEncoder(config.text), body, config.sampling, config.cleanup, config.batch_size)
    found, moved_m = [], []
    for request, features in zip(requests, sampler.features(requests), strict=True):
        assert request.known is not None
        features, pose = in_world_of(request.known, before, features), request.known.features[:, before]
        moved_m.append(float((positions(features[:, before]) - positions(pose)).norm(dim=-1).mean()))
        found.append(kept_pose(request.known, request.rest, features))
    seconds = time.monotonic() - began
    note_derived(Store(frame.store), out)
    with replaced(out) as folder:
        for number, (request, features) in enumerate(zip(requests, found, strict=True)):
            motion = motion_of(request, features)
            clip_file.write_motion(motion, folder / f"motion_{number:04d}.npz", body)
            picture = strip(body, motion, before)
            Image.fromarray(picture).save(folder / f"motion_{number:04d}.jpg", quality=88)
        summary = {
            "clip": frame.clip,
            "time_s": time_s,
            "people": [track.person for track in people],
            "roles": [track.role for track in people],
            "text": text,
            "frames": frames,
            "pose_frame": before,
            "touch": apart_m <= TOUCH_M if len(people) > 1 else None,
            "apart_m": apart_m if len(people) > 1 else None,
            "cleanup_moved_pose_cm": round(100.0 * float(np.mean(moved_m)), 2),
            "notes": _notes(people, apart_m),
            "count": count,
            "seed": settings.seed,
            "model": config.model,
            "model_digest": motion_model_digest(config.model),
            "seconds_per_motion": seconds / count,
        }
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
    return summary


def _apart_m(body: BodyModel, people: list[PersonTrack]) -> float:
    return skin_distance(body, np.stack([track.betas for track in people]), *smpl_parameters(people))


def _notes(people: list[PersonTrack], apart_m: float) -> list[str]:
    if len(people) < 2 or apart_m <= TOUCH_M:
        return []
    return [f"nobody touches another: the nearest two are {100.0 * apart_m:.0f} cm apart"]


def people_at(frame: StoreFrame, body: BodyModel) -> tuple[float, list[PersonTrack]]:
    """Read who is seen in a frame, and how: tracks of that one frame; with the frame's own time, seconds.

    InputError for a clip, a time or a person that is not there, and a frame with nobody in it.
    """
    store = Store(frame.store)
    clips = read_store_index(store).clips
    if frame.clip not in clips:
        raise InputError("--clip", f"{frame.clip!r} is not in the store", f"choose from {', '.join(sorted(clips))}")
    key = clips[frame.clip].people3d
    artefact = store.find("people3d", key) if key else None
    if artefact is None or not (artefact.folder / "value.json").exists():
        raise InputError(f"clip {frame.clip}", "shows nobody who was lifted to 3D", "name another --clip")
    motion = read_artefact(artefact.folder, body)
    last_s = float(motion.timestamps_s[-1])
    if not 0.0 <= frame.time_s <= last_s:
        raise InputError("--time", f"must be 0 to {last_s:.2f} s, got {frame.time_s:g}", "name a time of the clip")
    index = int(np.abs(motion.timestamps_s - frame.time_s).argmin())
    seen = [track for track in motion.people if track.visible[index]]
    if not seen:
        ever = np.stack([track.visible for track in motion.people]).any(axis=0)
        nearest = motion.timestamps_s[ever][np.abs(motion.timestamps_s[ever] - frame.time_s).argmin()]
        raise InputError(
            "--time", f"shows nobody at {frame.time_s:g} s", f"the nearest frame with somebody is at {nearest:.2f} s"
        )
    if unknown := sorted(set(frame.people) - {track.person for track in seen}):
        names = ", ".join(track.person for track in seen)
        raise InputError("--person", f"{unknown[0]!r} is not in the frame", f"choose from {names}")
    chosen = [take(track, np.array([index])) for track in seen if not frame.people or track.person in frame.people]
    return float(motion.timestamps_s[index]), chosen


def _request(
    body: BodyModel, people: list[PersonTrack], text: str, span: tuple[int, int], seed: int, number: int
) -> MotionRequest:
    """One motion of so many frames in which people are as they were in a frame; `span` is which one, and how many."""
    at, frames = span
    betas = np.stack([track.betas for track in people])
    drawn = int(generator(seed, "animate", str(number)).integers(2**40))
    request = request_for(body, text, [track.role for track in people], betas, frames, drawn)
    rotations, transl = (torch.as_tensor(values, dtype=torch.float32) for values in smpl_parameters(people))
    return replace(request, known=known_pose(request.rest, rotations, transl, frames, at))


def strip(body: BodyModel, motion: Motion, pose_frame: int) -> UInt8[np.ndarray, "height width 3"]:
    """Render frames before, at and after the pose side by side, the pose's framed."""
    last = len(motion.timestamps_s) - 1
    # As many before the pose as its share of the time says, at least one where there is any.
    earlier = min(pose_frame, max(round((IMAGES - 1) * pose_frame / max(last, 1)), 1))
    earlier = min(earlier, IMAGES - 1 - (pose_frame < last))
    later = min(IMAGES - 1 - earlier, last - pose_frame)
    shown = np.concatenate(
        [
            np.linspace(0, pose_frame, earlier + 1)[:-1],
            np.linspace(pose_frame, last, later + 1),
        ]
    )
    looks = [BodyLook(slot, 80.0 if track.role == "resident" else 40.0) for slot, track in enumerate(motion.people)]
    width = 240
    picture = motion_strip(body, motion, shown.round().astype(int), width, 320, looks).copy()
    left = earlier * width
    own = picture[:, left : left + width]
    for edge in (own[:5], own[-5:], own[:, :5], own[:, -5:]):
        edge[:] = FRAME_RGB
    return picture
