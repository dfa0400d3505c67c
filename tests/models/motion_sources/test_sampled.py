"""The motion model acts orders: in words, at the order's rate and length, on the order's body."""

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.body.tracks import track_joints
from models.errors import Rejected
from models.falls.controller import PhysicsConfig
from models.motion.denoisers.identity import IdentityConfig
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.schedulers import SamplingConfig
from models.motion_sources.draw import draw_motion
from models.motion_sources.sampled import SampledMotion, requested_role, text_of
from models.motion_sources.source import betas_of
from models.order import ClipOrder
from models.text.encoder import SentenceConfig, TextEncoder
from models.training.state import write_starter


def order(**more) -> ClipOrder:
    return ClipOrder.model_validate(
        {
            "event": "fall",
            "cause": "slip",
            "direction": "left",
            "start": "walking",
            "seconds": 2.0,
            "fps": 15.0,
            "role": "resident",
            "age_years": 83.0,
            "stature_m": 1.6,
            "build": 0.5,
            "sex": 0.0,
            "text": "",
        }
        | more
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    torch.manual_seed(0)
    encoder = TextEncoder(SentenceConfig())
    config = MotionModelConfig(
        denoiser=IdentityConfig(width=32, layers=1, heads=2, text=encoder.dim),
        text_encoder_digest=encoder.digest,
        max_frames=60,
    )
    folder = tmp_path_factory.mktemp("model")
    model = MotionModel(config)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    write_starter(folder, model.state_dict(), config, {})
    return SampledMotion(load_body(), folder, SentenceConfig(), SamplingConfig(steps=2), None)


def test_an_order_is_acted_at_its_rate_and_length_by_its_body(source):
    motion, name = draw_motion(source.body, PhysicsConfig(), None, order(), None, np.random.default_rng(0), source)
    assert name == "motion model" and len(motion.timestamps_s) == 30 and motion.timestamps_s[1] == pytest.approx(1 / 15)
    track = motion.people[0]
    assert np.array_equal(track.betas, betas_of(source.body, order())) and track.role == "resident"
    assert motion.actions.shape == (1, 30) and (motion.actions == -1).all()
    assert np.isfinite(track_joints(source.body, track)).all()
    again = source.sample(order(), None, np.random.default_rng(0))
    assert np.array_equal(again.people[0].body_pose, track.body_pose)


def test_frames_between_the_model_s_are_between(source):
    """At 20 Hz the model's own frames come out; at 40 Hz every second one is the same."""
    own = source.sample(order(fps=20.0), None, np.random.default_rng(1))
    twice = source.sample(order(fps=40.0), None, np.random.default_rng(1))
    joints, finer = (track_joints(source.body, motion.people[0]) for motion in (own, twice))
    np.testing.assert_allclose(finer[::2], joints, atol=1e-5)
    middle = (joints[1:] + joints[:-1]) / 2.0
    np.testing.assert_allclose(finer[1:-1:2, 0], middle[:, 0], atol=1e-5)


def test_words_say_the_order(source):
    rng = np.random.default_rng(0)
    said = text_of(order(), rng).lower()
    assert "left" in said and "right" not in said and "resident" in said
    assert text_of(order(text="She falls."), rng) == "She falls."
    everyday = {"cause": None, "direction": None}
    assert "stands idle" in text_of(order(event="stand", **everyday), rng)
    walk = text_of(order(event="walk", **everyday), rng).lower()
    assert "resident" not in walk and any(word in walk for word in ("walk", "foot", "pac", "step"))
    said = {text_of(order(event="everyday", **everyday), np.random.default_rng(seed)) for seed in range(8)}
    assert any("idle" in text for text in said) and any("idle" not in text for text in said)


def test_everyday_motion_is_asked_of_anybody_and_acted_by_whoever_was_ordered(source):
    """Captures are of nobody in particular."""
    assert requested_role(order()) == requested_role(order(event="walk", text="She walks.")) == "resident"
    walk = order(event="walk", cause=None, direction=None)
    assert requested_role(walk) == "person"
    assert source.sample(walk, None, np.random.default_rng(0)).people[0].role == "resident"


@pytest.mark.parametrize(
    "asked",
    [{"event": "sit", "cause": None, "direction": None}, {"cause": "roll_out_of_bed"}, {"cause": "sit_to_stand"}],
)
def test_what_begins_on_furniture_is_rejected(source, asked):
    with pytest.raises(Rejected, match="cause_needs_furniture.*on a bare floor"):
        source.sample(order(**asked), None, np.random.default_rng(0))


def test_what_is_too_long_is_rejected(source):
    with pytest.raises(Rejected, match="longer_than_the_model_learned.*learned up to 3 s"):
        source.sample(order(seconds=5.0), None, np.random.default_rng(0))
