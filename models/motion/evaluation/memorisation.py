"""Whether generated motion was memorised: how near it comes to the motion that was learned, beside how near
unseen real motion comes to it. What copies lies nearer than anything new does."""

from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import torch
from jaxtyping import Float

from models.motion.dataset import MotionData, Piece
from models.motion.evaluation.evaluator import MotionEvaluator

SHARES = np.linspace(0.0, 1.0, 21)
"""Of scenes that lie nearer than each of `quantiles`."""


@torch.no_grad()
def embedded(
    evaluator: MotionEvaluator, data: MotionData, pieces: Sequence[Piece], batch: int = 32
) -> Float[np.ndarray, "piece dims"]:
    """Embed windows of a corpus in the evaluator's space."""
    order = sorted(range(len(pieces)), key=lambda k: (len(pieces[k].order), pieces[k].frames))
    found = np.empty((len(pieces), evaluator.config.dims))
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        scenes = data.batch([pieces[k] for k in rows])
        found[rows] = evaluator.motions(scenes.features, scenes.mask, scenes.roles).double().numpy()
    return found


def nearest(
    motions: Float[np.ndarray, "scene dims"], learned: Float[np.ndarray, "window dims"]
) -> Float[np.ndarray, "scene"]:
    """Compute the distance of each scene to the nearest learned window; features are unit vectors, so between 0 and
    2."""
    return np.sqrt(np.maximum(2.0 - 2.0 * (motions @ learned.T).max(axis=1), 0.0))


def quantiles(distances: Float[np.ndarray, "scene"]) -> list[float]:
    """Return the quantiles of distances at SHARES."""
    return [float(value) for value in np.quantile(distances, SHARES)]


def plot(by_arm: Mapping[str, Sequence[float]]) -> bytes:
    """Plot, as PNG, the share of scenes over the distance to the nearest learned motion, a line an arm, from its
    `quantiles`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    for arm, distances in by_arm.items():
        axes.plot(
            distances, SHARES, color="0.45" if arm == "real" else None, lw=2.5 if arm == "real" else 1.5, label=arm
        )
    axes.set(
        xlabel="distance to the nearest motion that was learned",
        ylabel="share of scenes",
        ylim=(0.0, 1.0),
        title="Left of the grey line: nearer to what was learned than unseen real motion",
    )
    axes.title.set_fontsize(9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})
    return buffer.getvalue()
