"""Pictures of motions."""

from dataclasses import replace

import numpy as np
import pytest

from models.body.model import BodyModel, load_body
from models.body.tracks import track_joints
from models.corpus.writer import Item
from models.rendering.film_strip import camera_on, motion_strip
from models.types import BodyLook, Motion

LOOKS = [BodyLook(1, 80.0)]


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture
def fall(items: tuple[Item, ...]) -> Motion:
    return next(item.motion for item in items if item.name == "fall_0")


def figure_of(picture: np.ndarray) -> tuple[int, int]:
    """Width and height of what is darker than floor, air and shadow."""
    rows, columns = np.nonzero(picture.min(axis=2) < 90)
    return int(np.ptp(columns)), int(np.ptp(rows))


def test_each_picture_shows_its_frame(body: BodyModel, fall: Motion) -> None:
    frames = np.array([0, len(fall.timestamps_s) - 1])
    strip = motion_strip(body, fall, frames, 200, 180, LOOKS)
    assert strip.shape == (180, 400, 3)
    standing, lying = figure_of(strip[:, :200]), figure_of(strip[:, 200:])
    assert standing[1] > 1.5 * standing[0] and lying[0] > 1.2 * lying[1]
    alone = motion_strip(body, fall, frames[[1, 1]], 200, 180, LOOKS)
    np.testing.assert_allclose(alone[:, :200], alone[:, 200:], atol=2)
    np.testing.assert_allclose(strip, motion_strip(body, fall, frames, 200, 180, LOOKS), atol=2)


def test_furniture_hides_who_is_behind_it(body: BodyModel, fall: Motion) -> None:
    frames = np.array([0])
    plain = motion_strip(body, fall, frames, 200, 180, LOOKS)
    before = [((0.25, -0.6, 0.4), (0.6, 0.2, 0.4), 0.0)]
    hidden = motion_strip(body, fall, frames, 200, 180, LOOKS, before)
    assert figure_of(hidden)[1] < 0.8 * figure_of(plain)[1]
    turned = motion_strip(body, fall, frames, 200, 180, LOOKS, [(*before[0][:2], 1.2)])
    assert (turned != hidden).any()


@pytest.mark.parametrize("name", ["fall_1", "walk_2", "pair"])
def test_everybody_is_in_view(body: BodyModel, items: tuple[Item, ...], name: str) -> None:
    motion = next(item.motion for item in items if item.name == name)
    away = [replace(track, transl=track.transl + np.array([7.0, -30.0, 0.0])) for track in motion.people]
    for tracks in (motion.people, away):
        joints = np.concatenate([track_joints(body, track) for track in tracks])
        camera = camera_on(joints, 160, 120)
        pixels = camera.project(joints)
        assert (pixels > 0).all() and (pixels < [159, 119]).all()
        assert np.ptp(pixels[..., 1]) > 40 or np.ptp(pixels[..., 0]) > 60, "as large as the picture allows"
        assert camera.height_m > 0.5 and camera.pitch_deg == pytest.approx(17.0)
