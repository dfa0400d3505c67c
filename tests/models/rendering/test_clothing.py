"""The figure that clothes are drawn on: neighbourhoods and normals of its mesh."""

import numpy as np
import pytest

from models.body.model import load_body
from models.rendering.clothing import Figure


@pytest.fixture(scope="module")
def body():
    return load_body()


def test_neighbourhoods_and_normals_of_the_figure(body):
    figure = Figure(body)
    np.testing.assert_allclose(figure.neighbours.sum(axis=1), 1.0, atol=1e-5)
    constant = figure.blurred(np.full(figure.vertices, 3.0), 5)
    np.testing.assert_allclose(constant, 3.0, atol=1e-4)
    crown = figure.position[:, 1].argmax()
    assert figure.normals[crown, 1] > 0.8
    field = figure.noise(np.random.default_rng(0), 0.1)
    assert 0.7 < field.std() < 1.3
