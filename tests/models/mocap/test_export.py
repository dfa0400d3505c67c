"""What other programs read: joints of BVH and glTF files are ours within a millimetre."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from models.animation.gait_curves import procedural_walking
from models.body.model import BodyModel, BodyShape, load_body
from models.body.tracks import track_joints, track_parameters
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.bvh import read_bvh, write_bvh
from models.mocap.export import motion_glb, track_bvh
from models.types import SMPL_JOINTS, Motion, PersonTrack, take


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def motion(body) -> Motion:
    """Two people walk in a room; the first one's last joint turns are past half a turn."""
    rng = np.random.default_rng(0)
    people = []
    for name, stature in (("anna", 1.55), ("bert", 1.85)):
        betas = np.asarray(body.betas_from_shape(BodyShape(stature_m=stature)), dtype=np.float64)
        track = procedural_walking(body, betas, 1.5, 20.0, rng, person=name).people[0]
        people.append(PersonTrack(**{**vars(track), "transl": track.transl + [1.0, len(people), 0.0]}))
    return Motion(2.0 + np.arange(30) / 20.0, tuple(people), np.full((2, 30), -1), "people3d")


def y_up(points: np.ndarray) -> np.ndarray:
    """Their y is our z, their z our x."""
    return points @ R_ZUP_YUP


def test_bvh_reads_back_within_a_millimetre(body, motion, tmp_path):
    track = motion.people[0]
    write_bvh(track_bvh(body, track, motion.timestamps_s), tmp_path / "anna.bvh")
    again = read_bvh(tmp_path / "anna.bvh")
    places = again.forward()[1][:, [again.names.index(name) for name in SMPL_JOINTS]]
    assert np.abs(places - y_up(track_joints(body, track))).max() < 1e-3
    assert np.allclose(again.timestamps_s, np.arange(30) / 20.0, atol=1e-6)
    assert sum(name.endswith("_end") for name in again.names) == 5
    # Upright is along y.
    assert (places[:, SMPL_JOINTS.index("head"), 1] > places[:, SMPL_JOINTS.index("left_ankle"), 1] + 1.0).all()


def test_bvh_of_an_uneven_clock_is_resampled(body, motion):
    kept = np.delete(np.arange(30), [7, 8, 15])
    uneven = track_bvh(body, take(motion.people[0], kept), motion.timestamps_s[kept])
    even = track_bvh(body, motion.people[0], motion.timestamps_s)
    assert len(uneven.timestamps_s) == 30
    assert np.abs(uneven.translations[kept, 0] - even.translations[kept, 0]).max() < 1e-9
    away = np.linalg.norm(uneven.forward()[1] - even.forward()[1], axis=-1)
    assert away[kept].max() < 1e-9 and away.max() < 0.06  # a swinging foot
    with pytest.raises(
        InputError, match="^anna: has a single frame, and BVH holds motions; choose a longer clip, or glb$"
    ):
        track_bvh(body, take(motion.people[0], np.array([0])), np.zeros(1))


class Read:
    """A .glb file as any reader takes it apart."""

    def __init__(self, path: Path):
        data = path.read_bytes()
        magic, version, size = struct.unpack_from("<4sII", data)
        assert (magic, version, size) == (b"glTF", 2, len(data))
        length, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON" and length % 4 == 0
        self.tree = json.loads(data[20 : 20 + length])
        self.buffer = data[20 + length + 8 :]
        assert len(self.buffer) == self.tree["buffers"][0]["byteLength"]

    def array(self, index: int) -> np.ndarray:
        accessor = self.tree["accessors"][index]
        view = self.tree["bufferViews"][accessor["bufferView"]]
        dtype = {5126: np.float32, 5125: np.uint32, 5121: np.uint8}[accessor["componentType"]]
        width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}[accessor["type"]]
        assert view["byteOffset"] % 4 == 0
        flat = np.frombuffer(self.buffer[view["byteOffset"] :][: view["byteLength"]], dtype)
        return flat.reshape(accessor["count"], width)

    def globals_at(self, frame: int) -> list[np.ndarray]:
        """Global transform of every node at a key frame of the animation."""
        nodes = [dict(node) for node in self.tree["nodes"]]
        (animation,) = self.tree["animations"]
        for channel in animation["channels"]:
            values = self.array(animation["samplers"][channel["sampler"]]["output"])
            nodes[channel["target"]["node"]][channel["target"]["path"]] = values[frame]
        found: list[np.ndarray] = [np.eye(4)] * len(nodes)

        def visit(index: int, above: np.ndarray) -> None:
            local = np.eye(4)
            local[:3, :3] = Rotation.from_quat(nodes[index].get("rotation", [0, 0, 0, 1])).as_matrix()
            local[:3, 3] = nodes[index].get("translation", [0, 0, 0])
            found[index] = above @ local
            for child in nodes[index].get("children", []):
                visit(child, found[index])

        for root in self.tree["scenes"][0]["nodes"]:
            visit(root, np.eye(4))
        return found


@pytest.fixture(scope="module")
def glb(body, motion, tmp_path_factory) -> Read:
    path = tmp_path_factory.mktemp("glb") / "room.glb"
    motion_glb(body, motion).write(path)
    return Read(path)


def test_gltf_joints_are_where_ours_are(body, motion, glb):
    names = [node["name"] for node in glb.tree["nodes"]]
    for frame in (0, 17, 29):
        placed = glb.globals_at(frame)
        for track in motion.people:
            found = np.array([placed[names.index(f"{track.person}:{joint}")][:3, 3] for joint in SMPL_JOINTS])
            assert np.abs(found - y_up(track_joints(body, track)[frame])).max() < 1e-3
    times = glb.array(glb.tree["animations"][0]["samplers"][0]["input"])[:, 0]
    assert np.allclose(times, np.arange(30) / 20.0, atol=1e-6)


def test_gltf_skin_is_the_body_to_a_few_millimetres(body, motion, glb):
    placed = glb.globals_at(17)
    for track, skin, mesh in zip(motion.people, glb.tree["skins"], glb.tree["meshes"], strict=True):
        attributes = mesh["primitives"][0]["attributes"]
        inverse = glb.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        moves = np.stack([placed[node] for node in skin["joints"]]) @ inverse
        at, weights = glb.array(attributes["JOINTS_0"]), glb.array(attributes["WEIGHTS_0"])
        assert np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)
        rest = np.concatenate([glb.array(attributes["POSITION"]), np.ones((len(at), 1))], axis=1)
        skinned = np.einsum("vk,vkij,vj->vi", weights, moves[at], rest)[:, :3]
        with torch.no_grad():
            true = body.posed(*(part[17:18] for part in track_parameters(track))).vertices[0].double().numpy()
        away = np.linalg.norm(skinned - y_up(true), axis=1)
        assert away.max() < 0.015 and np.percentile(away, 99) < 0.002 and np.median(away) < 1e-5
        normals = glb.array(attributes["NORMAL"])
        assert np.allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-5)
        # Outwards: from the axis of the trunk.
        trunk = np.abs(rest[:, 1] - rest[:, 1].mean()) < 0.1
        outward = rest[trunk][:, [0, 2]] - rest[trunk][:, [0, 2]].mean(axis=0)
        assert ((normals[trunk][:, [0, 2]] * outward).sum(axis=1) > 0).mean() > 0.8


def test_gltf_says_who_and_when_and_other_readers_take_it(motion, glb, body, tmp_path):
    extras = [node["extras"] for node in glb.tree["nodes"] if "extras" in node]
    assert [one["person"] for one in extras] == ["anna", "bert"] and extras[0]["visible"] == [1] * 30
    motion_glb(body, motion).write(tmp_path / "a.glb")
    motion_glb(body, motion).write(tmp_path / "b.glb")
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()
    scene = trimesh.load(tmp_path / "a.glb")
    assert len(scene.geometry) == 2
    assert all(len(mesh.faces) == len(body.faces) for mesh in scene.geometry.values())
    motion_glb(body, motion, mesh=False).write(tmp_path / "bare.glb")
    bare = Read(tmp_path / "bare.glb")
    assert "meshes" not in bare.tree and len(bare.tree["nodes"]) == 1 + 2 * 24
    assert (tmp_path / "bare.glb").stat().st_size < 60_000
