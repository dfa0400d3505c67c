"""Which frames of a fixed camera show its room best: together they uncover every pixel several times.

Chosen from the people's masks alone, in small images, before any frame is read: the frame that adds most to what was
uncovered least, one after the other (greedy cover); frames in which people are where they were in one already chosen
add less.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from models.footage.room_votes import near_people


def chosen_frames(
    covered: Bool[np.ndarray, "candidate rows columns"], clips: Int[np.ndarray, "candidate"], wanted: int
) -> list[int]:
    """Return at most `wanted` of the candidates, in their order, as many of every clip as it has and others leave.

    `covered` is where people may be in each, `clips` numbers the clip that each is of. All clips have a say: one in
    which somebody was overlooked seems to show more than the others.
    """
    near = near_people(covered, clips)
    seen_by = (~covered - 0.7 * (near & ~covered)).reshape(len(covered), -1).astype(np.float32)
    hidden = covered.reshape(len(covered), -1)
    seen, fresh = np.zeros(seen_by.shape[1], dtype=np.float32), np.ones(len(covered))
    used = dict.fromkeys(np.unique(clips).tolist(), 0)
    picked: list[int] = []
    for _ in range(min(wanted, len(covered))):
        left = np.ones(len(covered), dtype=bool)
        left[picked] = False
        turn = min(count for clip, count in used.items() if left[clips == clip].any())
        left &= np.isin(clips, [clip for clip, count in used.items() if count == turn])
        gain = np.where(left, seen_by @ (1.0 / (1.0 + seen) ** 2) * fresh, -1.0)
        best = int(np.argmax(gain))
        picked.append(best)
        used[int(clips[best])] += 1
        seen += seen_by[best]
        same = clips == clips[best]
        union = (hidden[same] | hidden[best]).sum(axis=1)
        overlap = np.where(union > 0, (hidden[same] & hidden[best]).sum(axis=1) / np.maximum(union, 1), 1.0)
        # Who lies still is taken for something of the room where most frames show them.
        fresh[same] *= 1.0 - 0.6 * overlap**2
    return sorted(picked)


def candidates(usable: Sequence[Bool[np.ndarray, "_"]], most: int, max_clips: int) -> list[tuple[int, int]]:
    """Return (clip, frame) of about `most` frames, evenly over those of at most `max_clips` clips that may be used."""
    clips = [clip for clip, frames in enumerate(usable) if frames.any()]
    if not clips:
        return []
    clips = [
        clips[i] for i in np.unique(np.linspace(0, len(clips) - 1, min(len(clips), max_clips)).round().astype(int))
    ]
    total = sum(int(usable[clip].sum()) for clip in clips)
    found = []
    for clip in clips:
        frames = np.flatnonzero(usable[clip])
        count = min(len(frames), max(4, round(most * len(frames) / max(total, 1))))
        picks = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int)) if count else []
        found += [(clip, int(frames[pick])) for pick in picks]
    return found
