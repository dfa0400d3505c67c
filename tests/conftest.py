"""Shapes are checked at run time in every test: jaxtyping + beartype over our packages; and a small corpus to test
with."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from jaxtyping import install_import_hook
from scipy import ndimage

# A whole number is a fine float, as in PEP 484.
install_import_hook(
    ["pipeline", "stages", "models"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)


@pytest.fixture(scope="session")
def standing() -> Callable:
    """Return what puts somebody as thin as a stick before a camera, at each of some places in turn, each twice."""
    from models.geometry.camera import Camera
    from models.types import Person2D

    heights = np.full(17, 1.45)
    heights[[0, 5, 6, 7, 8, 9, 10]] = 1.5, 1.38, 1.38, 1.1, 1.1, 0.85, 0.85
    heights[[11, 12, 13, 14, 15, 16]] = 0.9, 0.9, 0.48, 0.48, 0.09, 0.09

    def put(camera: Camera, places: list[tuple[float, float]], lifted: float = 0.0, score: float = 0.9) -> Person2D:
        pixels = camera.project(np.array([[[x, y, z + lifted] for z in heights] for x, y in (*places, *places)]))
        return Person2D(
            person="person_1",
            role="person",
            visible=np.ones(len(pixels), dtype=bool),
            boxes_px=np.concatenate([pixels.min(axis=1), pixels.max(axis=1)], axis=1),
            keypoints_px=pixels,
            scores=np.full(pixels.shape[:2], score),
        )

    return put


@pytest.fixture(scope="session")
def drawn_room() -> tuple:
    """Camera, plate, depth and floor of a room: a rug on tiles, and three walls, lit differently, of about the tiles'
    grey."""
    from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor

    rng, pose = np.random.default_rng(0), pose_over_floor(normal_from_angles(0.3, 0.0), 2.0)
    camera = Camera(intrinsics_from_focal(520.0, 640, 480), 640, 480, pose)
    rays, start = camera.rays_camera(camera.pixel_grid()) @ pose[:3, :3].T, pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        planes = [(2, 0.0), (0, 6.0), (1, -2.2), (1, 2.4)]
        hits = np.stack([(at - start[axis]) / rays[..., axis] for axis, at in planes])
    hits = np.where(hits > 1e-9, hits, np.inf)
    which, depth = hits.argmin(axis=0), hits.min(axis=0)
    x, y, _ = np.moveaxis(start + rays * depth[..., None], -1, 0)
    colour = np.array([(150, 140, 130), (186, 180, 170), (205, 200, 190), (170, 165, 158)])[which].astype(float)
    colour[(which == 0) & (np.abs(y) < 1.0) & (x > 2.4) & (x < 4.6)] = (150, 60, 60)
    texture = ndimage.gaussian_filter(rng.normal(0.0, 1.0, depth.shape), 1.5)
    colour += (texture / texture.std() * np.where(which == 0, 7.0, 2.0))[..., None]
    return camera, np.clip(colour, 0, 255).astype(np.uint8), depth, which == 0


@pytest.fixture(scope="session")
def bare_room() -> Callable:
    """Return what makes a room of which nothing is known but how it looks, and what surfaces show there."""
    from models.types import Room

    def made(camera, plate: np.ndarray, depth: np.ndarray, surfaces: np.ndarray, verdict: str = "ok") -> Room:
        return Room(
            room="ward/cam",
            camera=camera,
            plate=plate,
            depth=depth,
            surfaces=surfaces,
            floor_inlier_ratio=0.0,
            floor_residual_m=0.0,
            walkable=np.zeros((4, 4), dtype=bool),
            occupancy=np.full((4, 4, 4), 2),
            signed_distance=np.ones((4, 4, 4)),
            grid_origin=np.zeros(3),
            grid_cell_m=0.08,
            supports=(),
            scale_disagreement=1.0,
            occlusion=False,
            verdict=verdict,
        )

    return made


@pytest.fixture(scope="session")
def items() -> tuple:
    """Corpus items of the default body: walk_0 to walk_5 (3 s), stand_0 and stand_1, fall_0 and fall_1 (5 s), and pair,
    two walkers."""
    # Imported here, after the hook: else these modules would go unchecked.
    from models.body.model import load_body
    from models.corpus.writer import Item
    from models.motion_sources.procedural import ProceduralEveryday
    from models.motion_sources.simulated import PhysicsFalls
    from models.order import ClipOrder

    def order(event: str, seconds: float, role: str) -> ClipOrder:
        fall = {"cause": "push", "direction": "forward"} if event == "fall" else {"cause": None, "direction": None}
        return ClipOrder.model_validate(
            {
                "event": event,
                "start": "walking",
                "seconds": seconds,
                "fps": 20.0,
                "role": role,
                "age_years": 80.0,
                "stature_m": 1.62,
                "build": 0.5,
                "sex": 0.0,
                "text": "",
                **fall,
            }
        )

    body = load_body()
    everyday, falls = ProceduralEveryday(body), PhysicsFalls(body)
    made = []
    for event, count, seconds in (("walk", 6, 3.0), ("stand", 2, 5.0)):
        for number in range(count):
            asked = order(event, seconds, "carer" if number == 1 else "resident")
            motion = everyday.sample(asked, None, np.random.default_rng(number))
            made.append(
                Item(f"{event}_{number}", motion, (f"a person {event}s",), "procedural", "CC0", event, "look_alike")
            )
    for number in range(2):
        motion = falls.sample(order("fall", 5.0, "resident"), None, np.random.default_rng(number))
        texts = ("an old woman falls forward", "she is pushed and falls on her face")
        made.append(Item(f"fall_{number}", motion, texts, "physics", "Apache-2.0", f"fall_{number}", "fall"))
    one, other = made[0].motion, made[1].motion
    beside = replace(other.people[0], person="person_1", transl=other.people[0].transl + np.array([0.0, 1.0, 0.0]))
    pair = replace(one, people=(one.people[0], beside), actions=np.concatenate([one.actions, other.actions]))
    made.append(Item("pair", pair, ("two people walk",), "procedural", "CC0", "walk", "composed"))
    return tuple(made)


@pytest.fixture(scope="session")
def motion_data(items, tmp_path_factory):
    """The items as features, two of each split held out: `models.motion.dataset.MotionData`, windows of 60 frames."""
    from models.body.model import load_body
    from models.body.rest_skeleton import skeleton_of
    from models.corpus.reader import read_corpus
    from models.corpus.writer import split_of, write_corpus
    from models.motion.dataset import MotionData

    def take_in(split: str) -> str:
        return next(f"take {n}" for n in range(1000) if split_of(f"take {n}") == split)

    splits = {"walk_5": "val", "fall_1": "test", "stand_1": "test"}
    path = tmp_path_factory.mktemp("motion") / "corpus.bin"
    body = load_body()
    placed = [replace(item, take=take_in(splits.get(item.name, "train"))) for item in items]
    write_corpus(path, placed, body.name, {})
    return MotionData(read_corpus(path), skeleton_of(body), 60)


@pytest.fixture(scope="session")
def embed():
    """An embedding of captions that needs no network: 12 numbers drawn from the words."""
    import hashlib

    import torch

    def rows(texts):
        seeds = [int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) for text in texts]
        drawn = [torch.randn(12, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.nn.functional.normalize(torch.stack(drawn), dim=-1)

    return rows


@pytest.fixture(scope="session")
def corpus_path(items, tmp_path_factory):
    """A corpus file of `items` and of the mirror image of walk_0."""
    from models.body.model import load_body
    from models.corpus.mirror import mirrored_item
    from models.corpus.writer import write_corpus

    body = load_body()
    path = tmp_path_factory.mktemp("corpus") / "corpus.bin"
    write_corpus(path, (*items, mirrored_item(items[0], body)), body.name, {})
    return path


@pytest.fixture(scope="session")
def labelled_clip():
    """A function that makes a `LabelledClip` of 12 frames: one person walks, falls, and is hidden in the last frame."""
    from models.geometry.camera import Camera, intrinsics_from_focal, normal_from_angles, pose_over_floor
    from models.types import ACTIONS, LabelledClip, Motion, PersonTrack

    def make(name: str = "clip_00000", room: str = "room_1/camera_1", width_px: int = 64) -> LabelledClip:
        frames, height_px = 12, width_px * 3 // 4
        pose = pose_over_floor(normal_from_angles(0.4, 0.0), 2.0)
        camera = Camera(intrinsics_from_focal(60.0, width_px, height_px), width_px, height_px, pose)
        vectors = [np.full((frames, width), value) for width, value in ((3, 0.1), (69, 0.2), (3, 0.3))]
        track = PersonTrack("person_0", "resident", np.zeros(10), *vectors, np.ones(frames, bool), np.ones(frames))
        actions = [ACTIONS.index("walk")] * 4 + [ACTIONS.index("fall")] * 3 + [ACTIONS.index("fallen")] * 5
        motion = Motion(np.arange(frames) / 15, (track,), np.array([actions]), "physics")
        flags = np.full((1, frames, 17), 2)
        flags[:, :, 3] = 0
        visibility = np.ones((1, frames))
        visibility[0, -1] = 0.0
        return LabelledClip(
            name,
            room,
            camera,
            motion,
            {"fps": 15.0},
            (1.7,),
            np.tile([5.0, 6.0, 25.0, 40.0], (1, frames, 1)),
            np.tile(np.array([20.0, 30.0]), (1, frames, 17, 1)),
            flags,
            np.full((1, frames, 24, 3), 0.5),
            visibility,
        )

    return make


@pytest.fixture(scope="session")
def clip_files(tmp_path_factory):
    """A folder with the `clip.mp4` and `masks.mkv` of such a clip: the person is a box of 20 x 34 pixels."""
    from models.footage.video_writer import write_masks, write_video

    folder = tmp_path_factory.mktemp("clip")
    masks = np.zeros((12, 48, 64), np.uint8)
    masks[:11, 6:40, 5:25] = 1
    write_video(folder / "clip.mp4", np.full((12, 48, 64, 3), 90, np.uint8), 15.0)
    write_masks(folder / "masks.mkv", masks, 15.0)
    return folder
