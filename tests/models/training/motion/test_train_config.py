"""The config of the motion model's training: what was written before still loads, what ships says today's names."""

import json
import logging
from pathlib import Path

import pytest
import torch

from models.depth import DepthNetwork
from models.motion.evaluation.evaluator import load_motion_evaluator
from models.motion.model import load_motion_model
from models.networks import STARTERS
from models.people3d.keypoint_lifter import load_pose_lift
from models.people3d.pose_prior import load_pose_prior
from models.training.motion.train import MotionTrainConfig
from models.training.state import read_facts
from pipeline.settings import CONFIGS, read_settings

OLD = """
train_motion:
  denoiser: {name: identity, width: 192, layers: 6, heads: 6}
  kinds: {fall: 0.45, look_alike: 0.15, own: 0.3}
  causes: {roll_out_of_bed: 2.0}
  loss: {joints: 20.0, floor: 20.0}
  most_frames: 240
  withheld: 0.2
  veiled: 0.4
  noisier: 0.35
  noise_shift: 64
  steps: 10000
  stop: 4353
  batch: 16
  rate: 4.0e-4
  warm_up: 100
  clip: 2.0
  average: 0.99
"""
NEW = {
    "sampling_weights": {"fall": 0.45, "look_alike": 0.15, "own": 0.3},
    "cause_weights": {"roll_out_of_bed": 2.0},
    "max_frames": 240,
    "text_dropout": 0.2,
    "role_dropout": 0.4,
    "high_noise_fraction": 0.35,
    "timestep_shift": 64.0,
    "max_steps": 4353,
    "batch_size": 16,
    "learning_rate": 4e-4,
    "warmup_steps": 100,
    "max_grad_norm": 2.0,
    "ema_decay": 0.99,
}


def test_a_yaml_of_before_says_the_same_with_a_warning(tmp_path, caplog):
    (tmp_path / "old.yaml").write_text(OLD)
    config = read_settings(tmp_path / "old.yaml", 0).train_motion
    assert {name: getattr(config, name) for name in NEW} == NEW and config.steps == 10000
    assert "MotionTrainConfig: the key kinds is now called sampling_weights" in caplog.text
    assert all(f"is now called {name}" in caplog.text for name in NEW)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*motion*.yaml")), ids=lambda path: path.name)
def test_what_ships_says_todays_names(path, caplog):
    caplog.set_level(logging.WARNING)
    read_settings(path, 0)
    assert "is now called" not in caplog.text


def test_the_shipped_model_learned_plans_and_bodies_in_one_run_of_the_config_that_ships():
    config = read_settings(CONFIGS / "motion.yaml", 0).train_motion
    facts = read_facts(STARTERS / "motion")
    assert config.plan is not None and config.max_steps is None and config.steps == facts["steps"]
    learned = MotionTrainConfig.model_validate(facts["config"])
    assert learned.made_of() == config.told_by(learned.denoiser.text).made_of() and "start" not in facts


def test_how_the_shipped_networks_were_trained_is_read_by_todays_names():
    for folder in sorted(STARTERS.iterdir()):
        if (folder / "training.json").exists():
            facts = read_facts(folder)
            assert "batch" not in facts and "rate" not in facts and facts["steps"] > 0
    assert read_facts(STARTERS / "depth_relative")["start"]["batch_size"] == 16
    shipped = json.loads((STARTERS / "motion" / "training.json").read_text())["config"]
    assert MotionTrainConfig.model_validate(shipped).batch_size == 16


def test_every_shipped_network_loads():
    networks = [load_motion_model(), load_motion_evaluator(Path(STARTERS / "motion_evaluator")), load_pose_prior()]
    networks += [load_pose_lift(STARTERS / "pose_lift")]
    networks += [DepthNetwork(kind, "starter", None, None, "cpu").network for kind in ("metric", "relative")]
    assert all(torch.isfinite(value).all() for network in networks for value in network.state_dict().values())
