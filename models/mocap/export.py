"""Tracks for other programs: BVH (one skeleton a file) and glTF animation (everyone, with skin). y up, metres.

Other programs' y-up axes are the body's own: our x (where a camera looks) becomes their z, our z their y.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from models.body.model import BodyModel
from models.body.tracks import rest_joints_of
from models.errors import InputError
from models.geometry.transforms import R_ZUP_YUP
from models.mocap.gltf import Glb
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import SMPL_JOINTS, SMPL_PARENTS, Motion, PersonTrack

R_YUP_ZUP = R_ZUP_YUP.T


def track_bvh(body: BodyModel, track: PersonTrack, timestamps_s: Float[np.ndarray, "time"]) -> SkeletonMotion:
    """Return the track as a BVH motion. BVH knows one frame time: at the clip's median one, between frames by slerp.

    Raises InputError for fewer than two frames.
    """
    if len(timestamps_s) < 2:
        raise InputError(track.person, "has a single frame, and BVH holds motions", "choose a longer clip, or glb")
    step = float(np.median(np.diff(timestamps_s)))
    sample_times = np.arange(timestamps_s[0], timestamps_s[-1] + 0.5 * step, step)
    within = np.clip(sample_times, timestamps_s[0], timestamps_s[-1])
    vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(-1, 23, 3)], axis=1)
    rest = rest_joints_of(body, track.betas)
    tips = [joint for joint in range(24) if joint not in SMPL_PARENTS]
    parents = [*SMPL_PARENTS, *tips]
    offsets = np.concatenate([rest[:1], rest[1:] - rest[list(SMPL_PARENTS[1:])]])
    # A last joint has no bone of its own to draw: half of the one before it.
    offsets = np.concatenate([offsets, 0.5 * offsets[tips]])
    rotations = np.tile(np.eye(3), (len(sample_times), len(parents), 1, 1))
    for joint in range(24):
        rotated = Rotation.from_rotvec(vectors[:, joint])
        rotations[:, joint] = Slerp(timestamps_s, rotated)(within).as_matrix()
    rotations[:, 0] = R_YUP_ZUP @ rotations[:, 0]
    place = np.stack([np.interp(within, timestamps_s, column) for column in (track.transl + rest[0]).T], axis=-1)
    translations = np.tile(offsets, (len(sample_times), 1, 1))
    translations[:, 0] = place @ R_YUP_ZUP.T
    names = (*SMPL_JOINTS, *(f"{SMPL_JOINTS[joint]}_end" for joint in tips))
    return SkeletonMotion(
        Path(f"{track.person}.bvh"),
        names,
        tuple(parents),
        offsets,
        translations,
        rotations,
        sample_times - sample_times[0],
    )


def motion_glb(body: BodyModel, motion: Motion, mesh: bool = True) -> Glb:
    """Return everyone of a motion as one glTF animation on its own timestamps: 24 joints each, and a skinned mesh if
    wanted.

    glTF blends four joints a vertex, so the skin is the body's to a few millimetres; pose corrections of a SMPL file
    are left out. A person's first node says in `extras` who they are and in which frames they were observed.
    """
    glb = Glb()
    turn = Rotation.from_matrix(R_YUP_ZUP).as_quat()
    world = glb.node(name="world", rotation=turn.tolist(), children=[])
    scene = glb.tree["scenes"][0]["nodes"]
    scene.append(world)
    timestamps = glb.add((motion.timestamps_s - motion.timestamps_s[0]).astype(np.float32))
    samplers: list[dict] = []
    channels: list[dict] = []

    def animate(node: int, path: str, values: Float[np.ndarray, "time n"]) -> None:
        samplers.append({"input": timestamps, "output": glb.add(values.astype(np.float32)), "interpolation": "LINEAR"})
        channels.append({"sampler": len(samplers) - 1, "target": {"node": node, "path": path}})

    for track in motion.people:
        rest = rest_joints_of(body, track.betas)
        first = len(glb.tree["nodes"])
        for joint, parent in enumerate(SMPL_PARENTS):
            offset = rest[joint] - (rest[parent] if parent >= 0 else 0.0)
            children = [first + child for child in range(24) if SMPL_PARENTS[child] == joint]
            glb.node(
                name=f"{track.person}:{SMPL_JOINTS[joint]}",
                translation=offset.tolist(),
                **({"children": children} if children else {}),
            )
        glb.tree["nodes"][world]["children"].append(first)
        glb.tree["nodes"][first]["extras"] = {
            "person": track.person,
            "role": track.role,
            "visible": track.visible.astype(int).tolist(),
        }
        animate(first, "translation", track.transl + rest[0])
        vectors = np.concatenate([track.global_orient[:, None], track.body_pose.reshape(-1, 23, 3)], axis=1)
        for joint in range(24):
            animate(first + joint, "rotation", _continuous(Rotation.from_rotvec(vectors[:, joint]).as_quat()))
        if mesh:
            scene.append(_add_skin(glb, body, track, rest, first))
    glb.append("animations", {"name": motion.source, "samplers": samplers, "channels": channels})
    return glb


def _continuous(quaternions: Float[np.ndarray, "time 4"]) -> Float[np.ndarray, "time 4"]:
    """The same rotations without jumps of sign, which players interpolate across."""
    flips = np.where((quaternions[1:] * quaternions[:-1]).sum(axis=1) < 0.0, -1.0, 1.0)
    return quaternions * np.concatenate([[1.0], np.cumprod(flips)])[:, None]


def _add_skin(glb: Glb, body: BodyModel, track: PersonTrack, rest: Float[np.ndarray, "24 3"], first: int) -> int:
    """Mesh in the T-pose with the four strongest joints of each vertex; the index of its node."""
    with torch.no_grad():
        betas = torch.as_tensor(track.betas, dtype=torch.float32)
        vertices = (body.v_template + torch.einsum("vcb,b->vc", body.shapedirs, betas)).numpy()
    strongest = np.argsort(-body.weights.numpy(), axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(body.weights.numpy(), strongest, axis=1)
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    inverse = np.tile(np.eye(4, dtype=np.float32), (24, 1, 1))
    inverse[:, :3, 3] = -rest
    attributes = {
        "POSITION": glb.add(vertices.astype(np.float32)),
        "NORMAL": glb.add(_normals(vertices, body.faces)),
        "JOINTS_0": glb.add(np.where(weights > 0.0, strongest, 0).astype(np.uint8)),
        "WEIGHTS_0": glb.add(weights),
    }
    indices = glb.add(body.faces.reshape(-1).astype(np.uint32))
    shape = glb.append("meshes", {"primitives": [{"attributes": attributes, "indices": indices}]})
    joints = list(range(first, first + 24))
    skin = glb.append("skins", {"joints": joints, "skeleton": first, "inverseBindMatrices": glb.add(inverse)})
    return glb.node(name=f"{track.person}:body", mesh=shape, skin=skin)


def _normals(vertices: Float[np.ndarray, "vertex 3"], faces: np.ndarray) -> Float[np.ndarray, "vertex 3"]:
    """Unit normals of the vertices: of the faces around, by area."""
    corners = vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], across)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0.0, total / np.maximum(length, 1e-12), [0.0, 1.0, 0.0]).astype(np.float32)
