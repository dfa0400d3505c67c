"""Takes of skin markers in an npz of many episodes.

Arrays: `data` [frames, markers, 3] in whole tenths of a millimetre, z up, -32768 where a marker was not seen;
`starts` [episodes + 1], frames at which an episode begins and the last one ends; `names` of the episodes; `markers`,
names of Plug-in Gait; and `subject` of each episode where the file has it. One marker in four of pelvis, thorax or head
may be missing for as long as it likes: it follows from the other three, by where the same person's is elsewhere.
"""

import functools
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from models.errors import InputError
from models.files import read_arrays
from models.geometry.transforms import R_ZUP_YUP, unit
from models.mocap.joint_positions import motion_from_positions
from models.mocap.plug_in_gait import MARKERS, UNUSED, joints_from_markers
from models.mocap.skeleton_motion import SkeletonMotion

UNIT_M = 1e-4
MISSING = -32768
RIGID = (("LASI", "RASI", "LPSI", "RPSI"), ("C7", "T10", "CLAV", "STRN"), ("LFHD", "RFHD", "LBHD", "RBHD"))
"""Markers that hardly move against each other."""
LONGEST_GAP_S = 0.25
"""Longest time for which a marker's path is drawn straight across a gap, or held at an end of the take."""
REMEDY = "give an npz of data, starts, names and markers, of 39 Plug-in Gait markers"


def episodes(path: Path) -> tuple[str, ...]:
    """Return the names of a file's episodes; InputError where it is none of these files."""
    return tuple(str(name) for name in _checked(path)["names"])


def read_markers(path: Path, hz: float, episode: str) -> SkeletonMotion:
    """Read one episode on SMPL's tree, y up; raises InputError for another layout, an episode that is not there, or a
    marker that is missing for longer than `LONGEST_GAP_S`."""
    arrays = _checked(path)
    names = [str(name) for name in arrays["names"]]
    if episode not in names:
        raise InputError(path, f"has no episode {episode!r} among its {len(names)}", "correct the name")
    take = Path(f"{path}#{episode}")
    number = names.index(episode)
    first, last = arrays["starts"][number : number + 2]
    if last - first < 2:
        raise InputError(take, f"has {last - first} frames", "give an episode of at least two frames")
    markers = [str(marker) for marker in arrays["markers"]]
    everywhere = (arrays["data"] != MISSING).all(axis=-1)
    data, seen = arrays["data"][first:last] * UNIT_M, everywhere[first:last].copy()
    same = np.repeat(arrays["subject"] == arrays["subject"][number], np.diff(arrays["starts"]))
    for group in RIGID:
        columns = [markers.index(marker) for marker in group]
        if not seen[:, columns].all():
            worn = arrays["data"][arrays["starts"][0] : arrays["starts"][-1], columns] * UNIT_M
            whole = everywhere[arrays["starts"][0] : arrays["starts"][-1], columns].all(axis=-1) & same
            data[:, columns], seen[:, columns] = completed(data[:, columns], seen[:, columns], worn[whole])
    at = {
        marker: bridged(take, marker, data[:, column], seen[:, column], hz)
        for column, marker in enumerate(markers)
        if marker not in UNUSED
    }
    positions, known = joints_from_markers(at)
    known = {joint: R_ZUP_YUP.T @ turn for joint, turn in known.items()}
    return motion_from_positions(take, positions @ R_ZUP_YUP, hz, known)


def completed(
    places: Float[np.ndarray, "time 4 3"],
    seen: Bool[np.ndarray, "time 4"],
    worn: Float[np.ndarray, "frame 4 3"],
) -> tuple[Float[np.ndarray, "time 4 3"], Bool[np.ndarray, "time 4"]]:
    """Return places of four markers of one rigid part with one in four filled in where the other three are seen, and
    what is seen then; `worn` are frames in which all four are.

    The missing one is where it is on average in the triangle of the others.
    """
    places, seen = places.copy(), seen.copy()
    for missing in range(4) if len(worn) else ():
        others = [marker for marker in range(4) if marker != missing]
        lacking = ~seen[:, missing] & seen[:, others].all(axis=-1)
        axes = _triangle(worn[:, others])
        inside = np.median(np.einsum("tji,tj->ti", axes, worn[:, missing] - worn[:, others].mean(axis=1)), axis=0)
        places[lacking, missing] = (
            places[lacking][:, others].mean(axis=1) + _triangle(places[lacking][:, others]) @ inside
        )
        seen[lacking, missing] = True
    return places, seen


def _triangle(corners: Float[np.ndarray, "time 3 3"]) -> Float[np.ndarray, "time 3 3"]:
    """Axes, as columns, of the triangle whose corners are the rows."""
    first = unit(corners[:, 1] - corners[:, 0])
    normal = unit(np.cross(first, corners[:, 2] - corners[:, 0]))
    return np.stack([first, normal, np.cross(first, normal)], axis=-1)


def bridged(
    path: Path, marker: str, places: Float[np.ndarray, "time 3"], seen: Bool[np.ndarray, "time"], hz: float
) -> Float[np.ndarray, "time 3"]:
    """Return a marker's path with short gaps bridged by straight lines, held at the ends; InputError tells the first
    gap that is too long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], seen, [True]]).astype(int)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        gap_s = (end - begin) / hz
        if gap_s > LONGEST_GAP_S or not seen.any():
            problem = f"marker {marker} is missing for {gap_s:.2f} s from frame {begin} on"
            raise InputError(path, problem, f"give takes with gaps of at most {LONGEST_GAP_S:g} s, or fill them before")
    frames = np.arange(len(seen))
    return np.stack([np.interp(frames, frames[seen], axis[seen]) for axis in places.T], axis=-1)


def _checked(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file, which is unpacked once for all its episodes."""
    stamp = path.stat() if path.is_file() else None
    return _unpacked(path, stamp and (stamp.st_mtime_ns, stamp.st_size))


@functools.lru_cache(maxsize=2)
def _unpacked(path: Path, stamp: tuple[int, int] | None) -> dict[str, np.ndarray]:
    arrays = read_arrays(path, REMEDY)
    missing = [name for name in ("data", "starts", "names", "markers") if name not in arrays]
    if missing:
        raise InputError(path, f"has no array {', '.join(missing)}", REMEDY)
    data, starts, markers = arrays["data"], arrays["starts"], [str(marker) for marker in arrays["markers"].ravel()]
    lacking = [marker for marker in MARKERS if marker not in markers and marker not in UNUSED]
    if lacking:
        raise InputError(path, f"has no marker {', '.join(lacking)}", REMEDY)
    if data.dtype != np.int16 or data.shape[1:] != (len(markers), 3):
        problem = f"data is {data.dtype} {data.shape}, expected int16 (frames, {len(markers)}, 3)"
        raise InputError(path, problem, REMEDY)
    whole = starts.dtype.kind in "iu" and starts.shape == (len(arrays["names"]) + 1,)
    if not whole or starts[0] < 0 or starts[-1] > len(data) or (np.diff(starts.astype(np.int64)) < 0).any():
        problem = f"starts does not cut its {len(data)} frames into {len(arrays['names'])} episodes"
        raise InputError(path, problem, REMEDY)
    # Without names of people, nobody's markers tell of another episode.
    count = len(arrays["names"])
    subject = arrays.get("subject", np.arange(count))
    if subject.shape != (count,):
        raise InputError(path, f"subject is {subject.shape}, expected one of each of {count} episodes", REMEDY)
    return arrays | {"subject": subject}
