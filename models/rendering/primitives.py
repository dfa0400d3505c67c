"""Boxes, cushions and cylinders as meshes."""

import numpy as np
import trimesh

from models.rendering.gl_scene import Surface


def box(label: str, low: tuple, high: tuple, texture: np.ndarray | None = None, uv_m: float = 0.0, **more) -> Surface:
    """Build an upright box between two corners; its texture once a face, or every `uv_m` metres."""
    start, end = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    vertices, faces, uv = [], [], []
    for axis in range(3):
        u, v = [(1, 2), (0, 2), (0, 1)][axis]
        for side in (0, 1):
            corners = np.empty((4, 3))
            corners[:, axis] = end[axis] if side else start[axis]
            corners[:, u] = np.where([0, 1, 1, 0], end[u], start[u])
            corners[:, v] = np.where([0, 0, 1, 1], end[v], start[v])
            outward = (side == 1) != (axis == 1)
            quad = [[0, 1, 2], [0, 2, 3]] if outward else [[0, 2, 1], [0, 3, 2]]
            faces.append(np.array(quad) + 4 * len(vertices))
            vertices.append(corners)
            extent = (end - start)[[u, v]] / uv_m if uv_m else np.ones(2)
            uv.append(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]) * extent)
    return Surface(
        vertices=np.concatenate(vertices),
        faces=np.concatenate(faces),
        label=label,
        uv=np.concatenate(uv) if texture is not None else None,
        texture=texture,
        **more,
    )


def cushion(
    label: str,
    low: tuple,
    high: tuple,
    texture: np.ndarray | None = None,
    uv_m: float = 0.6,
    hardness: float = 5.0,
    **more,
) -> Surface:
    """Build a box with rounded edges (superellipsoid): the larger `hardness`, the squarer."""
    start, end = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    sphere = trimesh.creation.icosphere(subdivisions=3)
    p = np.asarray(sphere.vertices)
    p = p / (np.abs(p) ** hardness).sum(axis=1, keepdims=True) ** (1.0 / hardness)
    vertices = (start + end) / 2.0 + p * (end - start) / 2.0
    # Laid from above; the sides get the edge's threads drawn down, as a cover does.
    uv = (vertices[:, :2] + 0.5 * vertices[:, 2:]) / uv_m
    return Surface(
        vertices=vertices,
        faces=np.asarray(sphere.faces),
        label=label,
        uv=uv if texture is not None else None,
        texture=texture,
        smooth=True,
        **more,
    )


def cylinder(
    label: str, centre: tuple, radius: float, bottom: float, top: float, taper: float = 1.0, **more
) -> Surface:
    """Build an upright cylinder; its upper radius is `taper` times the lower."""
    mesh = trimesh.creation.cylinder(radius=radius, height=top - bottom, sections=20)
    vertices = np.asarray(mesh.vertices)
    vertices[vertices[:, 2] > 0, :2] *= taper
    vertices = vertices + [centre[0], centre[1], (top + bottom) / 2.0]
    return Surface(vertices=vertices, faces=np.asarray(mesh.faces), label=label, **more)
