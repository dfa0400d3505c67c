"""InterHuman: two people in one world come back from the published rows; what is missing or unequal is said."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.body.model import BodyModel
from models.body.tracks import track_joints
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.importers.interhuman import read
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.mocap.smpl_skeleton import SMPL_OFFSETS, smpl_motion


def rows(source: SkeletonMotion) -> np.ndarray:
    """Frames of 492 numbers: 62 places, z up, then 51 rotations as two columns of the matrix, row by row."""
    frames = len(source.rotations)
    places = np.random.default_rng(0).normal(0.0, 1.0, (frames, 62, 3))
    places[:, :22] = source.forward()[1][:, :22] @ R_ZUP_YUP.T
    columns = np.tile(np.eye(3)[:, :2], (frames, 51, 1, 1))
    columns[:, :21] = source.rotations[:, 1:22, :, :2]
    return np.concatenate([places.reshape(frames, -1), columns.reshape(frames, -1)], axis=1).astype(np.float32)


@pytest.fixture
def couple(smpl_walk: Callable) -> list[SkeletonMotion]:
    """Two who walk, the second 10 % taller, beside the first and turned."""
    first, second = smpl_walk(30.0, 0.4), smpl_walk(30.0, 2.0)
    root = 1.1 * second.translations[:, 0] + [1.0, 0.0, -0.5]
    return [first, smpl_motion(Path("known"), second.rotations, root, 30.0, 1.1 * SMPL_OFFSETS)]


@pytest.fixture
def folder(couple: list[SkeletonMotion], tmp_path: Path) -> Path:
    for person, source in zip(("person1", "person2"), couple, strict=True):
        (tmp_path / "motions_processed" / person).mkdir(parents=True)
        np.save(tmp_path / "motions_processed" / person / "17.npy", rows(source))
    (tmp_path / "annots").mkdir()
    (tmp_path / "annots" / "17.txt").write_text("two people walk.\n\none passes the other.\n")
    return tmp_path


def test_two_people_come_back_in_one_world(
    body: BodyModel, betas: np.ndarray, couple: list[SkeletonMotion], folder: Path, limb_angles: Callable
) -> None:
    (motion,) = read(folder, body, betas)
    assert motion.details["texts"] == ("two people walk.", "one passes the other.") and motion.source == "17.npy"
    (alone,) = read(folder / "motions_processed" / "person1" / "17.npy", body, betas)
    np.testing.assert_array_equal(alone.people[1].transl, motion.people[1].transl)
    known = retarget(couple, body, betas, 20.0)
    np.testing.assert_allclose(motion.timestamps_s, known.timestamps_s)
    for ours, theirs in zip(motion.people, known.people, strict=True):
        np.testing.assert_allclose(track_joints(body, ours), track_joints(body, theirs), atol=5e-3)
    # Their distance, in the mean of the two scales, is the source's.
    apart = [np.linalg.norm(a - b) for a, b in ([p.transl[0, :2] for p in m.people] for m in (motion, known))]
    roots = [source.translations[0, 0, [0, 2]] for source in couple]
    scale = np.mean(motion.details["metres_per_unit"])
    assert apart[0] == pytest.approx(np.linalg.norm(roots[0] - roots[1]) * scale, abs=0.02) and apart[0] > 0.8


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda path: (path / "motions_processed/person2/17.npy").unlink(),
            "{0}/motions_processed/person2/17.npy: is no npz or npy that can be read ([Errno 2]",
        ),
        (
            lambda path: np.save(path / "motions_processed/person1/17.npy", np.zeros((40, 262))),
            (
                "{0}/motions_processed/person1/17.npy: is (40, 262), expected two frames or more of 492 numbers; "
                "give a file of InterHuman"
            ),
        ),
        (
            lambda path: np.save(path / "motions_processed/person1/17.npy", np.array([{}], dtype=object)),
            ("{0}/motions_processed/person1/17.npy: is no npz or npy that can be read (Object arrays cannot be loaded"),
        ),
        (lambda path: (path / "annots/17.txt").unlink(), "{0}/annots/17.txt: the motion's captions are not there"),
        (
            lambda path: (path / "annots/17.txt").write_text("\n"),
            "{0}/annots/17.txt: holds no caption; write one caption",
        ),
        (
            lambda path: (path / "annots").rename(path / "texts"),
            "{0}: has no folder annots; give the folder that holds motions_processed/person1",
        ),
        (
            lambda path: [(path / "motions_processed" / p / "17.npy").unlink() for p in ("person1", "person2")],
            "{0}/motions_processed/person1: holds no *.npy",
        ),
    ],
)
def test_what_is_missing_or_unequal_is_said(
    body: BodyModel, betas: np.ndarray, folder: Path, spoil: Callable, message: str
) -> None:
    spoil(folder)
    with pytest.raises(InputError) as caught:
        read(folder, body, betas)
    assert str(caught.value).startswith(message.format(folder))


def test_two_people_of_different_length_are_said(body: BodyModel, betas: np.ndarray, folder: Path) -> None:
    path = folder / "motions_processed" / "person2" / "17.npy"
    np.save(path, np.load(path)[:40])
    with pytest.raises(InputError) as caught:
        read(folder, body, betas)
    assert str(caught.value) == (
        f"{folder}/motions_processed/person1/17.npy: is not on one clock with the others (person1/17.npy: 90 frames, "
        "2.97 s, person2/17.npy: 40 frames, 1.30 s); give takes of equal length"
    )


@pytest.mark.parametrize("wrong", ["order", "sense"])
def test_rotations_that_are_none_or_of_other_places_are_noticed(
    body: BodyModel, betas: np.ndarray, couple: list[SkeletonMotion], folder: Path, wrong: str
) -> None:
    inverse = replace(couple[0], rotations=np.swapaxes(couple[0].rotations, -1, -2))
    frames = rows(couple[0])
    columns = rows(inverse if wrong == "sense" else couple[0])[:, 186:].reshape(len(frames), 51, 3, 2)
    columns = np.swapaxes(columns, -1, -2) if wrong == "order" else columns
    frames[:, 186:] = columns.reshape(len(frames), -1)
    np.save(folder / "motions_processed" / "person1" / "17.npy", frames)
    message = {
        "order": "its rotations are not first two columns, row by row; give a file of InterHuman",
        "sense": r"its rotations leave its positions by \d+ cm on average; give a file of InterHuman",
    }
    with pytest.raises(InputError, match=message[wrong]):
        read(folder, body, betas)
