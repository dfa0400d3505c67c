"""Does it matter who of two people is named first? Captions of held-out pairs, asked in both orders, with other noise.

Order gives a person the first or second slot; who carer and who resident is, roles say. So each role ought to do the
same in both orders, statistically: figures by role are compared, caption by caption. Beside them stands a control, the
same order with other noise, and what the two roles differ by, without which a model that ignored roles would pass.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.corpus.reader import Corpus, read_corpus
from models.errors import InputError
from models.motion.condition import Embed
from models.motion.dataset import ROLES, MotionData
from models.motion.evaluation.physical_metrics import joints_of
from models.motion.model import MotionModel, check_text_encoder
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig
from models.text.encoder import SentenceConfig, TextEncoder
from models.types import FPS

BATCH = 16
FIGURES: dict[str, Callable[[Float[np.ndarray, "time 22 3"]], float]] = {
    "travel_m": lambda joints: float(np.linalg.norm(np.diff(joints[::5, 0, :2], axis=0), axis=-1).sum()),
    "lowest_pelvis_m": lambda joints: float(joints[:, 0, 2].min()),
    "last_pelvis_m": lambda joints: float(joints[-round(FPS) :, 0, 2].mean()),
    "hand_speed_m_s": lambda joints: float(np.linalg.norm(np.diff(joints[:, 20:22], axis=0), axis=-1).mean() * FPS),
}
"""Of one person: path of the pelvis in steps of a quarter second, its height, mean speed of the wrists."""


def requests_of(data: MotionData, corpus: Corpus, most: int) -> list[MotionRequest]:
    """Return one for each pair of two different roles, in the order in which the item has them; InputError where
    there is none."""
    skeleton = skeleton_of(load_body())
    requests = []
    for item, row in enumerate(data.rows):
        if len(row.people) == 2 and row.roles[0] != row.roles[1]:
            rest = skeleton.rest_joints(torch.as_tensor(corpus.tracks(item).betas))
            roles: Any = row.roles
            requests.append(MotionRequest(row.texts[0], roles, rest, min(row.frames, most), 1000 + item))
    if not requests:
        raise InputError("corpus", "holds out no pair of two roles", "build one with `composed` people")
    return requests


def swapped(request: MotionRequest) -> MotionRequest:
    """Return the same two people in the other order."""
    return replace(request, roles=request.roles[::-1], rest=request.rest.flip(0))


def by_role(
    requests: Sequence[MotionRequest], made: Sequence[Float[Tensor, "person time 268"]]
) -> dict[str, Float[np.ndarray, "request role"]]:
    """Return each figure of FIGURES, roles in the order of ROLES."""
    found: dict[str, list[list[float]]] = {name: [] for name in FIGURES}
    for request, features in zip(requests, made, strict=True):
        joints = joints_of(features, request.rest)
        order = sorted(range(2), key=lambda person: ROLES.index(request.roles[person]))
        for name, figure in FIGURES.items():
            found[name].append([figure(joints[person]) for person in order])
    return {name: np.array(values) for name, values in found.items()}


def measure(
    model: MotionModel, embed: Embed, requests: Sequence[MotionRequest], config: SamplingConfig
) -> dict[str, dict]:
    """Measure by figure: what roles differ by, and means of a role's change by swapping and by other noise, in standard
    deviations of the figure, each with its standard error."""

    def figures(some: Sequence[MotionRequest]) -> dict[str, Float[np.ndarray, "request role"]]:
        made = []
        for first in range(0, len(some), BATCH):
            made += sample(model, embed, some[first : first + BATCH], config)
        return by_role(some, made)

    first = figures(requests)
    again = figures([replace(request, seed=request.seed + 10**6) for request in requests])
    other = figures([replace(swapped(request), seed=request.seed + 2 * 10**6) for request in requests])
    return {
        name: {
            "roles_differ": _mean_and_error(values[:, 1] - values[:, 0], values),
            **{
                f"{change}_{number}": _mean_and_error(changed[name][:, number] - values[:, number], values)
                for change, changed in (("swap", other), ("noise", again))
                for number in range(2)
            },
        }
        for name, values in first.items()
    }


def _mean_and_error(change: Float[np.ndarray, "request"], values: Float[np.ndarray, "request role"]) -> list[float]:
    unit = max(float(values.std()), 1e-9)
    return [round(float(change.mean()) / unit, 3), round(float(change.std(ddof=1)) / unit / len(change) ** 0.5, 3)]


def measure_corpus(path: Path, model: MotionModel) -> dict[str, Any]:
    """Measure a model (`measure`) on the pairs that a corpus holds out, and count their captions.

    InputError where the corpus holds out no pair, or the model learned its captions from another text network.
    """
    held = read_corpus(path, lambda row: row.split != "train" and len(row.people) == 2)
    encoder = TextEncoder(SentenceConfig())
    check_text_encoder(model, encoder.digest)
    longest = model.config.max_frames
    requests = requests_of(MotionData(held, skeleton_of(load_body()), longest), held, longest)
    return {"captions": len(requests)} | measure(model, encoder.encode, requests, SamplingConfig())
