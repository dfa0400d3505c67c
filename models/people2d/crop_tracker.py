"""Tracks of people in the image: one crop follows each person from frame to frame.

A single-person network finds whoever fills its crop best. So: each track looks only where its person was; at intervals
the rest of the image is searched for others, with the people already tracked painted out; two tracks that land on one
person are resolved by the look of the torso; pieces of one person's track, before and after a gap, are joined by place
and look.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

from models.people2d.movenet import TURNS, Crop, Pose2D, TflitePose

SURE = 0.5
"""Mean score above which the first look is believed."""


SMALL_PX = 160
"""Width of the small frames that places are compared in."""
FORETOLD_S = 0.7
"""A walk is foretold this far at full speed; who is hidden for longer may have stopped."""
OVERLAP_FRAMES = 8
"""A person found again is followed back a little: so many frames of two pieces may be the same ones."""


@dataclass
class Tracklet:
    """One person from when they were found until they were lost."""

    poses: dict[int, Pose2D] = field(default_factory=dict)
    """By frame number; frames in which the person was not found are missing."""
    looks: list[Float[np.ndarray, "bin"]] = field(default_factory=list)
    """Colour histograms of the torso."""
    crop: Crop | None = None
    """Where to look next."""

    @property
    def first(self) -> int:
        return min(self.poses)

    @property
    def last(self) -> int:
        return max(self.poses)

    @property
    def score(self) -> float:
        return float(np.mean([pose.score for pose in self.poses.values()]))

    @property
    def look(self) -> Float[np.ndarray, "bin"]:
        return np.mean(self.looks, axis=0)


def size_px(keypoints_px: Float[np.ndarray, "17 2"], scores: Float[np.ndarray, "17"]) -> float:
    """Extent of a person in the image: the diagonal of the box of the keypoints that count."""
    good = scores >= min(0.2, float(np.median(scores)))
    return float(np.linalg.norm(np.ptp(keypoints_px[good], axis=0))) + 1e-6


def distance(a: Pose2D, b: Pose2D) -> float:
    """Median distance of two skeletons' keypoints, as a share of the larger one's extent."""
    apart = np.linalg.norm(a.keypoints_px - b.keypoints_px, axis=-1)
    weight = np.minimum(a.scores, b.scores) >= 0.15
    apart = apart[weight] if weight.sum() >= 4 else apart
    return float(np.median(apart)) / max(size_px(a.keypoints_px, a.scores), size_px(b.keypoints_px, b.scores))


def torso_look(rgb: UInt8[np.ndarray, "height width 3"], pose: Pose2D) -> Float[np.ndarray, "bin"] | None:
    """Square root of the blurred colour histogram (Lab, 6 x 10 x 10 bins) of the torso; None if it is hardly in view."""
    corners = pose.keypoints_px[[5, 6, 12, 11]]
    centre = corners.mean(0)
    # Shoulders seen from the side leave a sliver: widen it.
    corners = (
        centre
        + (corners - centre) * [1.2, 1.0]
        + np.sign(corners - centre) * 0.03 * size_px(pose.keypoints_px, pose.scores)
    )
    mask = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(corners.round().astype(np.int32)), 1)
    if mask.sum() < 30:
        return None
    x0, y0, w, h = cv2.boundingRect(mask)
    lab = cv2.cvtColor(rgb[y0 : y0 + h, x0 : x0 + w], cv2.COLOR_RGB2LAB)
    # Strong colours go to the outermost bins rather than to none.
    lab[..., 1:] = np.clip(lab[..., 1:], 64, 191)
    ranges = [0, 256, 64, 192, 64, 192]
    histogram = cv2.calcHist([lab], [0, 1, 2], mask[y0 : y0 + h, x0 : x0 + w], [6, 10, 10], ranges)
    # Without blur, one colour in slightly other light would share no bin with itself.
    histogram = gaussian_filter(histogram, 1.2, mode="nearest").ravel()
    return np.sqrt(histogram / max(float(histogram.sum()), 1.0)).astype(np.float64)


def unlike(a: Float[np.ndarray, "bin"], b: Float[np.ndarray, "bin"]) -> float:
    """Hellinger distance of two looks, 0 the same to 1 nothing in common."""
    a, b = a / (np.linalg.norm(a) + 1e-9), b / (np.linalg.norm(b) + 1e-9)
    return float(np.sqrt(max(0.0, 1.0 - float(a @ b))))


class Tracker:
    """Follows people through one clip with a single-person network."""

    def __init__(
        self,
        network: TflitePose | Callable[..., Pose2D],
        most_people: int,
        search_every_s: float,
        lost_after_s: float,
        least_score: float,
    ):
        self.network = network
        self.most_people, self.search_every_s, self.lost_after_s = most_people, search_every_s, lost_after_s
        self.least_score = least_score
        self.small: list[UInt8[np.ndarray, "rows columns"]] = []
        """Every frame, grey and small: whoever looks the same when gone is part of the room."""
        self.scale = 1.0
        """Small pixels per pixel."""
        self.active: list[Tracklet] = []
        self.done: list[Tracklet] = []
        self.refused: deque[tuple[float, Pose2D]] = deque(maxlen=40)

    def run(self, frames: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]]) -> list[Tracklet]:
        """Follow everyone through all frames; the tracklets in the order in which they were found."""
        recent: deque[tuple[int, UInt8[np.ndarray, "height width 3"]]] = deque(maxlen=8)
        last_search, previous, times = -np.inf, None, []
        for index, (time_s, rgb) in enumerate(frames):
            times.append(time_s)
            self.scale = SMALL_PX / rgb.shape[1]
            grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
            self.small.append(cv2.resize(grey, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_AREA))
            for track in self.active:
                self._follow(track, index, rgb)
            self._resolve(index)
            for track in [t for t in self.active if time_s - times[t.last] > self.lost_after_s]:
                self.active.remove(track)
                self.done.append(track)
            wait = self.search_every_s / (1.0 if any(index in t.poses for t in self.active) else 2.0)
            if time_s - last_search >= wait and len(self.active) < self.most_people:
                last_search = time_s
                moved = None if previous is None else _moving_box(previous, rgb)
                previous = rgb
                for found in self._search(index, time_s, rgb, moved):
                    self._backwards(found, recent)
            recent.append((index, rgb))
        found = self.done + self.active
        return sorted((track for track in found if not self._furniture(track, found)), key=lambda track: track.first)

    def _furniture(self, track: Tracklet, found: list[Tracklet]) -> bool:
        """Whether the place where a doubtful person was seen looks the same while they are not there.

        Printed flowers and crumpled blankets pass for people now and then, never all the time. Only frames in which
        nobody else is near the place are compared.
        """
        if track.score >= 0.45:
            return False
        boxes = np.array([pose.box_px for pose in track.poses.values()])
        left, top = np.floor(boxes.min(axis=0)[:2] * self.scale).astype(int).clip(0)
        right, bottom = np.ceil(boxes.max(axis=0)[2:] * self.scale).astype(int) + 1
        place = slice(top, bottom), slice(left, right)

        def near(frame: int) -> bool:
            others = (
                other.poses[frame].box_px * self.scale for other in found if other is not track and frame in other.poses
            )
            return any(x0 < right and x1 > left and y0 < bottom and y1 > top for x0, y0, x1, y1 in others)

        there = [frame for frame in track.poses if not near(frame)]
        gone = [frame for frame in range(len(self.small)) if frame not in track.poses and not near(frame)]
        if min(len(there), len(gone)) < 5:
            return False

        def look(frames: list[int]) -> Float[np.ndarray, "rows columns"]:
            patch = np.median([self.small[frame][place] for frame in frames], axis=0)
            return patch - np.median(patch)

        return float(np.percentile(np.abs(look(there) - look(gone)), 90)) < 12.0

    def _follow(self, track: Tracklet, index: int, rgb: UInt8[np.ndarray, "height width 3"]) -> None:
        before, crop = track.poses[track.last], track.crop
        assert crop is not None, "only tracks with a crop are followed"
        # Other turns cost three more looks: only when the score drops, and now and then while it is low.
        turns = TURNS if (index + track.first) % 6 == 0 else ()
        found = self.network.zoom(rgb, crop, SURE, turns)
        if not turns and found.score < min(SURE, before.score - 0.08):
            found = self.network.zoom(rgb, crop, SURE)
        box, centre = found.box_px, np.array(crop.centre_px)
        jump = float(np.linalg.norm((box[:2] + box[2:]) / 2.0 - centre)) / crop.side_px
        # Frames of real recordings jump; a step of half a body is believed, more is somebody else.
        scale = size_px(found.keypoints_px, found.scores) / size_px(before.keypoints_px, before.scores)
        if found.score < self.least_score or jump > 0.45 or not 0.4 < scale < 2.5:
            # Looking wider catches a person who moved on while unseen.
            wider = min(crop.side_px * 1.05, 1.5 * before.crop(0).side_px)
            track.crop = Crop(crop.centre_px, wider, crop.turn)
            return
        self._accept(track, index, rgb, found)

    def _accept(self, track: Tracklet, index: int, rgb: UInt8[np.ndarray, "height width 3"], found: Pose2D) -> None:
        track.poses[index] = found
        crop = found.crop(found.turn)
        if track.crop is not None:
            # A crop that breathes with every frame shakes the keypoints.
            side = max(crop.side_px, 0.7 * track.crop.side_px + 0.3 * crop.side_px)
            crop = Crop(crop.centre_px, side, crop.turn)
        track.crop = crop
        if found.score >= 0.4:
            look = torso_look(rgb, found)
            if look is not None:
                track.looks.append(look)

    def _resolve(self, index: int) -> None:
        """Where two tracks lie on one person, one loses: the one seen less of late, else whose person changed looks."""
        here = [track for track in self.active if index in track.poses]
        for i, a in enumerate(here):
            for b in here[i + 1 :]:
                if not (index in a.poses and index in b.poses and distance(a.poses[index], b.poses[index]) < 0.2):
                    continue
                seen = [sum(index - back in t.poses for back in range(1, 11)) for t in (a, b)]
                changed = [unlike(t.looks[-1], t.look) if len(t.looks) > 1 else 0.0 for t in (a, b)]
                stale = abs(seen[0] - seen[1]) > 2
                first_loses = seen[0] < seen[1] if stale else changed[0] > changed[1] + 0.1
                loser, winner = (a, b) if first_loses else (b, a)
                for frame in range(index, max(index - 40, 0) - 1, -1):
                    if frame in loser.poses and frame in winner.poses:
                        del loser.poses[frame]
                if stale or not loser.poses:
                    # It had lost its person and came upon the other track's: the same person, found again.
                    self.active.remove(loser)
                    self.done += [loser] if loser.poses else []
                else:
                    last = loser.poses[loser.last]
                    loser.crop = last.crop(last.turn)

    def _search(
        self, index: int, time_s: float, rgb: UInt8[np.ndarray, "height width 3"], moved: Crop | None
    ) -> list[Tracklet]:
        h, w = rgb.shape[:2]
        seen = rgb.copy()
        for track in self.active:
            _paint_out(seen, track.poses[track.last])
        side = 0.75 * h
        steps = max(2, int(np.ceil(w / (0.6 * side))))
        crops = [Crop((x, y * h), side, 0) for y in (0.4, 0.65) for x in np.linspace(side / 3, w - side / 3, steps)]
        crops = [Crop((w / 2.0, h / 2.0), float(max(w, h)), 0)] + crops
        candidates = [(crop, self.network(seen, crop)) for crop in crops]
        if moved is not None:
            candidates += [(moved, self.network.zoom(seen, moved, SURE))]
        found_now = []
        for _, first in sorted(candidates, key=lambda item: -item[1].score):
            if len(self.active) >= self.most_people:
                break
            # What was looked at and refused a moment ago is not looked at again.
            refused = (pose for when, pose in self.refused if time_s - when < 5.0)
            if first.score < 0.2 or any(distance(first, pose) < 0.2 for pose in refused):
                continue
            found = self.network.zoom(seen, first.crop(first.turn), SURE)
            again = self.network(seen, found.crop(found.turn, 1.6))
            # A chair that looks like a person looks different in another crop.
            sure = found.score >= self.least_score + 0.08 and again.score >= self.least_score
            small = size_px(found.keypoints_px, found.scores) < 0.12 * h
            if not sure or small or (found.scores >= 0.3).sum() < 7 or distance(found, again) > 0.1:
                self.refused.append((time_s, first))
                continue
            if any(distance(found, track.poses[track.last]) < 0.25 for track in self.active):
                continue
            track = Tracklet()
            self._accept(track, index, rgb, found)
            self.active.append(track)
            _paint_out(seen, found)
            found_now.append(track)
        return found_now

    def _backwards(self, track: Tracklet, recent: Iterable[tuple[int, UInt8[np.ndarray, "height width 3"]]]) -> None:
        """Follow a newly found person back through the frames since the last search."""
        back = Tracklet(poses=dict(track.poses), crop=track.crop)
        others = [other for other in self.active if other is not track]
        for index, rgb in reversed(list(recent)):
            # Reversed time: the "last" pose of the walk is the earliest one.
            walk = Tracklet(poses={index + 1: back.poses[index + 1]}, crop=back.crop)
            self._follow(walk, index, rgb)
            taken = any(
                index in other.poses and distance(other.poses[index], walk.poses[index]) < 0.25
                for other in others + self.done
                if index in walk.poses
            )
            if index not in walk.poses or taken:
                return
            back.crop = walk.crop
            back.poses[index] = track.poses[index] = walk.poses[index]


def _moving_box(before: UInt8[np.ndarray, "height width 3"], now: UInt8[np.ndarray, "height width 3"]) -> Crop | None:
    """A square around the largest part of the image that changed; None where nothing did."""
    scale = 160.0 / now.shape[1]
    small = [
        cv2.resize(x, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(np.int16) for x in (before, now)
    ]
    changed = (np.abs(small[0] - small[1]).max(-1) > 25).astype(np.uint8)
    changed = cv2.dilate(
        cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)), np.ones((7, 7), np.uint8)
    )
    count, _, stats, _ = cv2.connectedComponentsWithStats(changed)
    if count < 2:
        return None
    x, y, w, h, area = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    if area < 60:
        return None
    return Crop(((x + w / 2.0) / scale, (y + h / 2.0) / scale), 1.3 * max(w, h) / scale, 0)


def _paint_out(rgb: UInt8[np.ndarray, "height width 3"], pose: Pose2D) -> None:
    """Cover a tracked person with grey, in place."""
    x0, y0, x1, y1 = pose.box_px
    pad_x, pad_y = 0.08 * (x1 - x0) + 4.0, 0.08 * (y1 - y0) + 4.0
    rows = slice(max(0, int(y0 - 1.5 * pad_y)), max(0, int(y1 + pad_y)))
    rgb[rows, max(0, int(x0 - pad_x)) : max(0, int(x1 + pad_x))] = 128


def velocity_px_s(
    track: Tracklet, times_s: Sequence[float] | Float[np.ndarray, "time"], at_start: bool = False
) -> Float[np.ndarray, "2"]:
    """How the person moves in the image at the end (or start) of a track: the median slope of the keypoints over 0.5 s."""
    edge = times_s[track.first if at_start else track.last]
    frames = [frame for frame in track.poses if abs(times_s[frame] - edge) <= 0.5]
    elapsed = np.array([times_s[frame] for frame in frames]) - edge
    if np.ptp(elapsed) < 0.1:
        return np.zeros(2)
    points = np.array([track.poses[frame].keypoints_px for frame in frames])
    weights = np.array([track.poses[frame].scores for frame in frames]) + 1e-6
    weights = weights / weights.sum(axis=0)
    centred = elapsed[:, None] - (weights * elapsed[:, None]).sum(axis=0)
    slopes = (weights * centred)[..., None] * (points - (weights[..., None] * points).sum(axis=0))
    slopes = slopes.sum(axis=0) / ((weights * centred**2).sum(axis=0)[:, None] + 1e-9)
    # A short look says little of a speed.
    return np.median(slopes, axis=0) * (np.ptp(elapsed) / (np.ptp(elapsed) + 0.1))


def join(tracklets: list[Tracklet], times_s: Float[np.ndarray, "time"]) -> list[list[Tracklet]]:
    """Group tracklets that are one person: hardly at the same time, and near in place after a short gap or alike.

    Each piece has at most one piece after it; of all ways to link them the one of least total cost is taken. Of frames that
    two pieces share, the later piece's are dropped.
    """
    pieces = sorted(tracklets, key=lambda track: track.first)
    cost = np.full((len(pieces), len(pieces)), np.inf)
    for i, j in itertools.combinations(range(len(pieces)), 2):
        cost[i, j] = _link_cost(pieces[i], pieces[j], times_s)
    after = {
        int(i): int(j) for i, j in zip(*linear_sum_assignment(np.minimum(cost, 1.0)), strict=True) if cost[i, j] < 1.0
    }
    people = []
    for first in sorted(set(range(len(pieces))) - set(after.values())):
        group, index = [pieces[first]], first
        while index in after:
            index = after[index]
            later = {frame: pose for frame, pose in pieces[index].poses.items() if frame > group[-1].last}
            group.append(Tracklet(later, pieces[index].looks, pieces[index].crop))
        people.append(group)
    return people


def _link_cost(end: Tracklet, start: Tracklet, times_s: Float[np.ndarray, "time"]) -> float:
    """Below 1 where the second piece may be the first one's person, later."""
    later = [frame for frame in start.poses if frame > end.last]
    if not later or len(start.poses) - len(later) > OVERLAP_FRAMES:
        return np.inf
    look = unlike(start.look, end.look) if start.looks and end.looks else 0.4
    if look > 0.5:
        return np.inf
    alike = look / 0.3
    gap = float(times_s[min(later)] - times_s[end.last])
    if gap > 2.0:
        return alike
    a, b = end.poses[end.last], start.poses[min(later)]
    apart = (b.box_px[:2] + b.box_px[2:] - a.box_px[:2] - a.box_px[2:]) / 2.0
    size = max(size_px(a.keypoints_px, a.scores), size_px(b.keypoints_px, b.scores))
    # Who went on walking unseen is where both ends foretell; who stopped is where they were seen last.
    speeds = velocity_px_s(end, times_s), velocity_px_s(start, times_s, at_start=True)
    walked = np.mean([np.linalg.norm(apart - speed * min(gap, FORETOLD_S)) for speed in speeds]) / size
    near = min(float(walked), float(np.linalg.norm(apart)) / size + 0.25)
    return min(alike, near / (0.5 + gap) + 0.3 * alike)
