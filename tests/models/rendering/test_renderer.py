"""The renderer against the camera's own projection, and its instance masks, depth, textures and compositing."""

import threading

import numpy as np
import pytest
import trimesh

from models.geometry.camera import Camera, normal_from_angles, pose_over_floor
from models.rendering.gl_scene import Light, Surface
from models.rendering.renderer import BodyMesh, Renderer, Rendering, composite, hidden_by_room

CAMERA = Camera(
    # An off-centre principal point and unequal focal lengths, so that nothing is right by symmetry.
    intrinsics=np.array([[150.0, 0.0, 71.3], [0.0, 160.0, 66.8], [0.0, 0.0, 1.0]]),
    width_px=161,
    height_px=121,
    T_world_camera=pose_over_floor(normal_from_angles(0.4, 0.05), 2.1),
)


def sphere(centre, radius=0.3):
    mesh = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return np.asarray(mesh.vertices) + centre, np.asarray(mesh.faces)


def body(faces, count, colour=(200, 60, 60)):
    return BodyMesh(faces, np.tile(np.array(colour, dtype=np.uint8), (count, 1)))


def draw(vertices, faces, colour=(200, 60, 60), **more):
    with Renderer(CAMERA, bodies=[body(faces, len(vertices), colour)], **more) as renderer:
        return renderer.render([vertices])


def test_a_small_square_covers_the_pixels_that_the_camera_projects_it_to():
    grid = CAMERA.pixel_grid()
    for u, v in ((40, 30), (100, 90), (12, 100)):
        # The square that pixels u..u+7, v..v+4 cover 3 m in front of the camera, edges half way between centres.
        edges = np.array([[u - 0.5, v - 0.5], [u + 7.5, v - 0.5], [u + 7.5, v + 4.5], [u - 0.5, v + 4.5]])
        corners = CAMERA.unproject(edges, np.full(4, 3.0))
        result = draw(corners, np.array([[2, 1, 0], [3, 2, 0]]))
        expected = np.zeros(grid.shape[:2], dtype=bool)
        expected[v : v + 5, u : u + 8] = True
        assert np.array_equal(result.instances == 1, expected)
        assert np.allclose(result.depth[expected], 3.0, atol=1e-3)
        assert np.all(result.depth[~expected] == 0)
        assert np.allclose(result.coverage[expected], 1.0)


def test_a_sphere_is_where_the_camera_projects_it_and_as_deep():
    centre = np.array([3.0, 0.4, 0.9])
    vertices, faces = sphere(centre)
    result = draw(vertices, faces)
    rows, columns = np.nonzero(result.instances)
    outline = CAMERA.project(vertices)
    assert abs(columns.min() - outline[:, 0].min()) < 1.0 and abs(columns.max() - outline[:, 0].max()) < 1.0
    assert abs(rows.min() - outline[:, 1].min()) < 1.0 and abs(rows.max() - outline[:, 1].max()) < 1.0
    # Every drawn pixel, brought back by its depth, lies on the sphere.
    points = CAMERA.unproject(
        np.stack([columns, rows], axis=1).astype(float), result.depth[rows, columns].astype(float)
    )
    assert np.abs(np.linalg.norm(points - centre, axis=1) - 0.3).max() < 3e-3


def test_left_stays_left_and_up_stays_up():
    left, faces = sphere([3.0, 0.6, 0.6], 0.15)
    high, _ = sphere([3.0, 0.0, 1.4], 0.15)
    meshes = [body(faces, len(left)), body(faces, len(high))]
    with Renderer(CAMERA, bodies=meshes) as renderer:
        result = renderer.render([left, high])
    (rows_left, columns_left), (rows_high, columns_high) = (np.nonzero(result.instances == i) for i in (1, 2))
    assert columns_left.mean() < columns_high.mean() - 10, "world +y is left of a camera that looks along +x"
    assert rows_high.mean() < rows_left.mean() - 10, "world +z is up"


def test_the_nearer_body_wins_and_silhouettes_ignore_it():
    far, faces = sphere([3.6, 0.0, 0.8])
    near, _ = sphere([2.8, 0.0, 0.9])
    with Renderer(CAMERA, bodies=[body(faces, len(far)), body(faces, len(near), (0, 0, 255))]) as renderer:
        result = renderer.render([far, near])
        outlines = renderer.silhouettes([far, near])
    both = (outlines[0] == 1) & (outlines[1] == 1)
    assert both.sum() > 50
    assert np.all(result.instances[both] == 2)
    assert np.array_equal(outlines.any(axis=0), result.instances > 0)
    inner = result.instances == 2
    assert result.rgb[inner][:, 2].mean() > 5 * result.rgb[inner][:, 0].mean()


def test_vertices_are_replaced_in_place_and_frames_repeat_byte_for_byte():
    first, faces = sphere([3.0, 0.5, 0.8])
    second = first + [0.0, -1.0, 0.0]
    with Renderer(CAMERA, bodies=[body(faces, len(first))]) as renderer:
        a, b, c = renderer.render([first]), renderer.render([second]), renderer.render([first])
    assert not np.array_equal(a.instances, b.instances)
    for x, y in ((a, c), (a, draw(first, faces))):
        assert x.rgb.tobytes() == y.rgb.tobytes() and x.depth.tobytes() == y.depth.tobytes()


def test_two_renderers_and_a_thread_do_not_disturb_each_other():
    vertices, faces = sphere([3.0, 0.0, 0.8])
    alone = draw(vertices, faces)
    with Renderer(CAMERA, bodies=[body(faces, len(vertices))]) as one:
        one.render([vertices])
        with Renderer(CAMERA, bodies=[body(faces, len(vertices), (0, 255, 0))]) as other:
            other.render([vertices + 0.2])
        results = []
        thread = threading.Thread(target=lambda: results.append(one.render([vertices])))
        thread.start()
        thread.join()
    assert results[0].rgb.tobytes() == alone.rgb.tobytes()


def test_a_texture_is_the_right_way_up_whatever_its_width():
    # Three columns of RGB are 9 bytes: rows that OpenGL would pad to 12 by default.
    texture = np.zeros((2, 3, 3), dtype=np.uint8)
    texture[0, 0], texture[0, 2], texture[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    texture = texture.repeat(8, axis=0).repeat(8, axis=1)
    edges = np.array([[40.0, 90.0], [100.0, 90.0], [100.0, 30.0], [40.0, 30.0]])
    surface = Surface(
        vertices=CAMERA.unproject(edges, np.full(4, 2.5)),
        faces=np.array([[0, 1, 2], [0, 2, 3]]),
        label="wall",
        uv=np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]),
        texture=texture,
        glow=1.0,
    )
    with Renderer(CAMERA, [surface]) as renderer:
        picture = renderer.render_room()
        labels, depth = renderer.labels({"wall": 7})
    assert picture[40, 48].tolist() == [255, 0, 0], "row 0, column 0 is the top left"
    assert picture[40, 92].tolist() == [0, 255, 0]
    assert picture[80, 48].tolist() == [0, 0, 255]
    assert set(np.unique(labels)) == {0, 7} and np.allclose(depth[labels == 7], 2.5, atol=1e-3)


def test_light_falls_from_its_direction():
    vertices, faces = sphere([3.0, 0.0, 0.8])
    lit = draw(
        vertices, faces, (200, 200, 200), light=Light(direction_world=(0.0, -1.0, 0.0), intensity=0.7, ambient=0.2)
    )
    columns = np.nonzero(lit.instances)[1]
    grey = lit.rgb[..., 0].astype(float)
    left, right = (
        (lit.instances > 0) & (np.arange(161) < columns.mean() - 5),
        (lit.instances > 0) & (np.arange(161) > columns.mean() + 5),
    )
    assert grey[left].mean() > 1.4 * grey[right].mean(), "a lamp at +y, shining towards -y, lights what is left"


def test_the_room_hides_what_is_behind_it_and_the_plate_stays_elsewhere():
    vertices, faces = sphere([3.0, 0.0, 0.8])
    result = draw(vertices, faces)
    room_depth = np.full(result.depth.shape, 10.0)
    columns = np.nonzero(result.instances)[1]
    middle = int(columns.mean())
    room_depth[:, :middle] = 1.0
    hidden = hidden_by_room(result, room_depth)
    body_pixels = result.instances > 0
    assert np.all(hidden[:, :middle][body_pixels[:, :middle]] == 1) and np.all(hidden[:, middle:] == 0)
    plate = np.full((121, 161, 3), (10, 90, 30), dtype=np.uint8)
    shade = np.ones((121, 161), dtype=np.float32)
    shade[-5:] = 0.5
    picture = composite(plate, result, hidden, shade)
    assert np.all(picture[:60, :middle] == (10, 90, 30))
    solid = body_pixels & (result.coverage == 1) & (hidden == 0)
    assert np.array_equal(picture[solid], result.rgb[solid])
    assert np.all(picture[-1] == (5, 45, 15))


def test_equal_depth_is_half_hidden():
    shape = (2, 2)
    rendering = Rendering(
        np.zeros((*shape, 3), dtype=np.uint8),
        np.array([[1.0, 1.0], [1.0, 0.0]], dtype=np.float32),
        np.array([[2.0, 2.02], [1.98, 0.0]], dtype=np.float32),
        np.ones(shape, dtype=np.uint8),
        (0, 0, 2, 2),
    )
    assert np.allclose(hidden_by_room(rendering, np.full(shape, 2.0), 0.02), [[0.5, 1.0], [0.0, 0.0]], atol=1e-4)
    assert np.all(hidden_by_room(rendering, np.zeros(shape)) == 0), "no depth hides nothing"


def test_wrong_numbers_are_refused():
    vertices, faces = sphere([3.0, 0.0, 0.8])
    with Renderer(CAMERA, bodies=[body(faces, len(vertices))]) as renderer:
        with pytest.raises(ValueError, match="2 bodies' vertices for a renderer of 1 bodies"):
            renderer.render([vertices, vertices])
        with pytest.raises(ValueError, match=r"vertices have shape \(10, 3\)"):
            renderer.silhouettes([vertices[:10]])
        with pytest.raises(ValueError, match="80x60 pixels for a renderer of 161x121"):
            renderer.look_through(CAMERA.resized(80, 60))
