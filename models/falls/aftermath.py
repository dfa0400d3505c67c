"""What a fallen person does next: lies still, tries to get up, crawls, or gets up. To be appended to a fall.

The continuation begins in the very pose in which the fall ended; from there the movements are those of people who get
up on purpose (models/animation/floor_transitions.py), slower, and the humanoid takes them (models/physics/tracking.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.animation.floor_transitions import STRIDE_S, crawl_on, key, paced, up_from_a_knee, up_to_all_fours, upright
from models.animation.keyframes import Key, mirrored_key, perform
from models.animation.postures import Posture, all_fours, on_side, prone, propped, supine
from models.body.subject import Subject
from models.body.tracks import track_joints
from models.errors import Rejected
from models.falls.simulation import landing, posture
from models.geometry.easing import minimum_jerk
from models.geometry.transforms import R_ZUP_YUP, matrix_from_axis_angle
from models.physics.humanoid import Box, build_humanoid
from models.physics.tracking import TrackingConfig, substeps_of, track_motion
from models.types import SMPL_JOINTS, Motion, PersonTrack, take

Aftermath = Literal["lies_still", "tries_to_get_up", "crawls", "gets_up"]
BLEND_S = 0.6
"""How long what the humanoid cannot take over of the given pose takes to fade: toes, fingers, joints beyond limits."""


def aftermath(
    subject: Subject,
    fallen: PersonTrack,
    kind: Aftermath,
    seconds: float,
    fps: float,
    rng: np.random.Generator,
    boxes: Sequence[Box] = (),
) -> Motion:
    """Return `seconds` at `fps` (30 Hz or more) from the last pose of `fallen` on; the first frame is that pose, at
    rest.

    Labelled fallen while lying, stand_up while rising, crawl, and standing at the end of who got up. Who lies on
    furniture, or sits, can only lie still: Rejected otherwise, and where physics will not have it.
    """
    body, betas, old = subject.body, subject.betas, subject.old
    begun = take(fallen, np.array([len(fallen.transl) - 1]))
    joints = track_joints(body, begun)[0]
    lies, support = posture(joints), landing(joints, boxes)
    if kind != "lies_still" and (lies == "sitting" or support != "floor"):
        raise Rejected("aftermath_impossible", f"{kind} from {lies} on the {support}")
    side = {"left_side": "left", "right_side": "right"}.get(lies) or str(rng.choice(["left", "right"]))
    trunk = joints[SMPL_JOINTS.index("neck")] - joints[SMPL_JOINTS.index("pelvis")]
    heading = float(np.arctan2(-trunk[1], -trunk[0]))
    tilt = R_ZUP_YUP.T @ matrix_from_axis_angle(begun.global_orient[0])
    begin = Key(begun.body_pose[0], tilt, 0.0, 0.0, seconds, "fallen", "fallen")
    keys = [begin]
    if kind != "lies_still":
        pace, wait_s = float((1.0 + 0.5 * old) * rng.uniform(0.9, 1.2)), float(rng.uniform(0.4, 1.0))
        nexts = _continuation(kind, "left_side" if lies.endswith("side") else lies, old, seconds / pace - wait_s, rng)
        if side == "right":
            nexts = [mirrored_key(k) for k in nexts]
        nexts = [replace(k, heading=k.heading + heading) for k in nexts]
        keys = paced([replace(begin, hold_s=wait_s), *nexts], pace, seconds)
        spent = keys[0].hold_s + sum(k.seconds + k.hold_s for k in keys[1:])
        keys[-1] = replace(keys[-1], hold_s=keys[-1].hold_s + seconds - spent)
    humanoid = build_humanoid(body, betas, subject.known_mass_kg, 1.0 / fps / substeps_of(fps), boxes)
    done = perform(body, humanoid, betas, keys, fps, 0.5, rng)
    count = len(done.transl)
    # Who lies on an own arm, or a little in the mattress, comes to lie on the floor as soon as anything moves.
    shift = begun.transl[0] - done.transl[0]
    lift = np.ones(count) if kind == "lies_still" else _fading(count, fps)
    transl = done.transl + np.stack([np.full(count, shift[0]), np.full(count, shift[1]), shift[2] * lift], axis=-1)
    wanted = subject.track(done.global_orient, done.body_pose, transl)
    track = track_motion(humanoid, wanted, fps, TrackingConfig(settle_s=0.0))
    track = _begun_as(track, begun, _fading(count, fps))
    details = {"kind": kind, "posture": lies, "side": side, "age_years": subject.age_years, "caption": CAPTIONS[kind]}
    return Motion(np.arange(count) / fps, (track,), done.actions[None], "physics", details)


CAPTIONS: dict[str, str] = {
    "lies_still": "a fallen person lies still",
    "tries_to_get_up": "a fallen person tries to get up and sinks back",
    "crawls": "a fallen person crawls away",
    "gets_up": "a fallen person gets up",
}


def _continuation(kind: Aftermath, lies: str, old: float, room_s: float, rng: np.random.Generator) -> list[Key]:
    """Keys from a lying posture on (supine, left_side, prone), head at -x; the left side comes first.

    Who crawls goes on as long as there is time (`room_s`).
    """
    rest: Posture = {"supine": supine(), "left_side": on_side(), "prone": prone()}[lies]
    gathered = key(rest, 1.0, 0.1, "fallen")
    if kind == "tries_to_get_up":
        keys = [gathered]
        for _ in range(int(rng.integers(1, 3))):
            up = propped(lies, float(rng.uniform(0.6, 1.0)))
            keys += [
                key(up, 1.2, float(rng.uniform(0.2, 0.7)), "stand_up"),
                key(rest, 1.2, float(rng.uniform(0.5, 1.0)), "fallen"),
            ]
        return keys
    begins = [] if lies == "supine" else [gathered]
    rises = [*begins, *up_to_all_fours(lies, 0.0, "stand_up")]
    if kind == "crawls":
        left_s = room_s - sum(k.seconds + k.hold_s for k in rises) - 1.0
        strides = crawl_on(max(2, int(left_s / STRIDE_S)), float(rng.uniform(0.5, 0.9)), np.pi)
        return [*rises, *strides, key(all_fours(), 0.6, 0.4, "crawl", heading=np.pi)]
    standing_posture, _ = upright(old, 0.0, rng)
    return [*rises, *up_from_a_knee(standing_posture, old, 0.6, np.pi)]


def _fading(count: int, fps: float) -> Float[np.ndarray, "time"]:
    """1 at the first frame, 0 after BLEND_S."""
    return 1.0 - minimum_jerk(np.arange(count) / fps / BLEND_S)


def _begun_as(track: PersonTrack, begun: PersonTrack, fade: Float[np.ndarray, "time"]) -> PersonTrack:
    """The track with its first frame exactly as the one of `begun`, by a difference that fades."""

    def faded(vectors: Float[np.ndarray, "time 3"], given: Float[np.ndarray, "3"]) -> Float[np.ndarray, "time 3"]:
        away = (Rotation.from_rotvec(vectors[0]).inv() * Rotation.from_rotvec(given)).as_rotvec()
        rotated = (Rotation.from_rotvec(vectors) * Rotation.from_rotvec(fade[:, None] * away)).as_rotvec()
        rotated[0] = given
        return rotated

    pose = np.concatenate(
        [faded(track.body_pose[:, i : i + 3], begun.body_pose[0, i : i + 3]) for i in range(0, 69, 3)], axis=-1
    )
    transl = track.transl + fade[:, None] * (begun.transl[0] - track.transl[0])
    orient = faded(track.global_orient, begun.global_orient[0])
    return replace(track, global_orient=orient, body_pose=pose, transl=transl)
