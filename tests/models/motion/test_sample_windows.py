"""Sampling: known values stay, windows join, and guidance does what its equation says."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from models.body.kinematics import forward_kinematics
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.motion.denoisers.identity import IdentityConfig
from models.motion.features import FEATURES, ROTATIONS, matrices
from models.motion.interactive_pose import in_world_of, known_pose
from models.motion.known_frames import KnownFrames
from models.motion.model import MotionModel, MotionModelConfig, load_motion_model
from models.motion.plan import HOLDS
from models.motion.request import KnownPlan, MotionRequest
from models.motion.sample_windows import sample, sample_motions
from models.motion.schedulers import SamplingConfig
from models.text.encoder import SentenceConfig, TextEncoder

ROOT = Path(__file__).parents[3]
REST = torch.linspace(0.0, 1.0, 66).unflatten(0, (1, 22, 3))
FAST = SamplingConfig(steps=4, precision="float32", overlap_frames=8)


class Constant(nn.Module):
    """A denoiser that knows the answer: one value where a caption is heard, another where it is withheld."""

    def __init__(self, conditional, unconditional):
        super().__init__()
        self.conditional, self.unconditional = conditional, unconditional

    def forward(self, x_t, step, condition, mask):
        value = torch.where(condition.text_dropped, self.unconditional, self.conditional)
        return value[:, None, None, None] * mask[..., None].float().expand_as(x_t)


SMALL = IdentityConfig(width=32, layers=1, heads=2, text=12)


def model_of(denoiser=None, plan=None):
    torch.manual_seed(0)
    model = MotionModel(MotionModelConfig(denoiser=SMALL, plan=plan, max_frames=40))
    for name, value in model.named_parameters():
        # A refinement of weights so large would blow rounding up to what is looked for.
        nn.init.normal_(value, std=0.02 if "refinement" in name else 0.1)
    if denoiser is not None:
        model.denoiser = denoiser
    return model.eval()


def walk(frames=24, people=1, seed=0, **more):
    return MotionRequest("someone walks", ("person",) * people, REST.expand(people, -1, -1), frames, seed, **more)


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm++", "sde-dpm++"])
def test_the_guide_goes_past_the_caption(scheduler, embed):
    """x = u + s (c - u): with u = 1, c = 3 and s = 2.5, six everywhere, whatever the noise was."""
    config = SamplingConfig(
        scheduler=scheduler, steps=5, classifier_free_guidance_scale=2.5, guidance_interval=1.0, precision="float32"
    )
    found = sample(model_of(Constant(torch.tensor(3.0), torch.tensor(1.0))), embed, [walk()], config)[0]
    torch.testing.assert_close(found, torch.full((1, 24, FEATURES), 6.0), atol=0.02, rtol=0.0)


@pytest.mark.parametrize(("guided", "calls"), [(1.0, [2, 2, 2, 2]), (0.4, [2, 2, 1, 1]), (0.0, [1, 1, 1, 1])])
def test_steps_that_are_not_guided_cost_half_and_say_what_the_caption_says(guided, calls, embed):
    """What is guided goes past the caption, to six; what is not ends at three."""
    seen = []

    class Counted(Constant):
        def forward(self, x_t, step, condition, mask):
            seen.append(len(x_t))
            return super().forward(x_t, step, condition, mask)

    config = SamplingConfig(steps=4, classifier_free_guidance_scale=2.5, guidance_interval=guided, precision="float32")
    model = model_of(Counted(torch.tensor(3.0), torch.tensor(1.0)))
    found = sample(model, embed, [walk()], config)[0]
    assert seen == calls
    torch.testing.assert_close(found, torch.full((1, 24, FEATURES), 6.0 if guided == 1.0 else 3.0), atol=0.03, rtol=0.0)


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm++", "sde-dpm++"])
def test_a_batch_is_its_singles(scheduler, embed):
    model, config = model_of(), replace_config(scheduler)
    requests = [walk(24, 1, 5), walk(33, 2, 6), walk(17, 3, 7)]
    together = sample(model, embed, requests, config)
    for one, found in zip(requests, together, strict=True):
        torch.testing.assert_close(sample(model, embed, [one], config)[0], found, atol=1e-4, rtol=0.0)
    assert (together[0] - sample(model, embed, [replace(requests[0], seed=8)], config)[0]).abs().max() > 0.05


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm++", "sde-dpm++"])
def test_a_batch_that_is_planned_is_its_singles(scheduler, embed):
    model, config = model_of(plan=SMALL), replace_config(scheduler)
    config = config.model_copy(update={"plan": config.plan.model_copy(update={"scheduler": scheduler, "steps": 3})})
    requests = [walk(24, 1, 5), walk(33, 2, 6), walk(17, 3, 7)]
    together = sample(model, embed, requests, config)
    for one, found in zip(requests, together, strict=True):
        torch.testing.assert_close(sample(model, embed, [one], config)[0], found, atol=1e-3, rtol=0.0)
    assert torch.equal(together[0], sample(model, embed, requests, config)[0])


def test_bodies_are_told_the_plan_that_is_known_and_follow_it_into_the_world(embed):
    """Bodies that stay at the middle of their own frames are where the plan is, turned as it says."""
    model = model_of(Constant(torch.tensor(0.0), torch.tensor(0.0)), plan=SMALL)
    plan = torch.zeros(2, 6, 10)
    plan[0, :, 0], plan[1, :, 1] = 0.2 * torch.arange(6), 1.5
    plan[..., 2] = 0.9
    plan[0, :, 3], plan[1, :, 4] = 1.0, 1.0
    known = KnownPlan(plan, torch.ones(2, 6, 10, dtype=torch.bool))
    found = sample(model, embed, [walk(24, 2, plan=known)], FAST)[0]
    torch.testing.assert_close(found[:, :21:4, :2], plan[..., :2], atol=1e-5, rtol=0.0)
    columns = model.normaliser.mean[ROTATIONS][:3]
    assert torch.equal(columns, torch.zeros(3)), "an untrained normaliser says nothing of where bodies face"


def test_a_part_of_a_plan_may_be_known(embed):
    """Of one the place at the end, of the other nothing: it ends there, and all else is sampled."""
    plan, where = torch.zeros(2, 6, 10), torch.zeros(2, 6, 10, dtype=torch.bool)
    plan[0, 5, :2] = torch.tensor([2.0, -1.0])
    where[0, 5, :2] = True
    model = model_of(Constant(torch.tensor(0.0), torch.tensor(0.0)), plan=SMALL)
    found = sample(model, embed, [walk(24, 2, plan=KnownPlan(plan, where))], FAST)[0]
    free = sample(model, embed, [walk(24, 2)], FAST)[0]
    torch.testing.assert_close(found[0, 20, :2], plan[0, 5, :2], atol=1e-5, rtol=0.0)
    assert (free[0, 20, :2] - plan[0, 5, :2]).norm() > 0.1


def test_hands_hold_when_the_plan_says_so(embed):
    """In windows that are chained, too; of a model without a plan, never."""
    plan, where = torch.zeros(2, 6, 10), torch.zeros(2, 6, 10, dtype=torch.bool)
    where[..., HOLDS] = True
    plan[0, 2:, HOLDS.start], plan[1, :3, HOLDS.start + 1] = 1.0, 1.0
    said = sample_motions(model_of(plan=SMALL), embed, [walk(24, 2, plan=KnownPlan(plan, where))], FAST)[0].holding
    expected = torch.zeros(2, 24, 2, dtype=torch.bool)
    # Between two moments, from the middle on.
    expected[0, 7:, 0], expected[1, :10, 1] = True, True
    assert torch.equal(said, expected)
    long, unplanned = (sample_motions(model_of(plan=plan), embed, [walk(70, 2)], FAST)[0] for plan in (SMALL, None))
    assert long.holding.shape == unplanned.holding.shape == (2, 70, 2)
    assert long.holding[:, 40:].any() and not unplanned.holding.any()


def replace_config(scheduler):
    return FAST.model_copy(update={"scheduler": scheduler})


COMPILED = """
import torch
from models.motion.denoisers.identity import IdentityConfig
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig

model = MotionModel(MotionModelConfig(denoiser=IdentityConfig(width=32, layers=1, heads=2, text=12), max_frames=40))
for value in model.parameters():
    torch.nn.init.normal_(value, std=0.1)
request = MotionRequest("someone walks", ("person",) * 2, torch.rand(2, 22, 3), 24, 0)
config = SamplingConfig(steps=2, guidance_interval=1.0, precision="float32")
one, other = (
    sample(model.eval(), lambda texts: torch.ones(len(texts), 12), [request], config.model_copy(update=update))[0]
    for update in ({"compile": True}, {"compile": False})
)
print(float((one - other).abs().max()), float(one.std()))
"""


@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs a C++ compiler")
def test_a_compiled_network_says_the_same():
    """In a process of its own: what checks types here cannot be compiled."""
    told = subprocess.run([sys.executable, "-c", COMPILED], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    apart, spread = map(float, told.split())
    assert apart < 1e-4 and spread > 0.1


@pytest.mark.parametrize("plan", [None, SMALL])
def test_known_frames_and_features_stay(plan, embed):
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(2, 24, FEATURES, generator=draw)
    where = torch.zeros(2, 24, FEATURES, dtype=torch.bool)
    where[0, :5] = True
    where[1, 10:12, ROTATIONS] = True
    model = model_of(plan=plan)
    free = sample(model, embed, [walk(people=2)], FAST)[0]
    found = sample(model, embed, [walk(people=2, known=KnownFrames(features, where))], FAST)[0]
    torch.testing.assert_close(found[where], features[where], atol=1e-5, rtol=0.0)
    assert (found[~where] - free[~where]).abs().max() > 1e-3, "the rest depends on what is known"


@pytest.mark.parametrize("plan", [None, SMALL])
def test_known_frames_that_float_are_met_wherever_they_lie(plan, embed):
    """The same pose told elsewhere on the floor: the same motion; and the same in company, of one who has none."""
    rotations = 0.5 * torch.randn(2, 24, 3, generator=torch.Generator().manual_seed(2))
    rest = torch.rand(2, 22, 3, generator=torch.Generator().manual_seed(3))
    here, there = (
        known_pose(rest, rotations, torch.tensor([[0.3, 0.1, 0.9], [0.5, 0.9, 0.8]]) + away, 24, 12)
        for away in (torch.zeros(3), torch.tensor([3.0, -2.0, 0.0]))
    )
    model = model_of(plan=plan)
    asked = [replace(walk(24, 2, 5), rest=rest, known=known) for known in (here, there)]
    one, other, _ = sample(model, embed, [*asked, walk(30, 1, 6)], FAST)
    torch.testing.assert_close(one, other, atol=1e-3, rtol=0.0)
    torch.testing.assert_close(sample(model, embed, asked[:1], FAST)[0], one, atol=1e-3, rtol=0.0)
    at_pose = in_world_of(there, 12, one)
    torch.testing.assert_close(at_pose[there.where], there.features[there.where], atol=2e-3, rtol=0.0)
    unsaid = sample(model, embed, [replace(asked[0], text="")], FAST)[0]
    assert (unsaid - one).abs().max() > 5e-4, "a caption is heard beside a pose"


@pytest.mark.parametrize("plan", [None, SMALL])
def test_windows_go_on_where_the_one_before_ended(plan, embed):
    """The first window stays; the second is made in the frame of its own beginning, with the end of the first known."""
    model = model_of(plan=plan)
    whole = sample(model, embed, [walk(40, 2, 3)], FAST)[0]
    long = sample(model, embed, [walk(90, 2, 3)], FAST)[0]
    assert long.shape == (2, 90, FEATURES)
    torch.testing.assert_close(long[:, :40], whole, atol=1e-4, rtol=0.0)


def test_windows_of_the_shipped_model_join_without_a_seam():
    """People walk through three windows: where two meet, nothing moves farther in a frame than it does elsewhere."""
    model, encoder, overlap = load_motion_model(), TextEncoder(SentenceConfig()), SamplingConfig().overlap_frames
    rest = skeleton_of(load_body()).rest_joints(torch.zeros(1, 10))
    most = model.config.max_frames
    requests = [MotionRequest("A person walks forward.", ("person",), rest, 2 * most, seed) for seed in range(3)]
    for features in sample(model, encoder.encode, requests, SamplingConfig()):
        joints = forward_kinematics(rest[:, None], matrices(features), features[..., :3])[0]
        steps = joints.diff(dim=0).norm(dim=-1)
        seams = range(most, 2 * most, most - overlap)
        assert len(seams) == 2 and steps[:, 0].sum() > 2.0
        for seam in seams:
            assert steps[seam - 1, 0] < 1.5 * steps[:, 0].quantile(0.9)
            assert steps[seam - 1].max() < 1.5 * steps.amax(-1).quantile(0.9)


def test_a_constant_motion_goes_on_without_a_jump(embed):
    """Where the model says every frame alike, windows continue it: no step in height at the seams."""
    value = torch.tensor(0.7)
    long = sample(model_of(Constant(value, value)), embed, [walk(90, 1, 3)], FAST)[0]
    height = long[0, :, 2]
    torch.testing.assert_close(height, torch.full((90,), 0.7), atol=0.02, rtol=0.0)
