"""`make bench-gpu`: how fast motion is sampled on a GPU, ours and InterGen's architecture at its published size, in one
run.

Ours is of the shipped size. Random weights: speed does not depend on them. Needs torch, diffusers and what `models/`
imports; no corpus, no text network.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.motion.denoisers import DenoiserConfig
from models.motion.denoisers.intergen import InterGenConfig
from models.motion.model import MotionModel, MotionModelConfig, load_motion_model
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig, guided_step_count

PEOPLE, FRAMES = 2, 210
TEXT = 576
PEAK_TFLOPS = {"H200": 989.0, "H100": 989.0, "A100": 312.0, "L40": 181.0, "4090": 165.0}
"""Dense bfloat16 matrix peaks as their makers state them, by a word in the device's name."""
MODELS: dict[str, tuple[DenoiserConfig, SamplingConfig]] = {
    "identity": (load_motion_model().config.denoiser, SamplingConfig()),
    # Liang et al. 2024: latent 1024, 8 blocks, 8 heads, a token a frame; DDIM, 50 steps, all of them guided.
    "intergen_published": (
        InterGenConfig(width=1024, layers=8, heads=8, patch=1, text=TEXT),
        SamplingConfig(scheduler="ddim", steps=50, guidance_interval=1.0),
    ),
}


def synchronised(device: torch.device) -> float:
    """The time, all work on the device done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def scene_flops(model: MotionModel, rest: Tensor, frames: int) -> float:
    """Multiply-adds times two of one forward pass over one scene, as torch counts them, on the processor."""
    request = MotionRequest("a", ("person",) * PEOPLE, rest, frames, 0)
    with FlopCounterMode(display=False) as counter:
        sample(model, told, [request], SamplingConfig(steps=1, guidance_interval=0.0, precision="float32"))
    return float(counter.get_total_flops())


def told(texts: Sequence[str]) -> Tensor:
    """Embeddings that say nothing."""
    return torch.zeros(len(texts), TEXT)


def measure(
    config: DenoiserConfig, sampling: SamplingConfig, device: torch.device, batches: list[int], frames: int
) -> dict[str, float]:
    """Clips a second and milliseconds a step by batch size, memory, and share of the matrix peak at the largest."""
    torch.manual_seed(0)
    model = MotionModel(MotionModelConfig(denoiser=config, max_frames=frames)).eval().requires_grad_(False)
    rest = torch.rand(PEOPLE, 22, 3)
    flops = scene_flops(model, rest, frames)
    model = model.to(device)
    figures = {"params": float(sum(value.numel() for value in model.denoiser.parameters()))}
    clips_s = 0.0
    for count in batches:
        requests = [MotionRequest("a", ("person",) * PEOPLE, rest, frames, seed) for seed in range(count)]
        spent = []
        for _ in range(3):
            began = synchronised(device)
            sample(model, told, requests, sampling)
            spent.append(synchronised(device) - began)
        seconds = sorted(spent)[1]
        clips_s = count / seconds
        figures |= {f"b{count}.clips_per_s": clips_s, f"b{count}.ms_per_step": seconds / sampling.steps * 1000.0}
    if device.type == "cuda":
        figures["memory_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
        torch.cuda.reset_peak_memory_stats(device)
        name = torch.cuda.get_device_name(device)
        peak = next((tflops for word, tflops in PEAK_TFLOPS.items() if word in name), None)
        if peak is not None:
            passes = sampling.steps + guided_step_count(sampling)
            figures["share_of_bfloat16_peak"] = clips_s * passes * flops / (peak * 1e12)
    return figures


def main() -> None:
    """Measure, print, and write `bench_gpu.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "bench_gpu.json")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64, 1024])
    parser.add_argument("--frames", type=int, default=FRAMES)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("no GPU is here: nothing was measured")
        return
    figures: dict[str, float | str] = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else arguments.device
    }
    for name, (config, sampling) in MODELS.items():
        for key, value in measure(config, sampling, device, arguments.batches, arguments.frames).items():
            figures[f"{name}.{key}"] = value
            print(f"{name}.{key:32} {value:14.3f}", flush=True)
    for count in arguments.batches:
        ours, theirs = (figures[f"{name}.b{count}.clips_per_s"] for name in MODELS)
        figures[f"ratio.b{count}"] = float(ours) / float(theirs)
        print(f"ratio.b{count}: {float(ours) / float(theirs):.1f}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
