"""`careclips smooth`: a motion of least change of velocity, and what that costs in lag."""

import json
from dataclasses import replace
from pathlib import Path

from PIL import Image

from models.files import write_text
from models.mocap import clip_file
from pipeline.derived import note_derived_of
from pipeline.export import read_motion
from pipeline.loaders import body_model
from pipeline.output_folder import holds
from pipeline.settings import Settings
from stages import smooth as stage

LADDER = (0.0, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Weights for which jitter and lag are measured, as multiples of the configured one."""


@holds("out")
def smooth(item: str, out: Path, settings: Settings) -> dict:
    """Write `motion.npz`, smoothed, and per person `jitter_lag_<person>.png`; returns what `summary.json` holds."""
    config, body = settings.smooth, body_model(settings.run.body)
    motion, weights = read_motion(item, body), [config.weight * factor for factor in LADDER]
    tracks, figures = stage.run(config, motion.people, motion.timestamps_s, body)
    note_derived_of(item, out)
    out.mkdir(parents=True, exist_ok=True)
    clip_file.write_motion(replace(motion, people=tuple(tracks)), out / "motion.npz", body)
    figures["ladder"] = {}
    for track in motion.people:
        rows = stage.ladder(config, track, motion.timestamps_s, body, weights)
        figures["ladder"][track.person] = rows
        Image.fromarray(stage.plot_ladder(rows)).save(out / f"jitter_lag_{track.person}.png")
    write_text(out / "summary.json", json.dumps(figures, indent=1))
    return figures
