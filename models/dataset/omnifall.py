"""`clips.csv`: OmniFall's segments (D. Schneider et al. 2025, arXiv 2505.19889) as its package reads them.

One row a person and run of one action: `path` below the dataset without suffix, `label` as the number of a class,
`start` and `end` in seconds, `subject` and `cam` as numbers, `dataset`.
"""

import csv
import itertools
from pathlib import Path
from typing import TextIO

import numpy as np
from jaxtyping import Int

from models.types import LabelledClip

COLUMNS = ("path", "label", "start", "end", "subject", "cam", "dataset")
NAME = "careclips"
"""What `dataset` says."""


def segments(actions: Int[np.ndarray, "time"]) -> list[tuple[int, int, int]]:
    """Return runs of equal action as (action, first frame, frame after the last)."""
    cuts = [0, *(np.flatnonzero(np.diff(actions)) + 1).tolist(), len(actions)]
    return [(int(actions[a]), a, b) for a, b in itertools.pairwise(cuts)]


class SegmentsWriter:
    """Adds clips to a table that may hold earlier ones; nobody appears in two clips, so every person is a subject."""

    def __init__(self, path: Path):
        subjects = [0]
        if path.exists():
            with path.open(newline="", encoding="utf-8") as earlier:
                subjects += [int(row["subject"]) for row in csv.DictReader(earlier)]
        self._subjects = max(subjects)
        self._handle: TextIO = path.open("a", newline="", encoding="utf-8")
        self._writer = csv.writer(self._handle)
        if self._handle.tell() == 0:
            self._writer.writerow(COLUMNS)

    def add(self, clip: LabelledClip, camera: int) -> None:
        """Add a clip's rows; `camera` is the number of its camera."""
        times = clip.motion.timestamps_s
        step = float(np.median(np.diff(times)))
        for actions in clip.motion.actions:
            self._subjects += 1
            for action, first, after in segments(actions):
                if action >= 0:
                    end = times[after] if after < len(times) else times[-1] + step
                    row = [f"clips/{clip.clip}", action, f"{times[first]:.3f}", f"{end:.3f}"]
                    self._writer.writerow([*row, self._subjects, camera, NAME])

    def close(self) -> None:
        """Finish the file."""
        self._handle.close()
