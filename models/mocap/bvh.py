"""BVH motion capture: the hierarchy and its motion. Units are the file's own; y is up, as custom has it.

The format is Biovision's, as M. Meredith and S. Maddock describe it in "Motion Capture File Formats Explained" (2001).
"""

import re
import warnings
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from models.errors import InputError
from models.mocap.skeleton_motion import SkeletonMotion
from models.text_files import read_text

CUT_SHORT = "the file is cut short"
CHANNELS = ("Xposition", "Yposition", "Zposition", "Xrotation", "Yrotation", "Zrotation")


def read_bvh(path: Path) -> SkeletonMotion:
    """Read a BVH file; raises InputError on anything that is not a complete one that moves a body.

    Keywords and channels are read in any case, names may hold blanks (read as low lines). One whole frame more than the
    file declares is read, too: Rokoko writes it.
    """
    text = read_text(path)
    if not re.match(r"\s*HIERARCHY\b", text, re.IGNORECASE):
        raise InputError(path, "is not a BVH file: it does not begin with HIERARCHY", "give a BVH motion-capture file")
    parts = re.split(r"(?im)^[ \t]*MOTION[ \t]*$", text, maxsplit=1)
    if len(parts) != 2:
        raise InputError(path, "has no MOTION section", f"{CUT_SHORT}: export or copy it again")
    names, parents, offsets, channels = _read_hierarchy(path, parts[0].split())
    frames, frame_s, numbers = _read_motion_header(path, parts[1])
    width = sum(len(names_of) for names_of in channels)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            values = np.fromstring(numbers, sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise InputError(path, f"MOTION holds something that is not a number ({error})", "export it again") from error
    if len(values) not in (frames * width, (frames + 1) * width):
        raise InputError(
            path,
            f"MOTION promises {frames} frames of {width} numbers = {frames * width}, but {len(values)} came",
            "the file is cut short or damaged: export or copy it again",
        )
    if not np.isfinite(values).all():
        raise InputError(path, "MOTION holds a number that is not finite", "export it again")
    frames = len(values) // width
    values = values.reshape(frames, width)
    translations = np.tile(np.array(offsets), (frames, 1, 1))
    rotations = np.tile(np.eye(3), (frames, len(names), 1, 1))
    start = 0
    for joint, names_of in enumerate(channels):
        columns = values[:, start : start + len(names_of)]
        start += len(names_of)
        for name, column in zip(names_of, columns.T, strict=True):
            axis = "XYZ".index(name[0])
            if name.endswith("position"):
                translations[:, joint, axis] = column
                continue
            # Turn about one axis, applied after the channels before it: two columns mix.
            cosine, sine = np.cos(np.radians(column))[:, None], np.sin(np.radians(column))[:, None]
            one, two = (axis + 1) % 3, (axis + 2) % 3
            first, second = rotations[:, joint, :, one], rotations[:, joint, :, two]
            rotations[:, joint, :, one], rotations[:, joint, :, two] = (
                cosine * first + sine * second,
                cosine * second - sine * first,
            )
    still = frozenset(
        joint for joint, names_of in enumerate(channels) if not any(name.endswith("rotation") for name in names_of)
    )
    clock = np.arange(frames) * frame_s
    return SkeletonMotion(path, tuple(names), tuple(parents), np.array(offsets), translations, rotations, clock, still)


def _read_hierarchy(
    path: Path, tokens: list[str]
) -> tuple[list[str], list[int], list[list[float]], list[tuple[str, ...]]]:
    """Names, parents, offsets and channels of the joints in file order."""
    names, parents, offsets, channels = [], [], [], []
    stack, current, place = [], -1, 1
    known = {name.lower(): name for name in CHANNELS}
    try:
        while place < len(tokens):
            token, word = tokens[place], tokens[place].upper()
            if word in ("ROOT", "JOINT", "END"):
                end = tokens.index("{", place)
                name = f"{names[current]}_end" if word == "END" else "_".join(tokens[place + 1 : end])
                if not name or (word == "ROOT") != (current < 0):
                    raise ValueError("a joint without a name, or a root within a root")
                names.append(name)
                parents.append(current)
                offsets.append([0.0, 0.0, 0.0])
                channels.append(())
                place = end
            elif token == "{":
                stack.append(current)
                current = len(names) - 1
                place += 1
            elif token == "}":
                current = stack.pop()
                place += 1
            elif word == "OFFSET":
                offsets[current] = [float(value) for value in tokens[place + 1 : place + 4]]
                if current < 0 or len(offsets[current]) != 3 or not np.isfinite(offsets[current]).all():
                    raise ValueError("an offset is three numbers of a joint")
                place += 4
            elif word == "CHANNELS":
                count = int(tokens[place + 1])
                given = tokens[place + 2 : place + 2 + count]
                if current < 0 or not 0 <= count <= len(CHANNELS):
                    raise ValueError("channels are up to six of a joint")
                channels[current] = tuple(known.get(name.lower(), name) for name in given)
                place += 2 + count
            else:
                raise InputError(path, f"HIERARCHY holds the unknown word '{token:.40}'", "give a BVH file")
    except (IndexError, ValueError) as error:
        raise InputError(
            path, f"HIERARCHY is damaged near '{tokens[min(place, len(tokens) - 1)]:.40}'", "export it again"
        ) from error
    unknown = sorted({name for names_of in channels for name in names_of} - set(CHANNELS))
    if unknown:
        raise InputError(path, f"has the unknown channels {', '.join(unknown)}", f"BVH knows {', '.join(CHANNELS)}")
    if stack or not names:
        raise InputError(path, "HIERARCHY is not closed", f"{CUT_SHORT}: export or copy it again")
    if parents.count(-1) > 1:
        raise InputError(path, f"holds {parents.count(-1)} skeletons", "export one person a file")
    missing = [name for name in CHANNELS[:3] if name not in channels[0]]
    if missing:
        problem = f"moves its root {names[0]} by no {', '.join(missing)}, so that the body would stay where it is"
        raise InputError(path, problem, "export it with the root's positions")
    return names, parents, offsets, channels


def _read_motion_header(path: Path, tail: str) -> tuple[int, float, str]:
    """Number of frames, seconds per frame, and the text of the numbers."""
    found = re.match(r"(?i)\s*Frames\s*:\s*(\S+)\s+Frame\s*Time\s*:[ \t]*(\S+)", tail)
    if found is None:
        raise InputError(path, "MOTION lacks 'Frames:' or 'Frame Time:'", f"{CUT_SHORT}: export it again")
    if not re.fullmatch(r"\d{1,9}", found[1]):
        raise InputError(path, f"Frames is {found[1]:.40}, expected how many frames follow", "export it again")
    try:
        frame_s = float(found[2])
    except ValueError:
        frame_s = float("nan")
    if not 0.0 < frame_s < 10.0:
        raise InputError(path, f"Frame Time is {found[2]:.40}, expected the seconds of a frame", "correct that line")
    frames = int(found[1])
    if frames < 2:
        raise InputError(path, f"has {frames} frames", "give a motion of at least two frames")
    return frames, frame_s, tail[found.end() :]


def write_bvh(motion: SkeletonMotion, path: Path) -> None:
    """Write the motion with ZYX rotation channels on every joint and positions on the root."""
    children = {
        joint: [c for c, parent in enumerate(motion.parents) if parent == joint]
        for joint in range(-1, len(motion.names))
    }
    lines = ["HIERARCHY"]
    moving = []

    def add(joint: int, depth: int) -> None:
        pad, end = "  " * depth, motion.names[joint].endswith("_end")
        kind = "End Site" if end else f"{'ROOT' if depth == 0 else 'JOINT'} {motion.names[joint]}"
        lines.extend(
            [pad + kind, pad + "{", pad + "  OFFSET " + " ".join(f"{value:.9g}" for value in motion.offsets[joint])]
        )
        if not end:
            moving.append(joint)
            root = "6 Xposition Yposition Zposition " if depth == 0 else "3 "
            lines.append(pad + "  CHANNELS " + root + "Zrotation Yrotation Xrotation")
        for child in children[joint]:
            add(child, depth + 1)
        lines.append(pad + "}")

    add(children[-1][0], 0)
    with warnings.catch_warnings():
        # At a right angle about y, one of many equal triples is taken: the rotation is the same.
        warnings.filterwarnings("ignore", message="Gimbal lock")
        angles = Rotation.from_matrix(motion.rotations[:, moving].reshape(-1, 3, 3)).as_euler("ZYX", degrees=True)
    root = motion.translations[:, moving[0]]
    rows = np.concatenate([root, angles.reshape(len(root), -1)], axis=1)
    frame_s = float(motion.timestamps_s[1] - motion.timestamps_s[0])
    lines += ["MOTION", f"Frames: {len(rows)}", f"Frame Time: {frame_s:.9g}"]
    lines += [" ".join(f"{value:.9g}" for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
