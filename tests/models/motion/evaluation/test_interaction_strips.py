"""Film strips of interactions: side by side, with the moment of touching, and in an order that tells nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.motion.dataset import Piece
from models.motion.evaluation.interaction_strips import (
    HEIGHT_PX,
    PER_KIND,
    PICTURES,
    WIDTH_PX,
    SampledInteraction,
    frames_shown,
    interaction_strips,
    side_by_side,
)
from models.motion.evaluation.physical_metrics import joints_of
from models.motion.features import heading, root_matrices, transformed
from models.rendering.film_strip import AZIMUTH, TILE_M


@pytest.fixture
def acted(motion_data):
    names = [row.name for row in motion_data.rows]
    batch = motion_data.batch([Piece(names.index("pair"), 0, 60, (0, 1), 0)])
    return SampledInteraction(
        "walk_beside", batch.texts[0], ("resident", "carer"), np.zeros((2, 10)), batch.rest[0], batch.features[0]
    )


def test_the_moment_of_touching_is_shown_however_short(acted):
    joints = joints_of(acted.features, acted.rest).copy()
    joints[1] += (4.0, 0.0, 0.0)
    joints[1, 13, :, 0] -= 3.9
    shown = frames_shown(joints)
    assert len(shown) == PICTURES and (np.diff(shown) > 0).all() and shown[0] == 0 and shown[-1] == 59
    assert 13 in shown and 13 not in np.linspace(0, 59, PICTURES).round()


def test_two_are_seen_side_by_side_and_followed_by_whole_tiles(acted):
    features = acted.features.clone()
    features[..., :66] += torch.tensor([7.3, -12.1, 0.0]).repeat(22)
    found = side_by_side(features)
    before, after = (scene[1, :, :2] - scene[0, :, :2] for scene in (features, found))
    torch.testing.assert_close(after.norm(dim=-1), before.norm(dim=-1), atol=1e-4, rtol=0.0)
    nearest = after[after.norm(dim=-1).argmin()]
    towards_camera = torch.tensor([np.cos(AZIMUTH), np.sin(AZIMUTH)], dtype=torch.float32)
    assert abs(float(nearest @ towards_camera)) < 1e-3
    assert heading(root_matrices(found)).mean((0, 1)) @ towards_camera > 0.0, "from the front"
    assert (found[..., :2].mean(0).abs() <= TILE_M + 1e-4).all()
    # The scene turned as it is, but not moved: what differs are whole pairs of tiles.
    turn = torch.atan2(nearest[1], nearest[0]) - torch.atan2(*before[before.norm(dim=-1).argmin()].flip(0))
    only_turned = transformed(features[None], torch.tensor([[0.0, 0.0, float(turn)]]))[0]
    shift = (found - only_turned)[0, :, :2] / (2.0 * TILE_M)
    torch.testing.assert_close(shift, shift.round(), atol=1e-3, rtol=0.0)
    assert shift.abs().max() > 3.0
    torch.testing.assert_close(found[..., 2], features[..., 2])


def test_a_few_of_each_kind_are_drawn_in_an_order_that_gives_nothing_away(acted):
    scenes = [replace(acted, kind=kind, text=f"{kind} {n}") for kind in ("catch", "comfort") for n in (0, 0, 1, 2, 3)]
    image, shown = interaction_strips(load_body(), scenes, np.random.default_rng(1))
    assert image.shape == (2 * PER_KIND * HEIGHT_PX, PICTURES * WIDTH_PX, 3)
    told = [scene.text for scene in shown]
    assert sorted(told) == [f"{kind} {n}" for kind in ("catch", "comfort") for n in range(PER_KIND)]
    assert told != sorted(told)
    again, _ = interaction_strips(load_body(), scenes, np.random.default_rng(1))
    assert np.array_equal(image, again)
    rows = image.reshape(2 * PER_KIND, -1)
    assert len(np.unique(rows, axis=0)) == len(rows), "each has its number, and people of its own"
