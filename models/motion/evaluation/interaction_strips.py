"""Film strips of sampled scenes of two people, by which somebody who has not read the captions may say what each
shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from models.body.model import BodyModel
from models.motion.dataset import ROLES
from models.motion.evaluation.physical_metrics import joints_of
from models.motion.evaluation.scenes import Scene
from models.motion.features import heading, root_matrices, transformed
from models.motion.holding import gap
from models.motion.request import MotionRequest, motion_of
from models.rendering.film_strip import AZIMUTH, TILE_M, motion_strip
from models.types import BodyLook, Role

PER_KIND = 3
"""Strips of each kind of interaction."""
PICTURES, WIDTH_PX, HEIGHT_PX = 8, 150, 170
FILE = "interactions"
"""Under this name, and that of the arm, film strips are written, and what is known of each row."""


@dataclass(frozen=True)
class SampledInteraction:
    """A sampled scene of people together."""

    kind: str
    """Of interaction; of captured ones, their group."""
    text: str
    roles: tuple[Role, ...]
    betas: Float[np.ndarray, "person 10"]
    rest: Float[Tensor, "person 22 3"]
    features: Float[Tensor, "person time 268"]
    """In the canonical frame, not normalised, 20 Hz."""


def interaction_of(scene: Scene) -> SampledInteraction:
    """Return a scene as film strips show it."""
    return SampledInteraction(
        scene.row.details.get("composition", scene.group),
        scene.text,
        tuple(ROLES[role] for role in scene.roles.tolist()),
        scene.betas.double().numpy(),
        scene.rest,
        scene.features,
    )


def interaction_strips(
    body: BodyModel, scenes: Sequence[SampledInteraction], rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "height width 3"], list[SampledInteraction]]:
    """Draw scenes of the first PER_KIND captions of each kind, a row each, numbered from 1, in an order that gives
    nothing away; with them come the scenes of the rows."""
    by_kind: dict[str, dict[str, SampledInteraction]] = {}
    for scene in scenes:
        by_kind.setdefault(scene.kind, {}).setdefault(scene.text, scene)
    chosen = [scene for kind in sorted(by_kind) for scene in list(by_kind[kind].values())[:PER_KIND]]
    shown = [chosen[place] for place in rng.permutation(len(chosen))]
    return np.concatenate([_row(body, scene, number) for number, scene in enumerate(shown, 1)]), shown


def frames_shown(joints: Float[np.ndarray, "person time 22 3"]) -> Int[np.ndarray, "image"]:
    """Choose PICTURES frames, evenly spread; of those between the first and the last, the one nearest to when the two
    skins are nearest to each other is moved there: a push is over between two pictures."""
    frames = np.linspace(0, joints.shape[1] - 1, PICTURES).round().astype(int)
    nearest = int(gap(torch.as_tensor(joints)).argmin())
    frames[1 + np.abs(frames[1:-1] - nearest).argmin()] = nearest
    return frames


def _row(body: BodyModel, scene: SampledInteraction, number: int) -> UInt8[np.ndarray, "height width 3"]:
    frames = frames_shown(joints_of(scene.features, scene.rest))
    features = side_by_side(scene.features[:, frames])
    request = MotionRequest(scene.text, scene.roles, scene.rest, PICTURES, number, betas=scene.betas)
    motion = motion_of(request, features)
    looks = [BodyLook(8 * number + person, 40.0) for person in range(len(scene.roles))]
    strip = motion_strip(body, motion, np.arange(PICTURES), WIDTH_PX, HEIGHT_PX, looks)
    image = Image.fromarray(strip)
    ImageDraw.Draw(image).text((4, 2), str(number), fill=(20, 20, 20), font_size=16)
    return np.asarray(image)


def side_by_side(features: Float[Tensor, "person image 268"]) -> Float[Tensor, "person image 268"]:
    """Rotate a scene so that, when their pelvises are nearest, the first two are side by side as `motion_strip` sees
    them, rather from the front; take those who walk back by whole pairs of tiles, so that its camera seems to follow
    them."""
    away = features[1, :, :2] - features[0, :, :2]
    nearest = away[away.norm(dim=-1).argmin()]
    turn = float(AZIMUTH + np.pi / 2.0) - float(torch.atan2(nearest[1], nearest[0]))
    ahead = heading(root_matrices(features)).mean((0, 1))
    if float(torch.cos(torch.atan2(ahead[1], ahead[0]) + turn - AZIMUTH)) < 0.0:
        turn += math.pi
    features = transformed(features[None], features.new_tensor([[0.0, 0.0, turn]]))[0]
    tiles = 2.0 * TILE_M
    middle = features[..., :2].mean(0, keepdim=True)
    features[..., :2] -= tiles * (middle / tiles).round()
    return features
