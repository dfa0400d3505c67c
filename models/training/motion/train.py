"""Train a motion model (`careclips train motion`): any denoiser, on a corpus file, by predicting clean motion from
noisy.

Needs torch, numpy, safetensors, pydantic and jaxtyping alone: the corpus (or its training pack), the captions'
embeddings and the skeleton are files. Interrupted, it goes on from its last checkpoint as if it had not been: what step
n sees depends on the seed and n alone.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor

from models.config import Config
from models.corpus.reader import Row
from models.errors import InputError
from models.files import write_text
from models.motion.condition import Embed, condition_of
from models.motion.dataset import POOL, ROLES, MotionBatch, MotionData, slots_of, to
from models.motion.denoisers import DenoiserConfig
from models.motion.denoisers.identity import IdentityConfig
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.noise_schedule import STEPS, draw_steps, noised
from models.networks import half_precision
from models.training.motion.losses import LossWeights, losses
from models.training.state import resume_state, save_state, write_starter

logger = logging.getLogger(__name__)


class MotionTrainConfig(Config):
    """How a motion model is trained."""

    denoiser: DenoiserConfig = IdentityConfig()
    people: tuple[int, ...] = (1, 2)
    """Scenes of how many people are learned."""
    kinds: dict[str, float] = Field(
        default={"fall": 0.40, "look_alike": 0.25, "mocap": 0.20, "composed": 0.15, "own": 0.30}
    )
    """Weight of each kind of item in what is seen; kinds that the corpus has not are not missed."""
    causes: dict[str, float] = Field(default={})
    """How many times as often as other falls those of some causes are seen (`cause` in an item's details)."""
    most_frames: int = Field(default=200, ge=4)
    steps: int = Field(default=20000, ge=1)
    """By which the rate has fallen to a hundredth."""
    stop: int | None = Field(default=None, ge=1)
    """After how many of them training ends; after all, if it is not said."""
    batch: int = Field(default=32, ge=1)
    rate: float = Field(default=4e-4, gt=0.0)
    warm_up: int = Field(default=300, ge=1)
    weight_decay: float = Field(default=0.01, ge=0.0)
    clip: float = Field(default=1.0, gt=0.0)
    withheld: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of captions withheld, for classifier-free guidance."""
    veiled: float = Field(default=0.3, ge=0.0, le=1.0)
    """Share of scenes whose people are called by other roles than theirs (`veiled_roles`)."""
    noisier: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of diffusion steps drawn where a motion can be told by its caption alone
    (`models.motion.noise_schedule.draw_steps`)."""
    noise_shift: float = Field(default=32.0, ge=1.0)
    """How many times as noisy those are."""
    average: float = Field(default=0.999, ge=0.0, lt=1.0)
    """Of the exponential moving average of the weights that is kept in the end."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the device multiplies it in hardware."""
    loss: LossWeights = LossWeights()
    validate_every: int = Field(default=500, ge=1)
    validation: int = Field(default=192, ge=1)
    """Held-out scenes that the curve is drawn from."""
    save_every_s: float = Field(default=120.0, ge=0.0)

    @model_validator(mode="after")
    def _people_that_the_denoiser_can(self) -> "MotionTrainConfig":
        name, can = self.denoiser.name, self.denoiser.people
        if not self.people or not set(self.people) <= set(can):
            raise ValueError(
                f"people is {list(self.people)}, the denoiser {name} does scenes of {list(can)}: name those"
            )
        return self

    @model_validator(mode="after")
    def _stops_in_time(self) -> "MotionTrainConfig":
        if self.stop is not None and self.stop > self.steps:
            raise ValueError(f"stop is {self.stop}, the rate is made for steps {self.steps}: make stop at most that")
        return self


@dataclass
class Curve:
    """What is told of a training: rows of step, seconds and each term."""

    train: list[dict[str, float]]
    validation: list[dict[str, float]]


def shares(config: MotionTrainConfig, rows: Sequence[Row]) -> Float[np.ndarray, "item"]:
    """How often each item is to be drawn: by kind, and within a kind by the square root of its length and by its
    cause."""
    weights = np.array([row.frames**0.5 * config.causes.get(row.details.get("cause", ""), 1.0) for row in rows])
    kinds = np.array([row.kind for row in rows])
    for kind in np.unique(kinds):
        weights[kinds == kind] *= config.kinds.get(kind, 0.0) / weights[kinds == kind].sum()
    return weights


def veiled_roles(
    roles: Int[Tensor, "batch person"], share: float, generator: torch.Generator
) -> Int[Tensor, "batch person"]:
    """Roles, but in a share of the scenes others: who is alone is called anything, people together are all `person`.

    Falls are residents' and captures nobody's in particular, yet a visitor falls as a resident does.
    """
    people = (roles >= 0).sum(1, keepdim=True)
    drawn = torch.randint(len(ROLES), (len(roles), 1), generator=generator).to(roles)
    other = torch.where(people == 1, drawn, torch.full_like(drawn, ROLES.index("person")))
    veiled = (torch.rand((len(roles), 1), generator=generator) < share).to(roles.device)
    return torch.where(veiled & (roles >= 0), other, roles)


def train(
    config: MotionTrainConfig,
    data: MotionData,
    embed: Embed,
    text_encoder: str,
    out: Path,
    seed: int,
    device: torch.device,
    facts: dict[str, Any],
    look: Callable[[int, MotionModel], None] | None = None,
    start: MotionModel | None = None,
) -> Curve:
    """Train, and write the averaged weights to `out` at the end; the `state*` files in it are what an interruption
    resumes from.

    `start` is a model to begin with, its normaliser included; its sizes must be the config's, else InputError. `look`
    is shown the model with its averaged weights whenever it is validated, and its number of steps. Started by
    `accelerate launch` or `torchrun` on several devices, each process learns from batches of its own and the first one
    writes. Same corpus, seed, threads and machine: the same bytes. InputError where no item has the people that are
    asked for.
    """
    out.mkdir(parents=True, exist_ok=True)
    learned = data.where(lambda row: row.split == "train" and len(row.people) in config.people)
    held = data.where(lambda row: row.split == "val" and len(row.people) in config.people)
    weights = shares(config, [data.rows[item] for item in learned])
    if weights.sum() <= 0.0:
        raise InputError("kinds", f"no item of {sorted(config.kinds)} is left", "name kinds that the corpus holds")
    torch.manual_seed(seed)
    model = MotionModel(
        MotionModelConfig(
            denoiser=config.denoiser, text_encoder=text_encoder, most_frames=config.most_frames, people=config.people
        )
    )
    if start is not None:
        _begin_with(start, model)
    else:
        # A whole pool: batches by themselves are of one length, so of few kinds.
        pool = [data.draw(learned, weights, 64, step, seed + 1) for step in range(POOL)]
        model.normaliser.fit(torch.cat([batch.features[batch.mask] for batch in pool]))
    world, rank, denoise, device = _devices(model, device)
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.rate, weight_decay=config.weight_decay, betas=(0.9, 0.99)
    )
    average = {name: value.detach().clone() for name, value in model.state_dict().items()}
    made_of = {
        "config": config.model_dump(mode="json"),
        "seed": seed,
        "text_encoder": text_encoder,
        "world": world,
        **{name: value for name, value in facts.items() if name != "device"},
    }
    first, last = resume_state(out, model, optimiser, average, made_of), config.stop or config.steps
    log, curve = out / "curve.json", _curve_until(out / "curve.json", first)
    validation = _validation(config, data, held)
    seconds = curve.train[-1]["seconds"] if curve.train else 0.0
    began = saved = time.monotonic()
    running: dict[str, float] = {}
    for step in range(first, last):
        optimiser.param_groups[0]["lr"] = rate_at(config, step)
        place = step * world + rank
        generator = torch.Generator().manual_seed(int(np.random.default_rng([seed, place, 1]).integers(2**62)))
        batch = to(data.draw(learned, weights, config.batch, place, seed), device)
        terms = _terms(config, model, denoise, batch, embed, generator, training=True)
        loss = sum(terms.values(), torch.zeros((), device=device))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimiser.step()
        keep = min(config.average, (step + 1) / (step + 10))
        for name, value in model.state_dict().items():
            average[name].lerp_(value, 1.0 - keep)
        for name, value in terms.items():
            running[name] = 0.98 * running.get(name, float(value.detach())) + 0.02 * float(value.detach())
        done = step + 1
        if rank > 0:
            continue
        if done % 100 == 0:
            spent = seconds + time.monotonic() - began
            curve.train.append({"step": done, "seconds": spent} | running)
            told = " ".join(f"{name} {value:.4f}" for name, value in running.items())
            logger.info("step %d of %d, %.0f s: %s", done, last, spent, told)
        if done % config.validate_every == 0 or done == last:
            spent = seconds + time.monotonic() - began
            curve.validation.append(
                {"step": done, "seconds": spent} | _validate(config, model, average, validation, embed)
            )
            if look is not None:
                with _averaged(model, average):
                    look(done, model)
            logger.info("held out: %s", curve.validation[-1])
        if time.monotonic() - saved > config.save_every_s or done == last:
            write_text(log, json.dumps(vars(curve)))
            save_state(out, model, optimiser, average, done, made_of)
            saved = time.monotonic()
    if rank > 0:
        return curve
    facts = facts | {
        "steps": last,
        "seconds": round(seconds + time.monotonic() - began),
        "seed": seed,
        "config": config.model_dump(mode="json"),
        "train": curve.train[-1:],
        "validation": curve.validation[-1:],
    }
    write_starter(out, average, model.config, facts)
    return curve


def wait_for_everyone(device: str) -> None:
    """Until all processes of this training are here; one that is alone goes on."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu").wait_for_everyone()


def _curve_until(path: Path, step: int) -> Curve:
    """What was told of the first steps; a curve is written before the state, and may know of more."""
    if not step or not path.exists():
        return Curve([], [])
    return Curve(
        **{name: [row for row in rows if row["step"] <= step] for name, rows in json.loads(path.read_text()).items()}
    )


def _devices(model: MotionModel, device: torch.device) -> tuple[int, int, Callable[..., Tensor], torch.device]:
    """How many processes train together, which one this is, the denoiser to call (its gradients are shared), and
    where."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        model.to(device)
        return 1, 0, model.denoiser, device
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=device.type == "cpu")
    model.to(accelerator.device)
    return world, accelerator.process_index, accelerator.prepare(model.denoiser), accelerator.device


def _begin_with(start: MotionModel, model: MotionModel) -> None:
    """The weights of one model into another of the same sizes, trained with the same text network."""
    for name in ("denoiser", "text_encoder"):
        theirs, ours = getattr(start.config, name), getattr(model.config, name)
        if theirs != ours:
            raise InputError("start", f"has as {name} {theirs}, the config {ours}", "make the config the model's own")
    model.load_state_dict(start.state_dict())


def rate_at(config: MotionTrainConfig, step: int) -> float:
    """Warm-up, then half a cosine down to a hundredth."""
    warm = min(1.0, (step + 1) / config.warm_up)
    return config.rate * warm * (0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / config.steps)))


def _terms(
    config: MotionTrainConfig,
    model: MotionModel,
    denoise: Callable[..., Tensor],
    batch: MotionBatch,
    embed: Embed,
    generator: torch.Generator,
    training: bool,
) -> dict[str, Tensor]:
    """The losses of one batch; noise, steps, withheld captions and slots from the generator.

    Held out, steps are drawn evenly, and `from_text` is the error of what is made of noise and the caption alone.
    """
    device, count = batch.features.device, len(batch.texts)
    step = draw_steps(count, config.noisier if training else 0.0, config.noise_shift, generator).to(device)
    noise = torch.randn(batch.features.shape, generator=generator).to(device)
    dropped = (torch.rand(count, generator=generator) < (config.withheld if training else 0.0)).to(device)
    slots = slots_of(batch, max(config.denoiser.people), generator).to(device)
    if training and config.veiled > 0.0:
        batch = replace(batch, roles=veiled_roles(batch.roles, config.veiled, generator))
    clean = model.normaliser(batch.features) * batch.mask[..., None]
    with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(config.precision, device)):
        told = condition_of(batch, embed, slots, dropped)
        predicted = denoise(noised(clean, noise, step), step, told, batch.mask)
        last = torch.full_like(step, STEPS - 1)
        guessed = None if training else denoise(noised(clean, noise, last), last, told, batch.mask)
    terms = losses(predicted.float(), batch, step, model.normaliser, config.loss)
    if guessed is not None:
        terms["from_text"] = losses(guessed.float(), batch, last, model.normaliser, config.loss)["simple"]
    return terms


def _validation(config: MotionTrainConfig, data: MotionData, held: np.ndarray) -> list[MotionBatch]:
    """Held-out scenes in batches of one number of people, the same at every time."""
    pieces = data.held_out(held)
    chosen = np.random.default_rng(0).permutation(len(pieces))[: config.validation]
    ordered = sorted((pieces[at] for at in chosen), key=lambda piece: (len(piece.order), piece.frames, piece.item))
    batches = []
    for people in config.people:
        of = [piece for piece in ordered if len(piece.order) == people]
        batches += [data.batch(of[at : at + config.batch]) for at in range(0, len(of), config.batch)]
    return batches


@torch.no_grad()
def _validate(
    config: MotionTrainConfig, model: MotionModel, average: dict[str, Tensor], batches: list[MotionBatch], embed: Embed
) -> dict[str, float]:
    """Mean of each term with the averaged weights, on noise that is the same at every time."""
    device = model.normaliser.mean.device
    totals: dict[str, list[float]] = {}
    with _averaged(model, average):
        for number, batch in enumerate(batches):
            generator = torch.Generator().manual_seed(number)
            for name, value in _terms(
                config, model, model.denoiser, to(batch, device), embed, generator, training=False
            ).items():
                totals.setdefault(name, []).append(float(value))
    return {name: float(np.mean(values)) for name, values in totals.items()}


@contextmanager
def _averaged(model: MotionModel, average: dict[str, Tensor]) -> Iterator[None]:
    """The model with its averaged weights, for a while."""
    kept = {name: value.detach().clone() for name, value in model.state_dict().items()}
    model.load_state_dict(average)
    yield
    model.load_state_dict(kept)


def plot_curve(curve: Curve) -> bytes:
    """PNG of the losses over steps: in training, and held out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    names = [name for name in curve.train[-1] if name not in ("step", "seconds")] if curve.train else []
    for number, name in enumerate(names):
        for rows, style in ((curve.train, "-"), (curve.validation, "o--")):
            told = [(row["step"], row[name]) for row in rows if name in row]
            label = name if style == "-" else None
            axes.plot(*zip(*told, strict=True), style, color=f"C{number}", ms=3, lw=1.0, label=label)
    axes.set(xlabel="steps", ylabel="loss, weighted", yscale="log", title="Lines: in training. Dots: held out.")
    if names:
        axes.legend(fontsize=8)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
