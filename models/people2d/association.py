"""Detections of many frames chained to people, by motion, size and pose; appearance helps where there is any.

A track foretells where its skeleton is now: moved at constant velocity, less surely the longer it was unseen. Frame by
frame, detections go to tracks by least total distance; what is left over begins a track. Pieces of one person before
and after being hidden are joined later, over the whole clip at once (`pose2d_tracks.join`).
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from models.people2d.pose2d import Pose2D
from models.people2d.pose_nms import DuplicatesConfig, distinct
from models.people2d.tracklets import FORETOLD_S, Tracklet, distance, size_px, unlike, velocity_px_s

Seen = tuple[float, list[Pose2D], list[Float[np.ndarray, "bin"] | None]]
"""Time in seconds, the poses of one frame and the look of each."""


def associate(frames: Iterable[Seen], lost_after_s: float, duplicates: DuplicatesConfig) -> list[Tracklet]:
    """Tracklets in the order in which they begin; of poses that are one person the surest is taken."""
    active: list[Tracklet] = []
    done: list[Tracklet] = []
    times: list[float] = []
    for index, (time_s, poses, looks) in enumerate(frames):
        times.append(time_s)
        kept = distinct(
            np.array([pose.keypoints_px for pose in poses]).reshape(-1, 17, 2),
            np.array([pose.scores for pose in poses]).reshape(-1, 17),
            duplicates,
        )
        done += [track for track in active if time_s - times[track.last] > lost_after_s]
        active = [track for track in active if time_s - times[track.last] <= lost_after_s]
        cost = np.array([[_cost(track, times, time_s, poses[j], looks[j]) for j in kept] for track in active])
        cost = cost.reshape(len(active), len(kept))
        taken = {
            kept[column]: active[row]
            for row, column in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True)
            if cost[row, column] < 1.0
        }
        for j in kept:
            if j not in taken:
                taken[j] = Tracklet()
                active.append(taken[j])
            taken[j].poses[index] = poses[j]
            if looks[j] is not None:
                taken[j].looks.append(looks[j])
    return sorted(done + active, key=lambda track: track.first)


def _cost(
    track: Tracklet, times: list[float], time_s: float, pose: Pose2D, look: Float[np.ndarray, "bin"] | None
) -> float:
    """Below 1 where a detection may be the track's person, in shares of the extent: how far it is from where the track
    foretells it."""
    last = track.poses[track.last]
    gap = time_s - times[track.last]
    foretold = replace(last, keypoints_px=last.keypoints_px + velocity_px_s(track, times) * min(gap, FORETOLD_S))
    # From frame to frame a limb swings by a tenth; who was hidden may have turned or slowed.
    limit = min(0.15 + 1.5 * gap, 0.5 + 0.7 * gap)
    size = abs(np.log(size_px(pose.keypoints_px, pose.scores) / size_px(last.keypoints_px, last.scores)))
    cost = distance(foretold, pose) + 0.3 * max(0.0, size - 0.15)
    if look is not None and track.looks:
        cost += 0.5 * max(0.0, unlike(look, track.look) - 0.3)
    # Whoever was seen a moment ago has the better claim to a detection than who has been hidden.
    return float(cost) + 0.1 * min(gap, 1.0) if cost < limit else 1.0
