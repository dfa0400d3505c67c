"""What bodies wear: figures to clothe, layers of cloth painted on them, and garments, shoes, hair and faces.

Everything is a colour and a thickness per vertex, placed by where the vertex lies on the T-pose.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.sparse import csr_array, dia_array

from models.body.model import REGIONS, BodyModel
from models.types import COCO_KEYPOINTS, SMPL_JOINTS, BodyLook, Role

# sRGB. Skin from light to dark; hair; colours of everyday clothes; uniforms (tunic, trousers, trim).
_SKIN = np.array([[240, 208, 188], [226, 184, 158], [204, 160, 128], [168, 122, 90], [124, 84, 60], [84, 56, 42]])
_HAIR = np.array([[38, 28, 24], [70, 48, 34], [110, 76, 48], [168, 130, 82], [96, 44, 28], [24, 22, 24]])
_GREY = np.array([[205, 203, 198], [232, 230, 226], [168, 166, 164], [186, 180, 170]])
_CLOTH = np.array([
    [178, 64, 62], [122, 44, 60], [196, 122, 70], [214, 178, 108], [96, 120, 76], [58, 92, 74], [74, 122, 132],
    [70, 104, 152], [44, 58, 98], [132, 112, 158], [196, 156, 170], [222, 214, 200], [240, 238, 232], [150, 148, 144],
    [92, 90, 92], [120, 92, 70], [168, 196, 204], [206, 200, 226],
])  # fmt: skip
_TROUSERS = np.array([
    [46, 52, 68], [58, 74, 106], [92, 86, 78], [60, 56, 54], [128, 116, 98], [36, 36, 40], [104, 108, 114],
    [156, 142, 118],
])  # fmt: skip
_UNIFORMS = (
    ((236, 238, 240), (60, 74, 104), (80, 130, 180)),
    ((116, 164, 206), (40, 48, 74), (240, 240, 240)),
    ((38, 54, 100), (38, 44, 66), (236, 236, 236)),
    ((60, 140, 140), (44, 52, 60), (236, 240, 240)),
    ((124, 40, 66), (44, 40, 46), (236, 232, 234)),
    ((148, 128, 178), (240, 240, 242), (250, 250, 250)),
)
_SHOES = np.array([[36, 34, 34], [70, 48, 36], [110, 40, 44], [84, 86, 96], [40, 50, 80], [150, 130, 106]])
_CARER_SHOES = np.array([[240, 240, 240], [40, 40, 42], [228, 230, 236]])

_EDGE = 0.02
"""Width over which a garment's edge fades, metres: about the distance between vertices of the trunk."""
_OUTSIDE = -1.0


class Figure:
    """What clothes need to know of a body in its T-pose: places along limbs, and the mesh's neighbourhoods."""

    def __init__(self, body: BodyModel):
        self.position = body.v_template.numpy().astype(np.float64)
        self.faces = body.faces
        self.regions = body.regions
        self.vertices = len(self.position)
        self.joint = dict(zip(SMPL_JOINTS, body.J_template.numpy().astype(np.float64), strict=True))
        i, j = np.concatenate([self.faces[:, [0, 1]], self.faces[:, [1, 2]], self.faces[:, [2, 0]]]).T
        shape = (self.vertices, self.vertices)
        adjacency = csr_array((np.ones(2 * len(i), dtype=np.float32), (np.r_[i, j], np.r_[j, i])), shape=shape)
        adjacency.data[:] = 1.0
        count = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1.0)
        self.neighbours = csr_array(dia_array((1.0 / count[None], 0), shape=shape) @ adjacency, dtype=np.float32)
        ones = np.ones(self.faces.size, dtype=np.float32)
        rows, columns = self.faces.ravel(), np.repeat(np.arange(len(self.faces)), 3)
        self.normal_sums = csr_array((ones, (rows, columns)), shape=(self.vertices, len(self.faces)))
        x, y, _ = self.position.T
        shoulder, wrist = abs(self.joint["left_shoulder"][0]), abs(self.joint["left_wrist"][0])
        self.arm = (np.abs(x) - shoulder) / (wrist - shoulder)
        """0 at the shoulder, 1 at the wrist."""
        hip, ankle = self.joint["left_hip"][1], self.joint["left_ankle"][1]
        self.leg = (hip - y) / (hip - ankle)
        """0 at the hip, 1 at the ankle."""
        a, b, c = (self.position[self.faces[:, corner]] for corner in range(3))
        normals = self.normal_sums @ np.cross(b - a, c - a)
        self.normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        rest = [torch.zeros(size) for size in (10, 3, 69, 3)]
        self.landmark = dict(zip(COCO_KEYPOINTS, body.posed(*rest).keypoints.numpy().astype(np.float64), strict=True))

    def region(self, *names: str) -> Bool[np.ndarray, "vertex"]:
        """Mark the vertices of body regions, by their names."""
        return np.isin(self.regions, [REGIONS.index(name) for name in names])

    def along_and_around(self) -> tuple[Float[np.ndarray, "vertex"], Float[np.ndarray, "vertex"]]:
        """Return pattern coordinates, metres: along the body or limb, and around it."""
        x, y, z = self.position.T
        arms = self.region("upper_arm", "forearm", "hand")
        axis = np.where(arms, self.joint["left_elbow"][1], 0.0)
        axis_x = np.where(self.region("thigh", "shin", "foot"), np.sign(x) * self.joint["left_knee"][0], 0.0)
        around = np.where(arms, 0.05 * np.arctan2(z, y - axis), 0.14 * np.arctan2(x - axis_x, z))
        return np.where(arms, np.abs(x), y), around

    def blurred(self, values: Float[np.ndarray, "vertex"], rounds: int) -> Float[np.ndarray, "vertex"]:
        """Blur values over the mesh: each round moves a vertex half way to its neighbours' mean."""
        for _ in range(rounds):
            values = 0.5 * values + 0.5 * (self.neighbours @ values)
        return values

    def noise(self, rng: np.random.Generator, wavelength: float) -> Float[np.ndarray, "vertex"]:
        """Draw a smooth random field over the body, about unit variance."""
        waves = rng.standard_normal((24, 3)) * (2.0 * np.pi / wavelength) / np.sqrt(3.0)
        phase = rng.uniform(0.0, 2.0 * np.pi, 24)
        return np.cos(self.position @ waves.T + phase).sum(axis=1) / np.sqrt(12.0)


class Paint:
    """Clothing under construction: later layers cover earlier ones."""

    def __init__(self, figure: Figure, rng: np.random.Generator):
        self.figure, self.rng = figure, rng
        self.colours = np.zeros((figure.vertices, 3))
        self.offsets = np.zeros(figure.vertices)
        self.cloth = np.zeros(figure.vertices)
        self.hair_colour = np.zeros(3)
        self.shoes = np.zeros(figure.vertices, dtype=bool)

    def layer(
        self,
        inside: Float[np.ndarray, "vertex"],
        colours: Float[np.ndarray, "vertex 3"],
        thickness: Float[np.ndarray, "vertex"] | float,
    ) -> None:
        """Cover a part of the body with cloth, leather or hair.

        `inside` is the distance in metres to the edge, negative outside; the edge is as soft as vertices are apart, so
        that hems are not jagged.
        """
        cover = np.clip(0.5 + inside / _EDGE, 0.0, 1.0)
        self.colours += cover[:, None] * (colours - self.colours)
        self.offsets += cover * (thickness - self.offsets)
        self.cloth = np.maximum(self.cloth, cover)

    def pattern(self, colour: Float[np.ndarray, "3"], kinds: tuple[str, ...]) -> Float[np.ndarray, "vertex 3"]:
        """Draw cloth of a colour: plain, striped across or along, checked, flowered or knitted, with some
        unevenness."""
        rng, figure = self.rng, self.figure
        second = _CLOTH[rng.integers(len(_CLOTH))].astype(np.float64)
        if np.abs(second - colour).sum() < 90.0:
            second = np.clip(colour * 0.6, 0, 255) if colour.mean() > 120 else np.clip(colour * 1.5 + 30.0, 0, 255)
        along, around = figure.along_and_around()
        period = rng.uniform(0.06, 0.12)
        across_line = 0.5 + 0.5 * np.cos(2.0 * np.pi * along / period)
        along_line = 0.5 + 0.5 * np.cos(2.0 * np.pi * around / period)
        kind = str(rng.choice(kinds))
        share = np.zeros(figure.vertices)
        if kind == "across":
            share = np.clip(3.0 * across_line - rng.uniform(0.8, 2.0), 0.0, 1.0)
        elif kind == "along":
            share = np.clip(3.0 * along_line - rng.uniform(0.8, 2.0), 0.0, 1.0)
        elif kind == "checks":
            share = 0.5 * (across_line > 0.6) + 0.5 * (along_line > 0.6)
        elif kind == "flowers":
            share = (figure.noise(rng, rng.uniform(0.08, 0.16)) > 1.0).astype(np.float64)
        elif kind == "knit":
            second = 0.75 * colour
            share = np.clip(0.3 + 0.3 * rng.standard_normal(figure.vertices), 0.0, 1.0)
        cloth = colour + share[:, None] * (second - colour)
        return cloth * (1.0 + 0.05 * figure.noise(rng, 0.25) + 0.02 * rng.standard_normal(figure.vertices))[:, None]


def clothe(paint: Paint, look: BodyLook, role: Role) -> None:
    """Paint skin, face, clothes, shoes and hair, everything random drawn from the paint's generator."""
    _skin_and_face(paint, look)
    if role == "carer":
        _uniform(paint)
    else:
        shares = [0.66, 0.12, 0.12, 0.1] if role == "resident" else [0.88, 0.12, 0.0, 0.0]
        style = str(paint.rng.choice(["day", "skirt", "pyjamas", "gown"], p=shares))
        {"day": _day_clothes, "skirt": _skirt, "pyjamas": _pyjamas, "gown": _gown}[style](paint)
    _shoes(paint, role)
    _hair(paint, look)


def _choice(rng: np.random.Generator, palette: np.ndarray, spread: float = 10.0) -> Float[np.ndarray, "3"]:
    """A colour of a palette, varied in brightness and a little in hue."""
    varied = palette[rng.integers(len(palette))] + rng.normal(0.0, spread) + rng.normal(0.0, 0.2 * spread, 3)
    return np.clip(varied, 8.0, 250.0)


def _top(
    paint: Paint,
    colours: Float[np.ndarray, "vertex 3"],
    sleeve: float,
    hem: float,
    neck: float,
    v_neck: float,
    thickness: float,
) -> None:
    """A garment of the upper body: sleeves end at `sleeve` of the arm, the hem at `hem` of the leg (negative: above the
    hip), the neckline `neck` metres below the neck, deeper in front by a V of slope `v_neck`."""
    figure = paint.figure
    x, y, z = figure.position.T
    limb = abs(figure.joint["left_wrist"][0] - figure.joint["left_shoulder"][0])
    leg = figure.joint["left_hip"][1] - figure.joint["left_ankle"][1]
    throat = figure.joint["neck"]
    deep = v_neck * np.maximum(np.abs(x) - 0.085, -0.085)
    shallow = np.maximum(0.0, 0.05 - 0.3 * np.abs(x))
    line = throat[1] - neck + np.where(z > throat[2] - 0.02, deep, shallow)
    below_neck = np.where(np.abs(x) < 0.12, line - y, np.inf)
    trunk = figure.region("torso", "hips", "thigh", "head")
    arms = figure.region("upper_arm", "forearm", "hand")
    inside = np.full(figure.vertices, _OUTSIDE)
    inside[trunk] = np.minimum((hem - figure.leg) * leg, below_neck)[trunk]
    inside[arms] = np.minimum((sleeve - figure.arm) * limb, below_neck)[arms]
    looser = thickness + 0.006 * np.clip((figure.arm - 0.15) / 0.5, 0.0, 1.0) * arms
    paint.layer(inside, colours, looser + 0.02 * np.clip(figure.leg + 0.25, 0.0, 0.5) * trunk)


def _trousers(
    paint: Paint,
    colours: Float[np.ndarray, "vertex 3"],
    length: float,
    waist: float,
    thickness: Float[np.ndarray, "vertex"] | float,
) -> None:
    """Legs covered to `length` of the leg, up to `waist` metres above the hip joints."""
    figure = paint.figure
    legs = figure.region("hips", "thigh", "shin", "torso", "foot")
    scale = figure.joint["left_hip"][1] - figure.joint["left_ankle"][1]
    inside = np.minimum(waist + figure.leg * scale, (length - figure.leg) * scale)
    flare = thickness + 0.012 * np.clip(figure.leg - 0.3, 0.0, 0.6)
    paint.layer(np.where(legs, inside, _OUTSIDE), colours, flare)


def _day_clothes(paint: Paint) -> None:
    rng = paint.rng
    plain = ("plain", "plain", "knit")
    _trousers(
        paint, paint.pattern(_choice(rng, _TROUSERS), plain), rng.uniform(0.9, 1.02), 0.13, rng.uniform(0.006, 0.014)
    )
    colour = _choice(rng, _CLOTH)
    kind = rng.choice(["shirt", "tee", "jumper", "cardigan"])
    hem = rng.uniform(-0.05, 0.14)
    everything = ("plain", "across", "along", "checks", "flowers", "knit")
    if kind == "tee":
        _top(
            paint, paint.pattern(colour, ("plain", "across", "flowers")), rng.uniform(0.25, 0.5), hem, 0.02, 0.2, 0.007
        )
    elif kind == "jumper":
        _top(paint, paint.pattern(colour, ("knit", "across", "plain")), rng.uniform(0.92, 1.02), hem, 0.0, 0.1, 0.014)
    else:
        shirt = paint.pattern(colour, everything)
        _top(paint, shirt, rng.uniform(0.3, 1.0), hem, 0.0, rng.uniform(0.2, 1.0), 0.008)
        x, _, z = paint.figure.position.T
        front = z > paint.figure.joint["spine2"][2]
        if kind == "cardigan":
            before = paint.colours.copy()
            _top(
                paint,
                paint.pattern(_choice(rng, _CLOTH), ("knit", "plain")),
                rng.uniform(0.92, 1.02),
                hem + 0.04,
                0.0,
                0.6,
                0.015,
            )
            opening = front & (np.abs(x) < rng.uniform(0.03, 0.06)) & paint.figure.region("torso", "hips")
            paint.colours[opening] = before[opening]
        else:
            placket = front & (np.abs(x) < 0.012) & paint.figure.region("torso", "hips") & (paint.cloth > 0)
            paint.colours[placket] *= 0.8


def _uniform(paint: Paint) -> None:
    rng = paint.rng
    tunic, trousers, trim = (np.array(colour, dtype=np.float64) for colour in _UNIFORMS[rng.integers(len(_UNIFORMS))])
    _trousers(paint, paint.pattern(trousers, ("plain",)), 1.02, 0.13, 0.011)
    sleeve, hem = rng.uniform(0.3, 0.45), rng.uniform(0.1, 0.22)
    cloth = paint.pattern(tunic, ("plain",))
    figure = paint.figure
    x, _, z = figure.position.T
    edge = figure.region("upper_arm", "forearm") & (figure.arm > sleeve - 0.07)
    edge |= (z > figure.joint["spine2"][2]) & (np.abs(x) < 0.012)
    cloth[edge] = trim
    _top(paint, cloth, sleeve, hem, 0.03, 0.9, 0.011)


def _pyjamas(paint: Paint) -> None:
    cloth = paint.pattern(_choice(paint.rng, _CLOTH), ("along", "checks", "flowers", "across", "plain"))
    _trousers(paint, cloth, paint.rng.uniform(0.85, 1.0), 0.13, 0.013)
    _top(paint, cloth, paint.rng.uniform(0.5, 1.0), 0.12, 0.01, 0.6, 0.013)


def _gown(paint: Paint) -> None:
    rng = paint.rng
    cloth = paint.pattern(_choice(rng, _CLOTH), ("plain", "flowers", "flowers", "along", "checks"))
    _drape(paint, cloth, rng.uniform(0.45, 0.8))
    _top(paint, cloth, rng.uniform(0.3, 0.95), 0.05, 0.02, 0.5, 0.014)


def _skirt(paint: Paint) -> None:
    rng = paint.rng
    _drape(
        paint,
        paint.pattern(_choice(rng, np.concatenate([_CLOTH, _TROUSERS])), ("plain", "checks", "flowers")),
        rng.uniform(0.4, 0.75),
    )
    blouse = paint.pattern(_choice(rng, _CLOTH), ("plain", "flowers", "knit", "across"))
    _top(paint, blouse, rng.uniform(0.3, 1.0), rng.uniform(-0.1, 0.1), 0.01, rng.uniform(0.1, 0.7), 0.01)


def _drape(paint: Paint, colours: Float[np.ndarray, "vertex 3"], length: float) -> None:
    """Cloth around both legs: as wide as closes the gap between them when the person stands."""
    figure = paint.figure
    _trousers(paint, colours, length, 0.13, 0.012 + 0.05 * np.clip(figure.leg + 0.05, 0.0, 0.7))


def _shoes(paint: Paint, role: Role) -> None:
    rng, figure = paint.rng, paint.figure
    foot = figure.region("foot")
    y = figure.position[:, 1]
    floor = y.min()
    bare_leg = paint.cloth < 0.5
    if rng.random() < 0.7:
        sock = np.broadcast_to(
            _choice(rng, np.array([[40, 40, 46], [225, 222, 215], [120, 110, 104], [60, 66, 90]])), (len(y), 3)
        )
        covered = (foot | figure.region("shin")) & bare_leg
        paint.layer(np.where(covered, 0.8 * (figure.leg - rng.uniform(0.7, 0.95)), _OUTSIDE), sock, 0.002)
    colour = _choice(rng, _CARER_SHOES if role == "carer" else _SHOES, 6.0)
    upper = np.broadcast_to(colour, (len(y), 3)) * (1.0 - 0.35 * (y < floor + 0.02))[:, None]
    ankle = figure.joint["left_ankle"][1]
    paint.shoes = foot & (y < ankle)
    paint.layer(np.where(foot, floor + rng.uniform(0.7, 0.95) * (ankle - floor) - y, _OUTSIDE), upper, 0.0)


def _skin_and_face(paint: Paint, look: BodyLook) -> None:
    rng, figure = paint.rng, paint.figure
    tone = rng.beta(1.2, 2.2) * (len(_SKIN) - 1)
    skin = np.array([np.interp(tone, np.arange(len(_SKIN)), _SKIN[:, channel]) for channel in range(3)])
    skin = skin + rng.normal(0.0, 5.0) + rng.normal(0.0, 2.0, 3)
    uneven = 1.0 + (0.02 + 0.0004 * look.age) * figure.noise(rng, 0.07)
    paint.colours[:] = skin * uneven[:, None]
    x, y, z = figure.position.T
    head = figure.region("head", "hair")
    nose, eyes = figure.landmark["nose"], (figure.landmark["left_eye"], figure.landmark["right_eye"])
    front = head & (z > figure.landmark["left_ear"][2] + 0.02)
    flush = np.array([1.0, 0.86, 0.84])
    for centre, radius in ((nose, 0.02), (nose + [0.04, -0.01, -0.02], 0.03), (nose + [-0.04, -0.01, -0.02], 0.03)):
        near = np.exp(-np.sum((figure.position - centre) ** 2, axis=1) / radius**2)
        paint.colours *= 1.0 + (0.8 * near * front)[:, None] * (flush - 1.0)
    lips = front & (np.abs(y - nose[1] + 0.039) < 0.008) & (np.abs(x) < 0.024)
    paint.colours[lips] = paint.colours[lips] * [0.82, 0.62, 0.62]
    hair = _hair_colour(rng, look)
    paint.hair_colour = hair
    iris = np.array([[70, 52, 40], [60, 84, 110], [74, 92, 70]])[rng.integers(3)]
    glasses = rng.random() < np.clip((look.age - 30.0) / 80.0, 0.05, 0.6)
    for eye in eyes:
        across = np.hypot(x - eye[0], y - eye[1])
        ball = head & (np.sum((figure.position - eye) ** 2, axis=1) < 0.0165**2)
        open_lids = ball & (np.abs(y - eye[1]) < 0.006) & (np.abs(x - eye[0]) < 0.014)
        paint.colours[open_lids] = 225.0
        paint.colours[open_lids & (across < 0.006)] = iris
        paint.colours[open_lids & (across < 0.0025)] = 20.0
        brow = front & (np.abs(y - eye[1] - 0.021) < 0.0045) & (np.abs(x - eye[0]) < 0.021)
        paint.colours[brow] = 0.35 * paint.colours[brow] + 0.65 * np.minimum(hair, skin * 0.95)
        if glasses:
            frame = front & (np.abs(across - 0.024) < 0.003)
            paint.colours[frame] = 40.0


def _hair_colour(rng: np.random.Generator, look: BodyLook) -> Float[np.ndarray, "3"]:
    """Grey or white for most from sixty on."""
    if rng.random() < np.clip((look.age - 40.0) / 30.0, 0.0, 0.96):
        return _choice(rng, _GREY, 5.0)
    return _choice(rng, _HAIR, 8.0)


def _hair(paint: Paint, look: BodyLook) -> None:
    rng, figure = paint.rng, paint.figure
    x, y, z = figure.position.T
    scalp = figure.region("hair")
    bald = 0.15 if look.age > 50.0 else 0.03
    style = str(rng.choice(["short", "full", "long", "bald"], p=[0.57 - bald, 0.3, 0.13, bald]))
    crown = figure.position[scalp][:, 1].max()
    ears = figure.landmark["left_ear"]
    if style == "bald":
        scalp = scalp & (y < ears[1] + 0.05)
    if style == "long":
        scalp = scalp | (
            figure.region("head", "torso")
            & (z < ears[2] - 0.02)
            & (y > figure.joint["neck"][1] - 0.06)
            & (np.abs(x) < 0.1)
        )
    depth = {"short": 0.007, "full": 0.02, "long": 0.016, "bald": 0.004}[style] * rng.uniform(0.8, 1.3)
    inner = figure.blurred(scalp.astype(np.float64), 8)
    volume = depth * np.clip(2.0 * inner - 0.8, 0.15, 1.0) * (1.0 + 0.3 * (y - ears[1]) / (crown - ears[1]))
    strands = 1.0 + 0.1 * figure.noise(rng, 0.02) + 0.05 * rng.standard_normal(figure.vertices)
    paint.layer(0.03 * (inner - 0.4), paint.hair_colour * strands[:, None], np.maximum(volume, 0.0))
