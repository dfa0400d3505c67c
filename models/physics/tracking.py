"""A motion made physical: the humanoid follows it by its own joints' strength, against gravity, floor and furniture.

Proportional-derivative control at full strength steers every joint; what the upper body's weight asks of the joints
that carry it is added. A bounded residual force and torque on the pelvis stand for balance, which these feet are too
simple for: they draw the pelvis to where the motion has it, but can neither carry the body nor throw it. Contacts are
solved, so nothing passes through the floor, the furniture or the own trunk, and planted feet hold by friction.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is a compiled module without type stubs.

from collections.abc import Sequence
from dataclasses import replace

import mujoco
import numpy as np
from jaxtyping import Float, Int
from pydantic import Field
from scipy.spatial.transform import Rotation

from models.config import Config
from models.errors import Rejected
from models.physics.humanoid import UNSTABLE, Humanoid
from models.physics.joint_specs import joint_spec
from models.types import SMPL_JOINTS, PersonTrack

GRIP, GLIDE = 0.8, 0.1
"""Friction of skin that the motion keeps in place, and of skin that it moves faster than 0.3 m/s or that is 10 cm from
where it should be: who slides a foot over the floor takes the weight off it."""
LONGEST_STEP_S = 0.0042
"""Of the simulation; joints and pelvis get a command at every step, else they tremble."""
STRAY_S = 0.4
"""Who turns over on an arm may lag for a moment."""
FOLLOW_S = 0.6
"""How soon the motion's place on the floor follows the body's: nobody is dragged back to where a roll should have
ended."""


class TrackingConfig(Config):
    """How hard a motion is followed, and what ends the try."""

    gain: float = Field(default=3.0, gt=0.0)
    """Stiffness of the joints over that of `models.physics.joint_specs.JOINTS`."""
    damping: float = Field(default=3.0, gt=0.0)
    """The same of their damping."""
    force_share: float = Field(default=0.6, ge=0.0)
    """Greatest residual force on the pelvis over the body's weight."""
    torque_nm: float = Field(default=250.0, ge=0.0)
    """Greatest residual torque on the pelvis."""
    penetration_m: float = 0.03
    """Deepest a part may sink into floor or furniture."""
    stray_m: float = 0.25
    """Furthest that joints may be from the motion, on average over the body and STRAY_S."""
    settle_s: float = Field(default=0.5, ge=0.0)
    """How long the first pose is held before what is kept begins: people press themselves into floor and seat."""


def substeps_of(fps: float) -> int:
    """Return steps of the simulation per frame."""
    return int(np.ceil(1.0 / fps / LONGEST_STEP_S))


def track_motion(humanoid: Humanoid, track: PersonTrack, fps: float, config: TrackingConfig) -> PersonTrack:
    """Return the motion of a track (regular timestamps, 30 Hz or more) as the humanoid performs it, at the same.

    It begins at rest, where the first pose has settled; with no time to settle, in the first pose itself (but for
    joints beyond their limits). Raises Rejected when the simulation breaks, sinks in, or strays from the motion.
    """
    return track_together([humanoid], [track], fps, config)[0]


def track_together(
    humanoids: Sequence[Humanoid],
    tracks: Sequence[PersonTrack],
    fps: float,
    config: TrackingConfig,
    grips: Sequence[tuple[float, float]] = (),
    given_s: Sequence[float] = (),
) -> tuple[PersonTrack, ...]:
    """Return the same of several people at once, whose humanoids share one model and meet in it.

    `grips` says from when until when, in seconds, each grip of the model holds. Until `given_s` a person does exactly
    what the motion says, as who has been simulated already does.
    """
    held = round(config.settle_s * fps)
    wanted = np.sum(
        [h.qpos_from_pose(t.global_orient, t.body_pose, t.transl) for h, t in zip(humanoids, tracks, strict=True)],
        axis=0,
    )
    wanted = np.concatenate([np.repeat(wanted[:1], held, axis=0), wanted])
    frames = np.round(np.array(grips).reshape(-1, 2) * fps).astype(int) + held
    given = [held + round(seconds * fps) if seconds > 0.0 else 0 for seconds in given_s or [0.0] * len(tracks)]
    qpos = _Follower(humanoids, wanted, fps, config, held, frames, given).run()[held:]
    tracked = []
    for humanoid, track in zip(humanoids, tracks, strict=True):
        global_orient, body_pose, transl = humanoid.pose_from_qpos(qpos)
        # Toes and fingers are not simulated: they stay as the motion has them.
        carried = np.repeat([index in humanoid.qpos_start for index in range(1, 24)], 3)
        body_pose = np.where(carried, body_pose, track.body_pose)
        tracked.append(replace(track, global_orient=global_orient, body_pose=body_pose, transl=transl))
    return tuple(tracked)


class _Steered:
    """One person in a simulation: which parts are theirs, and how far they are from their motion."""

    def __init__(
        self, humanoid: Humanoid, wanted: Float[np.ndarray, "time position"], config: TrackingConfig, given: int
    ):
        model, prefix, self.given = humanoid.model, humanoid.prefix, given
        self.place = slice(humanoid.root_start, humanoid.root_start + 3)
        self.turn = slice(humanoid.root_start + 3, humanoid.root_start + 7)
        self.speed = slice(humanoid.root_dof, humanoid.root_dof + 3)
        self.spin = slice(humanoid.root_dof + 3, humanoid.root_dof + 6)
        self.roots = wanted[:, humanoid.root_start : humanoid.root_start + 7]
        joints = [0, *humanoid.dof_start]
        last = max(humanoid.qpos_start, key=lambda joint: humanoid.qpos_start[joint])
        width = 3 if joint_spec(SMPL_JOINTS[last]).axes else 4
        self.qpos = slice(humanoid.root_start, humanoid.qpos_start[last] + width)
        self.qvel = slice(humanoid.root_dof, max(humanoid.dof_start.values()) + 3)
        for joint, first in humanoid.actuator_start.items():
            stiffness = config.gain * joint_spec(SMPL_JOINTS[joint]).stiffness
            model.actuator_gainprm[first : first + 3, 0] = stiffness
            model.actuator_biasprm[first : first + 3, 1] = -stiffness
        for joint, first in humanoid.dof_start.items():
            model.dof_damping[first : first + 3] = config.damping * joint_spec(SMPL_JOINTS[joint]).damping
        names = [f"{prefix}{SMPL_JOINTS[joint]}" for joint in joints]
        bodies = [model.body(name).id for name in names]
        self.bodies = slice(min(bodies), max(bodies) + 1)
        mine = np.isin(np.arange(model.nbody), bodies)
        mass_kg = float(np.where(mine, model.body_mass, 0.0).sum())
        self.most = config.force_share * mass_kg * 9.81
        self.pull, self.brake = 150.0 * mass_kg, 20.0 * mass_kg
        upper = [j for j in humanoid.dof_start if SMPL_JOINTS[j].split("_")[-1] not in ("hip", "knee", "ankle")]
        self.upper = np.concatenate([np.arange(humanoid.dof_start[j], humanoid.dof_start[j] + 3) for j in upper])
        self.pelvis = bodies[0]
        self.geoms = [model.geom(name).id for name in names]
        self.away, self.drift = 0.0, np.zeros(7)

    def sees(self, places: Float[np.ndarray, "time body 3"], skins: Float[np.ndarray, "time geom 3"], frame_s: float):
        """Take in where the motion has all joints, and the middles of the skin around them."""
        self.places, self.skins = places[:, self.bodies], skins[:, self.geoms]
        speed = np.linalg.norm(np.gradient(self.skins, frame_s, axis=0), axis=-1)
        self.loose = np.clip((speed - 0.1) / 0.2, 0.0, 1.0)
        self.speeds = np.gradient(self.roots[:, :3], frame_s, axis=0)
        turns = Rotation.from_quat(self.roots[:, 3:], scalar_first=True)
        spins = (turns[1:] * turns[:-1].inv()).as_rotvec() / frame_s
        self.spins = np.concatenate([np.zeros((1, 3)), spins])


class _Follower:
    """State of one simulation."""

    def __init__(
        self,
        humanoids: Sequence[Humanoid],
        wanted: Float[np.ndarray, "time position"],
        fps: float,
        config: TrackingConfig,
        held: int,
        grips: Int[np.ndarray, "grip 2"],
        given: Sequence[int],
    ):
        self.model, self.config, self.wanted, self.held = humanoids[0].model, config, wanted, held
        assert all(humanoid.model is self.model for humanoid in humanoids), "people who meet share one model"
        self.data = mujoco.MjData(self.model)
        self.targets = np.sum([humanoid.targets(wanted) for humanoid in humanoids], axis=0)
        self.frame_s = 1.0 / fps
        self.substeps = round(self.frame_s / self.model.opt.timestep)
        assert abs(self.substeps * self.model.opt.timestep - self.frame_s) < 1e-9, "time steps divide frames"
        self.people = [_Steered(h, wanted, config, frames) for h, frames in zip(humanoids, given, strict=True)]
        self.grips = [(self.model.equality(f"grip_{index}").id, *frames) for index, frames in enumerate(grips)]
        owner = {one.pelvis: index for index, one in enumerate(self.people)}
        self.owner = np.array([owner.get(int(self.model.body_rootid[body]), -1) for body in self.model.geom_bodyid])
        ghost, places, skins = mujoco.MjData(self.model), [], []
        for qpos in self.wanted:
            ghost.qpos[:] = qpos
            mujoco.mj_kinematics(self.model, ghost)
            places.append(ghost.xpos.copy())
            skins.append(ghost.geom_xpos.copy())
        for person in self.people:
            person.sees(np.stack(places), np.stack(skins), self.frame_s)

    def run(self) -> Float[np.ndarray, "time position"]:
        """Return coordinates of every frame."""
        qpos = self.wanted.copy()
        self.data.qpos[:] = qpos[0]
        mujoco.mj_forward(self.model, self.data)
        for frame in range(1, len(qpos)):
            for one in self.people:
                off = self.data.geom_xpos[one.geoms] - one.skins[frame - 1] - one.drift[:3]
                away = np.sqrt(np.square(off).sum(axis=-1))
                loose = np.maximum(one.loose[frame], np.clip((away - 0.05) / 0.05, 0.0, 1.0))
                self.model.geom_friction[one.geoms, 0] = GRIP - (GRIP - GLIDE) * loose
            for grip, first, last in self.grips:
                self.data.eq_active[grip] = first <= frame < last
            for step in range(self.substeps):
                share = (step + 1.0) / self.substeps
                self.data.ctrl[:] = self.targets[frame - 1] + share * (self.targets[frame] - self.targets[frame - 1])
                for one in self.people:
                    self.data.qfrc_applied[one.upper] = self.data.qfrc_bias[one.upper]
                    root = one.roots[frame - 1] + share * (one.roots[frame] - one.roots[frame - 1]) + one.drift
                    self._balance(one, root, one.speeds[frame], one.spins[frame])
                mujoco.mj_step(self.model, self.data)
            self._as_given(frame)
            self._judge_all(frame)
            for one in self.people:
                one.drift[:2] += (
                    self.frame_s / FOLLOW_S * ((self.data.qpos[one.place] - one.roots[frame, :3] - one.drift[:3])[:2])
                )
                self._judge(one, frame)
            qpos[frame] = self.data.qpos
        return qpos

    def _as_given(self, frame: int) -> None:
        """Put those whose motion is given where it has them, at its speed."""
        if not any(frame < one.given for one in self.people):
            return
        speed, following = np.empty(self.model.nv), min(frame + 1, len(self.wanted) - 1)
        mujoco.mj_differentiatePos(self.model, speed, self.frame_s, self.wanted[frame], self.wanted[following])
        for one in self.people:
            if frame < one.given:
                self.data.qpos[one.qpos], self.data.qvel[one.qvel] = self.wanted[frame, one.qpos], speed[one.qvel]

    def _balance(
        self, one: _Steered, root: Float[np.ndarray, "7"], speed: Float[np.ndarray, "3"], spin: Float[np.ndarray, "3"]
    ) -> None:
        """Draw the pelvis to its place and orientation."""
        qpos, velocity, turn = self.data.qpos, self.data.qvel, np.empty(3)
        # In the pelvis's own axes, as the free joint's angular velocity is.
        mujoco.mju_subQuat(turn, root[3:], qpos[one.turn])
        force = one.pull * (root[:3] - qpos[one.place]) + one.brake * (speed - velocity[one.speed])
        axes = self.data.xmat[one.pelvis].reshape(3, 3)
        torque = axes @ (800.0 * turn - 80.0 * velocity[one.spin]) + 80.0 * spin
        applied = self.data.xfrc_applied[one.pelvis]
        applied[:3] = force * min(1.0, one.most / (np.sqrt(force @ force) + 1e-9))
        applied[3:] = torque * min(1.0, self.config.torque_nm / (np.sqrt(torque @ torque) + 1e-9))

    def _judge_all(self, frame: int) -> None:
        """Refuse what broke or sank in."""
        seconds = (frame - self.held) * self.frame_s
        if not np.isfinite(self.data.qpos).all() or any(self.data.warning[kind].number for kind in UNSTABLE):
            raise Rejected("simulation_unstable", f"after {seconds:.2f} s")
        if seconds < 0.0 or not self.data.ncon or any(frame < one.given for one in self.people):
            return
        # People who bump into each other are soft, and move apart.
        owners = self.owner[self.data.contact.geom]
        alone = (owners[:, 0] == owners[:, 1]) | (owners < 0).any(axis=1)
        deepest = float(np.where(alone, self.data.contact.dist, 0.0).min())
        if deepest < -self.config.penetration_m:
            raise Rejected("simulation_penetrates", f"{-100.0 * deepest:.1f} cm after {seconds:.2f} s")

    def _judge(self, one: _Steered, frame: int) -> None:
        """Refuse who strayed."""
        if frame < one.given:
            return
        off = self.data.xpos[one.bodies] - one.places[frame] - one.drift[:3]
        away = np.sqrt(np.square(off).sum(axis=-1)).mean()
        one.away += self.frame_s / STRAY_S * (away - one.away)
        if one.away > self.config.stray_m:
            seconds = (frame - self.held) * self.frame_s
            raise Rejected("simulation_strays", f"{100.0 * one.away:.0f} cm from the motion after {seconds:.2f} s")
