"""`careclips train depth`: a starter depth network, from views of sample rooms."""

import logging
from pathlib import Path

import numpy as np

from models.depth import Kind
from models.training.depth import train as depth
from models.training.depth.network import SHORT_PX
from models.training.depth.views import Views, render_views
from models.training.loop import Run, TrainConfig
from models.training.state import read_facts
from pipeline.output_folder import holds

log = logging.getLogger(__name__)


@holds("run.out")
def train_depth(kind: Kind, kept: Path, count: int, training: TrainConfig, run: Run, start: Path | None) -> dict:
    """Train on the views of a file; where it is not there, so many are rendered and kept in it. How it was trained."""
    if not kept.exists():
        render_views(count, np.random.default_rng(run.seed), kept)
    else:
        log.warning("%s is read as it is, whatever --count says; remove it to render anew", kept)
    depth.train(kind, Views(kept, SHORT_PX[kind]), training, run, start)
    return read_facts(run.out)
