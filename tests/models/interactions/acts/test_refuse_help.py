"""A carer has hold of an arm for a moment; whose arm it is draws it away and steps back."""

import numpy as np

from models.types import SMPL_JOINTS

FPS = 20.0


def test_the_hand_is_on_the_arm_of_the_side_that_is_said_for_a_moment(accepted, palm_gaps) -> None:
    for motion, facts in accepted("refuse_help", 8):
        (touch,) = motion.details["touches"]
        assert touch["part"].startswith(facts.side) and touch["part"].endswith("arm")
        assert max(palm_gaps(motion)) < 0.03 and touch["until_s"] - touch["from_s"] < 0.8


def test_the_arm_is_drawn_away_and_whose_it_is_steps_back(accepted, joints_of) -> None:
    for motion, facts in accepted("refuse_help", 8):
        joints, (touch,) = joints_of(motion), motion.details["touches"]
        pulls = round(motion.details["pulls_s"] * FPS)
        later = pulls + round(1.2 * FPS)
        hand = SMPL_JOINTS.index(f"{touch['hand'].split()[0]}_hand")
        arm = [SMPL_JOINTS.index(f"{facts.side}_{name}") for name in ("shoulder", "elbow", "wrist")]
        gap = np.linalg.norm(joints[0][:, arm] - joints[1, :, hand][:, None], axis=-1).min(axis=1)
        assert gap[later] > gap[pulls - 2] + 0.12
        line = joints[0, pulls, 0, :2] - joints[1, pulls, 0, :2]
        assert (joints[0, later, 0, :2] - joints[0, pulls, 0, :2]) @ (line / np.linalg.norm(line)) > 0.15


def test_takes_differ_in_side_hand_approach_and_time(accepted, joints_of, seen_from) -> None:
    made = accepted("refuse_help", 8)
    assert {facts.side for _, facts in made} == {"left", "right"} and all(f.outcome == "refused" for _, f in made)
    assert {facts.before for _, facts in made} == {None, "walks_up"}
    assert len({motion.details["touches"][0]["part"].split()[-2] for motion, _ in made}) == 2
    assert len({motion.details["touches"][0]["hand"] for motion, _ in made}) == 2
    pulls = [motion.details["pulls_s"] for motion, _ in made]
    where = [
        seen_from(joints_of(m)[0], joints_of(m)[1, :, 0])[round(at * FPS)]
        for (m, _), at in zip(made, pulls, strict=True)
    ]
    assert np.ptp(pulls) > 1.0 and np.ptp([np.degrees(np.arctan2(w[1], w[0])) for w in where]) > 50.0


def test_soles_are_on_the_floor_and_nobody_jerks(accepted, lowest_and_roughest) -> None:
    for motion, _ in accepted("refuse_help", 8):
        for low, high, jerk in lowest_and_roughest(motion):
            assert low > -0.015 and high < 0.015 and jerk < 2500.0


def test_same_seed_same_motion(same_again) -> None:
    assert same_again("refuse_help", 1)
