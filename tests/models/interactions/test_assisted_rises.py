"""Whether physics performs a rise with help: what was made by physics passes, what cannot be is refused by name."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest

from models.body.model import BodyModel, load_body
from models.body.tracks import standing_pelvis_height, track_joints
from models.errors import Rejected
from models.falls.causes import SIMULATED_HZ
from models.interactions.assisted_rises import LOST_M, UPRIGHT, check_held, count_outcomes, perform_rise, rise_of
from models.interactions.composition import compose_interaction
from models.types import FPS, SMPL_JOINTS, PersonTrack, take

ARMS = [k for k, name in enumerate(SMPL_JOINTS) if name.endswith(("shoulder", "elbow", "wrist"))]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def helped(body: BodyModel) -> tuple[PersonTrack, ...]:
    """Somebody is helped up from a chair: a resident, held by a carer."""
    for seed in range(20):
        try:
            return compose_interaction(body, "help_up", FPS, np.random.default_rng(seed))[0].people
        except Rejected:
            continue
    raise AssertionError("one in twenty tries")


def refused(body: BodyModel, tracks: Sequence[PersonTrack]) -> str:
    with pytest.raises(Rejected) as rejected:
        perform_rise(body, tracks)
    return rejected.value.reason


def moved(track: PersonTrack, x: float, y: float) -> PersonTrack:
    return replace(track, transl=track.transl + np.array([x, y, 0.0]))


def test_a_composed_rise_is_performed_whoever_comes_first(body, helped):
    for tracks, who in ((helped, 0), (helped[::-1], 1)):
        done = perform_rise(body, tracks)
        assert done.rise.who == who and len(done.boxes) == 1
        assert all(grip.holder == 1 - who and grip.held == who for grip, _, _ in done.grips)
        assert any(first < done.rise.leaves / FPS < until for _, first, until in done.grips)
        pelvis = track_joints(body, done.tracks[who])[:, 0, 2]
        assert pelvis[0] < 0.7 < UPRIGHT * standing_pelvis_height(body, tracks[who].betas) < pelvis[-1]
        assert len(pelvis) == pytest.approx(len(tracks[0].transl) * SIMULATED_HZ / FPS, abs=3)
    again = perform_rise(body, helped), perform_rise(body, helped)
    for one, other in zip(*(done.tracks for done in again), strict=True):
        assert np.array_equal(one.transl, other.transl) and np.array_equal(one.body_pose, other.body_pose)


def test_a_rise_that_nobody_holds_is_refused(body, helped):
    resident, carer = helped
    ahead = (carer.transl[0] - resident.transl[0])[:2]
    assert refused(body, (resident, moved(carer, *ahead / np.linalg.norm(ahead)))) == "no_hold"
    # Who has gone again when the other rises.
    leaves = rise_of(body, helped).leaves
    gone = carer.transl + np.where(np.arange(len(carer.transl))[:, None] < leaves, 0.0, [*ahead, 0.0])
    with pytest.raises(Rejected, match="no_hold: held for . % of the rise"):
        perform_rise(body, (resident, replace(carer, transl=gone)))
    # Arms as they hang before.
    pose = carer.body_pose.copy()
    for joint in ARMS:
        pose[:, 3 * joint - 3 : 3 * joint] = pose[0, 3 * joint - 3 : 3 * joint]
    assert refused(body, (resident, replace(carer, body_pose=pose))) == "no_hold"


def test_who_stays_seated_or_stood_all_the_time_does_not_rise(body, helped):
    rise = rise_of(body, helped)
    for frame in (rise.leaves - 5, len(helped[0].transl) - 1):
        still = np.full(len(helped[0].transl), frame)
        assert refused(body, (take(helped[0], still), helped[1])) == "does_not_rise"


def test_who_is_thrown_about_strays_from_the_motion(body, helped):
    """A seated body that is at once two metres further and back again is in no simulation."""
    resident, carer = helped
    transl = resident.transl.copy()
    transl[20:30, 1] += 2.0
    assert refused(body, (replace(resident, transl=transl), carer)).startswith("simulation_")


def test_a_hand_that_is_off_where_it_holds_is_lost(body, helped):
    done = perform_rise(body, helped)
    for off_m, lost in ((0.5 * LOST_M, False), (2.0 * LOST_M, True)):
        away = replace(done, tracks=(done.tracks[0], moved(done.tracks[1], 0.0, off_m)))
        with pytest.raises(Rejected, match="hand_lost: .* from where it holds") if lost else nullcontext():
            check_held(body, away)


def test_outcomes_are_counted_by_reason(body, helped):
    resident, carer = helped
    away = (resident, moved(carer, 3.0, 3.0))
    found = count_outcomes(body, [helped, away, away])
    assert found == {"tried": 3, "performed": 1, "reasons": {"no_hold": 2}}
    assert count_outcomes(body, []) == {"tried": 0, "performed": 0, "reasons": {}}
