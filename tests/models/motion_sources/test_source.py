"""Sources answer an order with one motion in the local frame, or say why not."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from models.body.anthropometry import body_mass_kg
from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel, load_body
from models.body.tracks import body_joints
from models.errors import InputError, Rejected
from models.falls.controller import PhysicsConfig
from models.geometry.transforms import matrix_from_axis_angle
from models.mocap.bvh import write_bvh
from models.mocap.skeleton_motion import SkeletonMotion
from models.motion_sources.captured import MocapClips
from models.motion_sources.draw import draw_motion
from models.motion_sources.procedural import ProceduralEveryday
from models.motion_sources.simulated import PhysicsFalls
from models.order import ClipOrder, Preference, wants_model
from models.types import ACTIONS, SMPL_JOINTS, Motion
from pipeline.settings import RunConfig


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


def order(**changes: object) -> ClipOrder:
    values: dict = {
        "event": "walk",
        "cause": None,
        "direction": None,
        "start": "standing",
        "seconds": 4.0,
        "fps": 15.0,
        "role": "resident",
        "age_years": 80.0,
        "stature_m": 1.62,
        "build": 0.5,
        "sex": 0.0,
        "text": "",
    }
    return ClipOrder(**(values | changes))


def joints_of(body: BodyModel, motion: Motion) -> np.ndarray:
    track = motion.people[0]
    return body_joints(body, track.betas, track.global_orient, track.body_pose, track.transl)


def check_local_frame(body: BodyModel, motion: Motion, asked: ClipOrder) -> None:
    """Length, clock, first-frame place and heading, floor, role and stature as ordered."""
    track = motion.people[0]
    frames = round(asked.seconds * asked.fps)
    assert motion.timestamps_s.shape == (frames,) and motion.actions.shape == (1, frames)
    np.testing.assert_allclose(motion.timestamps_s, np.arange(frames) / asked.fps, atol=1e-9)
    np.testing.assert_allclose(joints_of(body, motion)[0, 0, :2], 0.0, atol=1e-5)
    facing = matrix_from_axis_angle(track.global_orient)[0, :, 2]
    assert abs(facing[1]) < 1e-5 and facing[0] > 0.5
    lowest = lowest_surface(body, track.betas, track.global_orient, track.body_pose, track.transl)
    assert lowest.min() > -0.03 and np.percentile(np.abs(lowest), 90) < 0.03
    assert track.role == asked.role and body.stature(track.betas) == pytest.approx(asked.stature_m, abs=2e-3)


def test_walking_goes_forward_on_feet_that_do_not_slide(body: BodyModel) -> None:
    asked = order(fps=60.0)
    motion = ProceduralEveryday(body).sample(asked, None, np.random.default_rng(0))
    check_local_frame(body, motion, asked)
    joints = joints_of(body, motion)
    assert 0.3 < joints[-1, 0, 0] / 4.0 < 1.0 and abs(joints[-1, 0, 1]) < 0.5
    feet = joints[:, [SMPL_JOINTS.index(f"{side}_{part}") for part in ("foot", "ankle") for side in ("left", "right")]]
    speed = np.linalg.norm(np.gradient(feet[..., :2], 1.0 / 60.0, axis=0), axis=-1)
    # A heel or a ball of a foot stands at any time (hardly moves) and, over a stride, each foot swings faster than the
    # body goes.
    assert np.median(speed.min(axis=1)) < 0.1 and np.percentile(speed.min(axis=1), 90) < 0.2
    assert (speed.max(axis=0) > 1.2 * joints[-1, 0, 0] / 4.0).all()
    knees = motion.people[0].body_pose.reshape(-1, 23, 3)[:, [3, 4], 0]
    assert np.degrees(knees.min()) > -1.0 and np.degrees(knees.max()) > 30.0
    assert (motion.actions == ACTIONS.index("walk")).all()


def test_age_slows_and_stoops(body: BodyModel) -> None:
    young, old = (
        joints_of(body, ProceduralEveryday(body).sample(order(age_years=age), None, np.random.default_rng(4)))
        for age in (30.0, 92.0)
    )
    assert young[-1, 0, 0] > 1.3 * old[-1, 0, 0]
    lean = [(joints[:, 15, 0] - joints[:, 0, 0]).mean() for joints in (young, old)]
    assert lean[1] > lean[0] + 0.05


def test_standing_sways_but_stays(body: BodyModel) -> None:
    asked = order(event="stand")
    motion = ProceduralEveryday(body).sample(asked, None, np.random.default_rng(0))
    check_local_frame(body, motion, asked)
    joints = joints_of(body, motion)
    assert 0.002 < np.ptp(joints[:, 0, :2], axis=0).max() < 0.1
    assert np.ptp(joints[:, [7, 8]], axis=0).max() < 0.02
    assert (motion.actions == ACTIONS.index("standing")).all()


@pytest.mark.parametrize(("fps", "seconds"), [(15.0, 5.0), (24.0, 3.5)])
def test_falls_show_standing_falling_and_lying(body: BodyModel, fps: float, seconds: float) -> None:
    asked = order(event="fall", cause="push", direction="backward", start="walking", fps=fps, seconds=seconds)
    motion = PhysicsFalls(body).sample(asked, None, np.random.default_rng(1))
    check_local_frame(body, motion, asked)
    assert [ACTIONS[i] for i in dict.fromkeys(motion.actions[0].tolist())] == ["walk", "fall", "fallen"]
    assert motion.details["onset_s"] < seconds / 2.0 < seconds - 0.3 > motion.details["rest_s"]
    assert motion.details["mass_kg"] == pytest.approx(body_mass_kg(1.62, 0.5))


def test_same_seed_same_bytes(body: BodyModel) -> None:
    asked = order(event="fall", cause="slip", direction="backward")
    one, two = (PhysicsFalls(body).sample(asked, None, np.random.default_rng(8)).people[0] for _ in range(2))
    assert one.transl.tobytes() == two.transl.tobytes() and one.body_pose.tobytes() == two.body_pose.tobytes()


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ("falls", {"event": "walk"}, "event_not_a_fall: walk"),
        (
            "falls",
            {"event": "fall", "cause": "push", "direction": "left", "seconds": 2.5},
            "clip_too_short_for_fall: 2.5 s ordered, 3 s needed",
        ),
        ("everyday", {"event": "sit"}, "event_not_procedural: sit"),
    ],
)
def test_what_a_source_cannot_do_it_rejects(body: BodyModel, source: str, changes: dict, message: str) -> None:
    maker = PhysicsFalls(body) if source == "falls" else ProceduralEveryday(body)
    with pytest.raises(Rejected) as caught:
        maker.sample(order(**changes), None, np.random.default_rng(0))
    assert str(caught.value) == message


@pytest.fixture(scope="module")
def captured(body: BodyModel, as_bvh: Callable[..., SkeletonMotion], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of captured motion with an index: a long walk, a short one, a dance, and a damaged file."""
    folder = tmp_path_factory.mktemp("mocap")
    everyday = ProceduralEveryday(body)
    for name, seconds in (("long", 6.0), ("short", 1.0), ("dance", 6.0)):
        motion = everyday.sample(order(seconds=seconds, fps=30.0, age_years=30.0), None, np.random.default_rng(0))
        write_bvh(as_bvh(body, motion), folder / f"{name}.bvh")
    (folder / "broken.bvh").write_text("HIERARCHY")
    (folder / "index.csv").write_text(
        "file,description\nlong.bvh,a person: walking\nshort.bvh,slow walk\ndance.bvh,dance walk\nbroken.bvh,walk\n"
    )
    return folder


def test_captured_clips_are_chosen_by_description_and_length(body: BodyModel, captured: Path) -> None:
    source, asked = MocapClips(body, captured), order(seconds=3.0)
    for seed in range(4):
        motion = source.sample(asked, None, np.random.default_rng(seed))
        check_local_frame(body, motion, asked)
        assert motion.source == "long.bvh" and 0.25 <= motion.details["start_s"] <= 3.0
        assert (motion.actions == ACTIONS.index("walk")).mean() > 0.9


def test_captured_clips_that_do_not_fit_are_rejected_with_the_reason(body: BodyModel, captured: Path) -> None:
    source = MocapClips(body, captured)
    with pytest.raises(Rejected) as caught:
        source.sample(order(event="stand"), None, np.random.default_rng(0))
    assert str(caught.value) == "no_mocap_for_event: stand for 4 s: no file describes it"
    with pytest.raises(Rejected, match=r"no_mocap_for_event: walk for 30 s: .* (lasts \d\.\d s|HIERARCHY|MOTION)"):
        source.sample(order(seconds=30.0), None, np.random.default_rng(0))


def test_a_folder_without_motion_says_so(body: BodyModel, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        MocapClips(body, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: holds no BVH motion capture; name a folder with *.bvh files, or remove the key"
    )


def test_falls_begin_from_captured_motion_where_there_is_some(body: BodyModel, captured: Path) -> None:
    asked = order(event="fall", cause="push", direction="forward", start="walking", seconds=5.0)
    source = PhysicsFalls(body, captured=MocapClips(body, captured))
    motions = [source.sample(asked, None, np.random.default_rng(seed)) for seed in range(4)]
    assert {"start_s" in motion.details for motion in motions} == {True, False}
    for motion in motions:
        check_local_frame(body, motion, asked)


def test_the_first_source_that_can_acts_the_order(body: BodyModel, captured: Path) -> None:
    rng = np.random.default_rng(0)
    fall = order(event="fall", cause="push", direction="forward", start="walking", seconds=5.0)
    for asked, mocap, name in (
        (order(seconds=3.0), captured, "mocap"),
        (order(seconds=3.0), None, "procedural"),
        (order(event="stand"), captured, "procedural"),  # no capture shows it
        (fall, captured, "physics"),
        (order(seconds=3.0, source="procedural"), captured, "procedural"),
        (order(seconds=3.0, source="captured"), captured, "mocap"),
    ):
        motion, source = draw_motion(body, PhysicsConfig(), mocap, asked, None, rng)
        assert source == name
        check_local_frame(body, motion, asked)
    with pytest.raises(Rejected, match="event_not_procedural: sit"):
        draw_motion(body, PhysicsConfig(), captured, order(event="sit"), None, rng)
    with pytest.raises(Rejected, match="no_mocap_for_event: stand"):  # what is asked for by name has no stand-in
        draw_motion(body, PhysicsConfig(), captured, order(event="stand", source="captured"), None, rng)


def test_falls_are_not_the_motion_model_s_unless_asked() -> None:
    fall = order(event="fall", cause="push", direction="forward")
    told = order(event="fall", cause="push", direction="forward", text="She falls.")
    by_model = {
        name: [wants_model(asked, name) for asked in (fall, told, order(), order(source="procedural"))]
        for name in get_args(Preference)
    }
    assert by_model == {
        "mixed": [False, True, True, False],
        "model": [True, True, True, False],
        "simulated": [False, False, False, False],
    }
    assert all(wants_model(order(source="model"), name) for name in get_args(Preference))
    assert RunConfig().motion == "mixed"
