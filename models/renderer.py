"""Draws textured rooms and dressed bodies off-screen through a room's own camera (pyrender over EGL).

In: a `Camera` in OpenCV axes with pixel centres at whole numbers; meshes in world metres. Out: RGB, depth along the
optical axis, instance masks. The change to OpenGL's axes and to its pixel centres at halves happens here and nowhere
else. Static meshes are uploaded once; a body's faces too, and each frame only rewrites its vertex buffer.

Light is worked out here, per vertex, and drawn with pyrender's flat shader: its own lighting shader inverts a matrix per
vertex and costs three times the whole frame on a software renderer, and bodies have about a vertex a pixel anyway.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")  # read by pyrender when it is imported

import numpy as np  # noqa: E402
import pyrender  # noqa: E402
import pyrender.renderer  # noqa: E402
from jaxtyping import Float, Float32, Int, UInt8  # noqa: E402
from OpenGL import GL  # noqa: E402
from scipy.sparse import csr_array  # noqa: E402

from pipeline.camera import Camera  # noqa: E402
from pipeline.frames import R_OPENGL_OPENCV, transform  # noqa: E402

Z_NEAR = 0.05
Z_FAR = 40.0
"""Metres. Depth is kept in 24 bits: at 5 m one step is 0.03 mm. Finite, for pyrender's infinite plane needs numpy 1."""

GAMMA = 2.2
"""Linear light to the power 1 / 2.2 is what the screen is given."""


@dataclass(frozen=True)
class Surface:
    """A static mesh with one material. Wind faces counter-clockwise as seen from where they show: backs are not drawn."""

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
    glow: float = 0.0
    """Share of its look that is its own light: 1 shows colour and texture as they are, whatever the lamp does."""


@dataclass(frozen=True)
class BodyMesh:
    """What stays the same of a body from frame to frame."""

    faces: Int[np.ndarray, "face 3"]
    colours: UInt8[np.ndarray, "vertex 3"]
    """sRGB."""


@dataclass(frozen=True)
class Light:
    """One distant lamp and light from all around. White that faces the lamp squarely shows `ambient + intensity`."""

    direction_world: tuple[float, float, float] = (0.3, 0.2, -0.93)
    """From the lamp towards the room; any length."""
    intensity: float = 0.55
    ambient: float = 0.5
    """From all around, least from below."""
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Linear tint of both."""

    def shade(self, normals: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
        """Factor on sRGB values of surfaces with these unit normals (world)."""
        towards = -np.asarray(self.direction_world, dtype=np.float32)
        cosine = normals @ (towards / np.linalg.norm(towards))
        # Half-way between Lambert and a wrapped lamp: walls throw light back into what the lamp does not reach.
        lamp = np.clip(0.8 * cosine + 0.2, 0.0, None)
        linear = self.ambient * (0.85 + 0.15 * normals[..., 2]) + self.intensity * lamp
        return (linear[..., None] * np.asarray(self.colour, dtype=np.float32)) ** np.float32(1.0 / GAMMA)


@dataclass(frozen=True)
class Rendering:
    """One frame."""

    rgb: UInt8[np.ndarray, "height width 3"]
    """Smoothed at edges against black: where `coverage` is below 1 the colour is already weighted by it."""
    coverage: Float32[np.ndarray, "height width"]
    """Share of the pixel that anything covers."""
    depth: Float32[np.ndarray, "height width"]
    """Along the optical axis at the pixel's centre, metres; 0 is nothing."""
    instances: UInt8[np.ndarray, "height width"]
    """0 nothing or a static surface, i + 1 body i where it is nearest."""


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
            _CONTEXT.programs = _CONTEXT.owner._renderer._program_cache
        platform = _CONTEXT.owner._platform
        platform.make_current()
        try:
            yield
        finally:
            if os.environ["PYOPENGL_PLATFORM"] == "egl":
                from OpenGL.EGL import EGL_NO_CONTEXT, EGL_NO_SURFACE, eglMakeCurrent

                eglMakeCurrent(platform._egl_display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT)


def normals_operator(faces: Int[np.ndarray, "face 3"], vertices: int) -> csr_array:
    """Sparse [vertex, face] sum of the faces around each vertex."""
    rows = faces.ravel()
    columns = np.repeat(np.arange(len(faces)), 3)
    return csr_array((np.ones(rows.size, dtype=np.float32), (rows, columns)), shape=(vertices, len(faces)))


def vertex_normals(
    vertices: Float[np.ndarray, "vertex 3"], faces: Int[np.ndarray, "face 3"], operator: csr_array
) -> Float32[np.ndarray, "vertex 3"]:
    """Unit normals, faces weighted by area; zero where a vertex belongs to no face."""
    corner = vertices.astype(np.float32)[faces]
    normals = operator @ np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return normals / np.where(length > 1e-12, length, 1.0)


class _DynamicBody:
    """A body's mesh on the GPU, its vertex buffer rewritten in place."""

    def __init__(self, mesh: BodyMesh):
        self.faces = np.ascontiguousarray(mesh.faces, dtype=np.int64)
        self.operator = normals_operator(self.faces, len(mesh.colours))
        self.colours = mesh.colours.astype(np.float32) / 255.0
        # The layout in which pyrender packs a vertex: position, colour.
        self.packed = np.ones((len(mesh.colours), 7), dtype=np.float32)
        self.primitive = _primitive(self.packed[:, :3], self.packed[:, 3:], indices=self.faces)
        self.node = pyrender.Node(mesh=pyrender.Mesh(primitives=[self.primitive]))

    def update(self, vertices: Float[np.ndarray, "vertex 3"], light: Light) -> None:
        """Move and light the vertices; needs the context, and the primitive in it."""
        if vertices.shape != (len(self.packed), 3):
            raise ValueError(f"vertices have shape {vertices.shape}, expected {(len(self.packed), 3)}")
        self.packed[:, :3] = vertices
        self.packed[:, 3:6] = self.colours * light.shade(vertex_normals(vertices, self.faces, self.operator))
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self.primitive._buffers[0])
        GL.glBufferSubData(GL.GL_ARRAY_BUFFER, 0, self.packed.nbytes, self.packed)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, 0)


def _primitive(positions: np.ndarray, colours: np.ndarray, **more: object) -> pyrender.Primitive:
    texture = more.pop("texture", None)
    material = pyrender.MetallicRoughnessMaterial(
        baseColorFactor=[1.0, 1.0, 1.0, 1.0], baseColorTexture=texture, alphaMode="OPAQUE"
    )
    return pyrender.Primitive(positions=positions, color_0=colours, material=material, **more)


def _static_node(surface: Surface, light: Light) -> pyrender.Node:
    """A surface about its own centre: pyrender draws nodes by their distance, which fixes the order for equal depths."""
    centre = surface.vertices.mean(axis=0)
    corners = (surface.vertices - centre)[surface.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    shade = light.shade(normals.astype(np.float32))
    lit = np.asarray(surface.colour) * (shade + surface.glow * (1.0 - shade))
    colours = np.ones((len(corners) * 3, 4), dtype=np.float32)
    colours[:, :3] = np.repeat(lit, 3, axis=0)
    more = {}
    if surface.texture is not None:
        more["texcoord_0"] = surface.uv[surface.faces].reshape(-1, 2).astype(np.float32)
        more["texture"] = pyrender.Texture(
            source=surface.texture,
            source_channels="RGB",
            sampler=pyrender.Sampler(
                magFilter=GL.GL_LINEAR, minFilter=GL.GL_LINEAR_MIPMAP_LINEAR, wrapS=GL.GL_REPEAT, wrapT=GL.GL_REPEAT
            ),
        )
    primitive = _primitive(corners.reshape(-1, 3).astype(np.float32), colours, **more)
    return pyrender.Node(mesh=pyrender.Mesh(primitives=[primitive]), matrix=transform(np.eye(3), centre))


class Renderer:
    """Draws static surfaces and moving bodies through one camera. A context manager: leave it to free the GPU's memory.

    `surfaces` may be empty: then bodies alone are drawn, over nothing, ready for `composite` onto a background plate.
    Shadows are not drawn: `models.shadow` gives them for a plate and its depth.
    """

    def __init__(
        self,
        camera: Camera,
        surfaces: Sequence[Surface] = (),
        bodies: Sequence[BodyMesh] = (),
        light: Light | None = None,
    ):
        if len(bodies) > 254:
            raise ValueError(f"{len(bodies)} bodies: instance masks have room for 254")
        self.camera = camera
        self.light = light or Light()
        self._scene = pyrender.Scene(bg_color=[0.0, 0.0, 0.0, 0.0])
        K = camera.intrinsics
        # OpenGL counts from the pixel's corner, K from its centre.
        self._scene.add(
            pyrender.IntrinsicsCamera(K[0, 0], K[1, 1], K[0, 2] + 0.5, K[1, 2] + 0.5, znear=Z_NEAR, zfar=Z_FAR),
            pose=camera.T_world_camera @ transform(R_OPENGL_OPENCV, np.zeros(3)),
        )
        self._scene.main_camera_node = next(iter(self._scene.camera_nodes))
        self._static = [_static_node(surface, self.light) for surface in surfaces]
        self._bodies = [_DynamicBody(body) for body in bodies]
        for node in self._static + [body.node for body in self._bodies]:
            self._scene.add_node(node)
        self._flags = pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.RGBA | pyrender.RenderFlags.FLAT
        with _current_context():
            self._gl = pyrender.renderer.Renderer(camera.width_px, camera.height_px)
            self._gl._program_cache = _CONTEXT.programs
            self._gl._update_context(self._scene, self._flags)

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the buffers; the shaders stay for the next renderer."""
        with _current_context():
            self._gl._program_cache = pyrender.shader_program.ShaderProgramCache()
            self._gl.delete()

    def _update(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]) -> None:
        if len(vertices_world) != len(self._bodies):
            raise ValueError(f"{len(vertices_world)} bodies' vertices for a renderer of {len(self._bodies)} bodies")
        for body, vertices in zip(self._bodies, vertices_world, strict=True):
            body.update(vertices, self.light)

    def render(self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]] = ()) -> Rendering:
        """Draw one frame; `vertices_world` holds one [vertex, 3] array a body, metres."""
        with _current_context():
            self._update(vertices_world)
            colour, _ = self._gl.render(self._scene, self._flags)
            # Flat colours are drawn without multisampling: masks without mixed edges, and depth at the pixel's centre.
            ids = {node: 0 for node in self._static} | {body.node: i + 1 for i, body in enumerate(self._bodies)}
            mask, depth = self._gl.render(
                self._scene, pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.SEG, seg_node_map=ids
            )
        return Rendering(
            rgb=np.ascontiguousarray(colour[..., :3]),
            coverage=colour[..., 3].astype(np.float32) / 255.0,
            depth=np.ascontiguousarray(depth),
            instances=np.ascontiguousarray(mask[..., 0]),
        )

    def silhouettes(
        self, vertices_world: Sequence[Float[np.ndarray, "vertex 3"]]
    ) -> UInt8[np.ndarray, "body height width"]:
        """Each body's own outline, 1 inside, as if nothing stood in front of it."""
        flags = pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.SEG
        with _current_context():
            self._update(vertices_world)
            masks = [self._gl.render(self._scene, flags, seg_node_map={body.node: 1})[0] for body in self._bodies]
        size = (self.camera.height_px, self.camera.width_px)
        return np.stack([mask[..., 0] for mask in masks]) if masks else np.zeros((0, *size), dtype=np.uint8)

    def labels(self, values: Sequence[int]) -> tuple[UInt8[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
        """One value (1 to 255) of each surface where it is nearest, 0 where none is, and the depth; bodies are left out."""
        flags = pyrender.RenderFlags.OFFSCREEN | pyrender.RenderFlags.SEG
        with _current_context():
            mask, depth = self._gl.render(
                self._scene, flags, seg_node_map=dict(zip(self._static, values, strict=True))
            )
        return np.ascontiguousarray(mask[..., 0]), np.ascontiguousarray(depth)


def composite(
    plate: UInt8[np.ndarray, "height width 3"],
    rendering: Rendering,
    hidden: Float32[np.ndarray, "height width"],
    shade: Float32[np.ndarray, "height width"],
) -> UInt8[np.ndarray, "height width 3"]:
    """Lay bodies over a plate.

    `hidden` is the share of the bodies' pixel that the room covers (see `hidden_by_room`), `shade` the factor in [0, 1]
    by which the plate is dimmed (1 is no shadow).
    """
    seen = (1.0 - hidden)[..., None]
    background = plate.astype(np.float32) * shade[..., None]
    mixed = rendering.rgb.astype(np.float32) * seen + background * (1.0 - rendering.coverage[..., None] * seen)
    return np.clip(mixed + 0.5, 0.0, 255.0).astype(np.uint8)


def hidden_by_room(
    rendering: Rendering, room_depth: Float[np.ndarray, "height width"], softness_m: float = 0.02
) -> Float32[np.ndarray, "height width"]:
    """Share in [0, 1] of each pixel's body that the room hides: 0.5 at equal depth, all within `softness_m` either side.

    Pixels without room depth (0 or less) hide nothing; neither do pixels without a body.
    """
    behind = (rendering.depth - room_depth).astype(np.float32) / (2.0 * softness_m) + 0.5
    behind = np.clip(behind, 0.0, 1.0)
    behind[(room_depth <= 0) | (rendering.depth <= 0)] = 0.0
    return behind
