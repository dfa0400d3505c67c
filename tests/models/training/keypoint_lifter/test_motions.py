"""Motion to learn lifting from: every source on the floor, takes held out whole, the same again."""

import numpy as np
import pytest

from models.body.floor_contact import lowest_surface
from models.body.model import load_body
from models.body.tracks import rest_root
from models.errors import InputError
from models.training.corpus_tracks import corpus_tracks
from models.training.keypoint_lifter.motions import REFERENCE, SOURCES, collect, read_motions, save_motions


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def motions(body, corpus_path):
    return collect(body, corpus_tracks(corpus_path, body), acted=6, postures=6, seed=3)


def test_every_source_comes_and_takes_are_held_out_whole(body, motions, corpus_path):
    assert {SOURCES[i] for i in np.unique(motions.source)} == {"fall", "look_alike", "composed", "acted", "postures"}
    for name in ("acted", "postures"):
        takes = np.unique(motions.take[(motions.source == SOURCES.index(name)) & motions.held_out])
        assert len(takes) == 1, "the sixth take of six"
    assert set(motions.take[motions.held_out]).isdisjoint(motions.take[~motions.held_out])
    from_corpus = [one.held_out for one in corpus_tracks(corpus_path, body)]
    assert [bool(motions.held_out[motions.take == number][0]) for number in range(10)] == from_corpus
    counts = motions.counts()
    assert counts["acted"]["takes"] == 5 and counts["mocap"] == {"takes": 0, "minutes": 0.0}


def test_falls_go_from_standing_to_the_floor(motions):
    for take in np.unique(motions.take[motions.source == SOURCES.index("fall")]):
        of = motions.take == take
        assert motions.pelvis[of][0, 2] > 0.8 and motions.pelvis[of][-1, 2] < 0.35
        assert 3 < motions.falling[of].sum() < of.sum()
    assert not motions.falling[motions.source != SOURCES.index("fall")].any()


def test_lowest_is_the_skin_of_the_reference_body(body, motions):
    betas = np.asarray(body.betas_from_shape(REFERENCE), dtype=np.float64)
    of = motions.source == SOURCES.index("postures")
    turns = motions.rotations[of]
    transl = motions.pelvis[of] - rest_root(body, betas)
    found = lowest_surface(body, betas, turns[:, 0], turns[:, 1:].reshape(-1, 69), transl)
    np.testing.assert_allclose(found, motions.lowest[of], atol=1e-4)
    assert motions.lowest.min() > -0.03


def test_the_same_again_and_through_a_file(body, motions, tmp_path):
    again = collect(body, (), acted=1, postures=1, seed=3)
    first = motions.take == motions.take[motions.source == SOURCES.index("acted")][0]
    np.testing.assert_array_equal(again.rotations[again.source == SOURCES.index("acted")], motions.rotations[first])
    save_motions(motions, tmp_path / "motions.npz")
    read = read_motions(tmp_path / "motions.npz")
    np.testing.assert_allclose(read.pelvis, motions.pelvis, atol=1e-6)
    np.testing.assert_allclose(read.rotations, motions.rotations, atol=4e-3)
    np.testing.assert_array_equal(read.held_out, motions.held_out)


def test_nothing_to_collect_is_an_error(body, tmp_path):
    with pytest.raises(InputError, match="nothing was collected"):
        collect(body, (), 0, 0, 0)
    (tmp_path / "motions.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no collected motion"):
        read_motions(tmp_path / "motions.npz")
