"""Motion as rows of stick figures: what a training shows of itself while it runs. Positions in, an image out."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from jaxtyping import Float

from models.body.rest_skeleton import PARENTS
from models.types import FPS

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
"""Of the people, by slot; darker with time."""


def stick_figures(
    motions: Sequence[Float[np.ndarray, "person time 22 3"]], titles: Sequence[str], poses: int = 8
) -> bytes:
    """Draw a PNG: a row a motion, `poses` moments side by side, seen from the right and a little above (x to the
    right, z up)."""
    # Loaded here: training machines need not have it.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * poses, 1.9 * len(motions)), dpi=80, layout="constrained")
    axes = figure.subplots(len(motions), poses, squeeze=False)
    for row, (joints, title) in enumerate(zip(motions, titles, strict=True)):
        moments = np.linspace(0, joints.shape[1] - 1, poses).round().astype(int)
        for axis, moment in zip(axes[row], moments, strict=True):
            shown = joints[:, moment]
            middle = shown[:, 0].mean(0)
            for person, pose in enumerate(shown):
                # y goes into the image: a little of it shifts points right and up.
                x = pose[:, 0] - middle[0] + 0.35 * (pose[:, 1] - middle[1])
                z = pose[:, 2] + 0.2 * (pose[:, 1] - middle[1])
                for joint in range(1, 22):
                    ends = [PARENTS[joint], joint]
                    left = joint in (1, 4, 7, 10, 13, 16, 18, 20)
                    axis.plot(x[ends], z[ends], color=COLOURS[person % 4], lw=1.6, alpha=1.0 if left else 0.5)
            axis.axhline(0.0, color="#888888", lw=0.6)
            axis.set(xlim=(-1.3, 1.3), ylim=(-0.3, 2.1), xticks=[], yticks=[], aspect="equal")
            axis.set_xlabel(f"{moment / FPS:.1f} s", fontsize=7)
        # A title as wide as the row must not widen its first column.
        axes[row][0].set_title(title[:110], fontsize=8, loc="left").set_in_layout(False)
    buffer = BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()
