"""Lifted people as items to train on: what was seen well, in pieces, told truly; the rest is counted."""

from dataclasses import replace

import numpy as np
import pytest

from models.animation.gait_curves import procedural_walking
from models.body.model import load_body
from models.body.tracks import track_joints
from models.types import ACTIONS, take
from stages import finetuning_corpus
from stages.finetuning_corpus import FinetuningCorpusConfig

GOOD = {"reprojection_box_share_median": 0.01}


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def lifted(body):
    """Twelve seconds of walking straight on, labelled, at 15 Hz."""
    motion = procedural_walking(body, np.zeros(10), 12.0, 15.0, np.random.default_rng(0))
    return replace(motion, actions=np.full((1, len(motion.timestamps_s)), ACTIONS.index("walk")))


def test_who_was_seen_is_cut_into_pieces_at_twenty_hertz(body, lifted):
    items, skipped = finetuning_corpus.run(FinetuningCorpusConfig(), body, "room/one", lifted, GOOD, 0)
    assert len(items) == 2 and not skipped
    for item in items:
        assert item.kind == "own" and item.licence == "own footage" and item.take == "own room/one"
        assert np.diff(item.motion.timestamps_s) == pytest.approx(0.05)
        assert 5.5 < item.motion.timestamps_s[-1] < 6.5 and item.motion.timestamps_s[0] == 0.0
        assert any(word in item.texts[0].lower() for word in ("walk", "foot")) and "forward" in item.texts[0].lower()
    first = items[0].motion
    own = track_joints(body, lifted.people[0])[0]
    np.testing.assert_allclose(track_joints(body, first.people[0])[0], own, atol=1e-5)


def test_what_was_bridged_or_unsure_is_left_out(body, lifted):
    times = lifted.timestamps_s
    track = lifted.people[0]
    hidden = replace(track, visible=(times < 4.0) | (times > 7.0))
    items, _ = finetuning_corpus.run(FinetuningCorpusConfig(), body, "c", replace(lifted, people=(hidden,)), GOOD, 0)
    spans = [(round(float(item.name.split("@")[1][:-1]), 1), item.motion.timestamps_s[-1]) for item in items]
    assert [start for start, _ in spans] == [0.0, 7.1] and spans[0][1] < 4.0
    unsure = replace(track, confidence=np.full(len(times), 0.2))
    items, skipped = finetuning_corpus.run(
        FinetuningCorpusConfig(), body, "c", replace(lifted, people=(unsure,)), GOOD, 0
    )
    assert not items and skipped == {"nobody was seen well for long enough": 1}


def test_what_has_no_word_is_not_put_into_words(body, lifted):
    unknown = replace(lifted, actions=np.full_like(lifted.actions, ACTIONS.index("other")))
    items, skipped = finetuning_corpus.run(FinetuningCorpusConfig(), body, "c", unknown, GOOD, 0)
    assert not items and skipped == {"what is done has no word": 2}


def test_a_badly_lifted_clip_is_left_out(body, lifted):
    for figures in ({"reprojection_box_share_median": 0.2}, {"reprojection_box_share_median": None}, {}):
        items, skipped = finetuning_corpus.run(FinetuningCorpusConfig(), body, "c", lifted, figures, 0)
        assert not items and skipped == {"lifted too far from the keypoints": 1}


def test_a_fall_is_said_to_be_one_and_which_way(body, items):
    fall = next(item for item in items if item.name == "fall_0").motion
    own, _ = finetuning_corpus.run(FinetuningCorpusConfig(), body, "c", replace(fall, source="people3d"), GOOD, 0)
    assert len(own) == 1
    text = own[0].texts[0].lower()
    assert ("fall" in text or "tumble" in text) and "forward" in text


def test_the_same_again(body, lifted):
    short = replace(
        lifted,
        timestamps_s=lifted.timestamps_s[:60],
        people=(take(lifted.people[0], np.arange(60)),),
        actions=lifted.actions[:, :60],
    )
    a, b = (finetuning_corpus.run(FinetuningCorpusConfig(), body, "c", short, GOOD, 3)[0] for _ in range(2))
    assert [item.texts for item in a] == [item.texts for item in b] and a[0].name == b[0].name
