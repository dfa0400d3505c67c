"""Figures by role: who goes by role passes, who goes by slot is found out."""

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.corpus.reader import read_corpus
from models.corpus.writer import write_corpus
from models.errors import InputError
from models.motion.dataset import MotionData
from models.motion.denoisers.identity import IdentityConfig
from models.motion.features import from_matrices
from models.motion.model import MotionModel, MotionModelConfig
from models.motion.request import MotionRequest
from models.motion.schedulers import SamplingConfig
from models.training.motion import role_swaps as measure_swaps
from models.training.motion.role_swaps import by_role, measure, requests_of, swapped

FRAMES = 60


@pytest.fixture(scope="module")
def requests():
    skeleton = skeleton_of(load_body())
    rest = skeleton.rest_joints(torch.zeros(2, 10))
    return [
        MotionRequest("a carer walks up to a resident", ("resident", "carer"), rest, FRAMES, seed) for seed in range(8)
    ]


def scene(request: MotionRequest, heights: list[float], ways: list[float]) -> torch.Tensor:
    """People in their rest pose, pelves as high as told, gliding so far along x."""
    rotations = torch.eye(3).expand(2, FRAMES, 22, 3, 3)
    pelvis = torch.zeros(2, FRAMES, 3)
    for person, (height, way) in enumerate(zip(heights, ways, strict=True)):
        pelvis[person, :, 0] = torch.linspace(0.0, way, FRAMES)
        pelvis[person, :, 2] = height
    return from_matrices(request.rest, rotations, pelvis)


def test_figures_are_of_roles_in_whatever_order(requests):
    one, other = requests[0], swapped(requests[0])
    assert other.roles == ("carer", "resident") and torch.equal(other.rest[0], one.rest[1])
    first = by_role([one], [scene(one, [0.2, 0.9], [0.0, 2.0])])
    second = by_role([other], [scene(other, [0.9, 0.2], [2.0, 0.0])])
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6)
    assert first["lowest_pelvis_m"][0] == pytest.approx([0.2, 0.9], abs=1e-5)
    # In steps of five frames: the last ones end where a whole step does.
    assert first["travel_m"][0] == pytest.approx([0.0, 2.0 * 55 / 59], abs=1e-5)


@pytest.mark.parametrize("by", ["role", "slot"])
def test_who_goes_by_slot_is_found_out(requests, monkeypatch, by):
    def made(model, embed, some, config):
        scenes = []
        for request in some:
            jitter = 0.02 * float(np.random.default_rng(request.seed).normal())
            low = [role == "resident" for role in request.roles] if by == "role" else [True, False]
            scenes.append(scene(request, [0.2 + jitter if lies else 0.9 for lies in low], [0.0, 0.0]))
        return scenes

    monkeypatch.setattr(measure_swaps, "sample", made)
    model = MotionModel(
        MotionModelConfig(denoiser=IdentityConfig(width=32, layers=1, heads=2, text=4), text_encoder_digest="")
    )
    figures = measure(model, lambda texts: torch.zeros(len(texts), 4), requests, SamplingConfig())["lowest_pelvis_m"]
    assert figures["roles_differ"][0] == pytest.approx(2.0, abs=0.05)
    assert abs(figures["noise_0"][0]) < 0.1
    change, error = figures["swap_0"]
    assert (abs(change) < 0.1) if by == "role" else (change > 10.0 * error and change == pytest.approx(2.0, abs=0.1))


def test_a_corpus_without_pairs_of_two_roles_is_refused(items, tmp_path):
    index = write_corpus(tmp_path / "corpus.bin", items[:2], load_body().name, {})
    corpus = read_corpus(tmp_path / "corpus.bin")
    assert len(index.rows) == 2
    with pytest.raises(InputError, match="holds out no pair of two roles"):
        requests_of(MotionData(corpus, skeleton_of(load_body()), 60), corpus, 60)
