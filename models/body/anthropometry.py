"""Masses of people by stature, build and sex."""


def body_mass_kg(stature_m: float, build: float) -> float:
    """Return mass from stature and build by body mass index: 18.5 kg/m2 (slight) to 33.5 kg/m2 (heavy)."""
    return (18.5 + 15.0 * build) * stature_m**2
