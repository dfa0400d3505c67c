"""What denoisers share: the refinement of frames by their neighbours."""

import pytest
import torch

from models.motion.denoisers.layers import KERNEL_SIZE, Refinement

FEATURES, FRAMES = 10, 24


@pytest.fixture
def refinement():
    torch.manual_seed(0)
    found = Refinement(FEATURES)
    torch.nn.init.normal_(found.proj_out.weight, std=0.1)
    return found.eval()


@pytest.fixture
def frames():
    draw = torch.Generator().manual_seed(1)
    noisy, predicted = torch.randn(2, 1, 2, FRAMES, FEATURES, generator=draw)
    return noisy, predicted, torch.ones(1, 2, FRAMES, dtype=torch.bool)


def test_an_untrained_one_changes_nothing(frames):
    assert (Refinement(FEATURES)(*frames) == 0.0).all()


@torch.no_grad()
@pytest.mark.parametrize("which", [0, 1])
def test_a_frame_moves_its_neighbours_of_the_same_person_alone(refinement, frames, which):
    """Noisy or predicted, over the border of a token (of four frames), too."""
    before = refinement(*frames)
    frames[which][0, 1, 10] += 1.0
    moved = (refinement(*frames) - before).abs().amax(-1)[0]
    reach = len(refinement.mixing) * (KERNEL_SIZE // 2)
    assert (moved[0] == 0.0).all()
    assert (moved[1, 10 - reach : 11 + reach] > 1e-5).all()
    assert (moved[1, : 10 - reach] < 1e-6).all() and (moved[1, 11 + reach :] < 1e-6).all()


@torch.no_grad()
def test_frames_that_are_not_there_count_for_nothing(refinement, frames):
    noisy, predicted, mask = frames
    alone = refinement(noisy[:, :, :15], predicted[:, :, :15], mask[:, :, :15])
    mask[:, :, 15:] = False
    torch.testing.assert_close(refinement(noisy, predicted, mask)[:, :, :15], alone, atol=1e-6, rtol=0.0)
