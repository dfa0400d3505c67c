"""Samples of held-out captions, to look at while a motion model learns."""

from typing import cast

import numpy as np
from jaxtyping import Float

from models.body.kinematics import forward_kinematics
from models.motion.condition import Embed
from models.motion.dataset import ROLES, MotionData
from models.motion.features import matrices
from models.motion.interactive_pose import middle_pose
from models.motion.model import MotionModel
from models.motion.request import MotionRequest
from models.motion.sample_windows import sample
from models.motion.schedulers import SamplingConfig
from models.types import Role


def samples_of_held_out(
    model: MotionModel, data: MotionData, embed: Embed
) -> tuple[list[Float[np.ndarray, "person time 22 3"]], list[str]]:
    """Sample what the model makes of a few held-out captions, one of each kind and number of people it learns; with the
    captions."""
    held = data.where(lambda row: row.split == "val" and len(row.people) in model.config.people)
    first = {(data.rows[item].kind, len(data.rows[item].people)): item for item in held[::-1]}
    batches = [data.batch([piece]) for piece in data.held_out(np.array(sorted(first.values())))]
    requests = [
        MotionRequest(
            batch.texts[0],
            cast(tuple[Role, ...], tuple(ROLES[role] for role in batch.roles[0])),
            batch.rest[0],
            batch.features.shape[2],
            number,
            known=middle_pose(batch.features[0]) if model.config.denoiser.told_pose else None,
        )
        for number, batch in enumerate(batches)
    ]
    found = sample(model, embed, requests, SamplingConfig())
    joints = [
        forward_kinematics(request.rest[:, None], matrices(features), features[..., :3]).numpy()
        for request, features in zip(requests, found, strict=True)
    ]
    return joints, [request.text for request in requests]
