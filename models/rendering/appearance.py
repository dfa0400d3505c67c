"""How a body looks: clothes, shoes, hair, skin and face as colours and small displacements of its vertices.

In: a body and a `BodyLook` (seed, age) with a role. Out: `Clothing`, which turns bare skinned vertices into clothed
ones. All patterns live on the T-pose, so they move with the body. Nothing here is geometry of its own: cloth is the
skin, smoothed and pushed out along its normals.
"""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import csr_array, dia_array
from scipy.spatial import ConvexHull

from models.body.model import BodyModel
from models.rendering.clothing import Figure, Paint, clothe
from models.types import BodyLook, Role

_SMOOTHING_ROUNDS = 14
_SINK = 0.15
"""Cloth spans hollows: each round moves a vertex towards its neighbours' mean, but inwards only by this share of the
way, so that limbs do not get thin."""


@dataclass(frozen=True)
class Clothing:
    """A clothed body's mesh: what the renderer draws."""

    faces: Int[np.ndarray, "face 3"]
    colours: UInt8[np.ndarray, "vertex 3"]
    """sRGB of each vertex, unlit."""
    offsets: Float[np.ndarray, "vertex"]
    """Displacement of each vertex along its normal, metres."""
    cloth: Float[np.ndarray, "vertex"]
    """1 where cloth, a shoe or hair hides the shape underneath, 0 on bare skin."""
    _shoes: tuple[Int[np.ndarray, "shod"], csr_array] = field(repr=False)
    _smoother: tuple[Int[np.ndarray, "moved"], Int[np.ndarray, "used"], csr_array] = field(repr=False)
    _faces: Int[np.ndarray, "3 touched"] = field(repr=False)
    """Corners of the faces whose normals are needed."""
    _normals: csr_array = field(repr=False)

    def apply(self, vertices: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "vertex 3"]:
        """Return clothed vertices from the skinned bare ones, in any frame, metres, float32."""
        moved = np.array(vertices, dtype=np.float32)
        members, hull = self._shoes
        moved[members] = hull @ moved
        members, used, towards_mean = self._smoother
        local, normals = moved[used], self._unit_normals(moved)[members]
        for _ in range(_SMOOTHING_ROUNDS):
            step = 0.7 * (towards_mean @ local)
            inwards = np.minimum(np.einsum("vi,vi->v", step, normals), 0.0)
            local[: len(members)] += step - ((1.0 - _SINK) * inwards)[:, None] * normals
        moved[members] = local[: len(members)]
        return moved + self._unit_normals(moved) * self.offsets[:, None]

    def _unit_normals(self, vertices: Float[np.ndarray, "vertex 3"]) -> Float[np.ndarray, "vertex 3"]:
        """Normals where cloth lies; zero elsewhere."""
        x, y, z = np.ascontiguousarray(vertices.T)[:, self._faces]
        (ax, bx), (ay, by), (az, bz) = (side[1:] - side[0] for side in (x, y, z))
        normals = self._normals @ np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=1)
        return normals / np.maximum(np.sqrt(np.einsum("vi,vi->v", normals, normals)), 1e-12)[:, None]


def dress_body(body: BodyModel, look: BodyLook, role: Role) -> Clothing:
    """Dress a person in clothes, shoes, hair and face; the same body, look and role give the same bytes."""
    rng = np.random.default_rng([look.seed, ("resident", "carer", "visitor", "person").index(role)])
    figure = Figure(body)
    paint = Paint(figure, rng)
    clothe(paint, look, role)
    soles = figure.region("foot") & (figure.normals[:, 1] < -0.5)
    offsets = np.where(soles, 0.0, figure.blurred(paint.offsets, 1) * (paint.cloth > 0)).astype(np.float32)
    touched = (offsets[figure.faces] > 0).any(axis=1)
    return Clothing(
        faces=body.faces,
        colours=np.clip(paint.colours + 0.5, 0, 255).astype(np.uint8),
        offsets=offsets,
        cloth=paint.cloth.astype(np.float32),
        _shoes=_shoe_hull(figure, paint.shoes),
        _smoother=_smoother(figure, paint.cloth * ~figure.region("head", "hair", "hand", "foot")),
        _faces=np.ascontiguousarray(figure.faces[touched].T),
        _normals=figure.normal_sums[:, np.flatnonzero(touched)],
    )


def _smoother(
    figure: Figure, strength: Float[np.ndarray, "vertex"]
) -> tuple[Int[np.ndarray, "moved"], Int[np.ndarray, "used"], csr_array]:
    """The vertices that move, those that are looked at (the moved first), and the way to the neighbours' mean."""
    moved = np.flatnonzero(strength > 0)
    rows = figure.neighbours[moved]
    used = np.concatenate([moved, np.setdiff1d(rows.indices, moved)])
    share = strength[moved]
    here = csr_array((share, (np.arange(len(moved)), np.arange(len(moved)))), shape=(len(moved), len(used)))
    mean = dia_array((share[None], 0), shape=(len(moved), len(moved))) @ rows[:, used]
    return moved, used, csr_array(mean - here, dtype=np.float32)


def _shoe_hull(figure: Figure, shoes: Bool[np.ndarray, "vertex"]) -> tuple[Int[np.ndarray, "shod"], csr_array]:
    """Shoes hide toes: each foot's vertices go out to its convex hull, as fixed mixtures of the hull's corners."""
    moved, rows, columns, values = [], [], [], []
    for sign in (1.0, -1.0):
        members = np.flatnonzero(shoes & (sign * figure.position[:, 0] > 0))
        points = figure.position[members]
        hull = ConvexHull(points)
        heel, toe = np.percentile(points[:, 2], [15, 75])
        middle = points.mean(axis=0) + np.zeros_like(points)
        middle[:, 2] = np.clip(points[:, 2], heel, toe)
        ray = points - middle
        facing = np.maximum(ray @ hull.equations[:, :3].T, 1e-9)
        reach = -(middle @ hull.equations[:, :3].T + hull.equations[:, 3]) / facing
        facet = reach.argmin(axis=1)
        target = middle + ray * reach.min(axis=1)[:, None]
        corners = points[hull.simplices[facet]]
        share = np.einsum("nij,nj->ni", np.linalg.pinv(np.swapaxes(corners, 1, 2)), target)
        share = np.clip(share, 0.0, 1.0)
        rows.append(np.repeat(np.arange(len(members)) + sum(map(len, moved)), 3))
        columns.append(members[hull.simplices[facet]].ravel())
        values.append((share / share.sum(axis=1, keepdims=True)).ravel())
        moved.append(members)
    members = np.concatenate(moved)
    place = (np.concatenate(rows), np.concatenate(columns))
    mixture = csr_array((np.concatenate(values), place), shape=(len(members), figure.vertices), dtype=np.float32)
    return members, mixture
