"""Figures of retargeting: a motion that follows its source has none, and what is spoilt is seen where it was spoilt."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.animation.gait_curves import procedural_walking
from models.body.model import BodyModel, load_body
from models.errors import InputError
from models.mocap.bvh import write_bvh
from models.mocap.evaluate_retargeting import agreement, measure, retargeting_metrics
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import SMPL_JOINTS, Motion
from pipeline.cli.main import app


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def walked(body: BodyModel, as_bvh: Callable[..., SkeletonMotion]) -> tuple[SkeletonMotion, Motion]:
    source = as_bvh(body, procedural_walking(body, np.zeros(10), 3.0, 30.0, np.random.default_rng(3)))
    return source, retarget([source], body, np.zeros(10), 20.0)


def test_who_follows_the_source_has_no_figures(body: BodyModel, walked: tuple[SkeletonMotion, Motion]) -> None:
    told = retargeting_metrics(*walked, 0, body)
    assert abs(told["skate_added_cm_s"]) < 0.3 and told["penetration_cm"] < 0.1 and 0.5 < told["contact_share"] <= 1.0
    assert told["limb_direction_deg"] < 1.0 and told["ankle_cm"] < 0.5 and told["wrist_cm"] < 0.5


def test_sliding_sinking_and_raised_arms_are_seen(body: BodyModel, walked: tuple[SkeletonMotion, Motion]) -> None:
    source, motion = walked
    track, before = motion.people[0], retargeting_metrics(source, motion, 0, body)
    pose = track.body_pose.copy()
    pose[:, 3 * (SMPL_JOINTS.index("left_elbow") - 1) + 1] += 0.5
    drift = motion.timestamps_s[:, None] * np.array([0.0, 0.4, 0.0]) - [0.0, 0.0, 0.05]
    spoilt = replace(motion, people=(replace(track, transl=track.transl + drift, body_pose=pose),))
    told = retargeting_metrics(source, spoilt, 0, body)
    assert told["penetration_cm"] == pytest.approx(5.0, abs=0.5)
    assert told["skate_added_cm_s"] > before["skate_added_cm_s"] + 20.0
    assert told["wrist_cm"] > before["wrist_cm"] + 3.0 and told["limb_direction_p95_deg"] > 20.0


def test_agreement_is_of_shape_not_of_place_and_size() -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(0.0, 0.5, (20, 24, 3))
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    distance_mm, angle_deg = agreement(joints, 1.3 * joints @ turn.T + [4.0, -2.0, 1.0])
    assert distance_mm < 1e-6 and angle_deg < 1e-3
    distance_mm, _ = agreement(joints, joints + rng.normal(0.0, 0.03, joints.shape))
    assert 30.0 < distance_mm < 60.0


def test_the_command_tells_of_every_take_and_of_failures(walked: tuple[SkeletonMotion, Motion], tmp_path: Path) -> None:
    write_bvh(walked[0], tmp_path / "a.bvh")
    (tmp_path / "b.bvh").write_text("HIERARCHY")
    row = "{0}.bvh,bvh,90,30,30,1,,a walk\n"
    (tmp_path / "index.csv").write_text(
        "file,format,frames,fps,captured_fps,subject,pair,description\n" + row.format("a") + row.format("b")
    )
    out = tmp_path / "figures.json"
    done = CliRunner().invoke(app, ["measure", "import", "--mocap", str(tmp_path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_text())
    assert json.loads(done.output) == {name: value for name, value in told.items() if name != "rows"}
    assert told["files"] == 1 and list(told["rows"]) == ["a.bvh"] and told["realtime_factor"] > 0.0
    assert told["failures"] == [
        f"{tmp_path / 'b.bvh'}: has no MOTION section; the file is cut short: export or copy it again"
    ]
    assert told["summary"]["skate_added_cm_s"]["worst_of"] == "a.bvh"


def test_a_folder_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    row = "file,format,frames,fps,captured_fps,subject,pair,description\na.bvh,bvh,90,30,30,1,,a walk\n"
    (tmp_path / "index.csv").write_text(row)
    (tmp_path / "a.bvh").write_text("HIERARCHY")
    with pytest.raises(InputError, match="holds no take that could be read"):
        measure(tmp_path)
