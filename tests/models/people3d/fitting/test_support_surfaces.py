"""Tops of furniture: heights over them and depths inside are those of a box; nobody meets another room's."""

import numpy as np
import pytest
import torch

from models.people3d.fitting.support_surfaces import clearance, concatenate_tops, furniture_tops
from models.types import SupportSurface

CPU = torch.device("cpu")
BED = SupportSurface("bed", 0.5, np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]))
CHAIR = SupportSurface("chair", 0.45, np.array([[3.0, 0.0], [3.0, 0.5], [3.5, 0.5], [3.5, 0.0], [3.25, -0.1]]))
"""Clockwise, and of five corners."""
POINTS = torch.tensor([
    [1.0, 0.5, 0.7], [1.0, 0.5, 0.47], [1.0, 0.5, 0.2], [1.9, 0.5, 0.1], [-0.3, 0.5, 0.2], [3.2, 0.2, 0.43],
    [3.2, 0.2, 0.2], [5.0, 5.0, -0.04],
])  # fmt: skip


def test_a_bed_is_solid_and_a_chair_has_room_for_legs_below():
    carried, inside = clearance(furniture_tops([BED, CHAIR], CPU), POINTS[None], 0.12)
    # Over the mattress, pressed into it, deep inside, near its edge, beside it, on the seat, under it, below the floor.
    assert carried[0].tolist() == pytest.approx([0.2, -0.03, 0.2, 0.1, 0.2, -0.02, 0.2, -0.04])
    assert inside[0].tolist() == pytest.approx([0.0, 0.03, 0.3, 0.1, 0.0, 0.02, 0.0, 0.04], abs=1e-6)


def test_rooms_together_are_as_each_alone():
    rooms = [furniture_tops(room, CPU) for room in ([], [BED], [CHAIR, BED])]
    concatenate_frames = concatenate_tops(rooms)
    assert len(concatenate_frames) == 2
    found = clearance(concatenate_frames, POINTS.expand(3, -1, -1), 0.12)
    for row, room in enumerate(rooms):
        for value, alone in zip(found, clearance(room, POINTS[None], 0.12), strict=True):
            assert torch.equal(value[row], alone[0])


def test_what_is_inside_is_pushed_out_the_same_way_among_other_rooms():
    rooms = [furniture_tops(room, CPU) for room in ([BED], [CHAIR, BED])]
    ways = []
    for tops, rows in ((rooms[0], 1), (concatenate_tops(rooms), 2)):
        points = POINTS.expand(rows, -1, -1).clone().requires_grad_()
        clearance(tops, points, 0.12)[1][0].square().sum().backward()
        ways.append(points.grad[0])
    assert torch.allclose(ways[0], ways[1]) and ways[0].abs().sum() > 0.1
