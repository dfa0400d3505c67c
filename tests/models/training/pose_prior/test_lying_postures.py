"""Typical postures: medoids of clusters with a known answer, nothing held out, the library has them in all rolls."""

import json

import numpy as np
import torch

from models.body.model import load_body, relaxed_pose
from models.body.posture_library import LYING, posture_library
from models.training.pose_prior.kinematics import Kinematics
from models.training.pose_prior.lying_postures import lying_postures, medoids
from models.training.pose_prior.poses import Poses


def test_medoids_are_the_middles_of_clusters():
    line = torch.tensor([[0.0], [1.0], [2.0], [50.0], [51.0], [52.0]])
    assert sorted(medoids(line, 2, np.random.default_rng(0)).tolist()) == [1, 4]


def test_lying_postures_come_from_lying_training_poses():
    pose = np.tile(relaxed_pose()[:63], (9, 1))
    pose[:, 9] = [0.0, 0.1, 0.2, 1.4, 1.5, 1.6, 2.2, 2.2, 2.2]
    trunk = np.array([0.1] * 6 + [0.9, 0.9, 0.1])
    held = np.arange(9) == 8
    poses = Poses(pose, np.ones(9, dtype=int), np.zeros(9, dtype=int), trunk, held)
    found = lying_postures(poses, Kinematics(load_body()), 2, seed=0)
    assert sorted(found[:, 9].tolist()) == [0.1, 1.5]


def test_library_lays_every_typical_posture_on_all_sides():
    poses = [pose for pose, _ in posture_library()[0]]
    for posture in json.loads(LYING.read_text()):
        assert len(posture) == 63
        assert sum(np.allclose(pose[:63], posture) for pose in poses) == 8
