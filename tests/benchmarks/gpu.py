"""`make bench-gpu`: how fast motion is sampled on a GPU, ours and InterGen's architecture at its published size, in one
run; and what the denoisers of `configs/compare` cost there.

Ours is of the shipped size. Random weights: speed does not depend on them. Needs torch, diffusers and what `models/`
imports; no corpus, no text network.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import torch
from motion_arms import FRAMES, TEXT, arm_costs, random_model, request_of, seconds_per_clip, told
from torch.utils.flop_counter import FlopCounterMode

from models.motion.denoisers import DenoiserConfig
from models.motion.denoisers.intergen import InterGenConfig
from models.motion.model import MotionModel, MotionModelConfig, load_motion_model
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig, guided_step_count

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


def scene_flops(model: MotionModel, frames: int) -> float:
    """Multiply-adds times two of one forward pass over one scene, as torch counts them, on the processor."""
    one_pass = SamplingConfig(steps=1, guidance_interval=0.0, precision="float32")
    with FlopCounterMode(display=False) as counter:
        sample(model, told, [request_of(model, frames, 0)], one_pass)
    return float(counter.get_total_flops())


def measure(
    config: DenoiserConfig, sampling: SamplingConfig, device: torch.device, batches: list[int], frames: int
) -> dict[str, float]:
    """Clips a second and milliseconds a step by batch size, memory, and share of the matrix peak at the largest."""
    model = random_model(MotionModelConfig(denoiser=config, max_frames=frames), torch.device("cpu"))
    flops = scene_flops(model, frames)
    model = model.to(device)
    figures = {"params": float(sum(value.numel() for value in model.denoiser.parameters()))}
    clips_s = 0.0
    for count in batches:
        seconds = seconds_per_clip(model, sampling, device, count, frames)
        clips_s = 1.0 / seconds
        figures |= {
            f"b{count}.clips_per_s": clips_s,
            f"b{count}.ms_per_step": seconds * count / sampling.steps * 1000.0,
        }
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
    costs = arm_costs(device, arguments.batches)
    figures |= costs
    for key, value in costs.items():
        print(f"{key:64} {value:14.4f}")
    for count in arguments.batches:
        ours, theirs = (figures[f"{name}.b{count}.clips_per_s"] for name in MODELS)
        figures[f"ratio.b{count}"] = float(ours) / float(theirs)
        print(f"ratio.b{count}: {float(ours) / float(theirs):.1f}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
