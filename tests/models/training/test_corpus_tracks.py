"""People of a corpus: all but mirrors and sources left out, overlapping windows once, the corpus's own splits."""

from dataclasses import replace

import numpy as np
import pytest

from models.body.model import load_body
from models.corpus.writer import split_of, write_corpus
from models.errors import InputError
from models.training.corpus_tracks import corpus_tracks
from models.types import ACTIONS, take


@pytest.fixture(scope="module")
def body():
    return load_body()


def test_everybody_comes_once_with_kind_split_and_falling(body, corpus_path, items):
    tracks = list(corpus_tracks(corpus_path, body))
    # The pair of the same take holds the first two walks already.
    assert sorted(one.kind for one in tracks) == ["composed"] * 2 + ["fall"] * 2 + ["look_alike"] * 6
    for one in tracks:
        assert one.held_out == (split_of(one.take) != "train")
        assert one.falling.any() == (one.kind == "fall")
    fall = next(one for one in tracks if one.take == "fall_0")
    motion = next(item for item in items if item.name == "fall_0").motion
    np.testing.assert_allclose(fall.track.transl, motion.people[0].transl, atol=3e-4)
    np.testing.assert_allclose(fall.track.body_pose, motion.people[0].body_pose, atol=3e-4)
    np.testing.assert_array_equal(fall.falling, motion.actions[0] == ACTIONS.index("fall"))


def test_sources_are_left_out_by_name(body, corpus_path):
    assert {one.kind for one in corpus_tracks(corpus_path, body, ("procedural",))} == {"fall"}
    with pytest.raises(InputError, match="none of its"):
        list(corpus_tracks(corpus_path, body, ("procedural", "physics")))


def test_overlapping_windows_of_a_take_begin_where_the_earlier_end(body, items, tmp_path):
    walk = items[0]
    windows = []
    for name, first, end in (("w@0s", 0, 40), ("w@1s", 20, 60), ("w@2s", 40, 60)):
        frames = np.arange(first, end)
        motion = replace(
            walk.motion,
            timestamps_s=walk.motion.timestamps_s[: len(frames)],
            actions=walk.motion.actions[:, frames],
            people=tuple(take(person, frames) for person in walk.motion.people),
        )
        windows.append(replace(walk, name=name, take="w", motion=motion))
    write_corpus(tmp_path / "c.bin", windows, body.name, {})
    lengths = [len(one.falling) for one in corpus_tracks(tmp_path / "c.bin", body)]
    assert lengths == [40, 20]


def test_another_body_is_refused(body, items, tmp_path):
    write_corpus(tmp_path / "c.bin", items[:1], "a-body", {})
    with pytest.raises(InputError, match="is of the body a-body, not"):
        list(corpus_tracks(tmp_path / "c.bin", body))
