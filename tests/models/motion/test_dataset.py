"""What a batch holds is what the corpus holds, in the first person's frame; falls are shown; steps are told by seed and
number."""

import numpy as np
import pytest
import torch

from models.body.rest_skeleton import RestSkeleton
from models.errors import InputError
from models.motion.dataset import ROLES, MotionData, Piece, draw_identity_ids
from models.motion.features import heading, matrices


def place(data: MotionData, name: str) -> int:
    return [row.name for row in data.rows].index(name)


def equal(a, b) -> bool:
    return a.texts == b.texts and all(
        torch.equal(getattr(a, name), getattr(b, name)) for name in ("features", "mask", "roles", "rest", "items")
    )


def test_a_batch_holds_the_pieces(motion_data):
    pair, walk = place(motion_data, "pair"), place(motion_data, "walk_2")
    batch = motion_data.batch([Piece(pair, 0, 60, (1, 0), 0), Piece(walk, 10, 40, (0,), 0)])
    assert batch.features.shape == (2, 2, 60, 268) and batch.texts == ("two people walk", "a person walks")
    assert batch.mask.sum(-1).tolist() == [[60, 60], [40, 0]]
    assert batch.roles.tolist() == [[ROLES.index("carer"), ROLES.index("resident")], [ROLES.index("resident"), -1]]
    assert (batch.features[1, 1] == 0.0).all() and (batch.features[1, 0, 40:] == 0.0).all()
    first = batch.features[:, 0, 0]
    torch.testing.assert_close(first[:, :2], torch.zeros(2, 2), atol=1e-5, rtol=0.0)
    torch.testing.assert_close(heading(matrices(first)[:, 0]), torch.tensor([[1.0, 0.0]] * 2), atol=1e-4, rtol=0.0)
    # The carer walks a metre to the resident's left: seen from the carer, the resident is on the right.
    beside = batch.features[0, 1, 0, :2]
    assert beside[1] < -0.9
    assert batch.bones.shape == (2, 2, 21) and batch.bones[0].min() > 0.03


def test_the_order_of_people_turns_the_scene(motion_data):
    pair = place(motion_data, "pair")
    one, other = (motion_data.batch([Piece(pair, 0, 60, order, 0)]) for order in ((0, 1), (1, 0)))
    assert one.features[0, 1, 0, 1] > 0.9 and other.features[0, 1, 0, 1] < -0.9
    assert one.roles[0].tolist() == other.roles[0].flip(0).tolist()


def test_draws_depend_on_seed_and_step_alone(motion_data):
    items = motion_data.where(lambda row: row.split == "train")
    weights = np.ones(len(items))
    steps = [motion_data.draw(items, weights, 3, step, 5) for step in range(8)]
    again = [motion_data.draw(items, weights, 3, step, 5) for step in reversed(range(8))][::-1]
    assert all(equal(a, b) for a, b in zip(steps, again, strict=True))
    assert not equal(steps[0], steps[1])
    assert not equal(steps[0], motion_data.draw(items, weights, 3, 0, 6))
    seen = {int(item) for batch in steps for item in batch.items}
    assert seen <= set(items.tolist()) and len(seen) > 3


def test_nobody_held_out_is_drawn(motion_data):
    train = motion_data.where(lambda row: row.split == "train")
    held = motion_data.where(lambda row: row.split != "train")
    assert not set(train) & set(held) and {motion_data.rows[item].name for item in held} == {
        "walk_5",
        "fall_1",
        "stand_1",
    }


def test_a_cut_fall_still_shows_the_fall(motion_data):
    """Falls here last 5 s and windows 3 s: every window holds half a second before the onset, and the onset."""
    items = motion_data.where(lambda row: row.kind == "fall")
    for step in range(8):
        batch = motion_data.draw(items, np.ones(2), 4, step, 0)
        for item, features in zip(batch.items, batch.features, strict=True):
            onset = motion_data.rows[int(item)].details["onset_s"]
            if onset > 1.0:
                assert features[0, 0, 2] > 0.7, "it begins upright"
            assert features[0, -1, 2] < 0.75 * features[0, 0, 2], "and ends low"


def test_every_held_out_item_comes_once_or_by_windows(motion_data):
    items = motion_data.where(lambda row: row.split != "train")
    pieces = motion_data.held_out(items)
    assert sorted(piece.item for piece in pieces) == sorted(items) and all(piece.frames == 60 for piece in pieces)
    windows = motion_data.held_out(items, stride=20)
    assert [piece.start for piece in windows if motion_data.rows[piece.item].kind == "fall"] == [0, 20, 40]


def test_identities_are_different_people(motion_data):
    pair = place(motion_data, "pair")
    batch = motion_data.batch([Piece(pair, 0, 20, (0, 1), 0)] * 50)
    identity_ids = draw_identity_ids(batch, 4, torch.Generator().manual_seed(0))
    assert (identity_ids[:, 0] != identity_ids[:, 1]).all() and set(identity_ids.flatten().tolist()) == {0, 1, 2, 3}


def test_another_body_s_skeleton_is_refused(motion_data, items, tmp_path):
    from models.corpus.reader import read_corpus
    from models.corpus.writer import write_corpus

    write_corpus(tmp_path / "corpus.bin", items[:1], "some-body", {})
    other = RestSkeleton("other-body", torch.zeros(24, 3), torch.zeros(24, 3, 10))
    corpus = read_corpus(tmp_path / "corpus.bin")
    with pytest.raises(InputError, match="its bodies are some-body, the skeleton is of other-body"):
        MotionData(corpus, other, 60)
    corpus.transl[3, 1] = np.nan
    with pytest.raises(InputError, match="holds transl that are not finite.*build it again"):
        MotionData(corpus, RestSkeleton("some-body", torch.zeros(24, 3), torch.zeros(24, 3, 10)), 60)


def test_nothing_to_learn_from_is_said(motion_data):
    with pytest.raises(InputError, match="none of its 11 items is of the kind asked for"):
        motion_data.where(lambda row: row.kind == "mocap")


def test_windows_of_one_frame_are_interactive_poses(motion_data):
    """Of the two who walk beside each other the frame in which they are nearest, of one person any."""
    from copy import copy

    poses = copy(motion_data)
    poses.max_frames = 1
    names = [row.name for row in poses.rows]
    pair, alone = names.index("pair"), names.index("walk_0")
    whole = motion_data.with_poses(motion_data.batch([Piece(pair, 0, poses.rows[pair].frames, (0, 1), 0)]))
    nearest = whole.interactive[0].nonzero()[:, 0].tolist()
    assert [piece.start for piece in poses.held_out(np.array([pair]))] == nearest
    drawn = [poses.draw(np.array([pair, alone]), np.array([0.5, 0.5]), 16, step, 0) for step in range(8)]
    assert all(batch.features.shape[2] == 1 for batch in drawn)
    starts = {pair: set(), alone: set()}
    for batch in drawn:
        for item, start in zip(batch.items.tolist(), batch.starts.tolist(), strict=True):
            starts[item].add(start)
    assert starts[pair] == set(nearest) and len(starts[alone]) > 20
