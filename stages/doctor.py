"""Doctor: system libraries, the configured models, and a known frame through each, with the range of what comes out.

Inputs: which models are configured. Output: one line a check: its name, whether it is fine, and what was seen.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from models.depth import DepthModels, DepthModelsConfig
from models.errors import InputError, Rejected
from models.motion_sources.source import MotionSource
from models.order import ClipOrder
from models.seeds import generator
from models.types import Footage

Poses = Callable[[Footage, Iterator[tuple[float, np.ndarray]]], tuple[list, dict]]
"""Finds people in frames: `stages.people2d.run` with its config bound."""


def run(
    body: Path | None, depth: DepthModelsConfig, poses: Poses | None, motion: Callable[[], MotionSource] | None
) -> list[dict]:
    """Run every check; a failure is written down, and the rest goes on. `poses` is None where only sidecars are used,
    `motion`, which loads the motion model, where motion is simulated."""
    checks: list[dict] = []

    def check(name: str, function: Callable[[], str]) -> None:
        try:
            checks.append({"check": name, "fine": True, "detail": function()})
        except (InputError, Rejected, OSError, ImportError, RuntimeError, ValueError) as error:
            checks.append({"check": name, "fine": False, "detail": f"{type(error).__name__}: {error}"})

    check("Open3D (libusb)", _open3d)
    check("renderer (EGL)", _renderer)
    check("body", lambda: _body(body))
    check("depth", lambda: _depth(depth))
    check(
        "2D poses",
        lambda: "sidecars only: footage without one needs people2d.backend" if poses is None else _poses(poses),
    )
    check("physics", _physics)
    check("motion model", lambda: "not used: motion is simulated" if motion is None else _motion(body, motion()))
    return checks


def known_frame() -> tuple[UInt8[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
    """Render a sample room and its depth in metres, always the same."""
    from models.sample_footage.room import in_camera_world, render_empty_room, sample_room, watching_camera

    rng = generator(0, "doctor", "room")
    while True:
        room = sample_room(rng)
        room, camera = in_camera_world(room, watching_camera(room, rng))
        image, depth, _ = render_empty_room(room, camera)
        if depth.min() > 1.0:  # nothing right before the lens
            return image, depth.astype(np.float64)


def _expect(fine: bool, what: str) -> str:
    if not fine:
        raise ValueError(f"out of range: {what}")
    return what


def _open3d() -> str:
    import open3d

    return f"open3d {open3d.__version__}"


def _renderer() -> str:
    image, depth = known_frame()
    fine = 20 < image.mean() < 235 and 0.5 < float(np.median(depth)) < 8.0
    return _expect(
        fine, f"known room: mean brightness {image.mean():.0f} (20 to 235), median depth {np.median(depth):.2f} m"
    )


def _body(path: Path | None) -> str:
    from models.body.model import load_body

    body = load_body(path)
    stature = body.stature(np.zeros(10))
    return _expect(1.4 < stature < 2.1, f"{body.name}: mean stature {stature:.2f} m (1.4 to 2.1)")


def _depth(config: DepthModelsConfig) -> str:
    image, depth = known_frame()
    models = DepthModels(config)
    metric = models.predict_metric(image[None], float(image.shape[1]))[0]
    disparity = models.predict_disparity(image[None])[0]
    valid = depth > 0
    agreement = float(np.corrcoef(disparity[valid], 1.0 / depth[valid])[0, 1])
    median, truth = float(np.median(metric[valid])), float(np.median(depth[valid]))
    fine = 0.3 < median / truth < 3.0 and agreement > 0.3
    return _expect(
        fine, f"known room: median {median:.2f} m (truth {truth:.2f}), disparity correlates {agreement:.2f} (> 0.3)"
    )


def _poses(find: Poses) -> str:
    image, _ = known_frame()
    times = np.arange(10) / 10.0
    footage = Footage("doctor", "doctor", "", "", "", times, image.shape[1], image.shape[0], "")
    people, metrics = find(footage, ((float(time), image) for time in times))
    return f"{metrics['backend']}: runs; {len(people)} people found in an empty room"


def _physics() -> str:
    mujoco: Any = importlib.import_module("mujoco")  # compiled, without type stubs
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body pos='0 0 2'><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    while data.time < 0.5 - 1e-9:
        mujoco.mj_step(model, data)
    drop = 2.0 - float(data.qpos[2])
    return _expect(abs(drop - 1.23) < 0.05, f"mujoco {mujoco.__version__}: a ball drops {drop:.2f} m in 0.5 s (1.23)")


def _motion(body: Path | None, source: MotionSource) -> str:
    from models.body.model import load_body
    from models.body.tracks import track_joints

    order = ClipOrder(
        event="walk",
        cause=None,
        direction=None,
        start="walking",
        seconds=4.0,
        fps=20.0,
        role="resident",
        age_years=80.0,
        stature_m=1.65,
        build=0.5,
        sex=0.0,
        text="",
    )
    pelvis = track_joints(load_body(body), source.sample(order, None, np.random.default_rng(0)).people[0])[:, 0]
    height, distance = float(np.median(pelvis[:, 2])), float(np.linalg.norm(pelvis[-1, :2] - pelvis[0, :2]))
    fine = 0.7 < height < 1.1 and distance > 0.5
    return _expect(
        fine, f"an old woman walks {distance:.1f} m in 4 s (0.5 or more), her pelvis at {height:.2f} m (0.7 to 1.1)"
    )
