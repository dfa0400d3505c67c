"""In-betweening: known ends stay, what lies between meets them, and the figures show where not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.motion.dataset import Piece
from models.motion.denoisers.identity import IdentityConfig
from models.motion.evaluation.inbetweening import (
    MEASURES,
    draw_pairs,
    interpolated,
    known_count,
    known_ends,
    measure,
    sample_between,
    summarise,
)
from models.motion.evaluation.scenes import Scene, sample_scenes
from models.motion.features import encode, root_matrices
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.sampler import MotionSampler
from models.motion.schedulers import SamplingConfig
from models.text.encoder import SentenceConfig, TextEncoder


@pytest.fixture(scope="module")
def scene(motion_data) -> Scene:
    """Two who walk, 60 frames."""
    item = [row.name for row in motion_data.rows].index("pair")
    batch, row = motion_data.batch([Piece(item, 0, 60, (0, 1), 0)]), motion_data.rows[item]
    return Scene(batch.features[0], batch.roles[0], batch.rest[0], torch.zeros(2, 10), batch.texts[0], row, row.take)


@pytest.fixture(scope="module")
def sampler() -> MotionSampler:
    """A small model that has learned nothing, of a plan and bodies."""
    texts = TextEncoder(SentenceConfig())
    torch.manual_seed(0)
    small = IdentityConfig(width=32, layers=1, heads=2, text=texts.dim)
    model = MotionModel(
        MotionModelConfig(denoiser=small, plan=small, max_frames=50, text_encoder_digest=texts.digest, people=(1, 2))
    )
    for name, value in model.named_parameters():
        torch.nn.init.normal_(value, std=0.02 if "refinement" in name else 0.1)
    return MotionSampler(model.eval(), texts, load_body(), SamplingConfig(steps=3))


def as_sampled(scene: Scene, features: torch.Tensor) -> Scene:
    return replace(scene, features=features, raw=features, asked=scene.features)


def test_ends_are_known_and_nothing_between(scene):
    known = known_ends(scene.features)
    assert known_count(60) == 6 and known_count(20) == known_count(16) == 4
    assert known.where[:, :6].all() and known.where[:, -6:].all() and not known.where[:, 6:-6].any()
    assert torch.equal(known.features[:, -6:], scene.features[:, -6:]) and not known.features[:, 6:-6].any()


def test_interpolated_poses_go_straight_from_one_end_to_the_other(scene):
    """Somebody who turns by a quarter and walks a metre, at first not at all: half way they are half way in both."""
    share = torch.linspace(0.0, 1.0, 20) ** 3
    share[:4], share[-4:] = 0.0, 1.0
    rotations = torch.zeros(1, 20, 24, 3)
    rotations[..., 0, 2] = share * torch.pi / 2
    features = encode(scene.rest[:1], rotations, share[None, :, None] * torch.tensor([1.0, 0.0, 0.0]))
    found = interpolated(features, scene.rest[:1])
    assert torch.equal(found[:, :4], features[:, :4]) and torch.equal(found[:, -4:], features[:, -4:])
    part = torch.linspace(0.0, 1.0, 14)
    torch.testing.assert_close(found[0, 3:17, 0] - found[0, 3, 0], part, atol=1e-5, rtol=0.0)
    turn = torch.atan2(root_matrices(found)[0, 3:17, 1, 0], root_matrices(found)[0, 3:17, 0, 0])
    torch.testing.assert_close(turn, part * torch.pi / 2, atol=1e-5, rtol=0.0)


def test_the_known_ends_stay_through_the_clean_up_and_who_ignores_them_is_found_out(scene, sampler):
    found = sample_between(sampler, [scene], 3)[0]
    assert found.features.shape == (2, 50, 268), "cut to the model's longest motion"
    known = measure(found)
    assert known["known_off_cm"] < 0.01 and known["known_off_raw_cm"] < 0.01 and known["between_off_cm"] > 1.0
    cut = replace(scene, features=scene.features[:, :50])
    ignored = measure(sample_scenes(sampler, [cut], 3)[0])
    assert ignored["known_off_cm"] > 10.0 and ignored["known_off_raw_cm"] > 10.0
    # As Algorithm 1 has it, that known frames are only put in.
    ends = known_ends(cut.features)
    put_in = torch.where(ends.where, ends.features, sample_scenes(sampler, [cut], 3)[0].features)
    assert measure(as_sampled(cut, put_in))["seam_velocity_change_m_s"] > 3.0 * known["seam_velocity_change_m_s"]


def test_a_jump_where_the_known_frames_end_is_told_from_one_inside(scene):
    still = scene.features[:, :1].expand(-1, 60, -1).clone()
    asked = replace(scene, features=still)
    for moved, seam, inside in ((slice(6, 54), 2.0, 0.0), (slice(30, 54), 2.0, 2.0), (slice(20, 40), 0.0, 2.0)):
        features = still.clone()
        features[0, moved, 0] += 0.1
        found = measure(as_sampled(asked, features))
        assert found["seam_velocity_change_m_s"] == pytest.approx(seam, abs=1e-3)
        assert found["inside_velocity_change_m_s"] == pytest.approx(inside, abs=1e-3)
        assert found["real_seam_velocity_change_m_s"] == pytest.approx(0.0, abs=1e-3)
        frames = len(range(60)[moved])
        assert found["between_off_cm"] == pytest.approx(10.0 * frames / 48 / 2, abs=1e-3), "of one of two people"
        assert found["nearer_than_interpolated_cm"] == pytest.approx(-found["between_off_cm"], abs=1e-3)


def test_figures_have_intervals_over_takes_and_pairs_are_drawn(scene):
    scenes = [replace(as_sampled(scene, scene.features), take=f"{k}") for k in range(4)]
    summary = summarise(scenes, np.random.default_rng(0), 5)
    assert summary["scenes"] == 4 and set(MEASURES) < set(summary)
    assert summary["between_off_cm"] == [0.0, 0.0, 0.0] and summary["nearer_than_interpolated_cm"][0] > 1.0
    first = {name: getattr(scene, name)[:1] for name in ("features", "roles", "rest", "betas")}
    alone = replace(scene, **first)
    drawn = draw_pairs([alone, *scenes], 3, np.random.default_rng(1))
    assert len({one.take for one in drawn}) == 3 and all(len(one.roles) == 2 for one in drawn)
    assert len(draw_pairs([alone, *scenes], 9, np.random.default_rng(1))) == 4
    short = replace(scene, features=scene.features[:, :15])
    assert draw_pairs([short], 9, np.random.default_rng(1)) == [], "too little lies between"
