"""Boxes, cushions and cylinders: as large as asked, with faces that look outwards."""

import numpy as np
import pytest

from models.rendering.primitives import box, cushion, cylinder

LOW, HIGH = (1.0, -0.5, 0.2), (2.0, 0.5, 0.9)
SHAPES = {
    "box": box("bed", LOW, HIGH),
    "cushion": cushion("bed", LOW, HIGH),
    "cylinder": cylinder("table", (1.5, 0.0), 0.5, 0.2, 0.9),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_fills_its_bounds_and_looks_outwards(name):
    shape = SHAPES[name]
    np.testing.assert_allclose(shape.vertices.min(axis=0), LOW, atol=1e-9)
    np.testing.assert_allclose(shape.vertices.max(axis=0), HIGH, atol=1e-9)
    a, b, c = (shape.vertices[shape.faces[:, corner]] for corner in range(3))
    outwards = (a + b + c) / 3.0 - (np.array(LOW) + np.array(HIGH)) / 2.0
    assert (np.einsum("ij,ij->i", np.cross(b - a, c - a), outwards) > 0.0).all()


def test_a_taper_narrows_the_top_alone():
    shape = cylinder("table", (0.0, 0.0), 0.5, 0.0, 1.0, taper=0.4)
    radius = np.linalg.norm(shape.vertices[:, :2], axis=1)
    top = shape.vertices[:, 2] > 0.5
    assert radius[top].max() == pytest.approx(0.2) and radius[~top].max() == pytest.approx(0.5)


def test_a_texture_is_laid_once_a_face_or_by_the_metre():
    texture = np.zeros((4, 4, 3), np.uint8)
    once, metres = box("bed", LOW, HIGH, texture), box("bed", LOW, HIGH, texture, uv_m=0.5)
    assert once.uv is not None and metres.uv is not None and box("bed", LOW, HIGH).uv is None
    assert once.uv.max() == 1.0 and metres.uv.max() == pytest.approx(2.0)
