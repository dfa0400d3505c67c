"""Procedural images of what rooms are covered with: floors, walls, cloth, wood. All sRGB uint8 [rows, columns, 3]."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

FLOORS = ("planks", "lino", "tiles", "carpet")
WALLS = ("plaster", "stripes", "pattern", "two_tone")
CLOTHS = ("plain", "stripes", "checks", "dots")


def noise(
    shape: tuple[int, int], rng: np.random.Generator, cells: tuple[float, ...] = (4.0, 16.0, 64.0)
) -> Float32[np.ndarray, "rows columns"]:
    """Smooth noise about 0 with a deviation near 1: the sum of random grids of so many pixels a cell, each halved."""
    total = np.zeros(shape, dtype=np.float32)
    for octave, cell in enumerate(reversed(cells)):
        grid = (max(2, round(shape[1] / cell)), max(2, round(shape[0] / cell)))
        coarse = rng.standard_normal((grid[1], grid[0]), dtype=np.float32)
        total += cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR) * 0.6**octave
    return total


def to_image(colour: np.ndarray) -> UInt8[np.ndarray, "rows columns 3"]:
    """Round sRGB values in [0, 1] to bytes."""
    return np.clip(colour * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)


def pastel(rng: np.random.Generator, value: tuple[float, float], saturation: tuple[float, float]) -> np.ndarray:
    """Draw a random sRGB colour of a lightness and saturation range: creams, greens, blues more than pinks and
    purples."""
    hue = rng.choice(
        [rng.normal(0.09, 0.03), rng.normal(0.58, 0.05), rng.normal(0.35, 0.07), rng.uniform()],
        p=[0.5, 0.2, 0.15, 0.15],
    )
    s, v = rng.uniform(*saturation), rng.uniform(*value)
    k = (np.array([5.0, 3.0, 1.0]) + (hue % 1.0) * 6.0) % 6.0
    return v - v * s * np.clip(np.minimum(k, 4.0 - k), 0.0, 1.0)


def wood_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw a colour of wood, from pale birch to walnut."""
    pale, dark = np.array([0.80, 0.66, 0.48]), np.array([0.34, 0.22, 0.14])
    return pale + (dark - pale) * rng.uniform(0.0, 1.0) + rng.uniform(-0.03, 0.03, 3)


def wood(
    rows: int, columns: int, colour: np.ndarray, rng: np.random.Generator
) -> Float32[np.ndarray, "rows columns 3"]:
    """Paint grain along the columns, values in [0, 1]."""
    grain = cv2.resize(noise((rows, max(4, columns // 12)), rng, (2.0, 8.0)), (columns, rows))
    knots = noise((rows, columns), rng, (24.0, 90.0))
    value = 1.0 + 0.05 * grain + 0.05 * np.sin(9.0 * knots)
    return colour.astype(np.float32) * value[..., None]


def floor(kind: str, size_m: tuple[float, float], pixels_per_m: float, rng: np.random.Generator) -> np.ndarray:
    """Paint a floor seen from above, first axis y, second x; values in [0, 1]."""
    rows, columns = (max(8, round(side * pixels_per_m)) for side in size_m)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / pixels_per_m
    if kind == "planks":
        if rng.uniform() < 0.5:
            x, y = y, x
        width, length = rng.uniform(0.09, 0.2), rng.uniform(0.8, 1.6)
        row = np.floor(y / width).astype(int)
        along = x + (row * 0.618 % 1.0) * length
        plank = np.floor(along / length).astype(int) + 37 * row
        jitter = rng.normal(0.0, 0.06, 997).astype(np.float32)[plank % 997]
        seam = np.minimum(y % width, along % length)
        gap = np.clip(seam / 0.006, 0.55, 1.0)
        colour = wood(rows, columns, wood_colour(rng), rng)
        return colour * ((1.0 + jitter) * gap)[..., None]
    if kind == "tiles":
        side = rng.uniform(0.2, 0.5)
        index = np.floor(x / side).astype(int) + 31 * np.floor(y / side).astype(int)
        shade = 1.0 + rng.normal(0.0, 0.03, 997).astype(np.float32)[index % 997]
        if rng.uniform() < 0.3:
            shade = shade * np.where((np.floor(x / side) + np.floor(y / side)) % 2 == 0, 1.0, rng.uniform(0.5, 0.85))
        edge = np.minimum(np.minimum(x % side, side - x % side), np.minimum(y % side, side - y % side))
        grout = edge < 0.004
        colour = (
            pastel(rng, (0.45, 0.9), (0.02, 0.2)).astype(np.float32)
            * (shade + 0.02 * noise((rows, columns), rng))[..., None]
        )
        return np.where(grout[..., None], colour * np.float32(rng.uniform(0.6, 1.15)), colour)
    base = pastel(rng, (0.35, 0.8), (0.05, 0.35)).astype(np.float32)
    if kind == "lino":
        speckle = rng.standard_normal((rows, columns), dtype=np.float32) * 0.035
        marble = 0.03 * np.sin(3.0 * noise((rows, columns), rng, (20.0, 80.0)))
        return base[None, None] * (1.0 + speckle + marble)[..., None]
    pile = rng.standard_normal((rows, columns), dtype=np.float32) * 0.09
    wear = 0.05 * noise((rows, columns), rng, (30.0, 120.0))
    return base[None, None] * (1.0 + pile + wear)[..., None]


def wall(kind: str, size_m: tuple[float, float], pixels_per_m: float, colour: np.ndarray, seed: int) -> np.ndarray:
    """Paint a wall, first axis down from the ceiling, second along; values in [0, 1]. One seed dresses all walls
    alike."""
    rng = np.random.default_rng(seed)
    rows, columns = (max(8, round(side * pixels_per_m)) for side in size_m)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / pixels_per_m
    second = np.clip(colour * rng.uniform(0.75, 1.1, 3), 0.0, 1.0).astype(np.float32)
    colour = colour.astype(np.float32)
    amount = np.zeros((rows, columns), dtype=np.float32)
    if kind == "stripes":
        period = rng.uniform(0.08, 0.35)
        amount = ((x % period) < period * rng.uniform(0.2, 0.6)).astype(np.float32)
    elif kind == "pattern":
        period, radius = rng.uniform(0.12, 0.35), rng.uniform(0.2, 0.4)
        row = np.floor(y / period)
        u, v = ((x / period + 0.5 * (row % 2)) % 1.0) - 0.5, ((y / period) % 1.0) - 0.5
        angle = np.arctan2(v, u)
        petals = radius * (0.7 + 0.3 * np.cos(int(rng.integers(3, 8)) * angle))
        amount = (np.hypot(u, v) < petals).astype(np.float32)
    elif kind == "two_tone":
        height = rng.uniform(0.8, 1.3)
        amount = (size_m[0] - y < height).astype(np.float32)
        rail = np.abs(size_m[0] - y - height) < 0.03
        amount = np.where(rail, 1.6, amount)
    base = colour[None, None] + (second - colour)[None, None] * amount[..., None]
    return base * (1.0 + 0.012 * noise((rows, columns), rng, (2.0, 40.0, 160.0)))[..., None]


def cloth(kind: str, rng: np.random.Generator, side: int = 128) -> UInt8[np.ndarray, "side side 3"]:
    """Paint woven cloth that repeats."""
    base = pastel(rng, (0.35, 0.92), (0.03, 0.5))
    second = pastel(rng, (0.35, 0.95), (0.03, 0.5))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    periods = int(rng.integers(2, 7))
    amount = np.zeros((side, side), dtype=np.float32)
    if kind == "stripes":
        amount = (((x * periods) % 1.0) < 0.5).astype(np.float32)
    elif kind == "checks":
        amount = ((((x * periods) % 1.0) < 0.5).astype(np.float32) + (((y * periods) % 1.0) < 0.5)) / 2.0
    elif kind == "dots":
        amount = (np.hypot((x * periods) % 1.0 - 0.5, (y * periods) % 1.0 - 0.5) < 0.28).astype(np.float32)
    colour = base[None, None] + (second - base)[None, None] * amount[..., None]
    weave = rng.standard_normal((side, side), dtype=np.float32) * 0.05
    return to_image(colour * (1.0 + weave)[..., None])


def furniture_wood(rng: np.random.Generator, colour: np.ndarray, side: int = 128) -> UInt8[np.ndarray, "side side 3"]:
    """Paint a board's face; laid once a face, so that it need not repeat."""
    return to_image(wood(side, side, colour, rng))


def painting(rng: np.random.Generator, side: int = 96) -> UInt8[np.ndarray, "side side 3"]:
    """Paint something to hang on a wall: broad coloured shapes under a sky."""
    picture = np.zeros((side, side, 3), dtype=np.float32)
    picture[:] = pastel(rng, (0.6, 0.95), (0.1, 0.5))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    for _ in range(int(rng.integers(2, 6))):
        level = rng.uniform(0.3, 0.9) + rng.uniform(0.02, 0.15) * np.sin(
            x * rng.uniform(3.0, 12.0) + rng.uniform(0.0, 6.0)
        )
        picture[y > level] = pastel(rng, (0.2, 0.9), (0.2, 0.8))
    return to_image(picture * (1.0 + 0.05 * noise((side, side), rng))[..., None])


def view_outside(rng: np.random.Generator, side: int = 96) -> UInt8[np.ndarray, "side side 3"]:
    """Paint what a window shows: bright sky, blurred trees or roofs below; overexposed as cameras see it."""
    y = np.mgrid[0:side, 0:side][0].astype(np.float32) / side
    sky = np.array([0.93, 0.97, 1.0]) * rng.uniform(0.9, 1.0)
    land = pastel(rng, (0.55, 0.85), (0.1, 0.35))
    level = rng.uniform(0.55, 0.85) + 0.06 * cv2.GaussianBlur(noise((side, side), rng, (12.0, 40.0)), (0, 0), 5.0)
    amount = np.clip((y - level) * 12.0, 0.0, 1.0)[..., None]
    return to_image(sky + (land - sky) * amount)
