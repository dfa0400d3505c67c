"""People who act in sample footage: clear of furniture and of each other, on the floor; a room without floor is
refused."""

import numpy as np
import pytest

from models.body.model import load_body
from models.body.tracks import track_joints
from models.errors import Rejected
from models.sample_footage.room import in_camera_world, sample_room, walkable, watching_camera
from models.sample_footage.scenes import ActRequest, draw_act, draw_person, lowest_vertex

FPS = 15.0


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def room_and_camera():
    room = sample_room(np.random.default_rng(2))
    return in_camera_world(room, watching_camera(room, np.random.default_rng(0), 320, 240))


def test_people_stay_clear_of_furniture_and_of_each_other_and_on_the_floor(body, room_and_camera):
    room, camera = room_and_camera
    acts = []
    for index in range(2):
        rng = np.random.default_rng(index)
        person = draw_person(body, "resident", rng)
        acts.append(
            draw_act(ActRequest("stroll", person, f"person_{index + 1}", 60, FPS), room, camera, body, acts, rng)
        )
    pelves = [track_joints(body, act.track)[:, 0] for act in acts]
    assert np.linalg.norm(pelves[0] - pelves[1], axis=1).min() > 0.5
    for act, pelvis in zip(acts, pelves, strict=True):
        for outline in room.footprints:
            edges = [(outline[i], outline[(i + 1) % 4]) for i in range(4)]
            assert min(_distance(pelvis[:, :2], a, b).min() for a, b in edges) > 0.3
        assert np.abs(lowest_vertex(body, act.track)).max() < 0.005
        assert len(act.actions) == len(act.track.transl) == 60
    assert walkable(room, 0.35)[0].any()


def _distance(points, a, b):
    t = np.clip((points - a) @ (b - a) / ((b - a) @ (b - a)), 0.0, 1.0)
    return np.linalg.norm(points - a - t[:, None] * (b - a), axis=1)


def test_a_room_without_floor_is_rejected_with_its_reason(body, room_and_camera):
    room, camera = room_and_camera
    blind = camera.resized(32, 24)
    blind.intrinsics[:2, :2] *= 40.0
    rng = np.random.default_rng(0)
    with pytest.raises(Rejected, match="too_little_floor_in_view"):
        draw_act(ActRequest("stroll", draw_person(body, "carer", rng), "person_1", 30, FPS), room, blind, body, [], rng)
