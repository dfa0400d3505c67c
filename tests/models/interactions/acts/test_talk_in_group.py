"""Three to five in a circle face its middle, talk with their hands, and look at whoever comes up."""

import numpy as np
import pytest

from models.interactions.kinds import CASTS
from models.types import ACTIONS, SMPL_JOINTS

FPS = 20.0
COUNT = 16
WRISTS = [SMPL_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]


def talking(motion) -> np.ndarray:
    """Frames in which everybody is there."""
    details = motion.details
    return np.arange(round((details.get("joins_s", 0.0) + 0.8) * FPS), round(details["ends_s"] * FPS))


def test_three_to_five_stand_around_a_middle_and_face_it(accepted, joints_of, seen_from) -> None:
    for motion, _ in accepted("talk_in_group", COUNT):
        assert tuple(track.role for track in motion.people) in CASTS["talk_in_group"]
        joints, frames = joints_of(motion), talking(motion)
        places = joints[:, frames, 0, :2].mean(axis=1)
        middle = np.array([*places.mean(axis=0), 1.0])
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1)[~np.eye(len(places), dtype=bool)]
        assert gaps.min() > 0.6 and gaps.max() < 3.0
        for one in joints:
            ahead, left, _ = seen_from(one, np.tile(middle, (len(one), 1)))[frames].mean(axis=0)
            assert abs(np.degrees(np.arctan2(left, ahead))) < 45.0


def test_hands_talk_one_after_another_and_nobody_is_a_statue(accepted, joints_of) -> None:
    raised = []
    for motion, _ in accepted("talk_in_group", COUNT):
        joints, frames = joints_of(motion), talking(motion)
        raised.append(((joints[:, :, WRISTS, 2] - joints[:, :, 0, 2][..., None]).max(axis=(1, 2)) > 0.05).sum())
        chest = joints[:, frames, SMPL_JOINTS.index("spine3")]
        assert np.all(np.ptp(chest, axis=1).max(axis=-1) > 0.003)
    assert min(raised) >= 1 and np.mean(raised) > 2.0


def test_who_joins_walks_up_and_is_looked_at(accepted, joints_of) -> None:
    joined = [(motion, facts) for motion, facts in accepted("talk_in_group", COUNT) if facts.joined_by]
    assert 0.3 * COUNT < len(joined) < 0.9 * COUNT
    for motion, facts in joined:
        walked = np.linalg.norm(np.ptp(joints_of(motion)[:, :, 0, :2], axis=1), axis=-1)
        joiner = int(walked.argmax())
        assert walked[joiner] > 0.9 and np.delete(walked, joiner).max() < 0.3
        assert motion.people[joiner].role == facts.joined_by and ACTIONS.index("walk") in motion.actions[joiner]
        rest = sorted([*facts.together, facts.role])
        assert rest == sorted(track.role for place, track in enumerate(motion.people) if place != joiner)
        assert motion.actions[joiner, round(motion.details["joins_s"] * FPS) + 5] == ACTIONS.index("standing")


def test_takes_differ_in_how_many_who_sits_and_for_how_long(accepted) -> None:
    made = accepted("talk_in_group", COUNT)
    assert {len(motion.people) for motion, _ in made} == {3, 4, 5}
    sits = [bool((motion.actions[0] == ACTIONS.index("sitting")).all()) for motion, _ in made]
    assert 0 < sum(sits) < COUNT and sits == ["boxes" in motion.details for motion, _ in made]
    assert np.ptp([len(motion.timestamps_s) for motion, _ in made]) > 2.0 * FPS


@pytest.mark.parametrize("seed", [0, 1])
def test_same_seed_same_motion(same_again, seed: int) -> None:
    assert same_again("talk_in_group", seed)
