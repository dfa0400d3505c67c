"""Ordered motion out of captured files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from models.body.model import BodyModel
from models.body.tracks import body_joints
from models.errors import InputError, Rejected
from models.mocap.bvh import read_bvh
from models.mocap.retarget import retarget
from models.motion_sources.source import betas_of
from models.order import ClipOrder
from models.text_files import read_table
from models.types import ACTIONS, Motion, PersonTrack, Room, take

EVENT_WORDS: dict[str, tuple[str, ...]] = {
    "walk": ("walk",),
    "stand": ("idle", "stand"),
    "everyday": ("walk", "idle", "stand", "wash", "bend", "shake hands", "reach", "carry", "sweep"),
}


UNUSUAL_WORDS = ("uneven", "dance", "salsa", "playground", "jump", "climb", "run", "zombie", "stealthy", "martial")
"""Descriptions of captured motion that fit an event, and what nobody does in a care home."""


class MocapClips:
    """Everyday motion from a folder of BVH files: by its `index.csv` (file, description), or every *.bvh by its
    name."""

    name = "mocap"

    def __init__(self, body: BodyModel, folder: Path):
        self.body = body
        index = folder / "index.csv"
        if index.exists():
            rows = [(row.text("file"), row.cells["description"]) for row in read_table(index, ["file", "description"])]
            described = [(folder / name, text) for name, text in rows if name.lower().endswith(".bvh")]
        else:
            described = [(path, path.stem) for path in sorted(folder.rglob("*.bvh"))]
        if not described:
            raise InputError(folder, "holds no BVH motion capture", "name a folder with *.bvh files, or remove the key")
        self.files = {
            event: tuple(path for path, text in described if _describes(text.lower(), words))
            for event, words in EVENT_WORDS.items()
        }

    def sample(self, order: ClipOrder, room: Room | None, rng: np.random.Generator) -> Motion:
        """Take a random piece of a random file of the event; Rejected when no readable file is long enough."""
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
                    [bvh],
                    self.body,
                    betas_of(self.body, order),
                    order.fps,
                    role=order.role,
                    window_s=(start, start + order.seconds + 0.1),
                )
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
