"""The card of a keypoint regressor holds what was measured; postures are told by trunk and thighs."""

import json

import numpy as np
import pytest

from models.body.model import load_body
from models.people2d.simulated_detector import DetectorNoiseConfig
from models.people3d.keypoint_lifter import PoseLiftConfig, load_pose_lift
from models.training.keypoint_lifter.evaluate import POSTURES, measure, postures, table, write_card
from models.training.keypoint_lifter.motions import collect
from models.training.keypoint_lifter.train import TRAINING, LifterTrainConfig, train
from models.training.loop import Run

TINY = PoseLiftConfig(width=24, layers=1, heads=2)


def how(steps, batch_size, learning_rate, **more) -> LifterTrainConfig:
    values = {"steps": steps, "batch_size": batch_size, "learning_rate": learning_rate, "frames": 8}
    return TRAINING.model_copy(update=values | more)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def motions(body):
    return collect(body, (), acted=6, postures=6, seed=2)


def test_the_card_holds_the_figures(body, motions, tmp_path):
    train(motions, TINY, how(2, 4, 1e-3), Run(0, tmp_path), body)
    figures = write_card(tmp_path, motions, 50, 0)
    card = (tmp_path / "README.md").read_text()
    assert f"{figures['faulty']['all']['pa_mpjpe_mm']:.0f} mm" in card and "nan" not in card
    assert (tmp_path / "errors.png").stat().st_size > 5000
    assert json.loads((tmp_path / "training.json").read_text())["steps"] == 2
    network = load_pose_lift(tmp_path)
    again = table(measure(network, motions, 50, 8, 0, DetectorNoiseConfig(calibration=0.0)))
    assert again == figures["faulty"]


def test_postures_by_trunk_and_thighs():
    joints = np.zeros((5, 24, 3))
    joints[:, 12] = [[0, 0, 0.5], [0, 0, 0.5], [0.5, 0, 0.05], [0.3, 0, 0.3], [0.5, 0, 0.05]]
    joints[:, [4, 5]] = [[[0, 0, -0.4]], [[0.4, 0, -0.02]], [[-0.4, 0, 0]], [[0, 0, -0.4]], [[-0.4, 0, 0]]]
    found = postures(joints, np.array([False, False, False, False, True]))
    assert [POSTURES[i] for i in found] == ["standing", "sitting", "lying", "other", "falling"]
