"""The motion of a clip as npz: everybody on our own body (`poses_0`, ...), and each person once more as AMASS has them.

AMASS (N. Mahmood et al. 2019, amass.is.tue.mpg.de) knows one person a file, of SMPL-H's rotations, z up: the first
person's are in the clip's own file, every other's in a file beside it. Rotations of our body mean a pose only together
with its bones, so they are turned to what SMPL's bones need to point the same way.
"""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.errors import InputError
from models.geometry.camera import Camera, image_projection
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.mocap.smpl_skeleton import SMPL_OFFSETS
from models.types import SMPL_PARENTS, Motion, PersonTrack, smpl_poses

SMPL_PELVIS_M = np.array([-0.0018, -0.2233, 0.0282])
"""J0 of SMPL's mean body, as its neutral model's joint regressor gives it: its pelvis lies at `trans` + J0."""
AMASS_WIDTH = 156
"""Numbers of a pose of SMPL-H: the root, 21 joints of the body, and 30 of the hands, which we do not move."""


def write_motion(motion: Motion, path: Path, body: BodyModel, camera: Camera | None = None) -> None:
    """Write a motion in its own frame: of everybody `poses_<k>` (time, 72), `betas_<k>`, `trans_<k>`, the camera, and
    the first person's `poses`, `trans`, `betas`, `gender` as AMASS has them."""
    arrays: dict[str, Any] = {
        "timestamps_s": motion.timestamps_s,
        "people": np.array([person.person for person in motion.people]),
        "roles": np.array([person.role for person in motion.people]),
    }
    if camera is not None:
        arrays |= {"T_world_camera": camera.T_world_camera, **image_projection(camera)}
    for index, person in enumerate(motion.people):
        arrays[f"poses_{index}"] = smpl_poses(person).astype(np.float32)
        arrays[f"betas_{index}"] = person.betas.astype(np.float32)
        arrays[f"trans_{index}"] = person.transl.astype(np.float32)
        arrays[f"actions_{index}"] = motion.actions[index].astype(np.int8)
        arrays[f"visible_{index}"] = person.visible
    with path.open("wb") as handle:
        np.savez_compressed(handle, **arrays, **(amass_take(motion, 0, body) if motion.people else {}))


def write_other_people(motion: Motion, path: Path, body: BodyModel) -> None:
    """Write beside a clip's file those of its people who are not in it as AMASS has them: `<name>_<k>.npz`."""
    for index in range(1, len(motion.people)):
        with path.with_name(f"{path.stem}_{index}.npz").open("wb") as handle:
            np.savez_compressed(handle, **amass_take(motion, index, body), part_of=np.array(path.name))


def amass_take(motion: Motion, index: int, body: BodyModel) -> dict[str, Any]:
    """Return one of a motion's people as AMASS has them: on SMPL-H's mean body, whose limbs point as the person's do,
    and whose pelvis is where theirs is.

    `betas` are zero: the person's own are of another shape space.
    """
    person = motion.people[index]
    rest_joints = rest_joints_of(body, person.betas)
    local = matrix_from_axis_angle(smpl_poses(person).reshape(-1, 24, 3))
    ours = rest_joints - rest_joints[np.maximum(SMPL_PARENTS, 0)]
    turned = np.empty_like(local)
    world, world_smpl = np.empty_like(local), np.empty_like(local)
    for joint, parent in enumerate(SMPL_PARENTS):
        world[:, joint] = local[:, joint] if parent < 0 else world[:, parent] @ local[:, joint]
        world_smpl[:, joint] = world[:, joint] @ _between_bones(joint, ours)
        turned[:, joint] = world_smpl[:, joint]
        if parent >= 0:
            turned[:, joint] = world_smpl[:, parent].swapaxes(1, 2) @ world_smpl[:, joint]
    poses = np.zeros((len(local), AMASS_WIDTH), np.float32)
    poses[:, :66] = axis_angle_from_matrix(turned[:, :22]).reshape(-1, 66)
    return {
        "poses": poses,
        "trans": (person.transl + rest_joints[0] - SMPL_PELVIS_M).astype(np.float32),
        "betas": np.zeros(16, np.float32),
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplh"),
        "mocap_framerate": 1.0 / float(np.median(np.diff(motion.timestamps_s))),
    }


def _between_bones(joint: int, ours: Float[np.ndarray, "24 3"]) -> Float[np.ndarray, "3 3"]:
    """What turns SMPL's bones below a joint to where ours point in the rest pose; nothing where a limb ends."""
    children = [child for child, parent in enumerate(SMPL_PARENTS) if parent == joint]
    if not children:
        return np.eye(3)
    unit = [bones[children] / np.linalg.norm(bones[children], axis=1, keepdims=True) for bones in (ours, SMPL_OFFSETS)]
    return Rotation.align_vectors(*unit)[0].as_matrix()


def is_part(path: Path) -> bool:
    """Tell whether a file holds one person of a clip whose own file lies beside it."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return "part_of" in data.files
    except (OSError, ValueError, AttributeError, BadZipFile):
        return False


def read_motion(path: Path) -> Motion:
    """Read what `write_motion` wrote, but for the camera. Raises InputError where the file is none of ours."""
    try:
        with np.load(path, allow_pickle=False) as data:
            names, roles, times = data["people"].tolist(), data["roles"].tolist(), data["timestamps_s"]
            poses, visible = ([data[f"{key}_{i}"] for i in range(len(names))] for key in ("poses", "visible"))
            betas, transl = ([data[f"{key}_{i}"] for i in range(len(names))] for key in ("betas", "trans"))
            actions = [data[f"actions_{i}"] for i in range(len(names))]
    except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
        raise InputError(path, f"is no motion of a dataset ({error})", "give DATASET/clips/<id>.npz") from error
    people = tuple(
        PersonTrack(
            name,
            role,
            b.astype(np.float64),
            p[:, :3].astype(np.float64),
            p[:, 3:].astype(np.float64),
            t.astype(np.float64),
            seen,
            seen.astype(np.float64),
        )
        for name, role, b, p, t, seen in zip(names, roles, betas, poses, transl, visible, strict=True)
    )
    return Motion(times, people, np.array(actions, dtype=int).reshape(len(people), len(times)), path.name)
