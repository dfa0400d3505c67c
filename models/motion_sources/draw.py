"""One ordered motion from the source that its order or the run names."""

from pathlib import Path

import numpy as np

from models.body.model import BodyModel
from models.errors import Rejected
from models.falls.controller import PhysicsConfig
from models.motion_sources.captured import MocapClips
from models.motion_sources.procedural import ProceduralEveryday
from models.motion_sources.simulated import PhysicsFalls
from models.motion_sources.source import MotionSource, log
from models.order import ClipOrder
from models.types import Motion, Room


def draw_motion(
    body: BodyModel,
    physics: PhysicsConfig,
    mocap: Path | None,
    order: ClipOrder,
    room: Room | None,
    rng: np.random.Generator,
    model: MotionSource | None = None,
) -> tuple[Motion, str]:
    """Draw the motion of the first source that can perform the order, and that source's name; Rejected where none can.

    `model` is asked alone where it is given, as is the source that the order names. `mocap` is a folder of BVH files.
    What no capture is long enough for is made from joint-angle curves, unless captures were asked for.
    """
    if model is not None:
        return model.sample(order, room, rng), model.name
    captured = MocapClips(body, mocap) if mocap else None
    assert captured or order.source != "captured"
    sources: list[MotionSource]
    if order.event == "fall":
        sources = [PhysicsFalls(body, physics, captured)]
    elif order.source == "procedural" or captured is None:
        sources = [ProceduralEveryday(body)]
    else:
        sources = [captured, *([] if order.source == "captured" else [ProceduralEveryday(body)])]
    for source in sources[:-1]:
        try:
            return source.sample(order, room, rng), source.name
        except Rejected as error:
            log.info("%s: %s; the next source is asked", source.name, error)
    return sources[-1].sample(order, room, rng), sources[-1].name
