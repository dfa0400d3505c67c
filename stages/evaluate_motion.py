"""Evaluate motion: how near generated motion is to real motion and to its captions, and whether bodies could do it.

Inputs: real held-out scenes, and arms: scenes generated for held-out captions, each with the row of the item whose
caption it was made for. Output: figures by arm, all as [figure, low, high], 95 % intervals over takes
(`models.motion.evaluation.report` writes them). Beside the arms stand `real` (FID and KID of one half of the takes
against the other) and `shuffled_text` (real motion with the captions of other items), so that a broken metric shows.
`<arm>/<group>` is of single people, captured pairs or composed pairs alone.

`scenes_of` makes scenes of real windows, `answers` what a motion model makes of their captions; `run` takes scenes from
wherever. DESIGN §5, §7; seeds/timotion_supplement.txt §E.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from models.config import Config
from models.corpus.reader import Corpus, Row
from models.errors import InputError
from models.falls.causes import DIRECTION_ANGLES
from models.motion.dataset import ROLES, MotionData, Piece
from models.motion.evaluation import memorisation as memorised
from models.motion.evaluation import metrics
from models.motion.evaluation.evaluator import MotionEvaluator, meaning_of
from models.motion.evaluation.physical_metrics import (
    Flesh,
    closest_m,
    distance_shift_cm,
    foot_skate_cm_s,
    jerk_m_s3,
    joints_of,
    stated_contacts,
)
from models.motion.request import MotionRequest
from models.motion.sampler import MotionSampler
from models.seeds import generator
from models.text.encoder import TextCache, TextEncoder
from models.types import FPS

GROUPS = ("single", "captured_pairs", "composed_pairs")
MIN_TAKES = 4
"""Of real motion, without which it is not held against itself."""
Figure = list[float] | None
"""[figure, low, high]; None where there is nothing to tell it from."""


class EvaluateMotionConfig(Config):
    """How much is judged."""

    splits: tuple[str, ...] = ("test",)
    """Of the corpus; what the evaluator was trained on would be judged too kindly."""
    people: tuple[int, ...] = (1, 2)
    """Scenes of how many people are judged."""
    frames: int | None = Field(None, ge=4)
    """Longest scene; else what the evaluator learned with."""
    stride: int | None = Field(None, ge=1)
    """Frames from one window of an item to its next; else an item is one scene, a fall's one that shows it."""
    samples: int = Field(1, ge=1)
    """Of each scene's caption; multimodality is told of captions that are asked more than once, by this or by several
    items."""
    batch: int = Field(16, ge=1)
    """Scenes sampled at a time."""
    repeats: int = Field(metrics.REPEATS, ge=2)
    least: int = Field(20, ge=4)
    """Scenes of a group without which it is not judged by itself."""
    least_pool: int = Field(8, ge=2)
    """Captions of a pool without which there is no R-precision; below 32 it is easier, and `pool` says so."""
    physical: int = Field(200, ge=1)
    """Scenes of an arm whose skin and flesh are looked at."""
    fall_drop: float = Field(0.35, gt=0.0, lt=1.0)
    """As `label.fall_drop`; off beds and chairs people fall less deep than from standing. Of the corpus' held-out falls
    the audit finds 92 % with this, 87 % with the labels' own 0.45, and of its look-alikes 1 % with either."""
    apart_cm: float = Field(3.0, gt=0.0)
    """People who share no more than this are not inside each other."""


@dataclass(frozen=True)
class Scene:
    """One motion that is judged."""

    features: Float[Tensor, "person time 268"]
    """In the canonical frame, not normalised; the contacts are those that the motion states."""
    roles: Int[Tensor, "person"]
    rest: Float[Tensor, "person 22 3"]
    betas: Float[Tensor, "person 10"]
    text: str
    """What was asked for."""
    row: Row
    """The item whose caption that is; of real motion, its own."""
    take: str
    """The independent take that the motion, or what it answers, comes from."""

    @property
    def group(self) -> str:
        """One of GROUPS."""
        if len(self.row.people) == 1:
            return GROUPS[0]
        return GROUPS[2] if self.row.kind == "composed" else GROUPS[1]


class FoundFall(Protocol):
    """What the audit needs of a fall found in joints."""

    @property
    def direction_deg(self) -> float:
        """From the facing at the onset, counter-clockwise."""
        ...


FindFall = Callable[[np.ndarray, np.ndarray, float], FoundFall | None]
"""Joints (time 24 3), times in seconds, height of the upright pelvis in metres -> the fall in them."""


@dataclass(frozen=True)
class Audit:
    """How falls are told from joints: the labelling stage's own way."""

    find_fall: FindFall
    standing_m: Callable[[np.ndarray], float]
    """Height of the pelvis of the upright body of given betas."""
    tolerance_deg: float


@dataclass(frozen=True)
class Judged:
    """An arm's scenes in the shared space, with what was found of each."""

    scenes: tuple[Scene, ...]
    motions: Float[np.ndarray, "scene dims"]
    captions: Float[np.ndarray, "scene dims"]
    found: tuple[dict[str, float | None], ...]
    """By scene: skate, jerk, penetration, closest, overlap, action, direction."""

    def of(self, rows: Int[np.ndarray, "row"]) -> "Judged":
        """Some of the scenes."""
        return Judged(
            tuple(self.scenes[k] for k in rows),
            self.motions[rows],
            self.captions[rows],
            tuple(self.found[k] for k in rows),
        )


def scenes_of(data: MotionData, corpus: Corpus, pieces: Sequence[Piece]) -> list[Scene]:
    """Windows of a corpus as scenes; `data` was made of the same corpus."""
    scenes = []
    for piece in pieces:
        batch, row = data.batch([piece]), data.rows[piece.item]
        betas = torch.as_tensor(corpus.tracks(piece.item).betas)[list(piece.order)]
        scenes.append(Scene(batch.features[0], batch.roles[0], batch.rest[0], betas, batch.texts[0], row, row.take))
    return scenes


def answers(config: EvaluateMotionConfig, sampler: MotionSampler, scenes: Sequence[Scene], seed: int) -> list[Scene]:
    """Sample what a model makes of the captions of real scenes: as long, of the same roles and bodies; for people that
    it knows.

    Cleaned up as motion is that leaves the product, unless the sampler does not clean up. InputError where the model
    knows nobody's number.
    """
    people = sampler.model.config.people
    wanted = [scene for scene in scenes if len(scene.roles) in people for _ in range(config.samples)]
    if not wanted:
        raise InputError("motion model", f"knows scenes of {people} people only", "hold out such scenes")
    requests, sampled_before = [], Counter[str]()
    for scene in wanted:
        # Seeds by item and how often it was sampled, so that a model that knows fewer people gets the same noise.
        own = generator(seed, "evaluate_motion", f"{scene.row.name} {sampled_before[scene.row.name]}")
        sampled_before[scene.row.name] += 1
        roles: Any = tuple(ROLES[role] for role in scene.roles)
        betas, frames = scene.betas.double().numpy(), scene.features.shape[1]
        requests.append(MotionRequest(scene.text, roles, scene.rest, frames, int(own.integers(2**40)), betas=betas))
    # Of about one length together, so that little of a batch is padding.
    order = sorted(range(len(requests)), key=lambda k: (len(requests[k].roles), requests[k].frames))
    found = dict(zip(order, sampler.features([requests[k] for k in order]), strict=True))
    return [replace(scene, features=found[k]) for k, scene in enumerate(wanted)]


def check(config: EvaluateMotionConfig, real: Sequence[Scene], names: Iterable[str]) -> None:
    """What can be told before anything is sampled: InputError for too few real scenes, or arms with names that are
    taken."""
    if len(real) < config.least:
        raise InputError("real", f"has {len(real)} scenes, at least {config.least} are needed", "hold out more items")
    for name in names:
        if name in ("real", "shuffled_text") or "/" in name:
            raise InputError(f"arm {name!r}", "has a name that is taken", "name it otherwise, without a slash")


def run(
    config: EvaluateMotionConfig,
    evaluator: MotionEvaluator,
    texts: TextCache | TextEncoder,
    flesh: Flesh,
    audit: Audit,
    real: Sequence[Scene],
    arms: Mapping[str, Sequence[Scene]],
    seed: int,
    learned: Float[np.ndarray, "window dims"] | None = None,
) -> dict[str, dict[str, Any]]:
    """Figures by arm, and by arm and group. InputError for too few real scenes, an arm without any, or numbers not
    finite.

    `learned` is the motion that models were trained on, in the evaluator's space: without it nobody asks who learned by
    heart.
    """
    check(config, real, arms)
    for name, scenes in arms.items():
        if not scenes:
            raise InputError(f"arm {name!r}", "has no scenes", "sample some")
        if not all(bool(torch.isfinite(scene.features).all()) for scene in scenes):
            raise InputError(f"arm {name!r}", "holds motion that is not finite", "sample it again")
    known = judge(config, evaluator, texts, flesh, audit, real, generator(seed, "evaluate_motion", "real"))
    turned = generator(seed, "evaluate_motion", "turned").permutation(len(real))
    shuffled = [replace(scene, text=real[k].text, row=real[k].row) for scene, k in zip(real, turned, strict=True)]
    table = {"real": known}
    rng = generator(seed, "evaluate_motion", "shuffled_text")
    table["shuffled_text"] = judge(config, evaluator, texts, flesh, audit, shuffled, rng)
    for name, scenes in arms.items():
        rng = generator(seed, "evaluate_motion", f"arm {name}")
        table[name] = judge(config, evaluator, texts, flesh, audit, scenes, rng)
    summary = {}
    for name, judged in table.items():
        # Shuffled motion is real motion: it belongs to the group that it moves like.
        groups = [scene.group for scene in (real if name == "shuffled_text" else judged.scenes)]
        for group in (None, *GROUPS):
            own = np.array([k for k, of in enumerate(groups) if group in (None, of)], dtype=np.int64)
            others = np.array([k for k, scene in enumerate(real) if group in (None, scene.group)], dtype=np.int64)
            if min(len(own), len(others)) < config.least and group is not None:
                continue
            rng = generator(seed, "evaluate_motion", f"{name}/{group}")
            of_real = name in ("real", "shuffled_text")
            key = name if group is None else f"{name}/{group}"
            summary[key] = figures(config, judged.of(own), known.of(others), of_real, rng)
            if learned is not None and group is None and name != "shuffled_text":
                distances = memorised.nearest(judged.motions, learned)
                takes = [scene.take for scene in judged.scenes]
                summary[key]["nearest_learned"] = metrics.with_interval(
                    lambda k, d=distances: float(np.median(d[k])), takes, rng, config.repeats
                )
                summary[key]["nearest_learned_quantiles"] = memorised.quantiles(distances)
    return summary


@torch.no_grad()
def judge(
    config: EvaluateMotionConfig,
    evaluator: MotionEvaluator,
    texts: TextCache | TextEncoder,
    flesh: Flesh,
    audit: Audit,
    scenes: Sequence[Scene],
    rng: np.random.Generator,
) -> Judged:
    """Scenes in the shared space, and what their joints and skin say."""
    captions = evaluator.captions(texts.encode([scene.text for scene in scenes])).double().numpy()
    motions = np.stack(
        [
            evaluator.motions(
                scene.features[None], torch.ones(1, *scene.features.shape[:2], dtype=torch.bool), scene.roles[None]
            )[0]
            .double()
            .numpy()
            for scene in scenes
        ]
    )
    looked_at = set(rng.permutation(len(scenes))[: config.physical].tolist())
    found = tuple(_found(scene, flesh if k in looked_at else None, audit) for k, scene in enumerate(scenes))
    return Judged(tuple(scenes), motions, captions, found)


def _found(scene: Scene, flesh: Flesh | None, audit: Audit) -> dict[str, float | None]:
    joints = joints_of(scene.features, scene.rest)
    penetration = flesh.penetration_cm(scene.features, scene.rest, scene.betas) if flesh else None
    overlap = flesh.overlap_cm(scene.features, scene.rest, scene.betas) if flesh else None
    action, direction = asked_and_done(scene, joints, audit)
    return {
        "skate": foot_skate_cm_s(joints, stated_contacts(scene.features)),
        "jerk": jerk_m_s3(joints),
        "closest": closest_m(joints),
        "penetration": penetration,
        "overlap": overlap,
        "action": action,
        "direction": direction,
    }


def asked_and_done(
    scene: Scene, joints: Float[np.ndarray, "person time 22 3"], audit: Audit
) -> tuple[float | None, float | None]:
    """Whether a fall that was asked for happened, and whether it went the asked way (0 or 1).

    None where no fall of one person, or no direction but straight down, was asked for. No fall went no way.
    """
    if scene.row.kind != "fall" or len(joints) != 1:
        return None, None
    hands = joints[0][:, 20:22]
    times = np.arange(joints.shape[1]) / FPS
    standing = audit.standing_m(scene.betas[0].double().numpy())
    fall = audit.find_fall(np.concatenate([joints[0], hands], axis=1), times, standing)
    asked = DIRECTION_ANGLES.get(scene.row.details.get("direction", ""))
    if asked is None:
        return float(fall is not None), None
    off_deg = 180.0 if fall is None else abs((fall.direction_deg - np.degrees(asked) + 180.0) % 360.0 - 180.0)
    return float(fall is not None), float(off_deg <= audit.tolerance_deg)


def figures(
    config: EvaluateMotionConfig, judged: Judged, real: Judged, is_real: bool, rng: np.random.Generator
) -> dict[str, Any]:
    """All figures of some scenes against real ones."""
    takes = [scene.take for scene in judged.scenes]
    meanings = [meaning_of(scene.row) for scene in judged.scenes]
    captions = [scene.text for scene in judged.scenes]
    motions, own = judged.motions, judged.captions
    bank = metrics.Bank(real.captions, tuple(meaning_of(scene.row) for scene in real.scenes))

    def interval(value: Callable[[Int[np.ndarray, "drawn"]], float]) -> list[float]:
        return metrics.with_interval(value, takes, rng, config.repeats)

    result: dict[str, Any] = {"scenes": len(takes), "pool": bank.pool}
    for name, distance in (("fid", metrics.frechet_distance), ("kid", metrics.kernel_distance)):
        if is_real and len(set(takes)) < MIN_TAKES:
            result[name] = None
        elif is_real:
            half = metrics.halves(takes, rng)
            result[name] = metrics.with_interval(
                lambda k, d=distance, h=half: d(motions[k[h[k]]], motions[k[~h[k]]]), takes, rng, config.repeats, half
            )
        else:
            result[name] = interval(lambda k, d=distance: d(motions[k], real.motions))
    # Among a handful of meanings, as captured pairs have, everybody is right.
    known = bank.pool >= config.least_pool
    result["r_precision"] = (
        metrics.r_precision(motions, own, meanings, takes, bank, rng, config.repeats) if known else None
    )
    result["mm_dist"] = interval(lambda k: metrics.multimodal_distance(motions[k], own[k]))
    order = int(rng.integers(2**31))
    result["diversity"] = interval(lambda k: metrics.diversity(motions[k], np.random.default_rng(order)))
    several = metrics.multimodality(motions, captions) is not None
    result["multimodality"] = (
        interval(lambda k: metrics.multimodality(motions[k], [captions[row] for row in k]) or 0.0) if several else None
    )
    jerk = float(np.mean([row["jerk"] or 0.0 for row in real.found]))
    apart = config.apart_cm
    for name, key, told in (
        ("foot_skate_cm_s", "skate", lambda value: value),
        ("penetration_cm", "penetration", lambda value: value),
        ("jerk_ratio", "jerk", lambda value: value / jerk),
        ("apart_share", "overlap", lambda value: float(value <= apart)),
        ("fall_action_agreement", "action", lambda value: value),
        ("fall_direction_agreement", "direction", lambda value: value),
    ):
        result[name] = _mean(judged.found, takes, key, told, rng, config.repeats)
    distances = [row["closest"] for row in judged.found if row["closest"] is not None]
    theirs = [row["closest"] for row in real.found if row["closest"] is not None]
    result["closest_shift_cm"] = distance_shift_cm(distances, theirs) if distances and theirs else None
    return result


def _mean(
    found: Sequence[dict[str, float | None]],
    takes: Sequence[str],
    key: str,
    told: Callable[[float], float],
    rng: np.random.Generator,
    repeats: int,
) -> Figure:
    """Mean of what is known of some scenes, with its interval; None where nothing is known."""
    known = [(told(value), take) for row, take in zip(found, takes, strict=True) if (value := row[key]) is not None]
    if not known:
        return None
    values = np.array([value for value, _ in known])
    return metrics.with_interval(lambda k: float(values[k].mean()), [take for _, take in known], rng, repeats)
