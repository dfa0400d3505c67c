"""Train a motion model (`careclips train motion`): any denoiser, on a corpus file, by predicting clean motion from
noisy.

Needs torch, numpy, safetensors, pydantic and jaxtyping alone: the corpus (or its training pack), the captions'
embeddings and the skeleton are files. Interrupted, it goes on from its last checkpoint as if it had not been: what step
n sees depends on the seed and n alone.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn

from models.config import renamed
from models.corpus.reader import Row
from models.errors import InputError
from models.motion.condition import Embed, condition_of
from models.motion.dataset import POOL, ROLES, MotionBatch, MotionData, at_moments, to_device
from models.motion.denoisers import DenoiserConfig
from models.motion.denoisers.identity import IdentityConfig
from models.motion.features import FEATURES
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.noise_schedule import TRAIN_TIMESTEPS, add_noise
from models.motion.plan import PLAN_STRIDE
from models.networks import half_precision
from models.training.loop import Run, Schedule, TrainConfig, Validation, fit
from models.training.motion.draws import draw
from models.training.motion.losses import LossWeights, losses
from models.training.motion.plan_losses import PlanTrainConfig, plan_losses
from models.training.motion.told import tell
from models.training.state import Checkpoint, Progress, write_starter


class MotionTrainConfig(TrainConfig):
    """How a motion model is trained."""

    denoiser: DenoiserConfig = IdentityConfig()
    """Which network makes bodies, and its sizes."""
    plan: PlanTrainConfig | None = PlanTrainConfig()
    """How what plans them is trained beside it; null: no plan, bodies in the world at once."""
    people: tuple[int, ...] = Field((1, 2), min_length=1)
    """Scenes of how many people are learned."""
    sampling_weights: dict[str, float] = renamed(
        "kinds", "sampling_weights", {"fall": 0.40, "look_alike": 0.25, "mocap": 0.20, "composed": 0.15, "own": 0.30}
    )
    """How often each kind of item is drawn; kinds that the corpus has not are not missed."""
    cause_weights: dict[str, float] = renamed("causes", "cause_weights", {})
    """How many times as often as other falls those of some causes are drawn (`cause` in an item's details)."""
    max_frames: int = renamed("most_frames", "max_frames", 200, ge=1)
    """Frames of a window at 20 Hz; longer items are cut. 1 learns interactive poses alone, by which `careclips animate`
    adds people to a frame."""
    warmup_steps: int = renamed("warm_up", "warmup_steps", 300, ge=1)
    """Steps over which the learning rate rises."""
    text_dropout: float = renamed("withheld", "text_dropout", 0.1, ge=0.0, le=1.0)
    """Share of captions withheld, for classifier-free guidance."""
    role_dropout: float = renamed("veiled", "role_dropout", 0.3, ge=0.0, le=1.0)
    """Share of scenes whose people are called by other roles than theirs: most falls are residents' in the corpus,
    yet a visitor falls as a resident does."""
    high_noise_fraction: float = renamed("noisier", "high_noise_fraction", 0.5, ge=0.0, le=1.0)
    """Share of diffusion steps drawn where a motion can be told by its caption alone
    (`models.motion.noise_schedule.sample_timesteps`)."""
    timestep_shift: float = renamed("noise_shift", "timestep_shift", 32.0, ge=1.0)
    """How many times as noisy those are."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 where the device multiplies it in hardware."""
    loss: LossWeights = LossWeights()
    """Weights of the losses."""
    validate_every: int = Field(default=500, ge=1)
    """Steps between two validations."""
    validation: int = Field(default=192, ge=1)
    """Held-out scenes that the curve is drawn from."""

    def told_by(self, dim: int) -> "MotionTrainConfig":
        """Return it with networks that read captions' embeddings of so many numbers."""
        changed: dict[str, Any] = {"denoiser": self.denoiser.model_copy(update={"text": dim})}
        if self.plan is not None:
            denoiser = self.plan.denoiser.model_copy(update={"text": dim})
            changed["plan"] = self.plan.model_copy(update={"denoiser": denoiser})
        return self.model_copy(update=changed)

    @model_validator(mode="after")
    def _plan_or_pose(self) -> "MotionTrainConfig":
        if self.plan is not None and (self.denoiser.told_pose or self.plan.denoiser.told_pose):
            raise ValueError("plan must be null where the denoiser makes motion around a pose, as ponimator does")
        if self.max_frames == 1 and (self.plan is not None or self.denoiser.told_pose):
            raise ValueError("max_frames 1 learns single poses: plan must be null, and the denoiser none that has one")
        if 1 < self.max_frames < 4:
            raise ValueError(f"max_frames must be 1, or at least 4 to be motion, got {self.max_frames}")
        return self

    @model_validator(mode="after")
    def _people_that_the_denoiser_can(self) -> "MotionTrainConfig":
        name, can = self.denoiser.name, self.denoiser.people
        if not self.people or not set(self.people) <= set(can):
            raise ValueError(
                f"people is {list(self.people)}, the denoiser {name} does scenes of {list(can)}: name those"
            )
        return self


def sampling_weights(config: MotionTrainConfig, rows: Sequence[Row]) -> Float[np.ndarray, "item"]:
    """Return how often each item is to be drawn: by kind, and within a kind by the square root of its length and by its
    cause."""
    weights = np.array([row.frames**0.5 * config.cause_weights.get(row.details.get("cause", ""), 1.0) for row in rows])
    kinds = np.array([row.kind for row in rows])
    for kind in np.unique(kinds):
        weights[kinds == kind] *= config.sampling_weights.get(kind, 0.0) / weights[kinds == kind].sum()
    return weights


def drop_roles(
    roles: Int[Tensor, "batch person"], share: float, generator: torch.Generator
) -> Int[Tensor, "batch person"]:
    """Return roles, but in a share of the scenes others: who is alone is called anything, people together are all
    `person`.

    Most falls are residents' and captures nobody's in particular, yet a visitor falls as a resident does.
    """
    people = (roles >= 0).sum(1, keepdim=True)
    drawn = torch.randint(len(ROLES), (len(roles), 1), generator=generator).to(roles)
    other = torch.where(people == 1, drawn, torch.full_like(drawn, ROLES.index("person")))
    called_otherwise = (torch.rand((len(roles), 1), generator=generator) < share).to(roles.device)
    return torch.where(called_otherwise & (roles >= 0), other, roles)


def train(
    config: MotionTrainConfig,
    data: MotionData,
    embed: Embed,
    text_encoder_digest: str,
    run: Run,
    facts: dict[str, Any],
    look: Callable[[int, nn.Module], None] | None = None,
    start: MotionModel | None = None,
) -> Progress:
    """Train, and write the averaged weights to `run.out` at the end; the `state*` files in it are what an interruption
    resumes from.

    `start` is a model to begin with, its normaliser included; its sizes must be the config's, else InputError. `look`
    is shown the model with its averaged weights whenever it is validated, and its number of steps. Started by
    `accelerate launch` or `torchrun` on several devices, each process learns from batches of its own and the first one
    writes. Same corpus, seed, threads and machine: the same bytes. InputError where no item has the people that are
    asked for.
    """
    run.out.mkdir(parents=True, exist_ok=True)
    learned = data.where(lambda row: row.split == "train" and len(row.people) in config.people)
    held = data.where(lambda row: row.split == "val" and len(row.people) in config.people)
    weights = sampling_weights(config, [data.rows[item] for item in learned])
    if weights.sum() <= 0.0:
        raise InputError(
            "sampling_weights",
            f"no item of {sorted(config.sampling_weights)} is left",
            "name kinds that the corpus holds",
        )
    torch.manual_seed(run.seed)
    model = MotionModel(
        MotionModelConfig(
            denoiser=config.denoiser,
            plan=config.plan.denoiser if config.plan is not None else None,
            text_encoder_digest=text_encoder_digest,
            max_frames=config.max_frames,
            people=config.people,
        )
    )

    def posed(batch: MotionBatch) -> MotionBatch:
        return data.with_poses(batch) if config.denoiser.told_pose else batch

    if start is not None:
        _begin_with(start, model)
    else:
        # A whole pool: batches by themselves are of one length, so of few kinds.
        pool = [posed(data.draw(learned, weights, 64, step, run.seed + 1)) for step in range(POOL)]
        drawn = torch.Generator().manual_seed(run.seed)
        model.normaliser.fit(torch.cat([tell(batch, model, drawn, False).features[batch.mask] for batch in pool]))
    world, rank, denoise, plan, device = _devices(model, run.device)

    def losses_at(step: int) -> dict[str, Tensor]:
        place = step * world + rank
        generator = torch.Generator().manual_seed(int(np.random.default_rng([run.seed, place, 1]).integers(2**62)))
        batch = to_device(posed(data.draw(learned, weights, config.batch_size, place, run.seed)), device)
        found = _losses(config, model, denoise, batch, embed, generator, training=True)
        if config.plan is not None:
            # Another seed, or both would learn from the same scenes at every step.
            size, own = config.plan.batch_size, run.seed + 2
            batch = data.draw(learned, weights, size, place, own, PLAN_STRIDE)
            batch = to_device(_other_roles(config, batch, generator), device)
            with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(config.precision, device)):
                found |= plan_losses(config.plan, plan, batch, embed, generator, training=True)
        return found

    optimiser = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, betas=(0.9, 0.99)
    )
    made_of = {
        "config": config.made_of(),
        "seed": run.seed,
        "text_encoder": text_encoder_digest,
        "world": world,
        **{name: value for name, value in facts.items() if name != "device"},
    }
    batches = [posed(batch) for batch in _validation(config, data, held)]
    validation = Validation(config.validate_every, lambda average: _validate(config, average, batches, embed), look)
    average, progress = fit(
        model,
        [optimiser],
        losses_at,
        config,
        Checkpoint(run.checkpoint or run.out, made_of),
        Schedule(config.steps, config.warmup_steps),
        validation,
        is_first=rank == 0,
    )
    if rank == 0:
        facts = facts | {
            "steps": progress.step,
            "seconds": round(progress.seconds),
            "seed": run.seed,
            "config": config.model_dump(mode="json"),
            "train": progress.train[-1:],
            "validation": progress.validation[-1:],
        }
        write_starter(run.out, average.state_dict(), model.config, facts)
    return progress


def wait_for_everyone(device: str) -> None:
    """Wait until all processes of this training are here; one that is alone goes on."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        from accelerate import PartialState

        PartialState(cpu=device == "cpu").wait_for_everyone()


Denoise = Callable[..., Tensor]


def _devices(model: MotionModel, device: torch.device) -> tuple[int, int, Denoise, Denoise, torch.device]:
    """How many processes train together, which one this is, the denoisers of bodies and of plans to call (their
    gradients are shared), and where. Without a plan, the latter is the former."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        model.to(device)
        return 1, 0, model.denoiser, model.planner or model.denoiser, device
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=device.type == "cpu")
    model.to(accelerator.device)
    bodies = accelerator.prepare(model.denoiser)
    plan = accelerator.prepare(model.planner) if model.planner is not None else bodies
    return world, accelerator.process_index, bodies, plan, accelerator.device


def _begin_with(start: MotionModel, model: MotionModel) -> None:
    """The weights of one model into another of the same sizes, trained with the same text network."""
    for name in ("denoiser", "plan", "text_encoder_digest"):
        theirs, ours = getattr(start.config, name), getattr(model.config, name)
        if theirs != ours:
            raise InputError("start", f"has as {name} {theirs}, the config {ours}", "make the config the model's own")
    model.load_state_dict(start.state_dict())


def _losses(
    config: MotionTrainConfig,
    model: MotionModel,
    denoise: Callable[..., Tensor],
    batch: MotionBatch,
    embed: Embed,
    generator: torch.Generator,
    training: bool,
) -> dict[str, Tensor]:
    """The losses of one batch; noise, steps, withheld captions and identities from the generator.

    Held out, steps are drawn evenly, and `from_text` is the error of what is made of noise and the caption alone.
    """
    device = batch.features.device
    drawn = draw(config, batch, FEATURES, generator, training)
    step, noise = drawn.step, drawn.noise
    if training:
        batch = _other_roles(config, batch, generator)
    told = tell(batch, model, generator, training)
    clean = model.normaliser(told.features) * batch.mask[..., None]
    with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(config.precision, device)):
        condition = told.added_to(condition_of(batch, embed, drawn.identity_ids, drawn.text_dropped), model, batch)
        predicted = denoise(add_noise(clean, noise, step), step, condition, batch.mask)
        last = torch.full_like(step, TRAIN_TIMESTEPS - 1)
        guessed = None if training else denoise(add_noise(clean, noise, last), last, condition, batch.mask)

    def of(predicted: Tensor, step: Tensor) -> dict[str, Tensor]:
        world = told.world(model.normaliser.denormalise(predicted))
        return losses(predicted, clean, world, batch, step, config.loss)

    found = of(predicted.float(), step)
    if guessed is not None:
        found["from_text"] = of(guessed.float(), last)["simple"]
    return found


def _other_roles(config: MotionTrainConfig, batch: MotionBatch, generator: torch.Generator) -> MotionBatch:
    if config.role_dropout == 0.0:
        return batch
    return replace(batch, roles=drop_roles(batch.roles, config.role_dropout, generator))


def _validation(config: MotionTrainConfig, data: MotionData, held: np.ndarray) -> list[MotionBatch]:
    """Held-out scenes in batches of one number of people, the same at every time."""
    pieces = data.held_out(held)
    chosen = np.random.default_rng(0).permutation(len(pieces))[: config.validation]
    ordered = sorted((pieces[at] for at in chosen), key=lambda piece: (len(piece.order), piece.frames, piece.item))
    batches = []
    for people in config.people:
        of = [piece for piece in ordered if len(piece.order) == people]
        batches += [data.batch(of[at : at + config.batch_size]) for at in range(0, len(of), config.batch_size)]
    return batches


def _validate(
    config: MotionTrainConfig, model: nn.Module, batches: list[MotionBatch], embed: Embed
) -> dict[str, float]:
    """Mean of each loss, on noise that is the same at every time."""
    assert isinstance(model, MotionModel)
    device = model.normaliser.mean.device
    totals: dict[str, list[float]] = {}
    for number, batch in enumerate(batches):
        generator = torch.Generator().manual_seed(number)
        found = _losses(config, model, model.denoiser, to_device(batch, device), embed, generator, training=False)
        if config.plan is not None and model.planner is not None:
            seen = at_moments(to_device(batch, device), PLAN_STRIDE)
            with torch.autocast(device.type, torch.bfloat16, enabled=half_precision(config.precision, device)):
                found |= plan_losses(config.plan, model.planner, seen, embed, generator, training=False)
        for name, value in found.items():
            totals.setdefault(name, []).append(float(value))
    return {name: float(np.mean(values)) for name, values in totals.items()}


def plot_curve(curve: Progress) -> bytes:
    """Draw a PNG of the losses over steps: in training, and held out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    axes = figure.subplots()
    names = [name for name in curve.train[-1] if name not in ("step", "seconds")] if curve.train else []
    for number, name in enumerate(names):
        for rows, style in ((curve.train, "-"), (curve.validation, "o--")):
            points = [(row["step"], row[name]) for row in rows if name in row]
            label = name if style == "-" else None
            axes.plot(*zip(*points, strict=True), style, color=f"C{number}", ms=3, lw=1.0, label=label)
    axes.set(xlabel="steps", ylabel="loss, weighted", yscale="log", title="Lines: in training. Dots: held out.")
    if names:
        axes.legend(fontsize=8)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
