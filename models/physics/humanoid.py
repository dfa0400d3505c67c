"""A MuJoCo humanoid that is the body: its skeleton, its skin as convex hulls, human masses, joint limits and strength.

Bodies carry SMPL's axes in the rest pose (y up, facing z), so that a joint's rotation is SMPL's rotation and the root's
quaternion is `global_orient`; nothing is fitted on the way back. Joints are three hinges in series (their product is
the rotation) except the shoulders, which have no harmless place for a singularity and are balls. Toes and fingers move
with foot and hand.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is a compiled module without type stubs.

from collections.abc import Sequence
from dataclasses import dataclass

import mujoco
import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.body.model import BodyModel
from models.physics.collision_shapes import core_capsule, hull_points
from models.physics.joint_specs import COLLIDING, SIMULATED, JointSpec, joint_spec
from models.types import SMPL_JOINTS, SMPL_PARENTS


@dataclass(frozen=True)
class Box:
    """One piece of furniture."""

    label: str
    """Of SURFACE_LABELS, or mattress."""
    centre: Float[np.ndarray, "3"]
    """World, metres."""
    half_sizes: Float[np.ndarray, "3"]
    yaw: float = 0.0

    @property
    def top_m(self) -> float:
        """Height of its top."""
        return float(self.centre[2] + self.half_sizes[2])

    def is_under(self, point: Float[np.ndarray, "3"]) -> bool:
        """Return whether a point is over it."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y = (point - self.centre)[:2]
        inside = np.abs([c * x + s * y, c * y - s * x]) <= self.half_sizes[:2]
        return bool(inside.all() and point[2] > self.top_m - 0.02)


@dataclass(frozen=True)
class Humanoid:
    """A compiled model and the map between its coordinates and SMPL's."""

    model: mujoco.MjModel
    prefix: str
    """Of the names of this person's parts, where several share the model."""
    pelvis_rest: Float[np.ndarray, "3"]
    """J0 of the body: the root's position is transl + J0."""
    root_start: int
    """First coordinate of the root: position and quaternion."""
    root_dof: int
    qpos_start: dict[int, int]
    """First coordinate of each simulated joint but the root, by SMPL index."""
    dof_start: dict[int, int]
    actuator_start: dict[int, int]
    lower: Float[np.ndarray, "position"]
    upper: Float[np.ndarray, "position"]
    """Joint limits per coordinate, radians; infinite for root and balls."""

    def qpos_from_pose(
        self,
        global_orient: Float[np.ndarray, "time 3"],
        body_pose: Float[np.ndarray, "time 69"],
        transl: Float[np.ndarray, "time 3"],
    ) -> Float[np.ndarray, "time position"]:
        """Return coordinates of SMPL poses; hinges beyond a limit are set to it. Those of others in the model are 0."""
        qpos, root = np.zeros((len(transl), self.model.nq)), self.root_start
        qpos[:, root : root + 3] = transl + self.pelvis_rest
        qpos[:, root + 3 : root + 7] = _continuous(Rotation.from_rotvec(global_orient).as_quat(scalar_first=True))
        for joint, start in self.qpos_start.items():
            rotation = Rotation.from_rotvec(body_pose[:, 3 * joint - 3 : 3 * joint])
            axes = joint_spec(SMPL_JOINTS[joint]).axes
            if axes:
                angles = np.unwrap(rotation.as_euler(axes.upper()), axis=0)
                qpos[:, start : start + 3] = np.clip(
                    angles, self.lower[start : start + 3], self.upper[start : start + 3]
                )
            else:
                qpos[:, start : start + 4] = _continuous(rotation.as_quat(scalar_first=True))
        return qpos

    def pose_from_qpos(
        self, qpos: Float[np.ndarray, "time position"]
    ) -> tuple[Float[np.ndarray, "time 3"], Float[np.ndarray, "time 69"], Float[np.ndarray, "time 3"]]:
        """Return SMPL `global_orient`, `body_pose`, `transl` of coordinates, exactly."""
        body_pose = np.zeros((len(qpos), 69))
        for joint, start in self.qpos_start.items():
            axes = joint_spec(SMPL_JOINTS[joint]).axes
            if axes:
                rotation = Rotation.from_euler(axes.upper(), qpos[:, start : start + 3])
            else:
                rotation = Rotation.from_quat(qpos[:, start : start + 4], scalar_first=True)
            body_pose[:, 3 * joint - 3 : 3 * joint] = rotation.as_rotvec()
        root = self.root_start
        global_orient = Rotation.from_quat(qpos[:, root + 3 : root + 7], scalar_first=True).as_rotvec()
        return global_orient, body_pose, qpos[:, root : root + 3] - self.pelvis_rest

    def targets(self, qpos: Float[np.ndarray, "time position"]) -> Float[np.ndarray, "time actuator"]:
        """Return what the actuators steer to for these coordinates: hinge angles, rotation vectors of the balls; 0 for
        others'."""
        controls = np.zeros((len(qpos), self.model.nu))
        for joint, start in self.actuator_start.items():
            first = self.qpos_start[joint]
            if joint_spec(SMPL_JOINTS[joint]).axes:
                controls[:, start : start + 3] = qpos[:, first : first + 3]
            else:
                quaternion = Rotation.from_quat(qpos[:, first : first + 4], scalar_first=True)
                controls[:, start : start + 3] = quaternion.as_rotvec()
        return controls


def _continuous(quaternions: Float[np.ndarray, "time 4"]) -> Float[np.ndarray, "time 4"]:
    """The same rotations with signs chosen so that neighbours lie close (to be interpolated)."""
    signs = np.sign(np.sum(quaternions[1:] * quaternions[:-1], axis=-1))
    return quaternions * np.concatenate([[1.0], np.cumprod(np.where(signs == 0.0, 1.0, signs))])[:, None]


def segment_points(
    body: BodyModel, betas: Float[np.ndarray, "10"]
) -> tuple[Float[np.ndarray, "24 3"], dict[int, Float[np.ndarray, "point 3"]]]:
    """Return rest joints, and the rest-pose skin of each simulated segment (metres, SMPL axes).

    A vertex belongs to every segment that moves it by 40 % or more, so the hulls overlap at the joints.
    """
    with torch.no_grad():
        shape = torch.as_tensor(betas, dtype=torch.float32)
        joints = body.rest_joints(shape).double().numpy()
        zeros = torch.zeros(3)
        vertices = body.posed(shape, zeros, torch.zeros(69), zeros).vertices.double().numpy()
    weights = body.weights.detach().double().numpy().copy()
    for index in range(24):
        if index not in SIMULATED:
            weights[:, SMPL_PARENTS[index]] += weights[:, index]
            weights[:, index] = 0.0
    return joints, {joint: vertices[weights[:, joint] >= 0.4] for joint in SIMULATED}


@dataclass(frozen=True)
class Grip:
    """A hand that can hold on to a place on somebody else's skin."""

    holder: int
    """Which of the people."""
    wrist: int
    """SMPL index of the joint that carries the hand."""
    palm: Float[np.ndarray, "3"]
    """Place of the palm's skin from that joint, in axes of the rest pose."""
    held: int
    joint: int
    """Of the one who is held."""
    place: Float[np.ndarray, "3"]
    """From that joint, in axes of the rest pose."""


GRIP_S = 0.05
"""How soon a hand that holds on is where it holds."""
BETWEEN_PEOPLE = 0.3
"""Friction of one person's clothes on another's."""


def build_humanoid(
    body: BodyModel,
    betas: Float[np.ndarray, "10"],
    mass_kg: float,
    timestep_s: float,
    boxes: Sequence[Box] = (),
) -> Humanoid:
    """Compile the humanoid on a floor at z = 0, with furniture as boxes."""
    return build_humanoids(body, [(betas, mass_kg)], timestep_s, boxes)[0]


def build_humanoids(
    body: BodyModel,
    people: Sequence[tuple[Float[np.ndarray, "10"], float]],
    timestep_s: float,
    boxes: Sequence[Box] = (),
    grips: Sequence[Grip] = (),
) -> tuple[Humanoid, ...]:
    """Build humanoids of several people (betas, kg) in one model, who cannot pass through each other.

    Each grip is an equality `grip_0`, `grip_1`, ... of the model, which is not active at first.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    spec.option.timestep = timestep_s
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 3.0
    spec.option.enableflags |= mujoco.mjtEnableBit.mjENBL_ENERGY
    # contype 1 meets conaffinity 1: skin meets floor and furniture; skin meets skin only in the pairs listed.
    spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0.0, 0.0, 0.1], contype=1, conaffinity=0
    )
    for index, box in enumerate(boxes):
        spec.worldbody.add_geom(
            name=f"furniture_{index}",
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=box.half_sizes,
            pos=box.centre,
            quat=[np.cos(box.yaw / 2.0), 0.0, 0.0, np.sin(box.yaw / 2.0)],
            contype=1,
            conaffinity=0,
        )
    prefixes = [f"{index}_" if len(people) > 1 else "" for index in range(len(people))]
    roots, added = [], []
    everybody = sum(2 << index for index in range(len(people)))
    for index, (betas, mass_kg) in enumerate(people):
        joints, skins = segment_points(body, betas)
        mine = 2 << index
        meets = (mine, everybody - mine) if len(people) > 1 else (0, 0)
        added.append(_add_person(spec, prefixes[index], joints, skins, mass_kg, meets))
        roots.append(joints[0])
    for index, grip in enumerate(grips):
        ends = ((grip.holder, grip.wrist, grip.palm), (grip.held, grip.joint, grip.place))
        for name, (person, joint, place) in zip(("palm", "place"), ends, strict=True):
            added[person][joint].add_site(name=f"{name}_{index}", pos=place)
        spec.add_equality(
            name=f"grip_{index}",
            type=mujoco.mjtEq.mjEQ_CONNECT,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            active=False,
            name1=f"palm_{index}",
            name2=f"place_{index}",
            solref=[GRIP_S, 1.0],
            solimp=[0.97, 0.99, 0.01, 0.5, 2.0],
        )
        # A hand lies on skin, which its core and that of what it holds would keep it from.
        above = [grip.joint, SMPL_PARENTS[grip.joint], SMPL_PARENTS[SMPL_PARENTS[grip.joint]]]
        around = {*above, *(joint for joint in SIMULATED if SMPL_PARENTS[joint] == grip.joint)}
        for joint in sorted(around - {-1}):
            spec.add_exclude(
                name=f"grip_{index}_{joint}",
                bodyname1=f"{prefixes[grip.holder]}{SMPL_JOINTS[grip.wrist]}",
                bodyname2=f"{prefixes[grip.held]}{SMPL_JOINTS[joint]}",
            )
    model = spec.compile()
    return tuple(_humanoid(model, prefix, root) for prefix, root in zip(prefixes, roots, strict=True))


def _add_person(
    spec: mujoco.MjSpec,
    prefix: str,
    joints: Float[np.ndarray, "24 3"],
    skins: dict[int, Float[np.ndarray, "point 3"]],
    mass_kg: float,
    meets: tuple[int, int],
) -> dict[int, mujoco.MjsBody]:
    """The parts of one body by SMPL index; `meets` are contype and conaffinity towards other people."""
    total = sum(joint_spec(SMPL_JOINTS[joint]).mass for joint in SIMULATED)
    parts = {}
    for joint in SIMULATED:
        name, parent = f"{prefix}{SMPL_JOINTS[joint]}", SMPL_PARENTS[joint]
        kind = joint_spec(SMPL_JOINTS[joint])
        if parent < 0:
            part = spec.worldbody.add_body(name=name, pos=joints[0])
            part.add_freejoint(name=name)
        else:
            part = parts[parent].add_body(name=name, pos=joints[joint] - joints[parent])
            _add_joint(spec, part, name, SMPL_JOINTS[joint].startswith("right_"), kind)
        parts[joint] = part
        spec.add_mesh(
            name=name,
            uservert=hull_points(skins[joint] - joints[joint]).flatten(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_CONVEX,
        )
        # priority 1: the friction of the body counts, so that one foot can lose it.
        part.add_geom(
            name=name,
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            mass=mass_kg * kind.mass / total,
            contype=0,
            conaffinity=1,
            priority=1,
            friction=[0.7, 0.005, 0.0001],
            condim=3,
            solref=[0.006, 1.0],
            solimp=[0.95, 0.99, 0.002, 0.5, 2.0],
        )
        axis = core_capsule(skins[joint] - joints[joint])
        core = part.add_geom(
            name=f"{prefix}core_{SMPL_JOINTS[joint]}",
            type=mujoco.mjtGeom.mjGEOM_CAPSULE,
            fromto=np.concatenate(axis[:2]),
            size=[axis[2], 0, 0],
            mass=0.0,
            contype=meets[0],
            conaffinity=meets[1],
            group=3,
        )
        if meets[0]:
            core.friction = [BETWEEN_PEOPLE, 0.005, 0.0001]
    for first, second in COLLIDING:
        spec.add_pair(
            geomname1=f"{prefix}core_{first}",
            geomname2=f"{prefix}core_{second}",
            condim=3,
            friction=[0.4, 0.4, 0, 0, 0],
        )
    return parts


def _humanoid(model: mujoco.MjModel, prefix: str, pelvis_rest: Float[np.ndarray, "3"]) -> Humanoid:
    """Where in the model one person's coordinates are."""
    lower, upper = np.full(model.nq, -np.inf), np.full(model.nq, np.inf)
    qpos_start, dof_start, actuator_start = {}, {}, {}
    for joint in SIMULATED[1:]:
        name = f"{prefix}{SMPL_JOINTS[joint]}"
        axes = joint_spec(SMPL_JOINTS[joint]).axes
        first = model.joint(f"{name}_{axes[0]}" if axes else name)
        qpos_start[joint], dof_start[joint] = int(first.qposadr[0]), int(first.dofadr[0])
        actuator_start[joint] = model.actuator(f"{name}_{axes[0] if axes else 'x'}").id
        for offset, axis_name in enumerate(axes):
            lower[qpos_start[joint] + offset], upper[qpos_start[joint] + offset] = model.joint(
                f"{name}_{axis_name}"
            ).range
    root = model.joint(f"{prefix}{SMPL_JOINTS[0]}")
    starts = int(root.qposadr[0]), int(root.dofadr[0])
    return Humanoid(model, prefix, pelvis_rest, *starts, qpos_start, dof_start, actuator_start, lower, upper)


def _add_joint(spec: mujoco.MjSpec, part: mujoco.MjsBody, name: str, right: bool, kind: JointSpec) -> None:
    """The hinges (or ball) of one joint and their actuators, whose gains are set while the simulation runs."""
    armature = 0.01 + kind.torque * 1e-4
    if not kind.axes:
        part.add_joint(
            name=name,
            type=mujoco.mjtJoint.mjJNT_BALL,
            range=np.radians([0.0, kind.ranges_deg[0][1]]),
            limited=1,
            damping=kind.damping,
            armature=armature,
            solref_limit=[0.008, 1.0],
        )
    for axis_name, (low, high) in zip(kind.axes, kind.ranges_deg if kind.axes else (), strict=True):
        if right and axis_name != "x":
            low, high = -high, -low
        part.add_joint(
            name=f"{name}_{axis_name}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=np.eye(3)["xyz".index(axis_name)],
            range=np.radians([low, high]),
            limited=1,
            damping=kind.damping,
            armature=armature,
            solref_limit=[0.008, 1.0],
        )
    for axis_name in kind.axes or "xyz":
        gear = np.zeros(6)
        gear[0 if kind.axes else "xyz".index(axis_name)] = 1.0
        actuator = spec.add_actuator(
            name=f"{name}_{axis_name}",
            target=f"{name}_{axis_name}" if kind.axes else name,
            trntype=mujoco.mjtTrn.mjTRN_JOINT,
            gear=gear,
        )
        actuator.set_to_position(kp=kind.stiffness)
        actuator.forcelimited = 1
        actuator.forcerange = [-kind.torque, kind.torque]


UNSTABLE = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
"""After any of these MuJoCo has reset the state: what follows is not the same fall."""
