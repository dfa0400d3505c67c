"""From requests to motion: the steps in their order, whatever the batches, by a model that knows the text network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.errors import InputError
from models.motion.cleanup import CleanupConfig, clean_up
from models.motion.denoisers.identity import IdentityConfig
from models.motion.features import CONTACTS, POSITIONS, ROTATIONS, VELOCITIES, smpl_parameters
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.sample_windows import sample
from models.motion.sampler import MotionSampler, request_for
from models.motion.schedulers import SamplingConfig
from models.text.encoder import SentenceConfig, TextEncoder


@pytest.fixture(scope="module")
def sampler():
    torch.manual_seed(0)
    encoder = TextEncoder(SentenceConfig())
    sizes = IdentityConfig(width=32, layers=1, heads=2, text=encoder.dim)
    model = MotionModel(MotionModelConfig(denoiser=sizes, text_encoder_digest=encoder.digest, max_frames=60)).eval()
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    return MotionSampler(model, encoder, load_body(), SamplingConfig(steps=2, precision="float32"), CleanupConfig())


def requests_of(sampler, count):
    shapes = np.random.default_rng(0).normal(size=(count, 2, 10))
    return [
        request_for(sampler.body, "a carer walks beside a resident", ("carer", "resident"), betas, 20 + 5 * seed, seed)
        for seed, betas in enumerate(shapes)
    ]


def test_a_motion_is_sampled_cleaned_up_and_read_as_smpl(sampler):
    request = requests_of(sampler, 1)[0]
    sampled = sample(sampler.model, sampler.texts.encode, [request], sampler.sampling)[0]
    mended = clean_up(sampler.cleanup, sampler.body, request.betas, request.rest, sampled)
    assert not torch.equal(sampled, mended)
    assert torch.equal(sampler.features([request])[0], mended)
    assert torch.equal(replace(sampler, cleanup=None).features([request])[0], sampled)
    motion = sampler.motions([request])[0]
    orient, pose, transl = smpl_parameters(mended, request.rest)
    for person, track in enumerate(motion.people):
        assert np.array_equal(track.betas, request.betas[person]) and track.role == request.roles[person]
        assert np.array_equal(track.global_orient, orient[person]) and np.array_equal(track.transl, transl[person])
        assert np.array_equal(track.body_pose, pose[person])
    assert motion.details == {"caption": request.text, "seed": request.seed} and (motion.actions == -1).all()
    assert np.allclose(motion.timestamps_s, np.arange(20) / 20.0)


def test_batches_change_nothing_and_keep_the_order(sampler):
    requests = requests_of(sampler, 3)
    together = sampler.features(requests)
    for by_pairs, found in zip(replace(sampler, batch_size=2).features(requests), together, strict=True):
        # Velocities are differences of places, times twenty.
        torch.testing.assert_close(by_pairs[..., VELOCITIES], found[..., VELOCITIES], atol=1e-2, rtol=0.0)
        for part in (POSITIONS, ROTATIONS, CONTACTS):
            torch.testing.assert_close(by_pairs[..., part], found[..., part], atol=1e-3, rtol=0.0)
    assert [found.shape[1] for found in together] == [20, 25, 30]


def test_a_request_holds_the_joints_of_its_bodies(sampler):
    request = requests_of(sampler, 1)[0]
    joints = sampler.body.rest_joints(torch.as_tensor(request.betas, dtype=torch.float32))[:, :22]
    torch.testing.assert_close(request.rest, joints, atol=2e-3, rtol=0.0)


def test_another_text_encoder_is_refused(sampler):
    other = MotionModel(sampler.model.config.model_copy(update={"text_encoder_digest": "other weights"}))
    with pytest.raises(InputError, match="the motion model learned its captions from other weigh"):
        replace(sampler, model=other)
