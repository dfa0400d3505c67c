"""The motion corpus, part by part: captured takes, simulated falls, look-alikes and compositions, each with captions.

A part is a list of items and a count of what was skipped, by reason. Parts depend on the seed and their own numbers
alone, so that they can be made in any order, and a build that was stopped goes on where it was. DESIGN §4, corpus.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from models.body.model import BodyModel, BodyShape
from models.body.subject import Subject
from models.body.tracks import HEAD, LYING_HEAD_M, track_joints
from models.config import Config, renamed
from models.corpus.mirror import mirrored_item
from models.corpus.writer import Item
from models.errors import InputError, Rejected
from models.falls.causes import SIMULATED_HZ
from models.falls.look_alikes import LOOK_ALIKES, look_alike
from models.falls.sampling import FallsConfig, draw_kind, simulated
from models.interactions.composition import compose_interaction
from models.interactions.kinds import InteractionKind
from models.mocap.importers.indexed_folder import IndexedTake, read_take
from models.order import Direction
from models.seeds import generator
from models.text.captions import Facts, age_of, captions, pace_of, sex_of
from models.text.captured_captions import captured_captions
from models.text.locomotion import locomotion_of
from models.text.vocabulary import SAYABLE, Event, Surface
from models.types import FPS, Motion, Role, take

VERSIONS = {"captured": 5, "falls": 7, "look_alikes": 5, "composed": 7}
"""Of each kind of part: a change in how one is made leaves the others standing."""
CAPTURED = BodyShape(age_years=40.0, sex=0.5, stature_m=1.72, build=0.5)
"""Whose body captured people are given: files do not say how heavy or old they were."""
LICENCES = {"cmu": "CMU Graphics Lab Motion Capture Database: free for any use", "deepmimic": "MIT", "idle": "MIT"}
OURS = "Apache-2.0"
_REPETITION = re.compile(r"(_e\d+(_inc)?|_\d{3}_120)$")
SURFACES: dict[str, Surface] = {
    "floor": "floor",
    "bed": "bed",
    "mattress": "mattress",
    "table": "furniture_edge",
    "chair": "chair",
}


class CorpusConfig(Config):
    """How much of what is made."""

    mocap: Path | None = None
    """Folder of captured motion with an `index.csv`."""
    mocap_use: tuple[str, ...] = ("ship",)
    """Captures that are taken, by what the column `use` of their index says; an index without it is taken whole.
    `ship`: what networks that are given away may learn from."""
    falls: int = Field(1600, ge=0)
    """Simulated falls of all causes and directions."""
    look_alikes: int = Field(1050, ge=0)
    """Movements made on purpose that look like a fall for a moment, each kind in turn."""
    interactions: int = renamed("composed", "interactions", 240, ge=0)
    """Interactions of two to five people that are composed, over all their kinds evenly."""
    pair_window_s: float = Field(8.0, gt=1.0)
    """Seconds of the windows that captured pairs are cut into; each is mirrored too."""
    pair_stride_s: float = Field(4.0, gt=0.5)
    """Seconds from the beginning of one window to that of the next."""
    captions: int = Field(4, ge=1)
    """Captions written for each item; of one person's falls and look-alikes half as many more, of anybody."""
    fall: FallsConfig = FallsConfig()
    """Who falls, and where."""
    part: int = Field(40, ge=1)
    """Items made at a time: what is lost when a build is stopped."""

    def key_values(self) -> dict[str, Any]:
        """Without `mocap_use`: a part's inputs tell which of its captures may be taken, and other parts have none."""
        return {key: value for key, value in super().key_values().items() if key != "mocap_use"}

    def left_out(self, capture: IndexedTake) -> str:
        """Return why a capture may not be taken, empty where it may."""
        refused = sorted(set(capture.uses) - set(self.mocap_use))
        licence = capture.licence or "unknown"
        return f"capture is for {' and '.join(map(repr, refused))} (licence: {licence})" if refused else ""


Part = tuple[list[Item], Counter[str]]


def captured_part(config: CorpusConfig, body: BodyModel, takes: Sequence[IndexedTake], root: Path, seed: int) -> Part:
    """Return items of captured takes; of two people also windows and their mirrors. Takes that cannot be read, or are
    not for `mocap_use`, are skipped."""
    items: list[Item] = []
    skipped: Counter[str] = Counter()
    betas = np.asarray(body.betas_from_shape(CAPTURED), dtype=np.float64)
    for one in takes:
        name = one.name(root)
        if reason := config.left_out(one):
            skipped[reason] += 1
            continue
        try:
            motion = read_take(one, body, betas, FPS)
        except InputError as error:
            skipped[f"capture cannot be read: {error}"] += 1
            continue
        rng = generator(seed, "corpus", name)
        locomotion = locomotion_of(body, motion.people[0], FPS) if len(motion.people) == 1 else None
        described = one.texts[0] if one.texts else "a person moves"
        texts = captured_captions(described, locomotion, rng, config.captions)
        source = one.paths[0].relative_to(root).parts[0]
        licence = one.licence or LICENCES.get(source.split("_")[0], "unknown")
        # Details are kept plain; what the importer counted is of no use to who trains.
        motion = replace(motion, details={"description": described})
        item = Item(name, motion, texts, source, licence, take_of(name), "mocap")
        if len(motion.people) == 1:
            items.append(item)
            continue
        for part in _windows(config, item):
            items += [part, mirrored_item(part, body)]
    return items, skipped


def take_of(name: str) -> str:
    """Return one name for a take however it was exported and cut: CMU's subject and trial where the name tells them;
    repetitions of one exercise by one person (m01_s02_e03, m01_s02_e03_inc; HDM_bd_squat1Reps_001_120) are one."""
    collection, _, rest = name.partition("/")
    repetition = _REPETITION.search(rest)
    if repetition:
        return f"{collection}/{rest[: repetition.start()].rpartition('/')[2]}"
    found = re.fullmatch(r"0*(\d+)_0*(\d+)", rest)
    return f"cmu {found[1]}_{found[2]}" if found and collection in ("cmu_amc", "cmu_iclone") else name


def _windows(config: CorpusConfig, item: Item) -> list[Item]:
    motion = item.motion
    length, stride = round(config.pair_window_s * FPS), round(config.pair_stride_s * FPS)
    starts = range(0, max(len(motion.timestamps_s) - length, 0) + 1, stride)
    windows = []
    for start in starts:
        frames = np.arange(start, min(start + length, len(motion.timestamps_s)))
        part = replace(
            motion,
            timestamps_s=motion.timestamps_s[: len(frames)],
            people=tuple(take(track, frames) for track in motion.people),
            actions=motion.actions[:, frames],
        )
        windows.append(replace(item, name=f"{item.name}@{start / FPS:g}s", motion=part))
    return windows


def fall_part(config: CorpusConfig, body: BodyModel, numbers: Sequence[int], seed: int) -> Part:
    """Return simulated falls of all causes and directions, in turn by chance."""
    items: list[Item] = []
    skipped: Counter[str] = Counter()
    for number in numbers:
        name = f"fall/{number:05d}"
        rng = generator(seed, "corpus", name)
        cause, direction = draw_kind(rng)
        try:
            motion = simulated(config.fall, body, cause, direction, rng)
        except Rejected as rejected:
            skipped[str(rejected).split(":")[0]] += 1
            continue
        if leans_on_furniture(body, motion):
            skipped["leans_on_furniture"] += 1
            continue
        texts = _captions_of_one(fall_facts(motion), rng, config.captions)
        details = motion.details | {"asked_direction": direction, "direction": measured_direction(motion.details)}
        # Who catches the balance has not fallen: that is what a classifier must learn to leave alone.
        kind = "look_alike" if details["recovered"] else "fall"
        items.append(Item(name, replace(motion, details=details), texts, "physics", OURS, name, kind))
    return items, skipped


def leans_on_furniture(body: BodyModel, motion: Motion) -> bool:
    """Tell whether who fell to the floor and lies still is held up by a bed or a wall: a motion model is told of
    neither, and would learn to rest on nothing."""
    details = motion.details
    if details["recovered"] or details["after"] != "lies_still" or details["landing"] != "floor":
        return False
    return bool(track_joints(body, motion.people[0])[-1, HEAD, 2] > LYING_HEAD_M)


def fall_facts(motion: Motion) -> Facts:
    """Return what a caption may say of a simulated fall: as it happened, not as it was asked for."""
    details = motion.details
    recovered = bool(details["recovered"])
    role = motion.people[0].role
    facts = Facts(
        "fall",
        role=role,
        sex=sex_of(details["sex"]),
        age=age_of(details["age_years"]),
        cause=details["cause"],
        direction=measured_direction(details),
        recovers=recovered,
    )
    if recovered and details["ends"] != "standing":
        # Still on the bed or the chair: nobody who sees it would speak of a fall.
        return Facts(details["ends"], role=role, sex=facts.sex, age=facts.age)
    if recovered:
        return facts
    pace = pace_of("fall", details["impact_s"] - details["onset_s"])
    return replace(facts, surface=SURFACES.get(details["landing"]), after=details["after"], pace=pace)


def measured_direction(details: dict[str, Any]) -> Direction:
    """Return the direction that a fall took: the quarter of its measured direction, or down where it was asked for and
    hardly went."""
    if details["recovered"] or details["direction"] == "down":
        return details["direction"]
    quarters: tuple[Direction, ...] = ("forward", "left", "backward", "right")
    return quarters[round(details["direction_deg"] / 90.0) % 4]


EVENTS: dict[str, Event] = {
    "sit_down": "sit_down", "lie_down_bed": "lie_down", "lie_down_floor": "lie_down", "kneel": "kneel",
    "squat": "squat", "pick_up": "pick_up", "stand_up": "stand_up", "get_up_from_floor": "stand_up", "sit": "sitting",
    "lie": "lying",
    "crawl": "crawl", "bed_exercise": "bed_exercises",
}  # fmt: skip
"""What a caption calls each kind of look-alike."""


def look_alike_part(config: CorpusConfig, body: BodyModel, numbers: Sequence[int], seed: int) -> Part:
    """Return look-alikes, each kind in turn; residents mostly, at the rate of the corpus."""
    items: list[Item] = []
    skipped: Counter[str] = Counter()
    kinds, every = list(LOOK_ALIKES), int(np.ceil(SIMULATED_HZ / FPS))
    for number in numbers:
        name = f"look_alike/{number:05d}"
        rng = generator(seed, "corpus", name)
        kind = kinds[number % len(kinds)]
        role: Role = "carer" if rng.random() < 0.25 else "resident"
        age, stature = (
            float(rng.uniform(22.0, 65.0) if role == "carer" else rng.uniform(60.0, 97.0)),
            rng.uniform(1.45, 1.88),
        )
        sex = float(rng.uniform())
        shape = BodyShape(age_years=age, sex=sex, stature_m=float(stature), build=float(rng.uniform(0.1, 0.9)))
        betas = np.asarray(body.betas_from_shape(shape), dtype=np.float64)
        try:
            motion = look_alike(Subject(body, betas, age, role, sex=sex), kind, FPS * every, rng)
        except Rejected as rejected:
            skipped[str(rejected).split(":")[0]] += 1
            continue
        kept = np.arange(0, len(motion.timestamps_s), every)
        furniture = motion.details["furniture"]
        boxes = [[one["centre"], one["half_sizes"], one["yaw"]] for one in furniture]
        motion = replace(
            motion,
            timestamps_s=motion.timestamps_s[kept],
            people=(take(motion.people[0], kept),),
            actions=motion.actions[:, kept],
            details={"kind": kind, "age_years": age, "side": motion.details["side"], "boxes": boxes},
        )
        texts = _captions_of_one(_look_alike_facts(motion, kind, furniture, role, age, sex), rng, config.captions)
        items.append(Item(name, motion, texts, "physics", OURS, name, "look_alike"))
    return items, skipped


def _look_alike_facts(motion: Motion, kind: str, furniture: list[dict], role: Role, age: float, sex: float) -> Facts:
    event = EVENTS[kind]
    known: dict[str, Any] = {}
    if "surface" in SAYABLE[event]:
        label = furniture[0]["label"] if furniture else "floor"
        known["surface"] = SURFACES.get(label, "floor") if kind != "kneel" else "floor"
    side = motion.details["side"]
    if side in ("left", "right") and kind in ("kneel", "pick_up"):
        known["side"] = side
    return Facts(event, role=role, sex=sex_of(sex), age=age_of(age), **known)


def _captions_of_one(facts: Facts, rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """Write captions of one person's motion, the first with every fact; half as many more call them a person, as
    captures do: or a model hears from that word alone that nobody falls."""
    anybody = replace(facts, role="person", sex=None, age=None)
    return (*captions(facts, rng, count), *captions(anybody, rng, max(count // 2, 1)))


def interaction_part(
    config: CorpusConfig, body: BodyModel, kind: InteractionKind, numbers: Sequence[int], seed: int
) -> Part:
    """Return people together in one kind of interaction: of each kind the numbers begin at 0, so that another kind
    leaves its items as they are."""
    items: list[Item] = []
    skipped: Counter[str] = Counter()
    for number in numbers:
        name = f"composed/{kind}/{number:05d}"
        rng = generator(seed, "corpus", name)
        try:
            motion, facts = compose_interaction(body, kind, FPS, rng)
        except Rejected as rejected:
            skipped[f"{kind} {str(rejected).split(':')[0]}"] += 1
            continue
        items.append(Item(name, motion, captions(facts, rng, config.captions), "composed", OURS, name, "composed"))
    return items, skipped


def interactions_by_kind(count: int, kinds: Sequence[InteractionKind]) -> dict[InteractionKind, int]:
    """Return how many of each kind make so many evenly: what is left over is of the first kinds."""
    return {kind: (count + len(kinds) - 1 - place) // len(kinds) for place, kind in enumerate(kinds)}
