"""Tracks of people in the image: one crop follows each person from frame to frame.

A single-person network finds whoever fills its crop best. So: each track looks only where its person was; at intervals
the rest of the image is searched for others, with the people already tracked painted out; two tracks that land on one
person are resolved by the appearance of the torso; tracklets of one person, before and after a gap, are stitched by
place and appearance.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from models.people2d.movenet import TURNS, TflitePose
from models.people2d.pose2d import Crop, Pose2D
from models.people2d.tracklets import Tracklet, appearance_distance, distance, size_px, torso_appearance

Refused = deque[tuple[float, Pose2D]]
"""When a look at the image found somebody who was not believed, and where."""
SURE = 0.5
"""Mean score above which the first crop's pose is believed."""
SMALL_PX = 160
"""Width of the small frames that places are compared in."""


class Tracker:
    """Follows people through one clip with a single-person network."""

    def __init__(
        self,
        network: TflitePose | Callable[..., Pose2D],
        max_people: int,
        search_every_s: float,
        lost_after_s: float,
        min_score: float,
    ):
        self.network = network
        self.max_people, self.search_every_s, self.lost_after_s = max_people, search_every_s, lost_after_s
        self.min_score = min_score
        self.small: list[UInt8[np.ndarray, "rows columns"]] = []
        """Every frame, grey and small: whoever looks the same when gone is part of the room."""
        self.scale = 1.0
        """Small pixels per pixel."""
        self.active: list[Tracklet] = []
        self.done: list[Tracklet] = []
        self.refused: Refused = deque(maxlen=40)
        self.unfollowed_s: list[float] = []
        """When somebody was seen who was not followed, for `max_people` were followed already."""

    def run(self, frames: Iterable[tuple[float, UInt8[np.ndarray, "height width 3"]]]) -> list[Tracklet]:
        """Follow everyone through all frames; the tracklets in the order in which they were found."""
        recent: deque[tuple[int, UInt8[np.ndarray, "height width 3"]]] = deque(maxlen=8)
        last_search, last_count, previous, times = -np.inf, -np.inf, None, []
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
            if time_s - last_search >= wait and len(self.active) < self.max_people:
                last_search = time_s
                moved = None if previous is None else _moving_box(previous, rgb)
                previous = rgb
                for found in self._search(index, time_s, rgb, moved):
                    self._backwards(found, recent)
            elif len(self.active) >= self.max_people and time_s - last_count >= self.search_every_s:
                last_count = time_s
                masked, refused = self._without_active(rgb), self.refused.copy()
                self.unfollowed_s += [time_s for _ in self._look(masked, time_s, None, refused)]
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

        def patch_of(frames: list[int]) -> Float[np.ndarray, "rows columns"]:
            patch = np.median([self.small[frame][place] for frame in frames], axis=0)
            return patch - np.median(patch)

        return float(np.percentile(np.abs(patch_of(there) - patch_of(gone)), 90)) < 12.0

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
        if found.score < self.min_score or jump > 0.45 or not 0.4 < scale < 2.5:
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
            appearance = torso_appearance(rgb, found)
            if appearance is not None:
                track.appearances.add(appearance)

    def _resolve(self, index: int) -> None:
        """Where two tracks lie on one person, one loses: the one seen less of late, else whose person's appearance
        changed."""
        here = [track for track in self.active if index in track.poses]
        for i, a in enumerate(here):
            for b in here[i + 1 :]:
                if not (index in a.poses and index in b.poses and distance(a.poses[index], b.poses[index]) < 0.2):
                    continue
                observed = [sum(index - back in t.poses for back in range(1, 11)) for t in (a, b)]
                changed = [
                    appearance_distance(t.appearances.latest, t.appearances.mean) if t.appearances.count > 1 else 0.0
                    for t in (a, b)
                ]
                stale = abs(observed[0] - observed[1]) > 2
                first_loses = observed[0] < observed[1] if stale else changed[0] > changed[1] + 0.1
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
        """Begin to follow people who are not followed yet, up to the number that may be."""
        found_now = []
        for found in self._look(self._without_active(rgb), time_s, moved, self.refused):
            track = Tracklet()
            self._accept(track, index, rgb, found)
            self.active.append(track)
            found_now.append(track)
            if len(self.active) >= self.max_people:
                break
        return found_now

    def _without_active(self, rgb: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "height width 3"]:
        masked = rgb.copy()
        for track in self.active:
            _paint_out(masked, track.poses[track.last])
        return masked

    def _look(
        self, masked: UInt8[np.ndarray, "height width 3"], time_s: float, moved: Crop | None, refused: Refused
    ) -> Iterator[Pose2D]:
        """Look for people all over an image, and where it moved; each is painted out when the next is asked for."""
        h, w = masked.shape[:2]
        side = 0.75 * h
        steps = max(2, int(np.ceil(w / (0.6 * side))))
        crops = [Crop((x, y * h), side, 0) for y in (0.4, 0.65) for x in np.linspace(side / 3, w - side / 3, steps)]
        crops = [Crop((w / 2.0, h / 2.0), float(max(w, h)), 0)] + crops
        candidates = [(crop, self.network(masked, crop)) for crop in crops]
        if moved is not None:
            candidates += [(moved, self.network.zoom(masked, moved, SURE))]
        for _, first in sorted(candidates, key=lambda item: -item[1].score):
            # What was looked at and refused a moment ago is not looked at again.
            lately = (pose for when, pose in refused if time_s - when < 5.0)
            if first.score < 0.2 or any(distance(first, pose) < 0.2 for pose in lately):
                continue
            found = self.network.zoom(masked, first.crop(first.turn), SURE)
            again = self.network(masked, found.crop(found.turn, 1.6))
            # A chair that looks like a person looks different in another crop.
            sure = found.score >= self.min_score + 0.08 and again.score >= self.min_score
            small = size_px(found.keypoints_px, found.scores) < 0.12 * h
            if not sure or small or (found.scores >= 0.3).sum() < 7 or distance(found, again) > 0.1:
                refused.append((time_s, first))
                continue
            if any(distance(found, track.poses[track.last]) < 0.25 for track in self.active):
                continue
            yield found
            _paint_out(masked, found)

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
