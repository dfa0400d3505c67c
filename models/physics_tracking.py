"""A motion made physical: the humanoid follows it by its own joints' strength, against gravity, floor and furniture.

Proportional-derivative control at full strength steers every joint; what the upper body's weight asks of the joints that
carry it is added. A bounded residual force and torque on the pelvis stand for balance, which these feet are too simple
for: they draw the pelvis to where the motion has it, but can neither carry the body nor throw it. Contacts are solved,
so nothing passes through the floor, the furniture or the own trunk, and planted feet hold by friction.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is a compiled module without type stubs.

from dataclasses import replace

import mujoco
import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from scipy.spatial.transform import Rotation

from models.fall_control import UNSTABLE
from models.humanoid import Humanoid, joint_spec
from pipeline.errors import Rejected
from pipeline.types import SMPL_JOINTS, PersonTrack

GRIP, GLIDE = 0.8, 0.1
"""Friction of skin that the motion keeps in place, and of skin that it moves faster than 0.3 m/s or that is 10 cm from where
it should be: who slides a foot over the floor takes the weight off it."""
LONGEST_STEP_S = 0.0042
"""Of the simulation; joints and pelvis get a command at every step, else they tremble."""
STRAY_S = 0.4
"""Who turns over on an arm may lag for a moment."""
FOLLOW_S = 0.6
"""How soon the motion's place on the floor follows the body's: nobody is dragged back to where a roll should have ended."""


class TrackingConfig(BaseModel):
    """How hard a motion is followed, and what ends the try."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    gain: float = Field(default=3.0, gt=0.0)
    """Stiffness of the joints over that of `models.humanoid.JOINTS`."""
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
    """Steps of the simulation per frame."""
    return int(np.ceil(1.0 / fps / LONGEST_STEP_S))


def track_motion(humanoid: Humanoid, track: PersonTrack, fps: float, config: TrackingConfig) -> PersonTrack:
    """The motion of a track (regular clock, 30 Hz or more) as the humanoid performs it, on the same clock.

    It begins at rest, where the first pose has settled; with no time to settle, in the first pose itself (but for joints
    beyond their limits). Raises Rejected when the simulation breaks, sinks in, or strays from the motion.
    """
    wanted = humanoid.qpos_from_pose(track.global_orient, track.body_pose, track.transl)
    held = round(config.settle_s * fps)
    wanted = np.concatenate([np.repeat(wanted[:1], held, axis=0), wanted])
    qpos = _Follower(humanoid, wanted, fps, config, held).run()[held:]
    global_orient, body_pose, transl = humanoid.pose_from_qpos(qpos)
    # Toes and fingers are not simulated: they stay as the motion has them.
    carried = np.repeat([index in humanoid.qpos_start for index in range(1, 24)], 3)
    body_pose = np.where(carried, body_pose, track.body_pose)
    return replace(track, global_orient=global_orient, body_pose=body_pose, transl=transl)


class _Follower:
    """State of one simulation."""

    def __init__(
        self,
        humanoid: Humanoid,
        wanted: Float[np.ndarray, "time position"],
        fps: float,
        config: TrackingConfig,
        held: int,
    ):
        self.model, self.config, self.wanted, self.held = humanoid.model, config, wanted, held
        self.data = mujoco.MjData(self.model)
        self.targets = humanoid.targets(wanted)
        self.frame_s = 1.0 / fps
        self.substeps = round(self.frame_s / self.model.opt.timestep)
        assert abs(self.substeps * self.model.opt.timestep - self.frame_s) < 1e-9, "time steps divide frames"
        stiffness = np.array([joint_spec(SMPL_JOINTS[j]).stiffness for j in humanoid.actuator_start for _ in range(3)])
        self.model.actuator_gainprm[:, 0] = config.gain * stiffness
        self.model.actuator_biasprm[:, 1] = -config.gain * stiffness
        for joint, first in humanoid.dof_start.items():
            self.model.dof_damping[first : first + 3] = config.damping * joint_spec(SMPL_JOINTS[joint]).damping
        mass_kg = float(self.model.body_mass.sum())
        self.most = config.force_share * mass_kg * 9.81
        self.pull, self.brake = 150.0 * mass_kg, 20.0 * mass_kg
        upper = [j for j in humanoid.dof_start if SMPL_JOINTS[j].split("_")[-1] not in ("hip", "knee", "ankle")]
        self.upper = np.concatenate([np.arange(humanoid.dof_start[j], humanoid.dof_start[j] + 3) for j in upper])
        self.pelvis = self.model.body("pelvis").id
        bodies = [self.model.body(SMPL_JOINTS[joint]).id for joint in (0, *humanoid.dof_start)]
        self.bodies = slice(min(bodies), max(bodies) + 1)
        self.geoms = [self.model.geom(SMPL_JOINTS[joint]).id for joint in (0, *humanoid.dof_start)]
        self.places, self.skins = self._shown()
        self.away = 0.0
        speed = np.linalg.norm(np.gradient(self.skins, self.frame_s, axis=0), axis=-1)
        self.loose = np.clip((speed - 0.1) / 0.2, 0.0, 1.0)

    def _shown(self) -> tuple[Float[np.ndarray, "time body 3"], Float[np.ndarray, "time geom 3"]]:
        """Where the motion has the joints, and the middles of the skin around them."""
        ghost, places, skins = mujoco.MjData(self.model), [], []
        for qpos in self.wanted:
            ghost.qpos[:] = qpos
            mujoco.mj_kinematics(self.model, ghost)
            places.append(ghost.xpos[self.bodies].copy())
            skins.append(ghost.geom_xpos[self.geoms])
        return np.stack(places), np.stack(skins)

    def run(self) -> Float[np.ndarray, "time position"]:
        """Coordinates of every frame."""
        roots = self.wanted[:, :7]
        speeds = np.gradient(roots[:, :3], self.frame_s, axis=0)
        turns = Rotation.from_quat(roots[:, 3:], scalar_first=True)
        spins = (turns[1:] * turns[:-1].inv()).as_rotvec() / self.frame_s
        spins = np.concatenate([np.zeros((1, 3)), spins])
        qpos, drift = self.wanted.copy(), np.zeros(7)
        self.data.qpos[:] = qpos[0]
        mujoco.mj_forward(self.model, self.data)
        for frame in range(1, len(qpos)):
            away = np.sqrt(np.square(self.data.geom_xpos[self.geoms] - self.skins[frame - 1] - drift[:3]).sum(axis=-1))
            loose = np.maximum(self.loose[frame], np.clip((away - 0.05) / 0.05, 0.0, 1.0))
            self.model.geom_friction[self.geoms, 0] = GRIP - (GRIP - GLIDE) * loose
            for step in range(self.substeps):
                share = (step + 1.0) / self.substeps
                self.data.ctrl[:] = self.targets[frame - 1] + share * (self.targets[frame] - self.targets[frame - 1])
                self.data.qfrc_applied[self.upper] = self.data.qfrc_bias[self.upper]
                root = roots[frame - 1] + share * (roots[frame] - roots[frame - 1]) + drift
                self._balance(root, speeds[frame], spins[frame])
                mujoco.mj_step(self.model, self.data)
            drift[:2] += self.frame_s / FOLLOW_S * (self.data.qpos[:2] - roots[frame, :2] - drift[:2])
            self._judge(frame, drift[:3])
            qpos[frame] = self.data.qpos
        return qpos

    def _balance(
        self, root: Float[np.ndarray, "7"], speed: Float[np.ndarray, "3"], spin: Float[np.ndarray, "3"]
    ) -> None:
        """Draw the pelvis to its place and orientation."""
        qpos, velocity, turn = self.data.qpos, self.data.qvel, np.empty(3)
        # In the pelvis's own axes, as the free joint's angular velocity is.
        mujoco.mju_subQuat(turn, root[3:], qpos[3:7])
        force = self.pull * (root[:3] - qpos[:3]) + self.brake * (speed - velocity[:3])
        axes = self.data.xmat[self.pelvis].reshape(3, 3)
        torque = axes @ (800.0 * turn - 80.0 * velocity[3:6]) + 80.0 * spin
        applied = self.data.xfrc_applied[self.pelvis]
        applied[:3] = force * min(1.0, self.most / (np.sqrt(force @ force) + 1e-9))
        applied[3:] = torque * min(1.0, self.config.torque_nm / (np.sqrt(torque @ torque) + 1e-9))

    def _judge(self, frame: int, drift: Float[np.ndarray, "3"]) -> None:
        """Refuse what broke, sank in or strayed."""
        seconds = (frame - self.held) * self.frame_s
        if not np.isfinite(self.data.qpos).all() or any(self.data.warning[kind].number for kind in UNSTABLE):
            raise Rejected("simulation_unstable", f"after {seconds:.2f} s")
        deepest = float(self.data.contact.dist.min()) if self.data.ncon and seconds >= 0.0 else 0.0
        if deepest < -self.config.penetration_m:
            raise Rejected("simulation_penetrates", f"{-100.0 * deepest:.1f} cm after {seconds:.2f} s")
        away = np.sqrt(np.square(self.data.xpos[self.bodies] - self.places[frame] - drift).sum(axis=-1)).mean()
        self.away += self.frame_s / STRAY_S * (away - self.away)
        if self.away > self.config.stray_m:
            raise Rejected("simulation_strays", f"{100.0 * self.away:.0f} cm from the motion after {seconds:.2f} s")
