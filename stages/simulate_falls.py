"""Falls in number. In: a body, a cause and a direction (or neither), a room (or none). Out: a motion a seed, and
metrics of all.

DESIGN §4, "falls, simulated".
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from models.body.model import BodyModel
from models.falls.causes import CAUSES
from models.falls.sampling import FallsConfig, simulated
from models.order import Cause, Direction
from models.types import Motion, Room


def run(
    config: FallsConfig,
    body: BodyModel,
    cause: Cause,
    direction: Direction,
    rng: np.random.Generator,
    room: Room | None = None,
) -> Motion:
    """Return one fall; see `models.falls.sampling.simulated`."""
    return simulated(config, body, cause, direction, rng, room)


def metrics(motions: Sequence[Motion], dropped: Counter[str], compute_s: float) -> dict:
    """Return percentiles over falls from standing, the share dropped, and how many seconds of motion a second of
    computing gave."""
    fell = [
        m.details
        for m in motions
        if not m.details["recovered"] and CAUSES[m.details["cause"]].from_posture == "upright"
    ]
    seconds = sum(float(m.timestamps_s[-1]) for m in motions)

    def spread(values: list[float]) -> list[float] | None:
        return np.percentile(values, [5, 50, 95]).round(3).tolist() if values else None

    return {
        "impact_time_s": spread([d["impact_s"] - d["onset_s"] for d in fell]),
        "hip_speed_m_s": spread([d["impact_speed_m_s"] for d in fell]),
        "dropped": dict(dropped),
        "dropped_share": sum(dropped.values()) / max(len(motions) + sum(dropped.values()), 1),
        "realtime_factor": seconds / compute_s if compute_s > 0.0 else None,
        "recovered": sum(m.details["recovered"] for m in motions),
    }
