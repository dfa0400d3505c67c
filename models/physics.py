"""Falls, simulated (DESIGN §4): a humanoid follows a source motion until balance is lost, then physics has it.

Before the onset the body is where the source puts it. At the onset the root is released with the source's velocity, the
cause acts (push: an impulse on the chest; slip: a foot loses friction and is pulled away; faint: strength goes, with a
lean), proportional-derivative gains decay, arms reach for the ground and knees yield after a reaction time. After the
impact the body relaxes and comes to rest.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is a compiled module without type stubs.

import mujoco
import numpy as np
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field

from models.body import BodyModel
from models.humanoid import TRUNK, Humanoid, build_humanoid, joint_spec
from models.retarget import body_joints
from pipeline.errors import Rejected
from pipeline.frames import axis_angle_from_matrix, matrix_from_axis_angle
from pipeline.order import Cause, Direction
from pipeline.types import ACTIONS, SMPL_JOINTS, Motion, PersonTrack

DIRECTION_ANGLES: dict[str, float] = {"forward": 0.0, "left": np.pi / 2.0, "backward": np.pi, "right": -np.pi / 2.0}
"""From the facing direction, counter-clockwise seen from above."""

# Protective reflexes: joint angles in degrees (left, right sides mirrored unless named). Shoulders: flexion (forward) and
# abduction from hanging; other joints: rotation about x, with y and z for the trunk.
REFLEXES: dict[str, dict[str, tuple[float, ...]]] = {
    "forward": {
        "shoulder": (85.0, 15.0), "elbow": (35.0,), "hip": (-8.0,), "knee": (32.0,), "ankle": (-5.0,),
        "spine": (-3.0,), "neck": (-22.0,),
    },
    "backward": {
        "shoulder": (-30.0, 35.0), "elbow": (25.0,), "hip": (-60.0,), "knee": (60.0,), "ankle": (0.0,),
        "spine": (12.0,), "neck": (25.0,),
    },
    "sideways": {
        "shoulder": (20.0, 65.0), "elbow": (35.0,), "hip": (-22.0,), "knee": (40.0,), "ankle": (0.0,),
        "spine": (7.0,), "neck": (8.0,),
    },
}  # fmt: skip


FEET = ("left_ankle", "right_ankle")
UNSTABLE = (mujoco.mjtWarning.mjWARN_BADQPOS, mujoco.mjtWarning.mjWARN_BADQVEL, mujoco.mjtWarning.mjWARN_BADQACC)
"""After any of these MuJoCo has reset the state: what follows is not the same fall."""


class PhysicsConfig(BaseModel):
    """How falls are simulated."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    timestep_s: float = Field(default=0.0034, gt=0.0, le=0.005)
    """Upper bound; the step divides the source's frame duration."""
    push_m_s: tuple[float, float] = (0.9, 1.3)
    """Speed that a push gives to the whole body."""
    lean_m_s: tuple[float, float] = (0.55, 0.85)
    """Speed of the trunk in the fall's direction when fainting or slipping."""
    slip_m_s: tuple[float, float] = (1.3, 2.1)
    """Speed that the slipping foot is pulled away with."""
    penetration_m: float = 0.03
    """Deepest a part may sink into floor or furniture."""
    limit_slack_deg: float = 15.0
    """How far beyond its limit a joint may be forced."""


def simulate_fall(
    body: BodyModel,
    source: Motion,
    cause: Cause,
    direction: Direction,
    onset_s: float,
    mass_kg: float,
    frailty: float,
    config: PhysicsConfig,
    rng: np.random.Generator,
    boxes: tuple[tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], float], ...] = (),
) -> Motion:
    """One person's source motion, falling from `onset_s` on; same clock (regular, 30 Hz or more), same first frames.

    `direction` is relative to the facing at the onset. `frailty` in [0, 1] weakens and slows. `boxes` is furniture as
    centre, half sizes (metres) and yaw. Raises Rejected when the simulation breaks or the person does not end up lying
    as asked.
    """
    track = source.people[0]
    frame_s = float(np.mean(np.diff(source.timestamps_s)))
    substeps = int(np.ceil(frame_s / config.timestep_s))
    humanoid = build_humanoid(body, track.betas, mass_kg, frame_s / substeps, boxes)
    source_qpos = humanoid.qpos_from_pose(track.global_orient, track.body_pose, track.transl)
    onset = int(np.clip(round(onset_s / frame_s), 1, len(source_qpos) - 2))
    run = _Fall(humanoid, source_qpos, onset, frame_s, cause, direction, mass_kg, frailty, config, rng)
    qpos = np.concatenate([source_qpos[: onset + 1], run.simulate(len(source_qpos) - onset - 1, substeps)])
    global_orient, body_pose, transl = humanoid.pose_from_qpos(qpos)
    speed = np.linalg.norm(np.gradient(qpos[:, :3], frame_s, axis=0), axis=-1)
    moving = np.flatnonzero(speed >= 0.1)
    if run.impact is None:
        raise Rejected("fall_without_impact", "pelvis and trunk never reached a support")
    rest = max(int(moving[-1]) + 1, run.impact) if len(moving) else run.impact
    if rest >= len(qpos) - 1:
        raise Rejected("fall_without_rest", "the pelvis still moves at the end of the clip")
    joints = body_joints(body, track.betas, global_orient, body_pose, transl)
    pelvis, neck = (joints[:, SMPL_JOINTS.index(name)] for name in ("pelvis", "neck"))
    if abs(neck[-1, 2] - pelvis[-1, 2]) > 0.35:
        raise Rejected("fall_without_lying", f"the neck ends {neck[-1, 2] - pelvis[-1, 2]:.2f} m above the pelvis")
    trunk = neck - pelvis
    if (trunk[..., 2] / np.linalg.norm(trunk, axis=-1)).min() < -0.6:
        raise Rejected("fall_head_over_heels", "the trunk turns upside down")
    moved = ((pelvis + neck)[-1] - (pelvis + neck)[onset])[:2] / 2.0
    turned = np.arctan2(moved[1], moved[0]) - run.facing - DIRECTION_ANGLES[direction]
    off_deg = float(np.degrees(np.abs((turned + np.pi) % (2.0 * np.pi) - np.pi)))
    if off_deg > 60.0:
        raise Rejected("fall_another_way", f"{off_deg:.0f} degrees from {direction}")
    actions = source.actions[0].copy()
    actions[onset:] = ACTIONS.index("fall")
    actions[rest:] = ACTIONS.index("fallen")
    details = {
        "cause": cause,
        "direction": direction,
        "onset_s": float(source.timestamps_s[onset]),
        "impact_s": float(source.timestamps_s[run.impact]),
        "rest_s": float(source.timestamps_s[rest]),
        "mass_kg": mass_kg,
        "frailty": frailty,
        "impact_speed_m_s": run.impact_speed,
        "caption": f"a person falls {'to the ' if direction in ('left', 'right') else ''}{direction} ({cause})",
    }
    fallen = PersonTrack(
        track.person, track.role, track.betas, global_orient, body_pose, transl, track.visible, track.confidence
    )
    return Motion(source.timestamps_s, (fallen,), actions[None], "physics", {**source.details, **details})


class _Fall:
    """State of one simulation: what the controller and the cause do at each frame."""

    def __init__(
        self,
        humanoid: Humanoid,
        source_qpos: Float[np.ndarray, "time position"],
        onset: int,
        frame_s: float,
        cause: Cause,
        direction: Direction,
        mass_kg: float,
        frailty: float,
        config: PhysicsConfig,
        rng: np.random.Generator,
    ):
        self.humanoid, self.frame_s, self.cause, self.config, self.mass_kg = humanoid, frame_s, cause, config, mass_kg
        self.model, self.data = humanoid.model, mujoco.MjData(humanoid.model)
        self.onset, self.impact, self.impact_speed = onset, None, 0.0
        self.sinking: list[float] = []
        """Downward speed of the pelvis over the last 0.15 s; its peak before the impact is the impact's speed."""
        self.start = source_qpos[onset]
        self.source_targets = humanoid.targets(source_qpos[onset:])
        mujoco.mj_differentiatePos(self.model, self.data.qvel, frame_s, source_qpos[onset - 1], source_qpos[onset])
        self.data.qpos[:] = self.start
        mujoco.mj_forward(self.model, self.data)
        facing = matrix_from_axis_angle(humanoid.pose_from_qpos(self.start[None])[0])[0, :, 2]
        self.facing = float(np.arctan2(facing[1], facing[0]))
        angle = self.facing + DIRECTION_ANGLES[direction] + rng.normal(0.0, np.radians(8.0))
        self.heading = np.array([np.cos(angle), np.sin(angle), 0.0])
        # What throws a walker sideways or back also stops most of the walk.
        across = self.data.qvel[:3] - (self.data.qvel[:3] @ self.heading) * self.heading
        against = min(0.0, float(self.data.qvel[:3] @ self.heading)) * self.heading
        self.arrested = np.array([*(0.8 * across + against)[:2], 0.0])
        strength = (1.0 - 0.45 * frailty) * rng.uniform(0.9, 1.1)
        self.reaction_s = (0.14 + 0.12 * frailty) * rng.uniform(0.85, 1.2)
        self.catch = (0.8 - 0.4 * frailty) * rng.uniform(0.7, 1.0) * (0.0 if cause == "faint" else 1.0)
        self.hold_s, decay_s, rest_gain = {
            "push": (0.15, 0.22, 0.10), "slip": (0.10, 0.22, 0.12), "faint": (0.2, 0.15, 0.03),
        }[cause]  # fmt: skip
        self.reflex_targets = self._reflex_targets(direction, rng)
        low, high = {"push": config.push_m_s, "slip": config.lean_m_s, "faint": config.lean_m_s}[cause]
        feet = [float(self.data.body(name).xpos[2]) for name in FEET]
        # The foot that stands slips; where both stand, chance decides.
        left = rng.random() < 0.5 if abs(feet[0] - feet[1]) < 0.02 else feet[0] < feet[1]
        self.feet = FEET if left else FEET[::-1]
        self.trunk_m_s = float(rng.uniform(low, high))
        self.slip_m_s = float(rng.uniform(*config.slip_m_s)) if cause == "slip" else 0.0
        joints = [SMPL_JOINTS[joint] for joint in humanoid.actuator_start for _ in range(3)]
        self.stiffness = np.array([joint_spec(name).stiffness for name in joints]) * strength
        # Legs give way at the knee first, while the trunk still holds together: people topple, they do not fold or telescope.
        core = np.array([name.split("_")[-1].startswith(("hip", "spine")) for name in joints])
        slow = core | np.array([cause == "faint" and "knee" not in name for name in joints])
        self.decay_s = np.where(slow, 2.2, 1.0) * decay_s
        self.rest_gain = np.where(core, 0.2, rest_gain)
        posture = (1.0 - 0.4 * frailty) * rng.uniform(0.75, 1.0) * (0.0 if cause == "faint" else 1.0)
        self.arm = np.array([name.split("_")[-1] in ("collar", "shoulder", "elbow", "wrist") for name in joints])
        self.reflex = np.where(self.arm, 0.0 if cause == "faint" else 1.0, posture)
        # Lying, the legs straighten under their own weight and the feet point; arms stay about where they fell.
        self.ankle = np.isin(
            np.arange(len(joints)), [humanoid.actuator_start[SMPL_JOINTS.index(foot)] for foot in FEET]
        )
        self.slack = np.where([name.split("_")[-1] in ("hip", "knee", "ankle") for name in joints], 0.3, 0.8)
        self.torque = np.array([joint_spec(name).torque for name in joints]) * strength
        self.model.actuator_forcerange[:] = np.stack([-self.torque, self.torque], axis=-1)
        self.damping = self.model.dof_damping.copy()
        self.trunk = {self.model.geom(name).id for name in TRUNK}
        self.thighs = {self.model.geom(name).id: self.model.body(name).id for name in ("left_hip", "right_hip")}
        self.supports = {
            i for i in range(self.model.ngeom) if self.model.geom(i).name.startswith(("floor", "furniture"))
        }
        self.lying = self.source_targets[0]

    def _reflex_targets(self, direction: Direction, rng: np.random.Generator) -> Float[np.ndarray, "actuator"]:
        """Actuator targets of the protective posture, varied a little from fall to fall."""
        table = REFLEXES["sideways" if direction in ("left", "right") else direction]

        def vary(value: float) -> float:
            return value * rng.uniform(0.75, 1.25)

        targets = np.zeros(self.model.nu)
        for joint, start in self.humanoid.actuator_start.items():
            name = SMPL_JOINTS[joint]
            side = -1.0 if name.startswith("right_") else 1.0
            kind = name.split("_")[-1].rstrip("123")
            if kind == "shoulder":
                flexion, abduction = (vary(angle) for angle in table["shoulder"])
                if direction in ("left", "right") and not name.startswith(direction):
                    flexion, abduction = flexion * 1.5, abduction * 0.2
                rotation = matrix_from_axis_angle(np.radians([-flexion, 0.0, 0.0])) @ matrix_from_axis_angle(
                    np.radians([0.0, 0.0, -side * (82.0 - abduction)])
                )
                targets[start : start + 3] = axis_angle_from_matrix(rotation)
            elif kind == "elbow":
                targets[start] = -side * np.radians(vary(table["elbow"][0]))
            elif kind in ("hip", "knee", "ankle", "spine", "neck"):
                targets[start] = np.radians(vary(table[kind][0]))
                if kind == "hip":
                    targets[start + 1] = side * np.radians(rng.uniform(2.0, 12.0))
            elif kind == "head":
                targets[start] = 0.5 * np.radians(table["neck"][0])
        return targets

    def simulate(self, frames: int, substeps: int) -> Float[np.ndarray, "frame position"]:
        """Coordinates of the frames after the onset."""
        qpos = np.zeros((frames, self.model.nq))
        energy_start, energy_most, still = None, -np.inf, 0
        for frame in range(frames):
            seconds = frame * self.frame_s
            self.sinking = [*self.sinking, -float(self.data.qvel[2])][-round(0.15 / self.frame_s) :]
            self._steer(seconds, min(frame, len(self.source_targets) - 1))
            self._disturb(seconds)
            mujoco.mj_step(self.model, self.data, nstep=substeps)
            qpos[frame] = self.data.qpos
            if not np.isfinite(self.data.qpos).all() or any(self.data.warning[kind].number for kind in UNSTABLE):
                raise Rejected("simulation_unstable", f"{seconds:.2f} s after the onset")
            self._watch(frame)
            # Contacts creep for ever; a body that has lain still for a third of a second is left as it lies.
            still = still + 1 if self.impact is not None and np.abs(self.data.qvel).max() < 0.03 else 0
            if still * self.frame_s > 0.33:
                qpos[frame + 1 :] = self.data.qpos
                break
            energy = float(self.data.energy.sum())
            if seconds > 0.5:
                energy_start = energy if energy_start is None else energy_start
                energy_most = max(energy_most, energy)
        if energy_start is not None and energy_most > energy_start + 0.1 * self.mass_kg * 9.81:
            raise Rejected("simulation_gains_energy", f"{energy_most - energy_start:.0f} J")
        return qpos

    def _steer(self, seconds: float, frame: int) -> None:
        """Set targets, gains and damping for the time since the onset."""
        awake = np.exp(-max(0.0, seconds - self.hold_s) / self.decay_s)
        reach = _smooth_step((seconds - self.reaction_s) / 0.2)
        toward = reach * self.reflex
        targets = (1.0 - toward) * self.source_targets[frame] + toward * self.reflex_targets
        gain = self.rest_gain + (1.0 - self.rest_gain) * awake
        # Arms catch what they can for a moment, then give: nobody ends a fall in a press-up.
        catch = reach * self.catch * np.exp(-max(0.0, seconds - 0.7) / 0.12)
        gain[self.arm] = np.maximum(gain[self.arm], catch)
        damping = 1.0
        if self.impact is not None:
            since = (self.onset + 1) * self.frame_s + seconds - self.impact * self.frame_s
            relax = _smooth_step(since / 0.7)
            targets = (1.0 - relax) * targets + relax * self.lying
            gain *= 1.0 - relax * (1.0 - 0.02 / np.maximum(gain, 0.02))
            damping = 1.0 + 3.0 * relax + 12.0 * _smooth_step((since - 0.7) / 0.8)
        self.model.actuator_gainprm[:, 0] = gain * self.stiffness
        self.model.actuator_biasprm[:, 1] = -gain * self.stiffness
        self.model.dof_damping[:] = self.damping * damping
        self.data.ctrl[:] = targets

    def _disturb(self, seconds: float) -> None:
        """Forces of the cause at this time since the onset."""
        self.data.xfrc_applied[:] = 0.0
        duration = 0.2
        if seconds < duration:
            # Half a sine whose integral is the momentum asked for.
            shape = np.sin(np.pi * (seconds + 0.5 * self.frame_s) / duration) * np.pi / (2.0 * duration)
            momentum = self.mass_kg * (self.trunk_m_s * self.heading - self.arrested)
            for name, part in (("spine3", 0.5), ("pelvis", 0.5)):
                self.data.body(name).xfrc_applied[:3] = part * shape * momentum
            if self.cause == "slip":
                leg_kg = 0.1 * self.mass_kg
                for name, part in zip(self.feet, (1.0, 0.4), strict=True):
                    self.data.body(name).xfrc_applied[:3] = -self.heading * shape * part * leg_kg * self.slip_m_s
        if self.cause == "slip":
            for name, friction in zip(self.feet, (0.03, 0.3), strict=True):
                self.model.geom(name).friction[0] = friction if seconds < 0.45 else 0.6

    def _watch(self, frame: int) -> None:
        """Note the impact; refuse what no body does."""
        contacts = self.data.contact
        for geoms, distance, place in zip(contacts.geom, contacts.dist, contacts.pos, strict=True):
            skin = {int(geom) for geom in geoms} - self.supports
            if len(skin) == 2:
                continue
            if distance < -self.config.penetration_m:
                raise Rejected("simulation_penetrates", f"{-100.0 * distance:.1f} cm")
            # The buttock is thigh skin near the hip; a knee on the floor is not a landing.
            thigh = self.thighs.get(next(iter(skin)))
            hip = thigh is not None and np.linalg.norm(place - self.data.xpos[thigh]) < 0.2
            if self.impact is None and (hip or skin & self.trunk):
                self.impact, self.impact_speed = self.onset + 1 + frame, max(self.sinking)
                self.lying = np.where(
                    self.ankle, np.radians(30.0), self.slack * self.humanoid.targets(self.data.qpos[None])[0]
                )
        beyond = np.maximum(self.humanoid.lower - self.data.qpos, self.data.qpos - self.humanoid.upper)
        worst = int(np.argmax(beyond))
        if beyond[worst] > np.radians(self.config.limit_slack_deg):
            raise Rejected("joint_beyond_limit", f"by {np.degrees(beyond[worst]):.0f} degrees")


def _smooth_step(x: float) -> float:
    x = float(np.clip(x, 0.0, 1.0))
    return x * x * (3.0 - 2.0 * x)
