"""What the motion denoisers of `configs/compare/pairs_*.yaml` cost: time of sampling, and memory of one pass.

Part of `make bench` and `make bench-gpu`; by itself, `python tests/benchmarks/motion_arms.py [DEVICE]`. Random weights:
costs do not depend on them. Captions say nothing.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from models.body.kinematics import bone_lengths
from models.motion.condition import Condition
from models.motion.features import FEATURES
from models.motion.interactive_pose import known_pose
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.plan import PLAN_FEATURES
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig
from pipeline.settings import read_settings

PEOPLE, FRAMES = 2, 210
TEXT = 576
MEMORY_FRAMES = (50, 100, 200, 500, 1000)
ARMS = (
    "identity",
    "plan_identity",
    "intergen",
    "ponimator",
    "plan_timotion_transformer",
    "plan_timotion_mamba",
    "plan_timotion_rwkv",
)
"""By the name of its file."""


def arm_config(name: str) -> MotionModelConfig:
    """Sizes of an arm, for motion of FRAMES at once."""
    config = read_settings(ROOT / "configs" / "compare" / f"pairs_{name}.yaml", 0).train_motion.told_by(TEXT)
    plan = None if config.plan is None else config.plan.denoiser
    return MotionModelConfig(denoiser=config.denoiser, plan=plan, max_frames=FRAMES)


def random_model(config: MotionModelConfig, device: torch.device) -> MotionModel:
    """A model that has not learned, the same every time."""
    torch.manual_seed(0)
    return MotionModel(config).eval().requires_grad_(False).to(device)


def told(texts: Sequence[str]) -> Tensor:
    """Embeddings that say nothing."""
    return torch.zeros(len(texts), TEXT)


def rest_joints() -> Tensor:
    """Of nobody in particular."""
    return torch.rand(PEOPLE, 22, 3, generator=torch.Generator().manual_seed(0))


def spent_s(device: torch.device) -> float:
    """Seconds so far, all work on the device done: on a GPU by the clock, on processors what this process computed, so
    that with one thread, others' work beside it counts little."""
    if device.type != "cuda":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def request_of(model: MotionModel, frames: int, seed: int) -> MotionRequest:
    """A motion that the model is asked for; who makes motion around a pose is given one."""
    request = MotionRequest("a", ("person",) * PEOPLE, rest_joints(), frames, seed)
    if not model.config.denoiser.told_pose:
        return request
    pose = known_pose(request.rest, torch.zeros(PEOPLE, 24, 3), torch.zeros(PEOPLE, 3), frames, frames // 2)
    return replace(request, known=pose)


def seconds_per_clip(
    model: MotionModel, sampling: SamplingConfig, device: torch.device, count: int, frames: int = FRAMES
) -> float:
    """Seconds of sampling alone, `count` clips together; the least of five."""
    requests = [request_of(model, frames, seed) for seed in range(count)]
    spent = []
    for _ in range(5):
        began = spent_s(device)
        sample(model, told, requests, sampling)
        spent.append(spent_s(device) - began)
    return min(spent) / count


@torch.no_grad()
def denoise_once(model: MotionModel, device: torch.device, frames: int) -> None:
    """One pass of the bodies' network over one scene of two people."""
    torch.manual_seed(0)
    shape = (1, PEOPLE, frames)
    condition = Condition(
        torch.zeros(1, TEXT),
        torch.zeros(1, dtype=torch.bool),
        torch.zeros(1, PEOPLE, dtype=torch.long),
        bone_lengths(rest_joints())[None],
        torch.arange(PEOPLE)[None],
        torch.zeros(*shape, PLAN_FEATURES) if model.planner is not None else None,
    )
    if model.config.denoiser.told_pose:
        condition = replace(condition, pose=torch.zeros(1, PEOPLE, FEATURES), pose_frame=torch.tensor([frames // 2]))
    condition = condition.map(lambda value: value.to(device))
    step, mask = torch.full((1,), 500, device=device), torch.ones(shape, dtype=torch.bool, device=device)
    model.denoiser(torch.randn(*shape, FEATURES, device=device), step, condition, mask)


def pass_memory_mib(model: MotionModel, device: torch.device, frames: int) -> float:
    """Largest memory of one pass above the model's own, MiB, as torch's allocator counts what is alive.

    Not what the process grows by: the C library keeps pages that nobody uses any more, in which a pass of 50 frames,
    half a MiB, is lost. Repeatable to the byte, and the same count on a GPU.
    """
    denoise_once(model, device, 8)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        denoise_once(model, device, frames)
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        denoise_once(model, device, frames)
    with tempfile.TemporaryDirectory() as folder:
        profiled.export_chrome_trace(os.path.join(folder, "trace.json"))
        events = json.loads(Path(folder, "trace.json").read_text())["traceEvents"]
    changes = [(event["ts"], event["args"]["Bytes"]) for event in events if event["name"] == "[memory]"]
    alive = peak = 0
    for _, change in sorted(changes, key=lambda of: of[0]):
        alive += change
        peak = max(peak, alive)
    return peak / 2**20


def arm_costs(device: torch.device, batches: Sequence[int] = (1, 16)) -> dict[str, float]:
    """By arm: weights, seconds a clip by batch size, memory of one pass by frames, and how that grows a frame from 200
    to 1,000 frames; 1 is linear."""
    figures: dict[str, float] = {}
    for name in ARMS:
        model = random_model(arm_config(name), device)
        figures[f"arm.{name}.params"] = float(sum(value.numel() for value in model.parameters()))
        denoise_once(model, device, FRAMES)
        for count in batches:
            figures[f"arm.{name}.seconds_per_clip.b{count}"] = seconds_per_clip(model, SamplingConfig(), device, count)
        memory = {frames: pass_memory_mib(model, device, frames) for frames in MEMORY_FRAMES}
        figures |= {f"arm.{name}.memory_mib.frames_{frames}": mib for frames, mib in memory.items()}
        figures[f"arm.{name}.memory_per_frame_1000_over_200"] = memory[1000] / 1000 / (memory[200] / 200)
    return figures


if __name__ == "__main__":
    for key, value in arm_costs(torch.device(sys.argv[1] if sys.argv[1:] else "cpu")).items():
        print(f"{key:64} {value:14.4f}")
