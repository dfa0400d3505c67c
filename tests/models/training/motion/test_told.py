"""What a network of bodies is told of a batch: the world, a plan, or a pose in whose frame it sees all."""

import pytest
import torch
from torch.testing import assert_close

from models.motion.condition import condition_of
from models.motion.dataset import Piece, draw_identity_ids
from models.motion.denoisers.identity import IdentityConfig
from models.motion.denoisers.ponimator import PonimatorConfig
from models.motion.features import POSITIONS, ROTATIONS, VELOCITIES
from models.motion.interactive_pose import still
from models.motion.known_frames import place_of
from models.motion.model import MotionModel, MotionModelConfig
from models.training.motion.told import POSE_NOISE, draw_pose_frames, tell

SMALL = {"width": 32, "layers": 1, "heads": 2, "text": 12}


@pytest.fixture
def batch(motion_data):
    """Two who walk 1 m apart, and one alone, whose window is shorter."""
    pair = next(item for item, row in enumerate(motion_data.rows) if row.name == "pair")
    alone = next(item for item, row in enumerate(motion_data.rows) if row.name == "stand_0")
    return motion_data.with_poses(motion_data.batch([Piece(pair, 0, 60, (1, 0), 0), Piece(alone, 10, 40, (0,), 0)]))


def told(batch, training, seed=0, denoiser=None):
    model = MotionModel(MotionModelConfig(denoiser=denoiser or PonimatorConfig(**SMALL)))
    return tell(batch, model, torch.Generator().manual_seed(seed), training), model


def test_the_interactive_frames_of_who_does_not_touch_are_the_nearest_of_one_any(batch):
    assert batch.interactive[0].sum() == 1 and batch.interactive[1].tolist() == [True] * 40 + [False] * 20
    drawn = torch.stack([draw_pose_frames(batch, torch.Generator().manual_seed(seed)) for seed in range(400)])
    assert (drawn[:, 0] == batch.interactive[0].nonzero()[0, 0]).all()
    assert drawn[:, 1].max() == 39 and drawn[:, 1].min() == 0, "its time is anywhere in the window"
    assert len(set(drawn[:, 1].tolist())) == 40


def test_all_is_seen_in_the_frame_of_the_first_person_at_the_pose(batch):
    seen, model = told(batch, training=False)
    assert_close(place_of(seen.features, seen.pose_frame), torch.zeros(2, 3), atol=1e-5, rtol=0.0)
    assert_close(seen.world(seen.features), batch.features, atol=1e-5, rtol=0.0)
    at_pose = torch.stack([seen.features[n, :, seen.pose_frame[n]] for n in (0, 1)])
    assert_close(seen.pose, still(at_pose)), "held out, the pose is exact"
    ids = draw_identity_ids(batch, 5, torch.Generator().manual_seed(0))
    condition = condition_of(batch, lambda texts: torch.zeros(len(texts), 12), ids, torch.zeros(2, dtype=torch.bool))
    condition = seen.added_to(condition, model, batch)
    assert (condition.pose[1, 1] == 0.0).all() and torch.equal(condition.pose_frame, seen.pose_frame)
    assert_close(model.normaliser.denormalise(condition.pose[0]), seen.pose[0])


def test_in_training_the_pose_is_off_by_two_centimetres_and_stands_still(batch):
    off = torch.stack([told(batch, True, seed)[0].pose - told(batch, False, seed)[0].pose for seed in range(30)])[:, 0]
    for part in (POSITIONS, ROTATIONS):
        assert off[..., part].std() == pytest.approx(POSE_NOISE, rel=0.05)
    assert (off[..., VELOCITIES] == 0.0).all() and (off[..., ROTATIONS.stop :] == 0.0).all()


def test_models_without_a_pose_are_told_the_world_or_a_plan(batch):
    seen, _ = told(batch, True, denoiser=IdentityConfig(**SMALL))
    assert seen.features is batch.features and seen.frames is seen.pose is seen.plan is None
    model = MotionModel(MotionModelConfig(denoiser=IdentityConfig(**SMALL), plan=IdentityConfig(**SMALL)))
    exact = tell(batch, model, torch.Generator().manual_seed(0), False)
    shaken = tell(batch, model, torch.Generator().manual_seed(0), True)
    assert exact.plan is not None and (exact.plan - shaken.plan).abs().max() > 1e-3
    assert_close(exact.world(exact.features), batch.features, atol=1e-4, rtol=0.0)
