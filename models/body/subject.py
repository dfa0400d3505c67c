"""Who moves: a person with a body, as falls, look-alikes and interactions are made for."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from models.body.model import BodyModel
from models.types import PersonTrack, Role


@dataclass(frozen=True, eq=False)
class Subject:
    """One person."""

    body: BodyModel
    betas: Float[np.ndarray, "10"]
    """Shape, of `body`."""
    age_years: float
    role: Role
    mass_kg: float | None = None
    """None where it is drawn later, or nothing depends on it."""
    sex: float | None = None
    """0 is female, 1 is male; None where nothing depends on it."""
    frailty: float = 0.0
    """In [0, 1]: weakens muscles and slows reactions."""
    name: str = "person_0"

    @property
    def old(self) -> float:
        """0 to 50 years, 1 from 90, linear between: how much age slows and stoops."""
        return float(np.clip((self.age_years - 50.0) / 40.0, 0.0, 1.0))

    @property
    def known_mass_kg(self) -> float:
        """The mass, for physics, which needs one."""
        assert self.mass_kg is not None, "physics needs a mass"
        return self.mass_kg

    def track(
        self,
        global_orient: Float[np.ndarray, "time 3"],
        body_pose: Float[np.ndarray, "time 69"],
        transl: Float[np.ndarray, "time 3"],
    ) -> PersonTrack:
        """Return a motion of this person, seen in every frame."""
        count = len(transl)
        seen = np.ones(count, dtype=bool)
        betas = np.asarray(self.betas, dtype=np.float64)
        return PersonTrack(self.name, self.role, betas, global_orient, body_pose, transl, seen, np.ones(count))
