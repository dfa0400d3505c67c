"""How motion is sampled step by step: the diffusers schedulers, and guidance in some of the steps."""

import math
from typing import Literal

from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler
from pydantic import Field

from models.config import Config, renamed
from models.motion.noise_schedule import TRAIN_TIMESTEPS, inference_timesteps


class DenoisingConfig(Config):
    """How noise becomes what a network was trained on."""

    scheduler: Literal["ddpm", "ddim", "dpm++", "sde-dpm++"] = "sde-dpm++"
    """The last adds noise at every step, as ddpm does (Lu et al. 2022, "DPM-Solver++", §5), which mends what the steps
    before got wrong: falls are done more often."""
    steps: int = Field(default=10, ge=1, le=TRAIN_TIMESTEPS)
    """Of denoising; more cost time and add little."""
    timestep_shift: float = renamed("noise_shift", "timestep_shift", 4.0, ge=1.0)
    """How much noisier than evenly spread steps are (`models.motion.noise_schedule.inference_timesteps`): more heeds
    the caption more, and leaves more jitter. Training at noisier steps needs less of it. ddim's are always even."""
    classifier_free_guidance_scale: float = Field(default=1.5, ge=0.0)
    """How far beyond what it does to the motion the caption is followed (Ho and Salimans 2022); 1 is no further."""
    guidance_interval: float = renamed("guided", "guidance_interval", 0.6, ge=0.0, le=1.0)
    """Share of the steps, the noisiest, in which the caption is guided by; the others cost half (Kynkäänniemi et al.
    2024, "Applying guidance in a limited interval improves sample and distribution quality in diffusion models")."""


class SamplingConfig(DenoisingConfig):
    """How motion is sampled; what is said at its top is said of bodies."""

    plan: DenoisingConfig = DenoisingConfig(scheduler="ddim", classifier_free_guidance_scale=2.0, guidance_interval=1.0)
    """How a plan is sampled, of models that plan before they move. It costs next to nothing beside bodies, and is what
    captions are heeded by: guided, falls are done more often, and the way that is asked for."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the device multiplies it in hardware."""
    compile: bool = False
    """Compile the network first: worth it for thousands of clips."""
    overlap_frames: int = Field(default=40, ge=4)
    """Frames (20 a second) that neighbouring windows share, where a motion is longer than the model's longest."""


def scheduler_of(config: DenoisingConfig) -> DDPMScheduler | DDIMScheduler | DPMSolverMultistepScheduler:
    """Build diffusers' scheduler for networks that predict x_0 of features that know no bounds, its steps set."""
    common = {
        "num_train_timesteps": TRAIN_TIMESTEPS,
        "beta_schedule": "squaredcos_cap_v2",
        "prediction_type": "sample",
        "timestep_spacing": "trailing",
    }
    if config.scheduler == "ddim":
        even = DDIMScheduler(**common, clip_sample=False)
        even.set_timesteps(config.steps)
        return even
    if config.scheduler == "ddpm":
        scheduler = DDPMScheduler(**common, clip_sample=False)
    else:
        kind = "dpmsolver++" if config.scheduler == "dpm++" else "sde-dpmsolver++"
        scheduler = DPMSolverMultistepScheduler(**common, algorithm_type=kind, solver_order=2)
    scheduler.set_timesteps(timesteps=inference_timesteps(config.steps, config.timestep_shift))
    return scheduler


def guided_step_count(config: DenoisingConfig) -> int:
    """Count the steps in which the network runs with and without the caption."""
    return math.ceil(config.guidance_interval * config.steps)
