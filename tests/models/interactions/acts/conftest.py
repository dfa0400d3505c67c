"""Interactions that are accepted, how one person sees where another is, and how near hands are to skin."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial import KDTree

from models.body.model import BodyModel, load_body
from models.body.tracks import body_joints, track_parameters
from models.errors import Rejected
from models.interactions.composition import compose_interaction
from models.interactions.kinds import InteractionKind
from models.text.captions import Facts
from models.types import SMPL_JOINTS, Motion, take

FPS = 20.0
Accepted = list[tuple[Motion, Facts]]


@pytest.fixture(scope="session")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="session")
def accepted(body: BodyModel) -> Callable[[InteractionKind, int], Accepted]:
    """The first so many of a kind, each made once."""
    made: dict[str, Accepted] = {}
    tried: dict[str, int] = {}

    def first(kind: InteractionKind, count: int) -> Accepted:
        found = made.setdefault(kind, [])
        while len(found) < count:
            seed = tried.get(kind, 0)
            assert seed < 4 * count, "at least one in four"
            tried[kind] = seed + 1
            try:
                found.append(compose_interaction(body, kind, FPS, np.random.default_rng(seed)))
            except Rejected:
                continue
        return found[:count]

    return first


@pytest.fixture(scope="session")
def joints_of(body: BodyModel) -> Callable[[Motion], np.ndarray]:
    """Joints of everybody, [person, time, joint, xyz], world."""
    return lambda motion: np.stack(
        [body_joints(body, t.betas, t.global_orient, t.body_pose, t.transl) for t in motion.people]
    )


@pytest.fixture(scope="session")
def seen_from() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Points of the world as somebody with joints [time, joint, xyz] sees them: ahead, left and above the pelvis."""

    def seen(joints: np.ndarray, points: np.ndarray) -> np.ndarray:
        across = joints[:, SMPL_JOINTS.index("left_hip")] - joints[:, SMPL_JOINTS.index("right_hip")]
        left = across[:, :2] / np.linalg.norm(across[:, :2], axis=1, keepdims=True)
        front = np.stack([left[:, 1], -left[:, 0]], axis=1)
        off = points - joints[:, 0]
        return np.stack([np.sum(off[:, :2] * front, axis=1), np.sum(off[:, :2] * left, axis=1), off[:, 2]], axis=1)

    return seen


@pytest.fixture(scope="session")
def same_again(body: BodyModel) -> Callable[[InteractionKind, int], bool]:
    """Whether a seed makes the same bytes twice."""

    def same(kind: InteractionKind, seed: int) -> bool:
        one, two = (compose_interaction(body, kind, FPS, np.random.default_rng(seed))[0] for _ in range(2))
        tracks = zip(one.people, two.people, strict=True)
        return one.details == two.details and all(
            a.body_pose.tobytes() == b.body_pose.tobytes() and a.transl.tobytes() == b.transl.tobytes()
            for a, b in tracks
        )

    return same


@pytest.fixture(scope="session")
def lowest_and_roughest(body: BodyModel, joints_of: Callable[[Motion], np.ndarray]) -> Callable[[Motion], np.ndarray]:
    """Of everybody, [person, figure]: height of the lowest skin of all frames, of the highest of every frame's lowest,
    metres, and the hardest jerk of a joint, m/s³."""

    def figures(motion: Motion) -> np.ndarray:
        found = []
        for person, joints in zip(motion.people, joints_of(motion), strict=True):
            track = take(person, np.arange(0, len(person.transl), 2))
            lowest = body.posed(*track_parameters(track)).vertices.double().numpy()[..., 2].min(axis=1)
            jerk = np.linalg.norm(np.diff(joints[:, :22], 3, axis=0), axis=-1).max() * FPS**3
            found.append([lowest.min(), lowest.max(), jerk])
        return np.array(found)

    return figures


@pytest.fixture(scope="session")
def palm_gaps(body: BodyModel) -> Callable[[Motion], list[float]]:
    """For every hand that is said to hold: from its skin to the other's, at the worst moment of the hold, metres."""

    def skin(motion: Motion, person: int, frames: np.ndarray) -> np.ndarray:
        return body.posed(*track_parameters(take(motion.people[person], frames))).vertices.double().numpy()

    def gaps(motion: Motion) -> list[float]:
        found = []
        for touch in motion.details["touches"]:
            frames = np.arange(round(touch["from_s"] * FPS), round(touch["until_s"] * FPS) + 1, 3)
            joint = SMPL_JOINTS.index(f"{touch['hand'].split()[0]}_hand")
            names = [track.person for track in motion.people]
            hands = skin(motion, names.index(touch["person"]), frames)[:, body.weights.numpy()[:, joint] > 0.3]
            others = skin(motion, names.index(touch["other"]), frames)
            found.append(max(KDTree(o).query(h)[0].min() for h, o in zip(hands, others, strict=True)))
        return found

    return gaps
