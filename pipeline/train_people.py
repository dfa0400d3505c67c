"""`careclips train lifter|pose-prior|lying-postures|hmr`: gather what a network learns from, train it, write its card.

What is gathered is read from a file where one is named and there, and else made, and kept there where one is named.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from models.body.model import load_body
from models.errors import InputError
from models.people3d.hmr_network import load_hmr
from models.people3d.keypoint_lifter import PoseLiftConfig
from models.people3d.pose_prior import PosePriorConfig
from models.training.corpus_tracks import corpus_tracks
from models.training.hmr import evaluate as hmr_errors
from models.training.hmr import train as hmr
from models.training.hmr.dataset import Views, read_views, save_views
from models.training.hmr.views import draw_views
from models.training.keypoint_lifter import evaluate as lifter_card
from models.training.keypoint_lifter import motions as lifter_motions
from models.training.keypoint_lifter import train as lifter
from models.training.keypoint_lifter.motions import Motions
from models.training.loop import Run, TrainConfig
from models.training.pose_prior import evaluate as prior_card
from models.training.pose_prior import poses as corpus_poses
from models.training.pose_prior import train as prior
from models.training.pose_prior.kinematics import Kinematics
from models.training.pose_prior.lying_postures import lying_postures, save_postures
from models.training.pose_prior.poses import Poses
from pipeline.output_folder import holds

log = logging.getLogger(__name__)

Gathered = TypeVar("Gathered")


@dataclass(frozen=True)
class Source:
    """What is gathered, and where it is kept."""

    corpus: Path | None
    """File of `careclips corpus build`."""
    kept: Path | None
    """File that holds, or is to hold, what was gathered."""
    without: Sequence[str] = ()
    """Sources of the corpus whose items are left out."""


def _gathered(
    kept: Path | None,
    read: Callable[[Path], Gathered],
    make: Callable[[], Gathered],
    save: Callable[[Gathered, Path], None],
) -> Gathered:
    if kept is not None and kept.suffix != ".npz":
        raise InputError(kept, "does not end in .npz", "name a file that does")
    with TemporaryDirectory() as folder:
        file = kept or Path(folder) / "gathered.npz"
        if not file.exists():
            save(make(), file)
        else:
            log.warning(
                "%s is read as it is, whatever the corpus and other options say; remove it to gather anew", file
            )
        # Files round numbers: what is learned from is the same, kept or not.
        return read(file)


def gather_motions(source: Source, acted: int, postures: int, seed: int) -> Motions:
    """Gather takes of a corpus, of acted people and of wandering postures."""

    def make() -> Motions:
        body = load_body()
        tracks = () if source.corpus is None else corpus_tracks(source.corpus, body, source.without)
        return lifter_motions.collect(body, tracks, acted, postures, seed)

    return _gathered(source.kept, lifter_motions.read_motions, make, lifter_motions.save_motions)


def gather_poses(source: Source) -> Poses:
    """Gather the poses of a corpus; InputError where neither a corpus nor a file of poses is named."""

    def make() -> Poses:
        if source.corpus is None:
            raise InputError("--corpus", "is not given, nor a file of poses that is there", "name one of them")
        body = load_body()
        return corpus_poses.collect(body, corpus_tracks(source.corpus, body, source.without))

    return _gathered(source.kept, corpus_poses.read_poses, make, corpus_poses.save_poses)


def gather_views(source: Source, poses: Path | None, people: int, seed: int) -> Views:
    """Render people in poses of a corpus, or of a file of poses."""

    def make() -> Views:
        body = load_body()
        found = gather_poses(Source(source.corpus, poses, source.without))
        return draw_views(body, found, hmr.small_config(body), people, seed)

    return _gathered(source.kept, read_views, make, save_views)


@holds("run.out")
def train_lifter(
    motions: Motions, training: lifter.LifterTrainConfig, run: Run, start: Path | None, windows: int
) -> dict:
    """Train a keypoint regressor and write its card; its errors on so many held-out windows."""
    lifter.train(motions, PoseLiftConfig(), training, run, start=start)
    return lifter_card.write_card(run.out, motions, windows, run.seed)


@holds("run.out")
def train_pose_prior(poses: Poses, training: TrainConfig, run: Run, samples: int, before: Path | None) -> dict:
    """Train a pose prior and write its card; its figures, and those of the prior of the folder `before`."""
    prior.train(poses, PosePriorConfig(), training, run)
    return prior_card.write_card(run.out, poses, samples, run.seed, before)


def train_lying_postures(poses: Poses, out: Path, count: int, seed: int) -> None:
    """Write typical lying postures, from which fits start."""
    save_postures(lying_postures(poses, Kinematics(load_body()), count, seed), out)


@holds("run.out")
def train_hmr(views: Views, training: hmr.HmrTrainConfig, run: Run, start: Path | None) -> dict:
    """Train a network of crops; its errors on held-out people, rooms and takes."""
    body = load_body()
    hmr.train(views, hmr.small_config(body), body, training, run, start)
    return hmr_errors.measure(load_hmr(run.out), views, body)


def measure_hmr(folder: Path, views: Views) -> dict:
    """Measure a network of crops on held-out people, rooms and takes."""
    return hmr_errors.measure(load_hmr(folder), views, load_body())
