"""Detections of many frames chained to people, by motion, size and pose; appearance helps where there is any.

A track predicts where its skeleton is now: moved at constant velocity, less surely the longer it was unseen. Frame by
frame, detections go to tracks by least total distance; what is left over begins a track. Tracklets of one person before
and after being hidden are stitched later, over the whole clip at once (`tracklets.stitch_tracklets`).
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from models.people2d.pose2d import Pose2D
from models.people2d.pose_nms import PoseNmsConfig, pose_nms
from models.people2d.tracklets import PREDICTED_S, Tracklet, appearance_distance, distance, size_px, velocity_px_s

FrameDetections = tuple[float, list[Pose2D], list[Float[np.ndarray, "bin"] | None]]
"""Time in seconds, the poses of one frame and the appearance of each, None where none was measured."""


def associate(frames: Iterable[FrameDetections], lost_after_s: float, nms: PoseNmsConfig) -> list[Tracklet]:
    """Chain detections to tracklets, in the order in which they begin; of poses of one person the surest is taken."""
    active: list[Tracklet] = []
    done: list[Tracklet] = []
    times: list[float] = []
    for index, (time_s, poses, appearances) in enumerate(frames):
        times.append(time_s)
        kept = pose_nms(
            np.array([pose.keypoints_px for pose in poses]).reshape(-1, 17, 2),
            np.array([pose.scores for pose in poses]).reshape(-1, 17),
            nms,
        )
        done += [track for track in active if time_s - times[track.last] > lost_after_s]
        active = [track for track in active if time_s - times[track.last] <= lost_after_s]
        cost = np.array([[_cost(track, times, time_s, poses[j], appearances[j]) for j in kept] for track in active])
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
            if appearances[j] is not None:
                taken[j].appearances.add(appearances[j])
    return sorted(done + active, key=lambda track: track.first)


def _cost(
    track: Tracklet, times: list[float], time_s: float, pose: Pose2D, appearance: Float[np.ndarray, "bin"] | None
) -> float:
    """Below 1 where a detection may be the track's person, in shares of the extent: how far it is from where the track
    predicts it."""
    last = track.poses[track.last]
    gap = time_s - times[track.last]
    predicted = replace(last, keypoints_px=last.keypoints_px + velocity_px_s(track, times) * min(gap, PREDICTED_S))
    # From frame to frame a limb swings by a tenth; who was hidden may have turned or slowed.
    limit = min(0.15 + 1.5 * gap, 0.5 + 0.7 * gap)
    size = abs(np.log(size_px(pose.keypoints_px, pose.scores) / size_px(last.keypoints_px, last.scores)))
    cost = distance(predicted, pose) + 0.3 * max(0.0, size - 0.15)
    if appearance is not None and track.appearances.count:
        cost += 0.5 * max(0.0, appearance_distance(appearance, track.appearances.mean) - 0.3)
    # Whoever was seen a moment ago has the better claim to a detection than who has been hidden.
    return float(cost) + 0.1 * min(gap, 1.0) if cost < limit else 1.0
