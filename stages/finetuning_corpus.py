"""Own motion: people lifted from a home's own footage as items to train on, so that its residents' gait gets into the
model.

In: the lifted motion of one clip with labelled actions, and its figures. Out: corpus items of what was seen well, at 20
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
from models.body.resample import retimed
from models.config import Config
from models.corpus.writer import Item
from models.seeds import generator
from models.text.captions import Facts, captions
from models.text.locomotion import fall_direction, travel_of
from models.text.vocabulary import Event
from models.types import ACTIONS, FPS, Motion, PersonTrack


class OwnMotionConfig(Config):
    """What counts as seen well."""

    most_reprojection_box_share: float = Field(0.03, gt=0.0)
    """Median distance of projected joints to the keypoints in a clip, as a share of the person's box."""
    least_confidence: float = Field(0.4, ge=0.0, le=1.0)
    least_seconds: float = Field(2.0, gt=0.5)
    """Shorter pieces tell nothing."""
    most_seconds: float = Field(8.0, gt=1.0)
    """Longer pieces are cut, so that captions are of one thing."""
    most_gap_s: float = Field(0.2, ge=0.0)
    """Between observed frames: what is bridged for longer was not seen."""
    captions: int = Field(3, ge=1)


EVENTS: dict[str, Event] = {
    "walk": "walk", "fall": "fall", "sit_down": "sit_down", "sitting": "sitting", "lie_down": "lie_down", "lying": "lying",
    "fallen": "lying", "stand_up": "stand_up", "standing": "standing", "kneel_down": "kneel", "squat_down": "squat",
    "crawl": "crawl",
}  # fmt: skip
"""What a caption calls an action; others are not spoken of."""


def run(
    config: OwnMotionConfig, body: BodyModel, clip: str, motion: Motion, figures: dict[str, Any], seed: int
) -> tuple[list[Item], Counter[str]]:
    """Items of one clip; `motion.actions` are labelled. Their licence is `own footage`: a model made with them stays at
    home."""
    share = figures.get("reprojection_box_share_median")
    if share is None or share > config.most_reprojection_box_share:
        return [], Counter({"lifted too far from the keypoints": len(motion.people)})
    items: list[Item] = []
    aside: Counter[str] = Counter()
    for track, actions in zip(motion.people, motion.actions, strict=True):
        pieces = _pieces(config, motion.timestamps_s, track.visible & (track.confidence >= config.least_confidence))
        if not pieces:
            aside["nobody was seen well for long enough"] += 1
        for first, last in pieces:
            name = f"own/{clip}/{track.person}@{first:.1f}s"
            rng = generator(seed, "own_motion", name)
            clock = np.arange(first, last, 1.0 / FPS)
            part = retimed(track, motion.timestamps_s, clock)
            nearest = np.abs(clock[:, None] - motion.timestamps_s).argmin(axis=1)
            labels = actions[nearest]
            facts = facts_of(body, part, [ACTIONS[label] for label in labels])
            if facts is None:
                aside["what is done has no word"] += 1
                continue
            texts = captions(facts, rng, config.captions)
            one = Motion(clock - clock[0], (part,), labels[None], "people3d", {"clip": clip})
            items.append(Item(name, one, texts, "own", "own footage", f"own {clip}", "own"))
    return items, aside


def _pieces(config: OwnMotionConfig, times: np.ndarray, seen: Bool[np.ndarray, "time"]) -> list[tuple[float, float]]:
    """Begin and end, seconds, of what was seen without a gap, cut to the longest that is allowed."""
    known = times[seen]
    if not len(known):
        return []
    breaks = np.flatnonzero(np.diff(known) > config.most_gap_s + np.median(np.diff(times)))
    pieces = []
    for run in np.split(known, breaks + 1):
        count = max(1, int(np.ceil((run[-1] - run[0]) / config.most_seconds)))
        edges = np.linspace(run[0], run[-1], count + 1)
        pieces += [(float(a), float(b)) for a, b in pairwise(edges)]
    return [(a, b) for a, b in pieces if b - a >= config.least_seconds]


def facts_of(body: BodyModel, track: PersonTrack, actions: list[str]) -> Facts | None:
    """What can be said of a piece: its fall if there is one, else what is done longest, with the way that was measured.

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
    travel = travel_of(body, track, FPS)
    return replace(facts, direction=travel.direction, pace=travel.pace, turns=travel.turns)
