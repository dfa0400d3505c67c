"""HumanML3D: a walk written as its joint vectors comes back; captions of parts cut the take; what is missing is
said."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.body.tracks import track_joints
from models.errors import InputError
from models.mocap.importers.humanml3d import read, read_positions
from models.mocap.retarget import retarget
from models.types import SMPL_JOINTS

TEXT = """a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0
someone goes ahead.#someone/PRON go/VERB#0.0#0.0
a step.#a/DET step/NOUN#0.5#1.5
"""


def vectors(positions: np.ndarray) -> np.ndarray:
    """The data set's own encoding of places (its motion_representation): rows of 263 numbers, one fewer than the
    frames.

    Rotations, velocities and contacts, which the importer does not read, are noise.
    """
    across = positions[:, 2] - positions[:, 1] + positions[:, 17] - positions[:, 16]
    forward = np.cross([0.0, 1.0, 0.0], across)
    heading = Rotation.from_rotvec(-np.arctan2(forward[:, 0], forward[:, 2])[:, None] * [0.0, 1.0, 0.0])
    step = heading[1:].apply(np.diff(positions[:, 0], axis=0))
    beside = positions.copy()
    beside[..., [0, 2]] -= positions[:, :1, [0, 2]]
    beside = np.stack([heading.apply(beside[:, joint]) for joint in range(1, 22)], axis=1)
    turning = (heading[1:] * heading[:-1].inv()).as_rotvec()[:, 1] / 2.0
    root = np.column_stack([turning, step[:, 0], step[:, 2], positions[:-1, 0, 1]])
    noise = np.random.default_rng(0).normal(0.0, 1.0, (len(root), 196))
    return np.column_stack([root, beside[:-1].reshape(len(root), -1), noise]).astype(np.float32)


@pytest.fixture
def folder(smpl_walk: Callable, tmp_path: Path) -> Path:
    (tmp_path / "new_joint_vecs").mkdir()
    (tmp_path / "texts").mkdir()
    np.save(tmp_path / "new_joint_vecs" / "000021.npy", vectors(smpl_walk(20.0, 0.7).forward()[1][:, :22]))
    (tmp_path / "texts" / "000021.txt").write_text(TEXT)
    return tmp_path


def test_places_are_those_that_were_written(smpl_walk: Callable, folder: Path) -> None:
    known = smpl_walk(20.0, 0.7).forward()[1][:-1, :22]
    found = read_positions(folder / "new_joint_vecs" / "000021.npy")
    # The data set begins at the origin facing +z, whatever came before.
    across = known[0, 2] - known[0, 1] + known[0, 17] - known[0, 16]
    forward = np.cross([0.0, 1.0, 0.0], across)
    turn = Rotation.from_rotvec([0.0, -np.arctan2(forward[0], forward[2]), 0.0]).as_matrix()
    np.testing.assert_allclose(found, (known - known[0, 0] * [1.0, 0.0, 1.0]) @ turn.T, atol=1e-4)


def test_a_known_walk_comes_back_with_its_captions(
    body: BodyModel, betas: np.ndarray, smpl_walk: Callable, folder: Path
) -> None:
    whole, part = read(folder, body, betas)
    assert whole.details["texts"] == ("a person walks.", "someone goes ahead.") and part.details["texts"] == (
        "a step.",
    )
    np.save(folder / "new_joint_vecs" / "broken.npy", np.zeros(3))
    assert len(read(folder, body, betas)) == 2, "a take that cannot be read costs no other"
    assert len(read(folder / "new_joint_vecs" / "000021.npy", body, betas)) == 2, "one take, whatever lies beside it"
    known = track_joints(body, retarget([smpl_walk(20.0, 0.7)], body, betas, 20.0).people[0])
    ours = track_joints(body, whole.people[0])
    off = np.linalg.norm(ours - known[: len(ours)], axis=-1)
    assert len(ours) == len(known) - 1 and off.max() < 0.02, SMPL_JOINTS[off.max(axis=0).argmax()]
    assert part.timestamps_s[-1] == pytest.approx(1.0, abs=0.06) and part.details["start_s"] == 0.5
    step = track_joints(body, part.people[0])
    moved = [np.linalg.norm(joints[-1, 0, :2] - joints[0, 0, :2]) for joints in (step, ours[10 : 10 + len(step)])]
    assert moved[0] == pytest.approx(moved[1], abs=0.01)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda path: (path / "texts").rename(path / "words"),
            "{0}: has no folder texts; give the folder that holds new_joint_vecs and texts",
        ),
        (
            lambda path: (path / "texts/000021.txt").unlink(),
            "{0}/texts/000021.txt: the motion's captions are not there; put its text file there",
        ),
        (
            lambda path: (path / "texts/000021.txt").write_text("a person walks"),
            "{0}/texts/000021.txt: has the line 'a person walks'; write caption#words#from#to, seconds, from before to",
        ),
        (
            lambda path: np.save(path / "new_joint_vecs/000021.npy", np.zeros((30, 251))),
            (
                "{0}/new_joint_vecs/000021.npy: is (30, 251), expected two frames or more of 263 numbers; "
                "give a file of new_joint_vecs"
            ),
        ),
        (
            lambda path: np.save(path / "new_joint_vecs/000021.npy", np.array([{}], dtype=object)),
            "{0}/new_joint_vecs/000021.npy: is no npz or npy that can be read (Object arrays cannot be loaded",
        ),
        (
            lambda path: (path / "texts/000021.txt").write_text("a person walks#a/DET#2.0#1.0"),
            "{0}/texts/000021.txt: has the line 'a person walks#a/DET#2.0#1.0'; write caption#words#from#to",
        ),
        (
            lambda path: np.save(path / "new_joint_vecs/000021.npy", np.full((30, 263), np.nan)),
            "{0}/new_joint_vecs/000021.npy: array holds a number that is not finite; give a file of new_joint_vecs",
        ),
        (lambda path: (path / "new_joint_vecs/000021.npy").unlink(), "{0}/new_joint_vecs: holds no *.npy"),
    ],
)
def test_what_is_missing_is_said(
    body: BodyModel, betas: np.ndarray, folder: Path, spoil: Callable, message: str
) -> None:
    spoil(folder)
    with pytest.raises(InputError) as caught:
        read(folder, body, betas)
    assert str(caught.value).startswith(message.format(folder))
