"""Score: how far a reconstruction of sample footage is from the exact truth beside it. Nothing else opens that truth.

Inputs: the clip's truth folder (`camera.json`, `room.npz`, `people.npz`), the `Room`, the lifted joints. Output:
metrics.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from models.geometry.camera_file import read_camera
from models.people3d.metrics import pa_mpjpe_mm
from models.types import Room


def run(
    truth: Path,
    room: Room,
    joints_world: dict[str, Float[np.ndarray, "time 24 3"]],
    visible: dict[str, Bool[np.ndarray, "time"]],
) -> dict[str, float | None]:
    """Measure errors of camera, depth and joints; joints by person's name, over frames where the person was seen by
    both.

    `joints_world_mm` is the mean distance of the 22 body joints in the world; `joints_aligned_mm` the same after one
    similarity transform of the whole scene (Umeyama 1991).
    """
    camera = read_camera(truth / "camera.json", room.camera.width_px, room.camera.height_px)
    up, up_true = room.camera.T_world_camera[2, :3], camera.T_world_camera[2, :3]
    with np.load(truth / "room.npz", allow_pickle=False) as data:
        depth_true = data["depth"].astype(np.float64)
    valid = depth_true > 0
    ratio = room.depth[valid] / depth_true[valid]
    metrics: dict[str, float | None] = {
        "floor_normal_deg": float(np.degrees(np.arccos(np.clip(up @ up_true, -1.0, 1.0)))),
        "camera_height_rel": abs(room.camera.height_m / camera.height_m - 1.0),
        "focal_rel": abs(room.camera.focal_px / camera.focal_px - 1.0),
        "depth_absrel": float(np.abs(ratio - 1.0).mean()),
        "depth_absrel_aligned": float(np.abs(ratio / np.median(ratio) - 1.0).mean()),
        "joints_world_mm": None,
        "joints_aligned_mm": None,
    }
    with np.load(truth / "people.npz", allow_pickle=False) as data:
        names = [str(name) for name in data["person"]]
        found, true = [np.zeros((0, 3))], [np.zeros((0, 3))]
        for index, name in enumerate(names):
            if name in joints_world:
                frames = visible[name] & (data["visibility"][index] > 0)
                found.append(joints_world[name][frames, :22].reshape(-1, 3))
                true.append(data["joints_world"][index][frames, :22].reshape(-1, 3))
    source, target = np.concatenate(found), np.concatenate(true)
    if len(source):
        metrics["joints_world_mm"] = float(np.linalg.norm(source - target, axis=1).mean() * 1000.0)
        metrics["joints_aligned_mm"] = float(pa_mpjpe_mm(source[None], target[None])[0])
    return metrics
