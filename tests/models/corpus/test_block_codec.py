"""Compressed tracks come back: what is exact exactly, the rest to half a step."""

import numpy as np
import pytest

from models.corpus.block_codec import CONFIDENCE_STEPS, ROTATION_STEP, TRANSL_STEP_M, Tracks, compress, decompress


def tracks(people: int, frames: int) -> Tracks:
    """Anything at all: full turns, far places, jumps."""
    rng = np.random.default_rng(people * 1000 + frames)
    return Tracks(
        rng.normal(size=(people, 10)).astype(np.float32),
        rng.uniform(-3.2, 3.2, (people, frames, 24, 3)).astype(np.float32),
        rng.uniform(-60.0, 60.0, (people, frames, 3)).astype(np.float32),
        rng.integers(-1, 16, (people, frames)).astype(np.int8),
        rng.random((people, frames)) < 0.5,
        rng.random((people, frames)).astype(np.float32),
    )


@pytest.mark.parametrize(("people", "frames"), [(1, 1), (1, 2), (4, 33), (2, 400)])
def test_tracks_come_back(people: int, frames: int) -> None:
    given = tracks(people, frames)
    back = decompress(compress(given), people, frames)
    for name in ("betas", "actions", "visible"):
        np.testing.assert_array_equal(getattr(back, name), getattr(given, name))
    for name, step in (("rotations", ROTATION_STEP), ("transl", TRANSL_STEP_M), ("confidence", 1 / CONFIDENCE_STEPS)):
        worst = np.abs(getattr(back, name) - getattr(given, name)).max()
        assert step / 20 < worst <= step / 2 + 1e-5


def test_smooth_motion_takes_a_fraction_of_its_floats() -> None:
    clock = np.arange(200) / 20.0
    swing = np.sin(clock[:, None] * np.linspace(0.5, 6.0, 72)).reshape(1, 200, 24, 3)
    noise = tracks(1, 200)
    smooth = Tracks(
        noise.betas,
        (0.5 * swing).astype(np.float32),
        (swing[..., 0] * 0.2).astype(np.float32)[..., :3],
        noise.actions,
        np.ones((1, 200), dtype=bool),
        np.ones((1, 200), dtype=np.float32),
    )
    assert len(compress(smooth)) < smooth.rotations.nbytes / 4


def test_bytes_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        decompress(compress(tracks(1, 10)), 2, 10)
