"""Falls, simulated (DESIGN §4): a humanoid follows a source motion until balance is lost, then physics has it.

Before the onset the body is where the source puts it. At the onset the root is released with the source's velocity, and
a cause acts (models/falls/causes.py) against what the muscles still do (models/falls/controller.py). What came of it is
measured afterwards: in which direction, onto what, in which posture, or not at all.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from models.body.subject import Subject
from models.body.tracks import track_joints
from models.errors import Rejected
from models.falls.causes import CAUSES, DIRECTION_ANGLES, PlannedFall
from models.falls.controller import FallControl, PhysicsConfig
from models.physics.humanoid import Box, build_humanoid
from models.types import ACTIONS, SMPL_JOINTS, Motion

_PELVIS, _NECK = SMPL_JOINTS.index("pelvis"), SMPL_JOINTS.index("neck")


def simulate_fall(
    subject: Subject,
    source: Motion,
    fall: PlannedFall,
    config: PhysicsConfig,
    rng: np.random.Generator,
    boxes: Sequence[Box] = (),
) -> Motion:
    """Simulate one person's source motion that loses balance; same timestamps (regular, 30 Hz or more), same first
    frames.

    The subject's mass and frailty count; the shape is the source's. `boxes` is furniture. Who recovers meets a weaker
    cause and steps. The details say what came of it: `recovered` and how it `ends`, or touch, impact and rest, what was
    struck and landed on, the posture and the direction it took; `check_fall_matches_request` holds that against the
    order. Raises Rejected when the simulation breaks, or has not come to rest at the source's end.
    """
    body, track, direction = subject.body, source.people[0], fall.direction
    frame_s = float(np.mean(np.diff(source.timestamps_s)))
    substeps = int(np.ceil(frame_s / config.timestep_s))
    humanoid = build_humanoid(body, track.betas, subject.known_mass_kg, frame_s / substeps, boxes)
    source_qpos = humanoid.qpos_from_pose(track.global_orient, track.body_pose, track.transl)
    control = FallControl(subject, humanoid, source_qpos, frame_s, fall, config, boxes, rng)
    onset = control.onset
    qpos = np.concatenate([source_qpos[: onset + 1], control.simulate(len(source_qpos) - onset - 1, substeps)])
    global_orient, body_pose, transl = humanoid.pose_from_qpos(qpos)
    fallen = replace(track, global_orient=global_orient, body_pose=body_pose, transl=transl)
    joints = track_joints(body, fallen)
    actions = source.actions[0].copy()
    if control.impact is None:
        ends = "standing" if _stands(joints, onset) else "sitting" if posture(joints[-1]) == "sitting" else "lying"
        # Who is still carried by the bed or the chair has not fallen either.
        if ends != "standing" and not control.carriers:
            raise Rejected("fall_without_impact", "pelvis and trunk never reached a support")
        found = {"recovered": True, "ends": ends, "step_m": _feet_moved_m(joints, onset)}
        actions[onset:] = ACTIONS.index("other")
        actions[_settled(joints, onset, frame_s) :] = ACTIONS.index(ends)
    else:
        speed = np.linalg.norm(np.gradient(qpos[:, :3], frame_s, axis=0), axis=-1)
        moving = np.flatnonzero(speed >= 0.1)
        rest = max(int(moving[-1]) + 1, control.impact) if len(moving) else control.impact
        if rest >= len(qpos) - 1:
            raise Rejected("fall_without_rest", "the pelvis still moves at the end of the clip")
        touch = control.impact if control.first_touch is None else control.first_touch
        found = {
            "recovered": False,
            "first_touch_s": float(source.timestamps_s[touch]),
            "impact_s": float(source.timestamps_s[control.impact]),
            "rest_s": float(source.timestamps_s[rest]),
            "impact_speed_m_s": control.impact_speed,
            "landing": landing(joints[-1], boxes),
            "struck": sorted(control.struck),
            "posture": posture(joints[-1]),
            "direction_deg": _direction_deg(joints, onset, control.facing),
        }
        actions[onset:] = ACTIONS.index("fall")
        actions[rest:] = ACTIONS.index("fallen")
    words = f"{'to the ' if direction in ('left', 'right') else ''}{direction} ({fall.cause})"
    details = {
        "cause": fall.cause,
        "direction": direction,
        "onset_s": float(source.timestamps_s[onset]),
        "mass_kg": subject.mass_kg,
        "frailty": subject.frailty,
        "caption": f"a person {'nearly falls' if control.impact is None else 'falls'} {words}",
    }
    return Motion(source.timestamps_s, (fallen,), actions[None], "physics", {**source.details, **details, **found})


def check_fall_matches_request(motion: Motion, joints: Float[np.ndarray, "time 24 3"]) -> None:
    """Raise Rejected where a simulated fall did not end lying, turned over, or went another way than its
    `direction`."""
    details = motion.details
    onset = int(np.searchsorted(motion.timestamps_s, details["onset_s"]))
    if details["recovered"]:
        raise Rejected("fall_without_impact", "balance was restored")
    pelvis, neck = joints[:, _PELVIS], joints[:, _NECK]
    if abs(neck[-1, 2] - pelvis[-1, 2]) > 0.35:
        raise Rejected("fall_without_lying", f"the neck ends {neck[-1, 2] - pelvis[-1, 2]:.2f} m above the pelvis")
    trunk = neck - pelvis
    from_bed = CAUSES[details["cause"]].from_posture.startswith("bed")
    if not from_bed and (trunk[..., 2] / np.linalg.norm(trunk, axis=-1)).min() < -0.6:
        raise Rejected("fall_head_over_heels", "the trunk turns upside down")
    direction = details["direction"]
    if direction == "down":
        away = float(np.linalg.norm((pelvis[-1] - pelvis[onset])[:2]))
        if away > 0.6:
            raise Rejected("fall_another_way", f"{away:.2f} m away from straight down")
        return
    off_deg = details["direction_deg"] - np.degrees(DIRECTION_ANGLES[direction])
    off_deg = abs((off_deg + 180.0) % 360.0 - 180.0)
    if off_deg > 60.0:
        raise Rejected("fall_another_way", f"{off_deg:.0f} degrees from {direction}")


def posture(joints: Float[np.ndarray, "24 3"]) -> str:
    """Return how a body ends: supine, prone, left_side or right_side by what is lowest, or sitting with the trunk
    upright."""
    across = joints[SMPL_JOINTS.index("left_hip")] - joints[SMPL_JOINTS.index("right_hip")]
    across = across + joints[SMPL_JOINTS.index("left_shoulder")] - joints[SMPL_JOINTS.index("right_shoulder")]
    trunk = joints[_NECK] - joints[_PELVIS]
    if trunk[2] > 0.6 * np.linalg.norm(trunk):
        return "sitting"
    front, across = np.cross(across, trunk), across / np.linalg.norm(across)
    front = front / np.linalg.norm(front)
    if abs(across[2]) > abs(front[2]):
        return "right_side" if across[2] > 0.0 else "left_side"
    return "supine" if front[2] > 0.0 else "prone"


def landing(joints: Float[np.ndarray, "24 3"], boxes: Sequence[Box]) -> str:
    """Return what carries the pelvis in the end: the label of the furniture under it, else the floor."""
    under = [box for box in boxes if box.is_under(joints[_PELVIS])]
    return max(under, key=lambda box: box.top_m).label if under else "floor"


def _direction_deg(joints: Float[np.ndarray, "time 24 3"], onset: int, facing: float) -> float:
    """Where pelvis and neck went, from the facing at the onset, counter-clockwise."""
    moved = (joints[-1, [_PELVIS, _NECK]] - joints[onset, [_PELVIS, _NECK]]).mean(axis=0)[:2]
    rotated = np.arctan2(moved[1], moved[0]) - facing
    return float(np.degrees((rotated + np.pi) % (2.0 * np.pi) - np.pi))


def _stands(joints: Float[np.ndarray, "time 24 3"], onset: int) -> bool:
    """Whether the pelvis is up, and the trunk upright, at the end."""
    trunk = joints[-1, _NECK] - joints[-1, _PELVIS]
    return bool(joints[-1, _PELVIS, 2] > 0.85 * joints[onset, _PELVIS, 2] and trunk[2] > 0.8 * np.linalg.norm(trunk))


def _feet_moved_m(joints: Float[np.ndarray, "time 24 3"], onset: int) -> float:
    feet = joints[:, [SMPL_JOINTS.index("left_ankle"), SMPL_JOINTS.index("right_ankle")], :2]
    return float(np.linalg.norm(feet[-1] - feet[onset], axis=-1).max())


def _settled(joints: Float[np.ndarray, "time 24 3"], onset: int, frame_s: float) -> int:
    """First frame after which the pelvis stays slower than 0.2 m/s."""
    speed = np.linalg.norm(np.gradient(joints[:, _PELVIS], frame_s, axis=0), axis=-1)
    fast = np.flatnonzero(speed > 0.2)
    return max(onset, int(fast[-1]) + 1) if len(fast) else onset
