"""Fine-tuning data: people lifted from a home's own footage as items to train on, so that its residents' gait gets into
the model.

In: the lifted motion of one clip with labelled actions, and its metrics. Out: corpus items of what was seen well, at 20
Hz, with captions of what was measured, and a count of what was left out, by reason. Thesis §4.3.
"""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool
from pydantic import Field

from models.body.model import BodyModel
from models.body.resample import resample_track
from models.config import Config, renamed
from models.corpus.writer import Item
from models.seeds import generator
from models.text.captions import Facts, captions
from models.text.locomotion import fall_direction, locomotion_of
from models.text.vocabulary import Event
from models.types import ACTIONS, FPS, Motion, PersonTrack


class FinetuningCorpusConfig(Config):
    """What counts as seen well."""

    max_reprojection_box_share: float = renamed(
        "most_reprojection_box_share", "max_reprojection_box_share", 0.03, gt=0.0
    )
    """Median distance of projected joints to the keypoints in a clip, as a share of the person's box."""
    min_confidence: float = renamed("least_confidence", "min_confidence", 0.4, ge=0.0, le=1.0)
    """Confidence of the lifting below which a frame counts as not seen."""
    min_seconds: float = renamed("least_seconds", "min_seconds", 2.0, gt=0.5)
    """Shorter pieces, in seconds, are left out: they show no whole action."""
    max_seconds: float = renamed("most_seconds", "max_seconds", 8.0, gt=1.0)
    """Longer pieces, in seconds, are cut, so that a caption is of one action."""
    max_gap_s: float = renamed("most_gap_s", "max_gap_s", 0.2, ge=0.0)
    """Seconds between observed frames: what is bridged for longer was not seen."""
    captions: int = Field(3, ge=1)
    """Captions written for each item."""


EVENTS: dict[str, Event] = {
    "walk": "walk", "fall": "fall", "sit_down": "sit_down", "sitting": "sitting", "lie_down": "lie_down",
    "lying": "lying", "fallen": "lying", "stand_up": "stand_up", "standing": "standing", "kneel_down": "kneel",
    "squat_down": "squat",
    "crawl": "crawl",
}  # fmt: skip
"""What a caption calls an action; others are not spoken of."""


def run(
    config: FinetuningCorpusConfig, body: BodyModel, clip: str, motion: Motion, metrics: dict[str, Any], seed: int
) -> tuple[list[Item], Counter[str]]:
    """Return items of one clip, whose `motion.actions` are labelled, and what was skipped, counted by reason.

    Their licence is `own footage`: a model made with them stays at home.
    """
    share = metrics.get("reprojection_box_share_median")
    if share is None or share > config.max_reprojection_box_share:
        return [], Counter({"lifted too far from the keypoints": len(motion.people)})
    items: list[Item] = []
    skipped: Counter[str] = Counter()
    for track, actions in zip(motion.people, motion.actions, strict=True):
        pieces = _pieces(config, motion.timestamps_s, track.visible & (track.confidence >= config.min_confidence))
        if not pieces:
            skipped["nobody was seen well for long enough"] += 1
        for first, last in pieces:
            name = f"own/{clip}/{track.person}@{first:.1f}s"
            rng = generator(seed, "own_motion", name)
            timestamps_s = np.arange(first, last, 1.0 / FPS)
            part = resample_track(track, motion.timestamps_s, timestamps_s)
            nearest = np.abs(timestamps_s[:, None] - motion.timestamps_s).argmin(axis=1)
            labels = actions[nearest]
            facts = facts_of(body, part, [ACTIONS[label] for label in labels])
            if facts is None:
                skipped["what is done has no word"] += 1
                continue
            texts = captions(facts, rng, config.captions)
            piece = Motion(timestamps_s - timestamps_s[0], (part,), labels[None], "people3d", {"clip": clip})
            items.append(Item(name, piece, texts, "own", "own footage", f"own {clip}", "own"))
    return items, skipped


def _pieces(
    config: FinetuningCorpusConfig, times: np.ndarray, seen: Bool[np.ndarray, "time"]
) -> list[tuple[float, float]]:
    """Begin and end, seconds, of what was seen without a gap, cut to the longest that is allowed."""
    known = times[seen]
    if not len(known):
        return []
    breaks = np.flatnonzero(np.diff(known) > config.max_gap_s + np.median(np.diff(times)))
    pieces = []
    for run in np.split(known, breaks + 1):
        count = max(1, int(np.ceil((run[-1] - run[0]) / config.max_seconds)))
        edges = np.linspace(run[0], run[-1], count + 1)
        pieces += [(float(a), float(b)) for a, b in pairwise(edges)]
    return [(a, b) for a, b in pieces if b - a >= config.min_seconds]


def facts_of(body: BodyModel, track: PersonTrack, actions: list[str]) -> Facts | None:
    """Return what can be said of a piece: its fall if there is one, else what is done longest, as it was measured.

    None where that has no word.
    """
    if "fall" in actions:
        onset = actions.index("fall")
        rest = next((frame for frame in range(onset, len(actions)) if actions[frame] != "fall"), len(actions) - 1)
        return Facts("fall", role=track.role, direction=fall_direction(body, track, onset, rest))
    longest = Counter(actions).most_common(1)[0][0]
    if longest not in EVENTS:
        return None
    facts = Facts(EVENTS[longest], role=track.role)
    if facts.event not in ("walk", "crawl"):
        return facts
    locomotion = locomotion_of(body, track, FPS)
    return replace(facts, direction=locomotion.direction, pace=locomotion.pace, turns=locomotion.turns)
