"""The process's one OpenGL context, and scenes in it whose meshes move in place (pyrender over EGL, off-screen).

Static meshes are uploaded once; a moving mesh too, and each frame only rewrites its vertex buffer. Light is worked out
here, per vertex, and drawn with pyrender's flat shader: its own lighting shader inverts a matrix per vertex and costs
three times the whole frame on a software renderer, and bodies have about a vertex a pixel anyway.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # read by pyrender when it is imported

import numpy as np
import pyrender
import pyrender.renderer
import pyrender.shader_program
from jaxtyping import Float, Float32, Int, UInt8
from OpenGL import GL
from scipy.sparse import csr_array

from models.geometry.transforms import transform

Z_NEAR = 0.05
Z_FAR = 40.0
"""Metres. Depth is kept in 24 bits: at 5 m one step is 0.03 mm. Finite, for pyrender's infinite plane needs numpy 1."""

GAMMA = 2.2
"""Linear light to the power 1 / 2.2 is what the screen is given."""


@dataclass(frozen=True)
class Surface:
    """A static mesh with one material. Faces wind counter-clockwise seen from where they show: backs are not drawn."""

    vertices: Float[np.ndarray, "vertex 3"]
    """World, metres."""
    faces: Int[np.ndarray, "face 3"]
    label: str
    """One of SURFACE_LABELS."""
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """sRGB in [0, 1]; multiplies the texture."""
    uv: Float[np.ndarray, "vertex 2"] | None = None
    """Texture coordinates: (0, 0) is the top left corner of the texture image, (1, 1) the bottom right; it repeats."""
    texture: UInt8[np.ndarray, "rows columns 3"] | None = None
    smooth: bool = False
    """Light it by vertex normals, as round things want, instead of face by face."""
    glow: float = 0.0
    """Share of its look that is its own light: 1 shows colour and texture as they are, whatever the light does."""


@dataclass(frozen=True)
class Light:
    """One distant light and light from all around.

    White that faces the distant light squarely shows `ambient + intensity`.
    """

    direction_world: tuple[float, float, float] = (0.3, 0.2, -0.93)
    """From the light towards the room; any length."""
    intensity: float = 0.55
    ambient: float = 0.5
    """From all around, least from below."""
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear tint of both."""

    def shade(self, normals: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Return the factor on sRGB values of surfaces with these unit normals (world)."""
        towards = -np.asarray(self.direction_world, dtype=np.float32)
        cosine = normals @ (towards / np.linalg.norm(towards))
        # Half-way between Lambert and a wrapped lamp: walls throw light back into what the lamp does not reach.
        lamp = np.clip(0.8 * cosine + 0.2, 0.0, None)
        linear = self.ambient * (0.85 + 0.15 * normals[..., 2]) + self.intensity * lamp
        return (linear[..., None] * np.asarray(self.colour, dtype=np.float32)) ** np.float32(1.0 / GAMMA)


Region = tuple[int, int, int, int]
"""Left, top, right, bottom: columns left to right - 1 and rows top to bottom - 1 of the image."""


@dataclass
class _Context:
    """The process's one OpenGL context. One, because ending an EGL context of pyrender's ends its whole display."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    owner: pyrender.OffscreenRenderer | None = None
    programs: pyrender.shader_program.ShaderProgramCache | None = None
    """Compiled shaders, shared by all renderers: compiling takes longer than drawing."""


_CONTEXT = _Context()


@contextmanager
def _current_context() -> Iterator[None]:
    """Hold the context on this thread, and let it go after, so that another thread may draw next."""
    with _CONTEXT.lock:
        if _CONTEXT.owner is None:
            _CONTEXT.owner = pyrender.OffscreenRenderer(8, 8)
            _CONTEXT.programs = pyrender.shader_program.ShaderProgramCache()
        platform: Any = _CONTEXT.owner._platform
        platform.make_current()
        # Rows of RGB images follow each other without padding.
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        try:
            yield
        finally:
            if os.environ["PYOPENGL_PLATFORM"] == "egl":
                from OpenGL.EGL import EGL_NO_CONTEXT, EGL_NO_SURFACE, eglMakeCurrent

                eglMakeCurrent(platform._egl_display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT)


def normals_operator(faces: Int[np.ndarray, "face 3"], vertices: int) -> csr_array:
    """Build the sparse [vertex, face] sum of the faces around each vertex."""
    rows = faces.ravel()
    columns = np.repeat(np.arange(len(faces)), 3)
    return csr_array((np.ones(rows.size, dtype=np.float32), (rows, columns)), shape=(vertices, len(faces)))


def vertex_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], operator: csr_array
) -> Float32[np.ndarray, "vertex 3"]:
    """Return unit normals, faces weighted by area; zero where a vertex belongs to no face."""
    corner = vertices.astype(np.float32)[faces]
    normals = operator @ np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(length > 1e-12, length, 1.0)


class DynamicMesh:
    """A mesh on the GPU whose vertex buffer is rewritten in place: fixed faces, moving vertices, changing colours."""

    def __init__(self, faces: Int[np.ndarray, "face 3"], vertices: int):
        # The layout in which pyrender packs a vertex: position, colour.
        self.packed = np.ones((vertices, 7), dtype=np.float32)
        self.primitive = _primitive(self.packed[:, :3], self.packed[:, 3:], indices=np.ascontiguousarray(faces))
        self.node = pyrender.Node(mesh=pyrender.Mesh(primitives=[self.primitive]))

    def update(
        self, vertices: Float[np.ndarray, "vertex 3"], colours: Float[np.ndarray, "vertex 3"] | None = None
    ) -> None:
        """Move and colour the vertices; needs the context, and the primitive in it."""
        if vertices.shape != (len(self.packed), 3):
            raise ValueError(f"vertices have shape {vertices.shape}, expected {(len(self.packed), 3)}")
        self.packed[:, :3] = vertices
        if colours is not None:
            self.packed[:, 3:6] = colours
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self.primitive._buffers[0])
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self.packed.nbytes, self.packed)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, 0)


def _primitive(positions: np.ndarray, colours: np.ndarray, **more: object) -> pyrender.Primitive:
    texture = more.pop("texture", None)
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=[1.0, 1.0, 1.0, 1.0], baseColorTexture=texture, alphaMode="OPAQUE"
    )
    return pyrender.Primitive(positions=positions, color_0=colours, material=material, **more)


def _static_nodes(surfaces: Sequence[Surface], light: Light) -> dict[pyrender.Node, str]:
    """One node per texture and label, with its label: a node costs more than its triangles."""
    groups: dict[tuple[str, int], list[Surface]] = {}
    for surface in surfaces:
        groups.setdefault((surface.label, id(surface.texture) if surface.texture is not None else 0), []).append(
            surface
        )
    nodes = {}
    for (label, _), members in groups.items():
        corners = np.concatenate([member.vertices[member.faces].reshape(-1, 3) for member in members])
        # Each about its own centre: pyrender draws nodes by their distance, which fixes the order for equal depths.
        centre = corners.mean(axis=0)
        colours = np.ones((len(corners), 4), dtype=np.float32)
        colours[:, :3] = np.concatenate([_lit_corners(member, light) for member in members])
        more = {}
        if members[0].texture is not None:
            uv = np.concatenate([_corner_uv(member) for member in members])
            # pyrender turns images over as it uploads them, so that v counts from the bottom row.
            more["texcoord_0"] = (uv * [1.0, -1.0] + [0.0, 1.0]).astype(np.float32)
            more["texture"] = pyrender.Texture(
                source=members[0].texture,
                source_channels="RGB",
                sampler=pyrender.Sampler(
                    magFilter=GL.GL_LINEAR, minFilter=GL.GL_LINEAR_MIPMAP_LINEAR, wrapS=GL.GL_REPEAT, wrapT=GL.GL_REPEAT
                ),
            )
        primitive = _primitive((corners - centre).astype(np.float32), colours, **more)
        mesh = pyrender.Mesh(primitives=[primitive])
        nodes[pyrender.Node(mesh=mesh, matrix=transform(np.eye(3), centre))] = label
    return nodes


def _corner_uv(surface: Surface) -> Float[np.ndarray, "corner 2"]:
    assert surface.uv is not None, "a surface with a texture needs uv"
    return surface.uv[surface.faces].reshape(-1, 2)


def _lit_corners(surface: Surface, light: Light) -> Float32[np.ndarray, "corner 3"]:
    if surface.smooth:
        operator = normals_operator(surface.faces, len(surface.vertices))
        normals = vertex_normals(surface.vertices, surface.faces, operator)[surface.faces].reshape(-1, 3)
    else:
        corners = surface.vertices[surface.faces]
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        normals = np.repeat(flat.astype(np.float32), 3, axis=0)
    shade = light.shade(normals)
    return np.asarray(surface.colour, dtype=np.float32) * (shade + surface.glow * (1.0 - shade))


class _RegionRenderer(pyrender.renderer.Renderer):
    """pyrender's renderer, drawing and reading only what is asked for: on a CPU reading costs as much as drawing."""

    region: Region | None = None

    def _forward_pass(self, scene: pyrender.Scene, flags: int, seg_node_map: dict | None = None) -> tuple | None:
        left, top, right, bottom = self.region or (0, 0, self.viewport_width, self.viewport_height)
        self._box = left, self.viewport_height - bottom, right - left, bottom - top
        GL.glEnable(GL.GL_SCISSOR_TEST)
        GL.glScissor(*self._box)
        try:
            return super()._forward_pass(scene, flags, seg_node_map)
        finally:
            GL.glDisable(GL.GL_SCISSOR_TEST)

    def _read_main_framebuffer(self, scene: pyrender.Scene, flags: int) -> tuple[np.ndarray, np.ndarray]:
        """RGBA bytes [h, w, 4] without depth for colour; values [h, w] and the depth buffer in [0, 1] for masks."""
        x, y, width, height = self._box
        corners = (x, y, x + width, y + height)
        masks = bool(flags & pyrender.RenderFlags.SEG)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._main_fb_ms)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, self._main_fb)
        GL.glBlitFramebuffer(*corners, *corners, GL.GL_COLOR_BUFFER_BIT, GL.GL_LINEAR)
        if masks:
            GL.glBlitFramebuffer(*corners, *corners, GL.GL_DEPTH_BUFFER_BIT, GL.GL_NEAREST)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._main_fb)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        if not masks:
            data = cast(bytes, GL.glReadPixels(*self._box, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE))
            return np.frombuffer(data, dtype=np.uint8).reshape(height, width, 4)[::-1], np.zeros(
                (0, 0), dtype=np.float32
            )
        values = cast(bytes, GL.glReadPixels(*self._box, GL.GL_RED, GL.GL_UNSIGNED_BYTE))
        buffer = cast(bytes, GL.glReadPixels(*self._box, GL.GL_DEPTH_COMPONENT, GL.GL_FLOAT))
        mask = np.frombuffer(values, dtype=np.uint8).reshape(height, width)[::-1]
        return mask, np.frombuffer(buffer, dtype=np.float32).reshape(height, width)[::-1]


class OffscreenScene:
    """A pyrender scene with buffers of its own in the process's OpenGL context."""

    def __init__(self, width_px: int, height_px: int):
        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
        with _current_context():
            self._gl = _RegionRenderer(width_px, height_px)
            assert _CONTEXT.programs is not None
            self._gl._program_cache = _CONTEXT.programs

    def set_camera(self, camera: pyrender.Camera, pose: Float[np.ndarray, "4 4"]) -> pyrender.Node:
        """Put a camera, its pose in OpenGL's axes."""
        node = self._scene.add(camera, pose=pose)
        self._scene.main_camera_node = node
        return node

    def set_pose(self, node: pyrender.Node, pose: Float[np.ndarray, "4 4"]) -> None:
        """Move a node."""
        self._scene.set_pose(node, pose)

    def add_static(self, surfaces: Sequence[Surface], light: Light) -> dict[pyrender.Node, str]:
        """Add surfaces; returns their nodes with the label of each."""
        nodes = _static_nodes(surfaces, light)
        for node in nodes:
            self._scene.add_node(node)
        return nodes

    def add_dynamic(self, faces: Int[np.ndarray, "face 3"], vertices: int) -> DynamicMesh:
        """Add a mesh that moves."""
        mesh = DynamicMesh(faces, vertices)
        self._scene.add_node(mesh.node)
        return mesh

    def draw(
        self,
        flags: int,
        vertices: dict[DynamicMesh, Float[np.ndarray, "vertex 3"]],
        ids: dict[pyrender.Node, int] | None = None,
        colours: dict[DynamicMesh, Float[np.ndarray, "vertex 3"]] | None = None,
        region: Region | None = None,
    ) -> tuple[UInt8[np.ndarray, "height width *channel"], Float32[np.ndarray, "rows columns"]]:
        """Move what moves, then draw a region.

        With FLAT_COLOUR: RGBA, and no depth (0 rows). With FLAT_MASK: each node of `ids` in its value; depth buffer.

        The depth buffer is in [0, 1], 1 where nothing is; how it relates to metres is the camera's affair.
        """
        with _current_context():
            self._gl.region = region
            self._gl._update_context(self._scene, flags)
            for mesh, moved in vertices.items():
                mesh.update(moved, (colours or {}).get(mesh))
            drawn = self._gl.render(self._scene, flags, seg_node_map=ids)
        assert drawn is not None  # it is for windows alone
        return drawn

    def close(self) -> None:
        """Free the buffers; the shaders stay for the next scene."""
        with _current_context():
            self._gl._program_cache = pyrender.shader_program.ShaderProgramCache()
            self._gl.delete()


def metres_from_buffer(buffer: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Return depth along the optical axis of a perspective camera from Z_NEAR to Z_FAR; 0 where nothing is."""
    depth = np.float32(Z_NEAR * Z_FAR) / (np.float32(Z_FAR) - buffer * np.float32(Z_FAR - Z_NEAR))
    depth[buffer >= 1.0] = 0.0
    return depth


FLAT_COLOUR = pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.RGBA | pyrender.RenderFlags.FLAT
FLAT_MASK = pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.SEG
"""Masks are drawn without multisampling: no mixed edges, and depth at the pixel's centre."""
