"""Acclaim motion capture: the skeleton of an ASF file and the turns of its bones in an AMC file, as CMU publishes both.

A bone points from its joint along `direction` for `length`; its joint turns by C M C^-1, where M are the degrees of
freedom that the AMC file lists and C is the bone's `axis`. The clock is not in the file. Source: J. Lander, "Working
with Motion Capture File Formats", Game Developer (1998).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from models.errors import InputError
from models.mocap.skeleton_motion import FASTEST_HZ, SLOWEST_HZ, SkeletonMotion, still_limbs
from models.text_files import read_text

CMU_HZ = 120.0
"""At which the CMU Graphics Lab captured what its AMC files hold."""
CUT_SHORT = "the file is cut short or damaged: copy it again"


@dataclass(frozen=True)
class AcclaimBone:
    """One bone of an ASF file, or the root: a bone without length."""

    name: str
    vector: Float[np.ndarray, "3"]
    """From its joint to its end, in the file's length unit, world axes of the rest pose."""
    axis: Float[np.ndarray, "3 3"]
    """C: the bone's own axes in the rest pose."""
    channels: tuple[str, ...]
    """What a line of the AMC file lists, in its order: of rx ry rz, and tx ty tz for the root."""


@dataclass(frozen=True)
class AcclaimSkeleton:
    """What an ASF file says."""

    path: Path
    bones: tuple[AcclaimBone, ...]
    """Parents before children; the root first."""
    parents: tuple[int, ...]


def read_asf(path: Path) -> AcclaimSkeleton:
    """Read an ASF file; raises InputError on anything that is not a complete one."""
    remedy = "give the .asf file that belongs to the .amc"
    lines = [line.split() for line in read_text(path).splitlines() if not line.lstrip().startswith("#")]
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for words in filter(None, lines):
        if words[0].startswith(":"):
            current = sections.setdefault(words[0], [])
        else:
            current.append(words)
    missing = [name for name in (":root", ":bonedata", ":hierarchy") if name not in sections]
    if missing:
        raise InputError(path, f"is no ASF skeleton: it has no section {', '.join(missing)}", remedy)
    try:
        root = {words[0]: words[1:] for words in sections[":root"]}
        order = tuple(word.lower() for word in root["order"])
        if not {"tx", "ty", "tz"} <= set(order):
            raise ValueError("the root's order, which needs TX TY TZ")
        turn = Rotation.from_euler(root["axis"][0].lower(), _three(root["orientation"]), degrees=True)
        bones = [AcclaimBone("root", np.zeros(3), turn.as_matrix(), _channels(order))]
        for fields in _blocks(sections[":bonedata"]):
            direction, length = _three(fields["direction"]), float(fields["length"][0])
            turn = Rotation.from_euler(fields["axis"][3].lower(), _three(fields["axis"][:3]), degrees=True)
            channels = _channels(tuple(word.lower() for word in fields.get("dof", ())))
            bones.append(AcclaimBone(fields["name"][0], length * direction, turn.as_matrix(), channels))
        above = {child: words[0] for words in sections[":hierarchy"] for child in words[1:]}
        index = {bone.name: number for number, bone in enumerate(bones)}
        if len(index) < len(bones) or not np.isfinite(np.concatenate([bone.vector for bone in bones])).all():
            raise ValueError("a bone: its name is another's, too, or its length is no number")
        parents = tuple(-1 if bone.name == "root" else index[above[bone.name]] for bone in bones)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(path, f"lacks or garbles {error}", CUT_SHORT) from error
    if any(parent >= number for number, parent in enumerate(parents)):
        raise InputError(path, "lists a bone before the one that it hangs on", "write parents before children")
    return AcclaimSkeleton(path, tuple(bones), parents)


def _three(words: list[str]) -> Float[np.ndarray, "3"]:
    """Three finite numbers; ValueError where they are none."""
    numbers = np.array(words, dtype=float)
    if numbers.shape != (3,) or not np.isfinite(numbers).all():
        raise ValueError(f"three numbers, and has {' '.join(words):.40}")
    return numbers


def _channels(words: tuple[str, ...]) -> tuple[str, ...]:
    """Degrees of freedom as they are; ValueError where one is none, or is there twice."""
    if not set(words) <= {"rx", "ry", "rz", "tx", "ty", "tz", "l"} or len(set(words)) < len(words):
        raise ValueError(f"degrees of freedom, and has {' '.join(words):.40}")
    return words


def _blocks(lines: list[list[str]]) -> list[dict[str, list[str]]]:
    """Fields of each begin ... end; a block that never ends is left out, so that the hierarchy misses its bone."""
    blocks: list[dict[str, list[str]]] = []
    fields: dict[str, list[str]] = {}
    for words in lines:
        if words[0] == "begin":
            fields = {}
        elif words[0] == "end":
            blocks.append(fields)
        else:
            fields[words[0]] = words[1:]
    return blocks


def skeleton_beside(path: Path) -> Path:
    """Find the ASF file of an AMC file: of its name, of its subject (01.asf of 01_02.amc, HDM_bd.asf of
    HDM_bd_squat_001_120.amc), or the folder's only one."""
    words = path.stem.split("_")
    named = [path.with_name(f"{'_'.join(words[:count])}.asf") for count in range(len(words), 0, -1)]
    found = [candidate for candidate in named if candidate.exists()] or sorted(path.parent.glob("*.asf"))
    if len(found) != 1 and not (found and found[0] in named):
        raise InputError(
            path, f"has no skeleton {named[0].name} or {named[-1].name} beside it", "put the subject's .asf file there"
        )
    return found[0]


def read_amc(path: Path, hz: float = CMU_HZ) -> SkeletonMotion:
    """Read an AMC file on the skeleton beside it, `hz` frames a second; y up. A joint carries the name of its bone.

    Raises InputError where the skeleton is missing, or the motion is cut short or is of another skeleton.
    """
    if not SLOWEST_HZ <= hz <= FASTEST_HZ:
        raise InputError(path, f"is to have {hz:g} frames a second, expected 1 to 1000", "correct its frame rate")
    skeleton = read_asf(skeleton_beside(path))
    lines = read_text(path).splitlines()
    frames: list[dict[str, list[str]]] = []
    for line in lines:
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if len(words) == 1 and words[0].isdigit():
            frames.append({})
        elif frames:
            frames[-1][words[0]] = words[1:]
    if len(frames) < 2:
        raise InputError(path, f"has {len(frames)} frames", "give an AMC motion of at least two frames")
    unknown = sorted(set(frames[0]) - {bone.name for bone in skeleton.bones})
    if unknown:
        raise InputError(
            path, f"moves {', '.join(unknown)}, which {skeleton.path.name} has not", "put the subject's own .asf there"
        )
    moving = [bone for bone in skeleton.bones if bone.channels]
    values = {bone.name: _channel_values(path, frames, bone) for bone in moving}
    count = len(skeleton.bones)
    tips = [bone for bone in range(count) if bone not in skeleton.parents]
    parents = (*skeleton.parents, *tips)
    ends = np.stack([bone.vector for bone in skeleton.bones])
    offsets = np.concatenate([np.zeros((1, 3)), ends[list(parents[1:])]])
    rotations = np.tile(np.eye(3), (len(frames), len(parents), 1, 1))
    for number, bone in enumerate(skeleton.bones):
        turns = [channel for channel in bone.channels if channel.startswith("r")]
        if turns:
            columns = values[bone.name][:, [bone.channels.index(channel) for channel in turns]]
            letters = "".join(channel[1] for channel in turns)
            # Small letters: about fixed axes, one after the other, as the file lists them.
            rotated = Rotation.from_euler(letters, columns, degrees=True)
            rotations[:, number] = bone.axis @ rotated.as_matrix() @ bone.axis.T
    places = [skeleton.bones[0].channels.index(f"t{axis}") for axis in "xyz"]
    names = (*(bone.name for bone in skeleton.bones), *(f"{skeleton.bones[tip].name}_end" for tip in tips))
    translations = still_limbs(values["root"][:, places], offsets)
    return SkeletonMotion(path, names, parents, offsets, translations, rotations, np.arange(len(frames)) / hz)


def _channel_values(
    path: Path, frames: list[dict[str, list[str]]], bone: AcclaimBone
) -> Float[np.ndarray, "time channel"]:
    """What the frames say of a bone; InputError where one of them says nothing or too little."""
    for number, frame in enumerate(frames, 1):
        came = len(frame.get(bone.name, ()))
        if came != len(bone.channels):
            expected = f"{bone.name} has {came} numbers and not {len(bone.channels)}"
            raise InputError(path, f"frame {number} of {len(frames)}: {expected}", CUT_SHORT)
    try:
        values = np.array([frame[bone.name] for frame in frames], dtype=float)
    except ValueError as error:
        raise InputError(path, f"{bone.name}: {error}", CUT_SHORT) from error
    if not np.isfinite(values).all():
        raise InputError(path, f"{bone.name} holds a number that is not finite", CUT_SHORT)
    return values
