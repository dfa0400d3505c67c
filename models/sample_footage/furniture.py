"""Furniture of sample rooms: bed, chair, armchair, sofa, table, wardrobe and smaller things, from random sizes.

Every piece is built in its own frame, metres: the floor at z = 0, the wall behind it at x = 0, +x out into the room,
origin in the middle of its back. `moved` brings it to a room.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from models.animation.support import Support
from models.geometry.transforms import apply
from models.rendering.gl_scene import Surface
from models.rendering.primitives import box, cushion, cylinder
from models.sample_footage.textures import CLOTHS, cloth, furniture_wood, painting, pastel, wood_colour


@dataclass(frozen=True)
class Piece:
    """One piece of furniture."""

    label: str
    surfaces: tuple[Surface, ...]
    size_m: tuple[float, float]
    """Depth (x, out of the wall) and width (y) of what it covers of the floor."""
    supports: tuple[Support, ...] = ()
    height_m: float = 0.0
    """Of its highest part: windows and pictures hang clear above."""


def moved(piece: Piece, T: Float[np.ndarray, "4 4"]) -> Piece:
    """Return the piece under a rigid transform that keeps z up."""
    return replace(
        piece,
        surfaces=tuple(replace(surface, vertices=apply(T, surface.vertices)) for surface in piece.surfaces),
        supports=tuple(moved_support(support, T) for support in piece.supports),
    )


def moved_support(support: Support, T: Float[np.ndarray, "4 4"]) -> Support:
    """Return the support under a rigid transform that keeps z up."""
    R, t = T[:2, :2], T[:2, 3]
    return replace(
        support,
        outline=support.outline @ R.T + t,
        centre=R @ support.centre + t,
        facing=R @ support.facing,
        head=R @ support.head,
    )


def _rectangle(x0: float, x1: float, half_width: float) -> np.ndarray:
    return np.array([[x0, -half_width], [x1, -half_width], [x1, half_width], [x0, half_width]])


def _seat(label: str, height: float, x0: float, x1: float, half_width: float, sit_x: float) -> Support:
    return Support(
        label, height, _rectangle(x0, x1, half_width), np.array([sit_x, 0.0]), np.array([1.0, 0.0]), np.zeros(2)
    )


def _legs(label: str, x0: float, x1: float, half: float, top: float, thick: float, **more) -> list[Surface]:
    return [
        box(label, (x - thick, y - thick, 0.0), (x + thick, y + thick, top), **more)
        for x in (x0 + thick, x1 - thick)
        for y in (-half + thick, half - thick)
    ]


def bed(rng: np.random.Generator) -> Piece:
    """Build a single bed, head at the wall; some with a raised care frame and side rails."""
    length, half, top = rng.uniform(1.95, 2.1), rng.uniform(0.45, 0.6), rng.uniform(0.42, 0.62)
    colour = wood_colour(rng)
    board = furniture_wood(rng, colour)
    head, foot = top + rng.uniform(0.25, 0.5), top + rng.uniform(-0.05, 0.2)
    blanket_from = rng.uniform(0.55, 0.85)
    surfaces = [
        box("bed", (0.0, -half, 0.08), (0.05, half, head), board),
        box("bed", (length - 0.04, -half, 0.08), (length, half, foot), board),
        box("bed", (0.05, -half, 0.18), (length - 0.04, half, top - 0.16), board),
        cushion("bed", (0.05, -half, top - 0.2), (length - 0.04, half, top), hardness=14.0, colour=(0.9, 0.9, 0.88)),
        cushion(
            "bed",
            (blanket_from, -half - 0.02, top - rng.uniform(0.22, 0.38)),
            (length - 0.03, half + 0.02, top + rng.uniform(0.02, 0.05)),
            cloth(str(rng.choice(CLOTHS)), rng),
            hardness=11.0,
        ),
        cushion(
            "bed",
            (0.07, -0.34, top - 0.03),
            (0.48, 0.34, top + 0.1),
            hardness=3.0,
            colour=tuple(pastel(rng, (0.85, 1.0), (0.0, 0.2))),
        ),
        *_legs("bed", 0.02, length - 0.02, half - 0.02, 0.2, 0.035, colour=tuple(colour)),
    ]
    if rng.uniform() < 0.3:
        for y in (-half, half):
            surfaces.append(
                box("bed", (0.35, y - 0.015, top + 0.22), (1.1, y + 0.015, top + 0.25), colour=(0.75, 0.75, 0.77))
            )
            for x in (0.4, 0.7, 1.02):
                surfaces.append(
                    box("bed", (x, y - 0.01, top - 0.2), (x + 0.02, y + 0.01, top + 0.23), colour=(0.75, 0.75, 0.77))
                )
    support = Support(
        "bed",
        top,
        _rectangle(0.05, length - 0.04, half),
        np.array([length * 0.5, 0.0]),
        np.array([0.0, 1.0]),
        np.array([-1.0, 0.0]),
    )
    return Piece("bed", tuple(surfaces), (length, 2.0 * half), (support,), head)


def chair(rng: np.random.Generator) -> Piece:
    """Build an upright chair."""
    half, seat, depth = rng.uniform(0.2, 0.24), rng.uniform(0.43, 0.48), rng.uniform(0.42, 0.48)
    back = seat + rng.uniform(0.38, 0.5)
    colour = tuple(wood_colour(rng) if rng.uniform() < 0.7 else pastel(rng, (0.2, 0.9), (0.0, 0.6)))
    surfaces = [
        *_legs("chair", 0.03, 0.03 + depth, half, seat - 0.03, 0.02, colour=colour),
        cushion(
            "chair",
            (0.02, -half, seat - 0.06),
            (0.04 + depth, half, seat),
            cloth(str(rng.choice(CLOTHS)), rng),
            hardness=8.0,
        ),
        box("chair", (0.0, -half, back - rng.uniform(0.15, 0.3)), (0.035, half, back), colour=colour),
        *[
            box("chair", (0.0, y - 0.018, seat - 0.05), (0.035, y + 0.018, back), colour=colour)
            for y in (-half + 0.018, half - 0.018)
        ],
    ]
    return Piece(
        "chair", tuple(surfaces), (0.05 + depth, 2 * half), (_seat("chair", seat, 0.04, 0.04 + depth, half, 0.2),), back
    )


def armchair(rng: np.random.Generator) -> Piece:
    """Build an upholstered chair with arms."""
    return _upholstered(rng, "chair", rng.uniform(0.25, 0.3))


def sofa(rng: np.random.Generator) -> Piece:
    """Build a sofa for two."""
    return _upholstered(rng, "sofa", rng.uniform(0.55, 0.8))


def _upholstered(rng: np.random.Generator, label: str, half: float) -> Piece:
    seat, back, arm = rng.uniform(0.42, 0.48), rng.uniform(0.85, 1.1), rng.uniform(0.1, 0.16)
    depth = rng.uniform(0.72, 0.82)
    cover = cloth(str(rng.choice(CLOTHS, p=[0.6, 0.1, 0.15, 0.15])), rng)
    surfaces = [
        box(label, (0.08, -half - arm + 0.03, 0.07), (depth - 0.04, half + arm - 0.03, seat - 0.12), cover, 0.6),
        cushion(label, (0.0, -half - arm + 0.02, 0.1), (0.24, half + arm - 0.02, back), cover, hardness=7.0),
        cushion(label, (0.16, -half, seat - 0.16), (depth, half, seat), cover, hardness=8.0),
        *[
            cushion(
                label,
                (0.03, y - arm / 2 - 0.01, 0.08),
                (depth - 0.05, y + arm / 2 + 0.01, seat + 0.2),
                cover,
                hardness=7.0,
            )
            for y in (-half - arm / 2, half + arm / 2)
        ],
        *_legs(label, 0.08, depth - 0.06, half + arm - 0.05, 0.1, 0.025, colour=(0.2, 0.15, 0.1)),
    ]
    return Piece(label, tuple(surfaces), (depth, 2 * (half + arm)), (_seat(label, seat, 0.22, depth, half, 0.4),), back)


def table(rng: np.random.Generator) -> Piece:
    """Build a four-legged table with something on it."""
    depth, half, top = rng.uniform(0.6, 0.85), rng.uniform(0.4, 0.65), rng.uniform(0.7, 0.76)
    colour = wood_colour(rng)
    surfaces = [
        box("table", (0.02, -half, top - 0.035), (0.02 + depth, half, top), furniture_wood(rng, colour)),
        *_legs("table", 0.06, depth - 0.02, half - 0.04, top - 0.035, 0.03, colour=tuple(colour * 0.9)),
        *_small_things(rng, depth, half, top),
    ]
    return Piece("table", tuple(surfaces), (depth + 0.02, 2 * half), (), top + 0.3)


def _small_things(rng: np.random.Generator, depth: float, half: float, top: float) -> list[Surface]:
    things = []
    for _ in range(int(rng.integers(0, 4))):
        x, y = rng.uniform(0.12, depth - 0.1), rng.uniform(-half + 0.1, half - 0.1)
        colour = tuple(pastel(rng, (0.3, 0.95), (0.1, 0.8)))
        if rng.uniform() < 0.5:
            radius = rng.uniform(0.03, 0.06)
            things.append(
                cylinder(
                    "other", (x, y), radius, top, top + rng.uniform(0.08, 0.25), rng.uniform(0.6, 1.2), colour=colour
                )
            )
        else:
            side = rng.uniform(0.05, 0.1)
            things.append(
                box(
                    "other",
                    (x - side, y - side, top),
                    (x + side, y + side, top + rng.uniform(0.02, 0.12)),
                    colour=colour,
                )
            )
    return things


def bedside(rng: np.random.Generator) -> Piece:
    """Build a bedside cabinet, perhaps with a lamp."""
    side, half, top = rng.uniform(0.35, 0.42), rng.uniform(0.2, 0.24), rng.uniform(0.5, 0.65)
    colour = wood_colour(rng)
    board = furniture_wood(rng, colour)
    surfaces = [box("table", (0.0, -half, 0.03), (side, half, top), board)]
    surfaces += [
        box("table", (side, -half + 0.02, z), (side + 0.012, half - 0.02, z + 0.16), board, colour=(0.9, 0.9, 0.9))
        for z in (0.08, 0.28)
    ]
    if rng.uniform() < 0.6:
        shade = tuple(pastel(rng, (0.8, 1.0), (0.05, 0.3)))
        surfaces.append(cylinder("other", (side / 2, 0.0), 0.05, top, top + 0.2, 0.5, colour=(0.5, 0.45, 0.4)))
        surfaces.append(
            cylinder(
                "other", (side / 2, 0.0), 0.14, top + 0.2, top + 0.4, 0.7, colour=shade, glow=rng.uniform(0.0, 0.9)
            )
        )
    return Piece("table", tuple(surfaces), (side + 0.012, 2 * half), (), top + 0.4)


def wardrobe(rng: np.random.Generator) -> Piece:
    """Build a tall cupboard with doors and handles."""
    depth, half, top = rng.uniform(0.5, 0.62), rng.uniform(0.4, 0.8), rng.uniform(1.7, 2.1)
    colour = wood_colour(rng) if rng.uniform() < 0.75 else pastel(rng, (0.75, 0.95), (0.0, 0.1))
    board = furniture_wood(rng, colour)
    surfaces = [box("wardrobe", (0.0, -half, 0.0), (depth, half, top), board)]
    doors = 2 if half < 0.6 else 3
    width = 2 * half / doors
    for door in range(doors):
        y0 = -half + door * width
        surfaces.append(
            box(
                "wardrobe",
                (depth, y0 + 0.008, 0.07),
                (depth + 0.02, y0 + width - 0.008, top - 0.03),
                board,
                colour=(0.94, 0.94, 0.94),
            )
        )
        handle = y0 + (width - 0.06 if door % 2 == 0 else 0.06)
        surfaces.append(
            box(
                "wardrobe",
                (depth + 0.02, handle - 0.008, 0.95),
                (depth + 0.045, handle + 0.008, 1.1),
                colour=(0.6, 0.6, 0.6),
            )
        )
    return Piece("wardrobe", tuple(surfaces), (depth + 0.045, 2 * half), (), top)


def drawers(rng: np.random.Generator) -> Piece:
    """Build a chest of drawers, perhaps with a television."""
    depth, half, top = rng.uniform(0.4, 0.5), rng.uniform(0.4, 0.6), rng.uniform(0.75, 1.0)
    colour = wood_colour(rng)
    board = furniture_wood(rng, colour)
    surfaces = [box("wardrobe", (0.0, -half, 0.05), (depth, half, top), board)]
    count = int(rng.integers(3, 5))
    step = (top - 0.08) / count
    for drawer in range(count):
        z = 0.07 + drawer * step
        surfaces.append(
            box(
                "wardrobe",
                (depth, -half + 0.015, z),
                (depth + 0.018, half - 0.015, z + step - 0.02),
                board,
                colour=(0.92, 0.92, 0.92),
            )
        )
        for y in (-half / 2, half / 2):
            surfaces.append(
                cylinder(
                    "wardrobe",
                    (depth + 0.03, y),
                    0.015,
                    z + step / 2 - 0.02,
                    z + step / 2 + 0.01,
                    colour=(0.55, 0.5, 0.4),
                )
            )
    if rng.uniform() < 0.6:
        surfaces.append(box("other", (0.15, -0.35, top + 0.06), (0.19, 0.35, top + 0.48), colour=(0.06, 0.06, 0.07)))
        surfaces.append(box("other", (0.1, -0.15, top), (0.25, 0.15, top + 0.06), colour=(0.08, 0.08, 0.08)))
    return Piece("wardrobe", tuple(surfaces), (depth + 0.045, 2 * half), (), top + 0.5)


def plant(rng: np.random.Generator) -> Piece:
    """Build a pot with leaves."""
    radius, top = rng.uniform(0.12, 0.18), rng.uniform(0.25, 0.35)
    pot = cylinder(
        "other", (radius + 0.1, 0.0), radius * 0.8, 0.0, top, 1.25, colour=tuple(pastel(rng, (0.4, 0.8), (0.2, 0.6)))
    )
    leaves = []
    for _ in range(int(rng.integers(6, 12))):
        angle, reach, up = rng.uniform(0.0, 2 * np.pi), rng.uniform(0.1, 0.24), rng.uniform(0.2, 0.6)
        tip = np.array([radius + 0.1 + reach * np.cos(angle), reach * np.sin(angle), top + up])
        green = tuple(np.array([0.2, 0.42, 0.18]) * rng.uniform(0.7, 1.3))
        leaves.append(
            cushion("other", tuple(tip - [0.07, 0.07, 0.1]), tuple(tip + [0.07, 0.07, 0.1]), hardness=2.0, colour=green)
        )
    side = 2 * radius + 0.2
    return Piece("other", (pot, *leaves), (side, side), (), top + 0.7)


def floor_lamp(rng: np.random.Generator) -> Piece:
    """Build a standing lamp."""
    top = rng.uniform(1.4, 1.65)
    surfaces = (
        cylinder("other", (0.2, 0.0), 0.14, 0.0, 0.025, colour=(0.25, 0.25, 0.25)),
        cylinder("other", (0.2, 0.0), 0.012, 0.025, top, colour=(0.3, 0.3, 0.3)),
        cylinder(
            "other",
            (0.2, 0.0),
            0.2,
            top - 0.12,
            top + 0.15,
            0.65,
            colour=tuple(pastel(rng, (0.85, 1.0), (0.05, 0.3))),
            glow=rng.uniform(0.3, 1.0),
        ),
    )
    return Piece("other", surfaces, (0.4, 0.36), (), top + 0.15)


def walker(rng: np.random.Generator) -> Piece:
    """Build a walking frame."""
    metal = (0.7, 0.7, 0.72)
    surfaces = []
    for y in (-0.25, 0.25):
        for x in (0.05, 0.45):
            surfaces.append(cylinder("other", (x, y), 0.013, 0.0, 0.85, colour=metal))
        surfaces.append(box("other", (0.04, y - 0.015, 0.84), (0.46, y + 0.015, 0.87), colour=(0.2, 0.2, 0.2)))
    surfaces.append(box("other", (0.04, -0.25, 0.45), (0.065, 0.25, 0.47), colour=metal))
    return Piece("other", tuple(surfaces), (0.5, 0.55), (), 0.9)


def picture(rng: np.random.Generator) -> Piece:
    """Build a framed picture, its lower edge at the height 0 of its own frame."""
    half, high = rng.uniform(0.15, 0.4), rng.uniform(0.3, 0.6)
    frame = tuple(wood_colour(rng) * rng.uniform(0.3, 1.2))
    surfaces = (
        box("other", (0.0, -half, 0.0), (0.02, half, high), colour=frame),
        box("other", (0.02, -half + 0.03, 0.03), (0.024, half - 0.03, high - 0.03), painting(rng)),
    )
    return Piece("other", surfaces, (0.024, 2 * half), (), high)


FURNITURE: dict[str, Callable[[np.random.Generator], Piece]] = {
    "bed": bed,
    "wardrobe": wardrobe,
    "table": table,
    "chair": chair,
    "armchair": armchair,
    "sofa": sofa,
    "bedside": bedside,
    "drawers": drawers,
    "plant": plant,
    "floor_lamp": floor_lamp,
    "walker": walker,
}
