"""Poses of a corpus: thinned, by kind, takes held out whole, the same through a file."""

import numpy as np
import pytest

from models.body.model import load_body
from models.errors import InputError
from models.training.corpus_tracks import KINDS, corpus_tracks
from models.training.pose_prior.poses import collect, read_poses, save_poses, thinned


@pytest.fixture(scope="module")
def poses(corpus_path):
    body = load_body()
    return collect(body, corpus_tracks(corpus_path, body))


def test_thinning_drops_who_stands_still():
    joints = np.zeros((20, 24, 3))
    joints[10:, :, 0] = np.arange(10)[:, None] * 0.01
    assert thinned(joints, 0.015).tolist() == [0, 12, 14, 16, 18]


def test_poses_of_every_kind_with_their_trunks(poses):
    assert {KINDS[kind] for kind in poses.kind} == {"fall", "look_alike", "composed"}
    assert (poses.trunk[poses.kind == KINDS.index("look_alike")] > 0.8).all()
    falls = poses.trunk[poses.kind == KINDS.index("fall")]
    assert falls.min() < 0.5 and falls.max() > 0.9
    # Standing for five seconds is hardly a pose, falling for as long is many.
    counts = np.bincount(poses.take)
    assert counts.min() < 12 and counts[poses.take[poses.kind == KINDS.index("fall")]].min() > 20


def test_takes_are_held_out_whole(poses):
    assert poses.held_out.any() and not poses.held_out.all()
    assert set(poses.take[poses.held_out]).isdisjoint(poses.take[~poses.held_out])


def test_through_a_file(poses, tmp_path):
    save_poses(poses, tmp_path / "poses.npz")
    again = read_poses(tmp_path / "poses.npz")
    assert np.abs(again.body_pose - poses.body_pose).max() < 2e-3
    assert (again.held_out == poses.held_out).all() and (again.kind == poses.kind).all()
    (tmp_path / "poses.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no collected poses"):
        read_poses(tmp_path / "poses.npz")
