"""Evaluate motion: how near generated motion is to real motion and to its captions, and whether bodies could do it.

Inputs: real held-out scenes, and arms: scenes generated for held-out captions, each with the row of the item whose
caption it was made for. Output: metrics by arm, all as [value, low, high], 95 % intervals over takes
(`models.motion.evaluation.report` writes them). Beside the arms stand `real` (FID and KID of one half of the takes
against the other) and `shuffled_text` (real motion with the captions of other items), so that a broken metric shows.
`<arm>/<group>` is of single people, captured pairs or composed pairs alone.

`models.motion.evaluation.scenes` makes scenes of real windows, and samples what a motion model makes of their captions;
`run` takes scenes from wherever. `perform_rises` asks physics of rises with help, real and sampled. DESIGN §5, §7;
seeds/timotion_supplement.txt §E.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field

from models.body.model import BodyModel
from models.body.rest_skeleton import skeleton_of
from models.compare_falls.fall_audit import Audit, fall_agreement
from models.config import Config, renamed
from models.corpus.reader import Corpus, Row
from models.errors import InputError
from models.interactions.assisted_rises import count_outcomes
from models.motion.dataset import ROLES, MotionData
from models.motion.evaluation import memorisation, metrics
from models.motion.evaluation.evaluator import MotionEvaluator, meaning_of
from models.motion.evaluation.interaction_metrics import Pair, SampledPair, metrics_by_kind, rests_low
from models.motion.evaluation.interaction_strips import SampledInteraction, interaction_of
from models.motion.evaluation.physical_metrics import (
    BodySurfaces,
    closest_m,
    distance_shift_cm,
    foot_skate_cm_s,
    jerk_m_s3,
    joints_of,
    stated_contacts,
)
from models.motion.evaluation.scenes import GROUPS, Scene, sample_scenes, scenes_of
from models.motion.request import MAX_FRAMES, tracks_of
from models.motion.sampler import MotionSampler
from models.seeds import generator
from models.text.encoder import TextCache, TextEncoder
from models.types import PersonTrack

MIN_TAKES = 4
"""Of real motion, without which it is not held against itself."""
RISES = ("help_up", "help_from_bed", "help_from_floor")
"""Kinds of interaction in which somebody rises with help."""
Estimate = list[float] | None
"""[value, low, high]; None where there is nothing to tell it from."""


class EvaluateMotionConfig(Config):
    """How much is evaluated."""

    splits: tuple[str, ...] = Field(("test",), min_length=1)
    """Of the corpus; what the evaluator was trained on would be judged too kindly."""
    people: tuple[int, ...] = Field((1, 2), min_length=1)
    """Numbers of people whose scenes are evaluated."""
    frames: int | None = Field(None, ge=4)
    """Frames (20 a second) of the longest scene; if not said, what the evaluator learned with."""
    stride: int | None = Field(None, ge=1)
    """Frames from one window of an item to its next; if not said, an item is one scene, a fall's one that shows it."""
    samples_per_caption: int = renamed("samples", "samples_per_caption", 1, ge=1)
    """Motions sampled for each scene's caption; multimodality needs captions that are sampled more than once, by
    this or by several items."""
    batch_size: int = renamed("batch", "batch_size", 16, ge=1)
    """Scenes sampled together; more cost memory."""
    repeats: int = Field(metrics.REPEATS, ge=2)
    """Replicates of the bootstrap, and pools that R-precision is averaged over; 20 are usual in the literature."""
    min_scenes: int = renamed("least", "min_scenes", 20, ge=4)
    """Scenes of a group below which it is not evaluated by itself: a covariance needs some."""
    min_pool: int = renamed("least_pool", "min_pool", 8, ge=2)
    """Captions of a pool below which there is no R-precision; below 32 it is easier, and `pool` says so."""
    physical_scenes: int = renamed("physical", "physical_scenes", 200, ge=1)
    """Scenes of an arm, drawn at random, whose skin and collision spheres are looked at, which takes time."""
    fall_drop: float = Field(0.45, gt=0.0, lt=1.0)
    """As `label.fall_drop`, by which the product calls a movement a fall; off beds and chairs people fall less deep, so
    of the corpus' held-out falls the audit finds 87 %, 92 % with 0.35, and of its look-alikes 1 % with either."""
    assisted_rises: int = Field(0, ge=0)
    """Rises with somebody's help that are sampled, of the captions of each kind in turn, and performed by physics with
    the hands that hold; each takes about a second besides the sampling. 0: none."""
    inbetween: int = Field(0, ge=0)
    """Held-out scenes of two people, drawn at random, of which the first and the last tenth of the frames are known and
    the others are sampled between them; figures, and film strips of the first of them. 0: none."""
    interpenetration_cm: float = renamed("apart_cm", "interpenetration_cm", 3.0, gt=0.0)
    """Centimetres that collision spheres of two people may share; who shares no more is not inside another."""


@dataclass(frozen=True)
class Judge:
    """What scenes are evaluated with."""

    evaluator: MotionEvaluator
    texts: TextCache | TextEncoder
    surfaces: BodySurfaces
    audit: Audit


@dataclass(frozen=True)
class EvaluatedScenes:
    """An arm's scenes in the shared space, with what was measured of each."""

    scenes: tuple[Scene, ...]
    motions: Float[np.ndarray, "scene dims"]
    captions: Float[np.ndarray, "scene dims"]
    measured: tuple[dict[str, float | None], ...]
    """By scene: skate, jerk, penetration, closest, overlap, action, direction."""

    def at(self, rows: Int[np.ndarray, "row"]) -> "EvaluatedScenes":
        """Choose some of the scenes."""
        return EvaluatedScenes(
            tuple(self.scenes[k] for k in rows),
            self.motions[rows],
            self.captions[rows],
            tuple(self.measured[k] for k in rows),
        )


def check(config: EvaluateMotionConfig, real: Sequence[Scene], names: Iterable[str]) -> None:
    """Check what can be known before anything is sampled: InputError for too few real scenes, or arms with names
    that are taken."""
    if len(real) < config.min_scenes:
        raise InputError(
            "real", f"has {len(real)} scenes, at least {config.min_scenes} are needed", "hold out more items"
        )
    for name in names:
        if name in ("real", "shuffled_text") or "/" in name:
            raise InputError(f"arm {name!r}", "has a name that is taken", "name it otherwise, without a slash")


def run(
    config: EvaluateMotionConfig,
    judge: Judge,
    real: Sequence[Scene],
    arms: Mapping[str, Sequence[Scene]],
    seed: int,
    learned: Float[np.ndarray, "window dims"] | None = None,
) -> dict[str, dict[str, Any]]:
    """Compute metrics by arm, and by arm and group.

    `learned` is the motion that models were trained on, in the evaluator's space: without it memorisation is not
    measured. InputError for too few real scenes, an arm without any, or numbers not finite.
    """
    check(config, real, arms)
    for name, scenes in arms.items():
        if not scenes:
            raise InputError(f"arm {name!r}", "has no scenes", "sample some")
        if not all(bool(torch.isfinite(scene.features).all()) for scene in scenes):
            raise InputError(f"arm {name!r}", "holds motion that is not finite", "sample it again")
    order = generator(seed, "evaluate_motion", "turned").permutation(len(real))
    shuffled = [replace(scene, text=real[k].text, row=real[k].row) for scene, k in zip(real, order, strict=True)]
    seed_names = {"real": "real", "shuffled_text": "shuffled_text", **{name: f"arm {name}" for name in arms}}
    table = {
        name: evaluate_scenes(config, judge, scenes, generator(seed, "evaluate_motion", seed_names[name]))
        for name, scenes in {"real": real, "shuffled_text": shuffled, **arms}.items()
    }
    summary = {}
    for name, evaluated in table.items():
        # Shuffled motion is real motion: it belongs to the group that it moves like.
        groups = [scene.group for scene in (real if name == "shuffled_text" else evaluated.scenes)]
        for group in (None, *GROUPS):
            own = np.array([k for k, known in enumerate(groups) if group in (None, known)], dtype=np.int64)
            others = np.array([k for k, scene in enumerate(real) if group in (None, scene.group)], dtype=np.int64)
            if min(len(own), len(others)) < config.min_scenes and group is not None:
                continue
            rng = generator(seed, "evaluate_motion", f"{name}/{group}")
            is_real = name in ("real", "shuffled_text")
            key = name if group is None else f"{name}/{group}"
            summary[key] = compute_metrics(config, evaluated.at(own), table["real"].at(others), is_real, rng)
            if learned is not None and group is None and name != "shuffled_text":
                summary[key] |= _memorisation(config, evaluated, learned, rng)
        if name in arms:
            summary[name] |= _acting(judge.surfaces.body, evaluated.scenes)
    return summary


def is_assisted_rise(row: Row) -> bool:
    """Tell whether an item shows somebody rise with help; who tries in vain does not."""
    return row.details.get("composition") in RISES and "outcome" not in row.details


def perform_rises(
    count: int, body: BodyModel, corpus: Corpus, samplers: Mapping[str, MotionSampler], seed: int
) -> dict[str, dict[str, Any] | None]:
    """Count by arm how many rises with help physics performs: of `count` that are sampled, and of the real ones whose
    captions they were sampled for.

    The corpus is of assisted rises; each is one scene, whole. None for a model that does not know pairs.
    """
    data = MotionData(corpus, skeleton_of(body), MAX_FRAMES)
    held_out = scenes_of(data, corpus, data.held_out(data.where(is_assisted_rise)))
    queues = [[scene for scene in held_out if scene.row.details["composition"] == kind] for kind in RISES]
    turns = [queue[turn % len(queue)] for turn in range(count) for queue in queues if queue][:count]
    real = {scene.row.name: scene for scene in turns}
    known = count_outcomes(body, [_tracks(scene) for scene in real.values()])
    own_seed = int(generator(seed, "evaluate_motion", "assisted rises").integers(2**31))
    found: dict[str, dict[str, Any] | None] = {}
    for name, sampler in samplers.items():
        if 2 not in sampler.model.config.people:
            found[name] = None
            continue
        # What is made around a pose is one window; other models chain as many as a rise needs.
        longest = sampler.model.config.max_frames if sampler.model.config.denoiser.told_pose else MAX_FRAMES
        asked = [replace(scene, features=scene.features[:, -longest:]) for scene in turns]
        sampled = sample_scenes(sampler, asked, own_seed)
        found[name] = {"real": known, "sampled": count_outcomes(body, [_tracks(scene) for scene in sampled])}
    return found


def _tracks(scene: Scene) -> tuple[PersonTrack, ...]:
    roles = [ROLES[role] for role in scene.roles.tolist()]
    return tracks_of(scene.features, scene.rest, scene.betas.double().numpy(), roles)


def _acting(body: BodyModel, scenes: Sequence[Scene]) -> dict[str, Any]:
    """Whether people act together, by kind of interaction, and whether who fell comes to rest lying: as sampled, and
    cleaned up."""
    pairs, low = [], []
    for scene in scenes:
        if scene.raw is None or scene.asked is None:
            continue
        arms = {"real": scene.asked, "raw": scene.raw, "cleaned": scene.features}
        if scene.group == "composed_pairs":
            acted = {name: Pair(features, scene.rest, scene.betas) for name, features in arms.items()}
            pairs.append(SampledPair(scene.row.details["composition"], scene.text, **acted))
        elif _lies_still_on_floor(scene.row):
            low.append([rests_low(features, scene.rest) for features in arms.values()])
    share = dict(zip(("real", "raw", "cleaned"), np.mean(low, axis=0).tolist(), strict=True)) if low else None
    return {"interactions": metrics_by_kind(body, pairs), "rest_head_below_035": share}


def _lies_still_on_floor(row: Row) -> bool:
    details = row.details
    return row.kind == "fall" and details.get("after") == "lies_still" and details.get("landing") == "floor"


def sampled_interactions(scenes: Sequence[Scene]) -> list[SampledInteraction]:
    """Return those of an arm's scenes that are composed interactions, as film strips show them: as they leave the
    product."""
    return [interaction_of(scene) for scene in scenes if scene.group == "composed_pairs" and len(scene.roles) == 2]


def _memorisation(
    config: EvaluateMotionConfig,
    evaluated: EvaluatedScenes,
    learned: Float[np.ndarray, "window dims"],
    rng: np.random.Generator,
) -> dict[str, list[float]]:
    """How far scenes are from the nearest motion that was learned."""
    distances = memorisation.nearest(evaluated.motions, learned)
    takes = [scene.take for scene in evaluated.scenes]
    median = metrics.with_interval(lambda k: float(np.median(distances[k])), takes, rng, config.repeats)
    return {"nearest_learned": median, "nearest_learned_quantiles": memorisation.quantiles(distances)}


@torch.no_grad()
def evaluate_scenes(
    config: EvaluateMotionConfig, judge: Judge, scenes: Sequence[Scene], rng: np.random.Generator
) -> EvaluatedScenes:
    """Embed scenes in the shared space, and measure what their joints and skin do."""
    captions = judge.evaluator.captions(judge.texts.encode([scene.text for scene in scenes])).double().numpy()
    motions = []
    for scene in scenes:
        mask = torch.ones(1, *scene.features.shape[:2], dtype=torch.bool)
        motions.append(judge.evaluator.motions(scene.features[None], mask, scene.roles[None])[0].double().numpy())
    physical = set(rng.permutation(len(scenes))[: config.physical_scenes].tolist())
    measured = tuple(_measure(scene, judge, k in physical) for k, scene in enumerate(scenes))
    return EvaluatedScenes(tuple(scenes), np.stack(motions), captions, measured)


def _measure(scene: Scene, judge: Judge, surfaces: bool) -> dict[str, float | None]:
    joints = joints_of(scene.features, scene.rest)
    pose = scene.features, scene.rest, scene.betas
    penetration = judge.surfaces.penetration_cm(*pose) if surfaces else None
    overlap = judge.surfaces.overlap_cm(*pose) if surfaces else None
    action, direction = fall_agreement(scene.row, scene.betas[0], joints, judge.audit)
    return {
        "skate": foot_skate_cm_s(joints, stated_contacts(scene.features)),
        "jerk": jerk_m_s3(joints),
        "closest": closest_m(joints),
        "penetration": penetration,
        "overlap": overlap,
        "action": action,
        "direction": direction,
    }


def compute_metrics(
    config: EvaluateMotionConfig,
    evaluated: EvaluatedScenes,
    real: EvaluatedScenes,
    is_real: bool,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Compute all metrics of some scenes against real ones."""
    takes = [scene.take for scene in evaluated.scenes]
    meanings = [meaning_of(scene.row) for scene in evaluated.scenes]
    captions = [scene.text for scene in evaluated.scenes]
    motions, own = evaluated.motions, evaluated.captions
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
    known = bank.pool >= config.min_pool
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
    jerk = float(np.mean([row["jerk"] or 0.0 for row in real.measured]))
    allowed_cm = config.interpenetration_cm
    for name, key, transform in (
        ("foot_skate_cm_s", "skate", lambda value: value),
        ("penetration_cm", "penetration", lambda value: value),
        ("jerk_ratio", "jerk", lambda value: value / jerk),
        ("apart_share", "overlap", lambda value: float(value <= allowed_cm)),
        ("fall_action_agreement", "action", lambda value: value),
        ("fall_direction_agreement", "direction", lambda value: value),
    ):
        result[name] = _mean(evaluated.measured, takes, key, transform, rng, config.repeats)
    distances = [row["closest"] for row in evaluated.measured if row["closest"] is not None]
    theirs = [row["closest"] for row in real.measured if row["closest"] is not None]
    result["closest_shift_cm"] = distance_shift_cm(distances, theirs) if distances and theirs else None
    result["fell_by_cause"] = _fell_by_cause(evaluated)
    return result


def _fell_by_cause(evaluated: EvaluatedScenes) -> dict[str, dict[str, float]]:
    """Of falls by what caused them: how many there are, and the share that the audit finds."""
    found: dict[str, list[float]] = {}
    for scene, row in zip(evaluated.scenes, evaluated.measured, strict=True):
        if (fell := row["action"]) is not None and "cause" in scene.row.details:
            found.setdefault(scene.row.details["cause"], []).append(fell)
    return {cause: {"scenes": len(fell), "fell": float(np.mean(fell))} for cause, fell in sorted(found.items())}


def _mean(
    measured: Sequence[dict[str, float | None]],
    takes: Sequence[str],
    key: str,
    transform: Callable[[float], float],
    rng: np.random.Generator,
    repeats: int,
) -> Estimate:
    """Mean of what is known of some scenes, with its interval; None where nothing is known."""
    known = [
        (transform(value), take) for row, take in zip(measured, takes, strict=True) if (value := row[key]) is not None
    ]
    if not known:
        return None
    values = np.array([value for value, _ in known])
    return metrics.with_interval(lambda k: float(values[k].mean()), [take for _, take in known], rng, repeats)
