"""One simulated fall, frame by frame: what the muscles do, what the cause does, and what is watched for.

Gains of proportional-derivative control decay from the moment balance is lost; arms reach for the ground and knees
yield after a reaction time; after the impact the body relaxes and comes to rest. Who recovers keeps the strength, takes
a step in the direction in which balance is lost, and is steadied at the pelvis by a bounded force, which stands for the
ankle and hip strategies that these joints are too simple for.
"""

# pyright: reportAttributeAccessIssue=false
# mujoco is a compiled module without type stubs.

from collections.abc import Sequence

import mujoco
import numpy as np
from jaxtyping import Float
from pydantic import Field
from scipy.spatial.transform import Rotation

from models.body.model import relaxed_pose
from models.body.subject import Subject
from models.config import Config
from models.errors import Rejected
from models.falls.causes import CAUSES, DIRECTION_ANGLES, PlannedFall
from models.geometry.easing import smoothstep
from models.geometry.transforms import axis_angle_from_matrix, matrix_from_axis_angle
from models.order import Direction
from models.physics.humanoid import UNSTABLE, Box, Humanoid
from models.physics.joint_specs import TRUNK, joint_spec
from models.types import SMPL_JOINTS

# Protective reflexes: joint angles in degrees (left, right sides mirrored unless named). Shoulders: flexion (forward)
# and abduction from hanging; other joints: rotation about x, with y and z for the trunk.
REFLEXES: dict[str, dict[str, tuple[float, ...]]] = {
    "forward": {
        "shoulder": (80.0, 15.0), "elbow": (35.0,), "hip": (-35.0,), "knee": (80.0,), "ankle": (-5.0,),
        "spine": (-3.0,), "neck": (-22.0,),
    },
    "backward": {
        "shoulder": (-35.0, 25.0), "elbow": (25.0,), "hip": (-90.0,), "knee": (95.0,), "ankle": (10.0,),
        "spine": (12.0,), "neck": (25.0,),
    },
    "sideways": {
        "shoulder": (15.0, 45.0), "elbow": (35.0,), "hip": (-50.0,), "knee": (75.0,), "ankle": (0.0,),
        "spine": (7.0,), "neck": (8.0,),
    },
    "down": {
        "shoulder": (10.0, 30.0), "elbow": (40.0,), "hip": (-70.0,), "knee": (100.0,), "ankle": (15.0,),
        "spine": (10.0,), "neck": (10.0,),
    },
}  # fmt: skip

FEET = ("left_ankle", "right_ankle")
CAUSE_S = 0.2
"""How long the cause pushes."""
TUCK = 0.5
"""Strength of drawn up legs against that of arms that reach."""
LOW_M = 0.3
"""Height of the pelvis over the floor below which nobody is on a bed or a chair."""
ROLL_S = 0.9
"""How long somebody goes on turning over."""
RECOVERY = 0.4
"""Share of a cause's strength that a step can answer."""


class PhysicsConfig(Config):
    """How falls are simulated, and what ends one as no body's."""

    timestep_s: float = Field(default=0.0034, gt=0.0, le=0.005)
    """Upper bound; the step divides the source's frame duration."""
    penetration_m: float = 0.03
    """Deepest a part may sink into floor or furniture."""
    limit_slack_deg: float = 15.0
    """How far beyond its limit a joint may be forced."""


class FallControl:
    """State of one simulation: what the controller and the cause do at each frame."""

    def __init__(
        self,
        subject: Subject,
        humanoid: Humanoid,
        source_qpos: Float[np.ndarray, "time position"],
        frame_s: float,
        fall: PlannedFall,
        config: PhysicsConfig,
        boxes: Sequence[Box],
        rng: np.random.Generator,
    ):
        direction, frailty, recovers = fall.direction, subject.frailty, fall.recovers
        onset = int(np.clip(round(fall.onset_s / frame_s), 1, len(source_qpos) - 2))
        self.humanoid, self.frame_s, self.mass_kg, self.recovers = humanoid, frame_s, subject.known_mass_kg, recovers
        self.penetration_m, self.limit_slack = config.penetration_m, np.radians(config.limit_slack_deg)
        self.spec = spec = CAUSES[fall.cause]
        self.model, self.data = humanoid.model, mujoco.MjData(humanoid.model)
        self.onset, self.impact, self.first_touch, self.impact_speed = onset, None, None, 0.0
        self.struck: set[str] = set()
        self.labels = {self.model.geom(f"furniture_{i}").id: box.label for i, box in enumerate(boxes)}
        self.sinking: list[float] = []
        """Downward speed of the pelvis over the last 0.15 s; its peak before the impact is the impact's speed."""
        self.start = source_qpos[onset]
        self.source_targets = humanoid.targets(source_qpos[onset:])
        mujoco.mj_differentiatePos(self.model, self.data.qvel, frame_s, source_qpos[onset - 1], source_qpos[onset])
        self.data.qpos[:] = self.start
        mujoco.mj_forward(self.model, self.data)
        self.facing = _facing(matrix_from_axis_angle(humanoid.pose_from_qpos(self.start[None])[0])[0])
        angle = self.facing + DIRECTION_ANGLES.get(direction, 0.0) + rng.normal(0.0, np.radians(8.0))
        self.heading = np.array([np.cos(angle), np.sin(angle), 0.0])
        # What throws a walker sideways or back also stops most of the walk.
        across = self.data.qvel[:3] - (self.data.qvel[:3] @ self.heading) * self.heading
        against = min(0.0, float(self.data.qvel[:3] @ self.heading)) * self.heading
        if direction == "down":
            across, against = self.data.qvel[:3].copy(), np.zeros(3)
        self.arrested = np.array([*(0.8 * across + against)[:2], 0.0])
        strength = (1.0 - 0.45 * frailty) * rng.uniform(0.9, 1.1)
        self.reaction_s = (0.14 + 0.12 * frailty) * rng.uniform(0.85, 1.2)
        self.catch = (0.8 - 0.4 * frailty) * rng.uniform(0.7, 1.0) * (1.0 if spec.awake else 0.0)
        self.reflex_targets = self._reflex_targets(direction, rng)
        feet = [float(self.data.body(name).xpos[2]) for name in FEET]
        # The foot that stands is taken; where both stand, chance decides. Of a trip it is the one that swings.
        left = rng.random() < 0.5 if abs(feet[0] - feet[1]) < 0.02 else feet[0] < feet[1]
        left = left != (spec.foot == "caught")
        self.feet = FEET if left else FEET[::-1]
        share = RECOVERY if recovers else 1.0
        self.trunk_m_s = share * float(rng.uniform(*spec.trunk_m_s)) * (0.1 if direction == "down" else 1.0)
        self.foot_m_s = share * float(rng.uniform(*spec.foot_m_s)) if spec.foot == "slides" else 0.0
        self.caught_at = self.data.body(self.feet[0]).xpos.copy()
        joints = [SMPL_JOINTS[joint] for joint in humanoid.actuator_start for _ in range(3)]
        self.stiffness = np.array([joint_spec(name).stiffness for name in joints]) * strength
        # Legs give way at the knee first, while the trunk still holds together: people topple, they do not fold or
        # telescope, unless they go straight down.
        core = np.array([name.split("_")[-1].startswith(("hip", "spine")) for name in joints])
        slow = core | np.array([not spec.awake and "knee" not in name for name in joints])
        if direction == "down" or spec.from_posture == "bed_edge":
            slow = core = np.array([name.startswith("spine") for name in joints])
        self.decay_s = np.where(slow, 2.2, 1.0) * spec.decay_s
        self.rest_gain = np.where(core, 0.2, spec.rest_gain)
        posture = (1.0 - 0.4 * frailty) * rng.uniform(0.75, 1.0) * (1.0 if spec.awake else 0.0)
        self.arm = np.array([name.split("_")[-1] in ("collar", "shoulder", "elbow", "wrist") for name in joints])
        self.leg = np.array([name.split("_")[-1] in ("hip", "knee") for name in joints])
        self.reflex = np.where(self.arm, 1.0 if spec.awake else 0.0, posture)
        self.rolled = np.array([spec.foot == "rolls" and name == self.feet[0] for name in joints])
        # Lying, the legs straighten under their own weight and the feet point; arms stay about where they fell.
        self.ankle = np.isin(
            np.arange(len(joints)), [humanoid.actuator_start[SMPL_JOINTS.index(foot)] for foot in FEET]
        )
        self.slack = np.where([name.split("_")[-1] in ("hip", "knee", "ankle") for name in joints], 0.6, 0.8)
        self.torque = np.array([joint_spec(name).torque for name in joints]) * strength
        self.model.actuator_forcerange[:] = np.stack([-self.torque, self.torque], axis=-1)
        self.damping = self.model.dof_damping.copy()
        self.trunk = {self.model.geom(name).id for name in TRUNK}
        self.soles = {self.model.geom(name).id for name in FEET}
        self.thighs = {self.model.geom(name).id: self.model.body(name).id for name in ("left_hip", "right_hip")}
        self.supports = {
            i for i in range(self.model.ngeom) if self.model.geom(i).name.startswith(("floor", "furniture"))
        }
        # Who starts on a seat or a bed touches it from the first: that is no impact.
        self.carriers = {
            self.model.geom(f"furniture_{i}").id
            for i, box in enumerate(boxes)
            if box.is_under(self.start[:3]) or (box.label == "bed" and spec.from_posture.startswith("bed"))
        }
        self.lying = self.source_targets[0]
        if spec.slippery:
            for name in self.spec.sliding_parts:
                self.model.geom(name).friction[0] = spec.slippery
        self.upright_targets, self.step_targets = self._steps(direction)

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

    def _steps(self, direction: Direction) -> tuple[Float[np.ndarray, "actuator"], Float[np.ndarray, "actuator"]]:
        """Targets of standing at ease, and of the leg lifted for a step in the direction in which balance is lost."""
        still = np.zeros((1, 3))
        upright = self.humanoid.targets(self.humanoid.qpos_from_pose(still, relaxed_pose()[None], still))[0]
        step = upright.copy()
        side = direction if direction in ("left", "right") else self.feet[1].split("_")[0]
        hip, knee = (self.humanoid.actuator_start[SMPL_JOINTS.index(f"{side}_{name}")] for name in ("hip", "knee"))
        outwards = 1.0 if side == "left" else -1.0
        bend, out, flexion = {"forward": (-45.0, 3.0, 55.0), "backward": (15.0, 3.0, 45.0)}.get(
            direction, (-25.0, 25.0, 40.0)
        )
        step[hip], step[hip + 1], step[knee] = np.radians([bend, outwards * out, flexion])
        return upright, step

    def simulate(self, frames: int, substeps: int) -> Float[np.ndarray, "frame position"]:
        """Return coordinates of the frames after the onset, until the body has come to rest (or stands again)."""
        qpos = np.zeros((frames, self.model.nq))
        energy_start, energy_most, still = None, -np.inf, 0
        # Until then muscles may still do work.
        muscles_s = self.spec.hold_s + 3.0 * self.spec.decay_s
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
            still = still + 1 if self.impact is not None and np.abs(self.data.qvel).max() < 0.1 else 0
            if still * self.frame_s > 0.33:
                qpos[frame + 1 :] = self.data.qpos
                break
            energy = float(self.data.energy.sum())
            if seconds > muscles_s and not self.recovers:
                energy_start = energy if energy_start is None else energy_start
                energy_most = max(energy_most, energy)
        if energy_start is not None and energy_most > energy_start + 0.1 * self.mass_kg * 9.81:
            raise Rejected("simulation_gains_energy", f"{energy_most - energy_start:.0f} J")
        return qpos

    def _steer(self, seconds: float, frame: int) -> None:
        """Set targets, gains and damping for the time since the onset."""
        if self.recovers and self.impact is None:
            self._recover(seconds, frame)
            return
        awake = np.exp(-max(0.0, seconds - self.spec.hold_s) / self.decay_s)
        reach = smoothstep((seconds - self.reaction_s) / 0.2)
        toward = reach * self.reflex
        targets = (1.0 - toward) * self.source_targets[frame] + toward * self.reflex_targets
        gain = self.rest_gain + (1.0 - self.rest_gain) * awake
        gain[self.rolled] *= 0.05
        # Arms catch what they can for a moment, then give: nobody ends a fall in a press-up.
        catch = reach * self.catch * np.exp(-max(0.0, seconds - 0.7) / 0.12)
        gain[self.arm] = np.maximum(gain[self.arm], catch)
        # Legs are drawn up for as long: people go down at the knees and hips while the trunk is still up.
        gain[self.leg] = np.maximum(gain[self.leg], TUCK * catch)
        damping = 1.0
        if self.impact is not None:
            since = (self.onset + 1) * self.frame_s + seconds - self.impact * self.frame_s
            relax = smoothstep((since - 0.15) / 0.7)
            targets = (1.0 - relax) * targets + relax * self.lying
            gain *= 1.0 - relax * (1.0 - 0.02 / np.maximum(gain, 0.02))
            damping = 1.0 + 1.0 * relax + 18.0 * smoothstep((since - 1.1) / 0.8)
        self._set(targets, gain, damping)

    def _recover(self, seconds: float, frame: int) -> None:
        """A step in the direction in which balance is lost, then standing; arms out for a moment."""
        away = smoothstep((seconds - 0.1) / 0.15)
        step = smoothstep((seconds - self.reaction_s) / 0.12) * (
            1.0 - smoothstep((seconds - self.reaction_s - 0.28) / 0.2)
        )
        targets = (1.0 - away) * self.source_targets[frame] + away * self.upright_targets
        targets = targets + step * (self.step_targets - self.upright_targets)
        arms = 0.5 * step * self.arm
        self._set((1.0 - arms) * targets + arms * self.reflex_targets, np.ones(self.model.nu), 1.0)

    def _set(self, targets: Float[np.ndarray, "actuator"], gain: Float[np.ndarray, "actuator"], damping: float) -> None:
        self.model.actuator_gainprm[:, 0] = gain * self.stiffness
        self.model.actuator_biasprm[:, 1] = -gain * self.stiffness
        self.model.dof_damping[:] = self.damping * damping
        self.data.ctrl[:] = targets

    def _disturb(self, seconds: float) -> None:
        """Forces of the cause at this time since the onset."""
        self.data.xfrc_applied[:] = 0.0
        if seconds < CAUSE_S:
            # Half a sine whose integral is the momentum asked for.
            shape = np.sin(np.pi * (seconds + 0.5 * self.frame_s) / CAUSE_S) * np.pi / (2.0 * CAUSE_S)
            momentum = self.mass_kg * (self.trunk_m_s * self.heading - (0.0 if self.recovers else 1.0) * self.arrested)
            for name, part in (("spine3", self.spec.chest), ("pelvis", 1.0 - self.spec.chest)):
                self.data.body(name).xfrc_applied[:3] = part * shape * momentum
            if self.spec.foot == "slides":
                leg_kg = 0.1 * self.mass_kg
                for name, part in zip(self.feet, (1.0, 0.4), strict=True):
                    self.data.body(name).xfrc_applied[:3] = -self.heading * shape * part * leg_kg * self.foot_m_s
        if self.spec.from_posture == "bed" and seconds < ROLL_S and self.impact is None:
            # Turns over the shoulder that is on the side of the fall, as somebody asleep does.
            along = self.data.body("neck").xpos - self.data.body("pelvis").xpos
            axis = np.cross(self.heading, along)
            turn = along / np.linalg.norm(along) * (1.0 if axis[2] < 0.0 else -1.0)
            for name, part in (("spine3", 0.6), ("pelvis", 0.4)):
                self.data.body(name).xfrc_applied[3:] = part * 1.1 * self.mass_kg * turn
                self.data.body(name).xfrc_applied[:3] += part * 1.9 * self.mass_kg * self.heading
        if self.spec.foot == "slides":
            for name, friction in zip(self.feet, (0.03, 0.3), strict=True):
                self.model.geom(name).friction[0] = friction if seconds < 0.45 else 0.6
        if self.spec.foot == "caught" and seconds < (0.12 if self.recovers else 0.3):
            foot = self.data.body(self.feet[0])
            velocity = foot.cvel[3:]
            force = 1500.0 * (self.caught_at - foot.xpos) - 150.0 * velocity
            foot_force = self.data.body(self.feet[0]).xfrc_applied
            foot_force[:2] = np.clip(force[:2], -450.0, 450.0)
        if self.spec.foot == "rolls" and seconds < CAUSE_S:
            inwards = 1.0 if self.feet[0].startswith("left") else -1.0
            ahead = np.array([np.cos(self.facing), np.sin(self.facing), 0.0])
            self.data.body(self.feet[0]).xfrc_applied[3:] = 25.0 * inwards * ahead
        if self.recovers and self.impact is None:
            self._balance(seconds)

    def _balance(self, seconds: float) -> None:
        """Draw the pelvis over the feet, at standing height and upright, by a bounded force."""
        ready = smoothstep((seconds - self.reaction_s) / 0.25)
        pelvis = self.data.body("pelvis")
        middle = np.mean([self.data.body(name).xpos for name in FEET], axis=0)
        wanted = np.array([*middle[:2], self.start[2]])
        force = 20.0 * self.mass_kg * (wanted - self.data.qpos[:3]) - 6.0 * self.mass_kg * self.data.qvel[:3]
        most = 0.7 * self.mass_kg * 9.81
        rotated = pelvis.xmat.reshape(3, 3)
        upright = Rotation.from_euler("z", self.facing).as_matrix() @ _UPRIGHT
        torque = 500.0 * Rotation.from_matrix(upright @ rotated.T).as_rotvec() - 60.0 * pelvis.cvel[:3]
        pelvis.xfrc_applied[:3] += ready * force * min(1.0, most / max(float(np.linalg.norm(force)), 1e-9))
        pelvis.xfrc_applied[3:] += ready * torque * min(1.0, 250.0 / max(float(np.linalg.norm(torque)), 1e-9))

    def _watch(self, frame: int) -> None:
        """Note first touch and impact; refuse what no body does."""
        contacts = self.data.contact
        for geoms, distance, place in zip(contacts.geom, contacts.dist, contacts.pos, strict=True):
            pair = {int(geom) for geom in geoms}
            skin = pair - self.supports
            if len(skin) == 2:
                continue
            if distance < -self.penetration_m:
                raise Rejected("simulation_penetrates", f"{-100.0 * distance:.1f} cm")
            if pair & self.carriers:
                continue
            self.struck |= {self.labels[geom] for geom in pair & self.labels.keys()}
            if self.first_touch is None and not skin & self.soles:
                self.first_touch = self.onset + 1 + frame
            # The buttock is thigh skin near the hip; a knee on the floor is not a landing.
            thigh = self.thighs.get(next(iter(skin)))
            hip = thigh is not None and np.linalg.norm(place - self.data.xpos[thigh]) < 0.2
            if self.impact is None and (hip or skin & self.trunk):
                self._land(frame)
        # Who collapses onto the own limbs, or slides down a bed, may touch nothing else for long.
        low = self.data.qpos[2] < max(0.4 * self.start[2], LOW_M) and self.data.qvel[2] > -0.3
        if self.impact is None and low and (self.first_touch is not None or self.carriers):
            self._land(frame)
        beyond = np.maximum(self.humanoid.lower - self.data.qpos, self.data.qpos - self.humanoid.upper)
        worst = int(np.argmax(beyond))
        if beyond[worst] > self.limit_slack:
            raise Rejected("joint_beyond_limit", f"by {np.degrees(beyond[worst]):.0f} degrees")

    def _land(self, frame: int) -> None:
        self.impact, self.impact_speed = self.onset + 1 + frame, max(self.sinking)
        for name in self.spec.sliding_parts if self.spec.slippery else ():
            self.model.geom(name).friction[0] = 0.7
        self.lying = np.where(self.ankle, np.radians(30.0), self.slack * self.humanoid.targets(self.data.qpos[None])[0])


_UPRIGHT = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""The pelvis's axes (left, up, forward) of who stands facing +x."""


def _facing(root: Float[np.ndarray, "3 3"]) -> float:
    """World angle of a person's front; of who lies on back or front, the one whose left is the person's left."""
    forward, left = root[:, 2], root[:, 0]
    if abs(forward[2]) > 0.7:
        return float(np.arctan2(left[1], left[0]) - np.pi / 2.0)
    return float(np.arctan2(forward[1], forward[0]))
