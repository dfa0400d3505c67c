"""From a sentence to motion: who acts, what is refused, and that a motion is the same whatever is sampled beside it."""

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.body.tracks import track_joints
from models.errors import InputError
from models.motion.denoisers.identity import IdentityConfig
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.schedulers import SamplingConfig
from models.text.encoder import SentenceConfig, TextEncoder
from stages import sample_motion
from stages.sample_motion import SampleMotionConfig, draw_requests, roles_of


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def encoder():
    return TextEncoder(SentenceConfig())


@pytest.fixture(scope="module")
def model(encoder):
    torch.manual_seed(0)
    model = MotionModel(
        MotionModelConfig(
            denoiser=IdentityConfig(width=32, layers=1, heads=2, text=encoder.dim),
            text_encoder_digest=encoder.digest,
            max_frames=60,
        )
    )
    for name, value in model.named_parameters():
        # A refinement of weights so large would blow rounding up to what is looked for.
        torch.nn.init.normal_(value, std=0.02 if "refinement" in name else 0.1)
    return model.eval()


CONFIG = SampleMotionConfig(sampling=SamplingConfig(steps=3, precision="float32", overlap_frames=8))


def test_motion_is_the_same_alone_and_in_company(body, model, encoder):
    asked = draw_requests(body, "a carer walks beside a resident", ("carer", "resident"), 30, 3, seed=4)
    asked += draw_requests(body, "someone stands", ("person",), 50, 1, seed=4)
    together = sample_motion.run(CONFIG, model, encoder, body, asked)
    for one, motion in zip(asked, together, strict=True):
        alone = sample_motion.run(CONFIG, model, encoder, body, [one])[0]
        for a, b in zip(alone.people, motion.people, strict=True):
            np.testing.assert_allclose(track_joints(body, a), track_joints(body, b), atol=1e-4)
    assert [len(motion.people) for motion in together] == [2, 2, 2, 1]
    assert [len(motion.timestamps_s) for motion in together] == [30, 30, 30, 50]
    assert together[0].people[0].role == "carer" and together[0].details["caption"] == asked[0].text
    first = [track_joints(body, motion.people[0]) for motion in together[:3]]
    assert np.abs(first[0] - first[1]).max() > 0.01, "another seed is another motion"
    again = sample_motion.run(CONFIG, model, encoder, body, asked)
    assert all(np.array_equal(a.people[0].transl, b.people[0].transl) for a, b in zip(again, together, strict=True))


def test_three_and_four_people_and_long_motion(body, model, encoder):
    asked = draw_requests(body, "people stand", ("person",) * 4, 150, 1, seed=0)
    motion = sample_motion.run(CONFIG, model, encoder, body, asked)[0]
    assert len(motion.people) == 4 and motion.actions.shape == (4, 150) and (motion.actions == -1).all()
    assert motion.timestamps_s[-1] == pytest.approx(149 / 20.0)


def test_a_body_s_own_shape_is_in_the_motion(body, model, encoder):
    small, tall = draw_requests(body, "someone stands", ("person",), 20, 2, seed=1)
    for one in (small, tall):
        motion = sample_motion.run(CONFIG, model, encoder, body, [one])[0]
        assert np.array_equal(motion.people[0].betas, one.betas[0])
    assert not np.array_equal(small.betas, tall.betas)


@pytest.mark.parametrize(
    ("text", "people", "roles"),
    [
        ("A care worker helps a care home resident up.", 2, ("carer", "resident")),
        ("An elderly resident falls; two carers come.", 3, ("resident", "carer", "person")),
        ("Someone walks.", 1, ("person",)),
        ("A visitor walks beside a resident.", 2, ("visitor", "resident")),
        ("Two residents talk.", 1, ("resident",)),
    ],
)
def test_who_acts_is_told_by_the_words(text, people, roles):
    assert roles_of(text, people) == roles


@pytest.mark.parametrize(
    ("text", "people", "frames", "told"),
    [
        ("", 1, 60, "text: is empty; say what happens"),
        ("  ", 1, 60, "text: is empty"),
        ("a fall", 0, 60, "people: must be 1 to 4, got 0"),
        ("a fall", 5, 60, "people: must be 1 to 4, got 5"),
        ("a fall", 1, 0, "frames: must be 4 to 1200"),
        ("a fall", 1, 10_000, "frames: must be 4 to 1200.*got 10000"),
    ],
)
def test_what_cannot_be_asked(model, encoder, text, people, frames, told):
    with pytest.raises(InputError, match=told):
        sample_motion.check(model, encoder, text, people, frames)


def test_another_text_network_is_refused(model, encoder):
    sample_motion.check(model, encoder, "a fall", 1, 60)
    other = MotionModel(model.config.model_copy(update={"text_encoder_digest": "other weights"}))
    with pytest.raises(InputError, match="the motion model learned its captions from other weight.*sample_motion.text"):
        sample_motion.check(other, encoder, "a fall", 1, 60)
