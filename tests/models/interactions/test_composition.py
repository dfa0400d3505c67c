"""People composed: together in time and place, hands on skin while they are said to be, apart else, said so."""

import itertools

import numpy as np
import pytest
from scipy.spatial import KDTree

from models.animation.actor import actor_of
from models.body.model import BodyModel, load_body
from models.body.subject import Subject
from models.body.tracks import body_joints, track_parameters
from models.corpus.mirror import mirrored_item
from models.corpus.writer import Item
from models.errors import Rejected
from models.interactions.composition import INSIDE_M, TOUCH_M, compose_interaction, deepest_between
from models.interactions.hand_holds import Hold
from models.interactions.interaction import Interaction
from models.interactions.kinds import ACTS, CASTS, INTERACTION_KINDS, RESIDENT_AND_CARER, InteractionKind
from models.text.captions import Facts, captions
from models.text.vocabulary import ROLE_WORDS
from models.types import ACTIONS, SMPL_JOINTS, Motion, take

FPS = 20.0
WITHOUT_TOUCH: frozenset[InteractionKind] = frozenset({"converse", "pass_by", "hand_over", "talk_in_group"})

GRAZED: frozenset[InteractionKind] = frozenset({"sit_down_beside", "lift_by_two", "turn_in_bed"})
"""Kinds in which a hand may be near skin before it holds: an elbow that somebody sits down beside, a back that comes up
under it, an arm at the edge of a bed."""


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def made(body: BodyModel) -> dict[str, tuple[Motion, Facts]]:
    """One of each kind, in which somebody, or what somebody sits in, is held where that is of the kind."""
    found = {}
    for kind in INTERACTION_KINDS:
        for seed in range(8):
            try:
                motion, facts = compose_interaction(body, kind, FPS, np.random.default_rng(seed))
            except Rejected:
                continue
            if kind in WITHOUT_TOUCH or motion.details["touches"] or "handles" in motion.details:
                found[kind] = motion, facts
                break
    assert set(found) == set(INTERACTION_KINDS), "one in eight tries"
    return found


def joints_of(body: BodyModel, motion: Motion) -> np.ndarray:
    return np.stack([body_joints(body, t.betas, t.global_orient, t.body_pose, t.transl)[:, :22] for t in motion.people])


def skin_of(body: BodyModel, motion: Motion, person: int, frames: np.ndarray) -> np.ndarray:
    return body.posed(*track_parameters(take(motion.people[person], frames))).vertices.double().numpy()


def palm_gap(body: BodyModel, motion: Motion, touch: dict, frames: np.ndarray) -> float:
    """From the skin of the hand that touches to the nearest skin of the other, at the worst of the frames, metres."""
    index = SMPL_JOINTS.index(f"{touch['hand'].split()[0]}_hand")
    names = [track.person for track in motion.people]
    hands = skin_of(body, motion, names.index(touch["person"]), frames)[:, body.weights.numpy()[:, index] > 0.3]
    others = skin_of(body, motion, names.index(touch["other"]), frames)
    return max(float(KDTree(other).query(hand)[0].min()) for hand, other in zip(hands, others, strict=True))


def held_frames(touch: dict) -> np.ndarray:
    return np.arange(round(touch["from_s"] * FPS), round(touch["until_s"] * FPS) + 1, 3)


@pytest.mark.parametrize("kind", INTERACTION_KINDS)
def test_all_share_clock_and_world_but_not_space(body: BodyModel, made: dict, kind: InteractionKind) -> None:
    motion, facts = made[kind]
    roles = tuple(track.role for track in motion.people)
    assert roles in CASTS.get(kind, RESIDENT_AND_CARER) and motion.details["composed"]
    told = [role for role in (facts.other, *facts.together, facts.role, facts.joined_by) if role]
    assert sorted(roles) == sorted(told) and (not facts.other or roles[0] == facts.other)
    assert motion.actions.shape == (len(roles), len(motion.timestamps_s)) and len(motion.timestamps_s) > 60
    assert all(deepest_between(body, *two) <= INSIDE_M for two in itertools.combinations(motion.people, 2))
    assert all(
        any(word in text for word in ROLE_WORDS[role])
        for text in captions(facts, np.random.default_rng(0))
        for role in roles
    )


@pytest.mark.parametrize("kind", INTERACTION_KINDS)
def test_hands_are_on_skin_while_they_hold_and_away_before(body: BodyModel, made: dict, kind: str) -> None:
    motion, facts = made[kind]
    for touch in motion.details["touches"]:
        held = held_frames(touch)
        assert palm_gap(body, motion, touch, held) < TOUCH_M
        if touch["from_s"] > 1.2 and kind not in GRAZED:
            assert palm_gap(body, motion, touch, held[:1] - round(1.2 * FPS)) > 0.08
    # Of help that is refused a caption says that it was by the arm.
    assert (facts.touch is not None or kind == "refuse_help") == bool(motion.details["touches"])


@pytest.mark.parametrize("kind", INTERACTION_KINDS)
def test_nobody_sinks_in_slides_or_trembles(body: BodyModel, made: dict, kind: str) -> None:
    motion, _ = made[kind]
    for person in range(len(motion.people)):
        assert skin_of(body, motion, person, np.arange(0, len(motion.timestamps_s), 5))[..., 2].min() > -0.04
    for carer in joints_of(body, motion)[1:]:
        ankles = carer[:, [SMPL_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]]
        speed = np.linalg.norm(np.gradient(ankles[..., :2], 1.0 / FPS, axis=0), axis=-1)
        # Who steps to somebody's help in a hurry hardly lifts the feet; one of them stands.
        assert speed[ankles[..., 2] < 0.1].mean() < (0.2 if kind == "slip_while_helped" else 0.08)
        assert speed.min(axis=1).mean() < 0.08
        jerk = np.linalg.norm(np.diff(carer, 3, axis=0), axis=-1) * FPS**3
        assert jerk.mean() < 100.0


def test_who_is_walked_beside_is_on_the_side_that_is_said(body: BodyModel, made: dict) -> None:
    motion, facts = made["walk_beside"]
    joints = joints_of(body, motion)
    middle = len(motion.timestamps_s) // 2
    way = joints[0, middle + 5, 0] - joints[0, middle - 5, 0]
    across = joints[1, middle, 0] - joints[0, middle, 0]
    left = way[0] * across[1] - way[1] * across[0] > 0.0
    assert facts.side == ("left" if left else "right")


def test_who_is_caught_stands_and_who_is_approached_lies(body: BodyModel, made: dict) -> None:
    caught, _ = made["catch"]
    assert ACTIONS.index("fall") not in caught.actions[0] and joints_of(body, caught)[0, -1, 0, 2] > 0.7
    fallen, _ = made["approach_fallen"]
    assert fallen.actions[0, -1] == ACTIONS.index("fallen") and joints_of(body, fallen)[0, -1, 0, 2] < 0.4
    carer = joints_of(body, fallen)[1]
    assert np.linalg.norm(carer[-1, 0, :2] - carer[0, 0, :2]) > 1.0 and carer[-1, 0, 2] < 0.7, "kneels or squats"


def test_in_the_mirror_the_other_hand_holds_the_other_side(body: BodyModel, made: dict) -> None:
    motion, facts = made["help_up"]
    item = Item("a", motion, captions(facts, np.random.default_rng(0)), "composed", "", "a", "composed")
    image = mirrored_item(item, body).motion
    other = {"left": "right", "right": "left"}
    for touch, mirrored in zip(motion.details["touches"], image.details["touches"], strict=True):
        side, _, rest = touch["hand"].partition(" ")
        assert mirrored["hand"] == f"{other[side]} {rest}" and mirrored["person"] == touch["person"]
        # The two halves of the body differ by millimetres.
        assert palm_gap(body, image, mirrored, held_frames(mirrored)) < TOUCH_M + 0.02


def test_same_seed_same_motion(body: BodyModel) -> None:
    one, two = (compose_interaction(body, "help_up", FPS, np.random.default_rng(2))[0] for _ in range(2))
    for first, second in zip(one.people, two.people, strict=True):
        assert first.body_pose.tobytes() == second.body_pose.tobytes()
        assert first.transl.tobytes() == second.transl.tobytes()
    assert one.details == two.details


@pytest.mark.parametrize(
    ("kind", "apart_m", "reason"),
    [
        ("steady_at_frame", 2.5, "composed_hand_off: left hand up to .* from back"),
        ("steady_at_frame", 0.02, "composed_people_share_space: .* cm"),
        ("walk_beside", 2.5, "simulation_strays: .* cm from the motion"),
    ],
)
def test_who_does_not_get_there_or_stands_in_the_other_is_rejected(
    body: BodyModel, monkeypatch: pytest.MonkeyPatch, kind: InteractionKind, apart_m: float, reason: str
) -> None:
    def stand_apart(resident: Subject, carer: Subject, fps: float, rng: np.random.Generator) -> Interaction:
        tracks = []
        for person, y in ((resident, 0.0), (carer, -apart_m)):
            actor = actor_of(person, fps, rng, np.array([-0.1, y]))
            actor.stand(3.5)
            tracks.append(actor.track(person, actor.frames))
        facts = Facts("walk_beside", role="carer", other="resident")
        return Interaction(tuple(tracks), facts, (Hold("left", "back", 0.2, 1.0, 99.0, 99.0),))

    monkeypatch.setitem(ACTS, kind, stand_apart)
    with pytest.raises(Rejected, match=reason):
        compose_interaction(body, kind, FPS, np.random.default_rng(0))
