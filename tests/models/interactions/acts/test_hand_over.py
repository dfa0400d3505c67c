"""Hands meet where something is handed over, as far apart as what they both hold is large; before and after they do
not."""

import numpy as np
import pytest

from models.errors import Rejected
from models.interactions.acts import hand_over
from models.interactions.composition import compose_interaction
from models.types import SMPL_JOINTS

FPS = 20.0
HANDS = [SMPL_JOINTS.index(f"{side}_hand") for side in ("left", "right")]


def apart(joints: np.ndarray, side: str) -> np.ndarray:
    """From the hand that gives to the nearer hand of the other."""
    gives = joints[1, :, HANDS[("left", "right").index(side)]]
    return np.linalg.norm(joints[0][:, HANDS] - gives[:, None], axis=-1).min(axis=1)


def test_hands_meet_when_it_is_handed_over_and_not_before_or_after(accepted, joints_of) -> None:
    for motion, facts in accepted("hand_over", 8):
        assert facts.side == motion.details["side"]
        gap = apart(joints_of(motion), facts.side)
        handed = round(motion.details["handed_s"] * FPS)
        assert gap[handed - 3 : handed].max() < hand_over.APART_M + 0.03
        assert gap[handed - 5 : handed + 1].min() > 0.06, "two hands are not in one place"
        assert gap[: handed - round(2.8 * FPS)].min(initial=9.0) > 0.2
        assert gap[handed + round(1.0 * FPS) :].min() > hand_over.APART_M + 0.03


def test_who_takes_keeps_it_before_the_body_and_who_gives_has_the_arm_down_again(
    accepted, joints_of, seen_from
) -> None:
    for motion, facts in accepted("hand_over", 8):
        joints = joints_of(motion)
        after = slice(round((motion.details["handed_s"] + 1.1) * FPS), None)
        held = [seen_from(joints[0], joints[0][:, hand])[after, 0].mean() for hand in HANDS]
        assert max(held) > 0.2
        gives = HANDS[("left", "right").index(facts.side)]
        assert (joints[1, after, gives, 2] - joints[1, after, 0, 2]).mean() < 0.2


def test_takes_differ_in_hand_posture_and_time(accepted) -> None:
    made = accepted("hand_over", 8)
    assert {facts.side for _, facts in made} == {"left", "right"}
    assert {facts.before for _, facts in made} == {None, "walks_up"}
    assert {"sits", "stands"} <= {facts.other_is for _, facts in made}
    assert np.ptp([motion.details["handed_s"] for motion, _ in made]) > 1.0


def test_who_does_not_reach_that_far_is_rejected(body, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_over, "REACH", 0.3)
    with pytest.raises(Rejected, match="composed_hand_off: .* hand too far from what is handed over"):
        compose_interaction(body, "hand_over", FPS, np.random.default_rng(0))


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("hand_over", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("hand_over", 1)
