"""Masses by stature and build."""

import pytest

from models.body.anthropometry import body_mass_kg


def test_body_mass_index_goes_from_slight_to_heavy():
    assert body_mass_kg(1.7, 0.0) == pytest.approx(18.5 * 1.7**2)
    assert body_mass_kg(1.7, 1.0) == pytest.approx(33.5 * 1.7**2)
    assert body_mass_kg(1.9, 0.5) / body_mass_kg(1.6, 0.5) == pytest.approx((1.9 / 1.6) ** 2)
