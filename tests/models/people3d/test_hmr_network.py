"""The network of crops: its equations, its crops, mirrored crops, and folders that hold none."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from models.body.model import load_body
from models.errors import InputError
from models.geometry.transforms import apply
from models.people3d.hmr import HmrRegressor
from models.people3d.hmr_network import Bodies, HmrConfig, crop, crop_camera, hmr_digest, load_hmr


@pytest.fixture(scope="module")
def body():
    return load_body()


def random_crops(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 24, 3), dtype=np.uint8)


def test_batch_equals_singles_and_repeats(random_network, tiny):
    network, crops = random_network(tiny), random_crops(7)
    together = network.predict(crops, batch=3)
    again = network.predict(crops, batch=3)
    assert torch.equal(together.rotations, again.rotations) and torch.equal(together.camera, again.camera)
    assert (together.rotations[0] - together.rotations[1]).abs().max() > 0.1
    for one in range(7):
        alone = network.predict(crops[one : one + 1])
        assert torch.allclose(alone.rotations[0], together.rotations[one], atol=1e-4)
        assert torch.allclose(alone.betas[0], together.betas[one], atol=1e-4)
        assert torch.allclose(alone.camera[0], together.camera[one], atol=1e-4)


def test_mirrored_crop_gives_the_mirrored_body(random_network, tiny):
    """Exactly so with the mean over both, and not without."""
    network, crops = random_network(tiny), random_crops(5)
    flipped = np.ascontiguousarray(crops[:, :, ::-1])
    found, other = network.predict(crops).mirrored(), network.predict(flipped)
    assert torch.allclose(found.rotations, other.rotations, atol=1e-4)
    assert torch.allclose(found.betas, other.betas, atol=1e-5) and torch.allclose(found.camera, other.camera, atol=1e-5)
    plain = network.predict(crops, flip=False).mirrored(), network.predict(flipped, flip=False)
    assert (plain[0].rotations - plain[1].rotations).abs().max() > 0.1


def test_translation_is_the_documented_equation():
    bodies = Bodies(
        torch.eye(3).expand(2, 24, 3, 3), torch.zeros(2, 10), torch.tensor([[0.8, 0.1, -0.2], [-1.0, 0, 0]])
    )
    found = bodies.translation(torch.tensor([500.0, 500.0]), 256)
    assert torch.allclose(found[0], torch.tensor([0.1, -0.2, 2.0 * 500.0 / (256.0 * 0.8)]))
    assert found[1, 2] > 0.0


def test_crop_camera_sees_the_box_upright_and_whole(camera, tiny):
    for box in ([300.0, 100.0, 380.0, 400.0], [10.0, 300.0, 210.0, 380.0], [560.0, 5.0, 639.0, 60.0]):
        box = np.array(box)
        view = crop_camera(camera, box, tiny)
        middle = camera.rays_camera((box[:2] + box[2:]) / 2.0)
        points = apply(camera.T_world_camera, np.stack([middle * 3.0, middle * 5.0]))
        assert np.allclose(view.project(points), 15.5, atol=1e-6)
        corners = [[box[i], box[j]] for i, j in ((0, 1), (2, 1), (2, 3), (0, 3))]
        inside = view.project(apply(camera.T_world_camera, camera.rays_camera(np.array(corners))))
        # The middle 24 of 32 columns, all rows; the box touches a side and may poke out at corners by its perspective.
        assert inside[:, 0].min() > 3.5 - 1.5 and inside[:, 0].max() < 27.5 + 1.5 and np.abs(inside - 15.5).max() < 17.5
        reach = np.abs(inside - 15.5).max(axis=0)
        assert reach[0] > 11.0 or reach[1] > 15.0


def test_crop_shows_points_where_its_camera_projects_them(camera, tiny):
    config = tiny.model_copy(update={"rows_px": 128, "columns_px": 96})
    for box in (np.array([400.0, 60.0, 620.0, 420.0]), np.array([20.0, 300.0, 90.0, 340.0])):
        view = crop_camera(camera, box, config)
        spot = np.round(box[:2] * 0.7 + box[2:] * 0.3)
        frame = np.zeros((480, 640, 3), dtype=np.uint8)
        column, row = spot.astype(int)
        frame[row - 2 : row + 3, column - 2 : column + 3] = 255
        seen = crop(frame, camera, view, 96).astype(np.float64).sum(axis=2)
        found = np.array([(seen * grid).sum() / seen.sum() for grid in np.mgrid[0:128, 0:96][::-1]])
        expected = view.project(apply(camera.T_world_camera, camera.rays_camera(spot)[None]))[0] - [16.0, 0.0]
        assert np.abs(found - expected).max() < 0.3


def test_crop_is_black_beyond_the_picture(camera, tiny):
    view = crop_camera(camera, np.array([-60.0, 100.0, 100.0, 400.0]), tiny)
    seen = crop(np.full((480, 640, 3), 200, dtype=np.uint8), camera, view, 24)
    assert (seen[:, 0] == 0).all() and (seen[12:20, 16:] > 190).all()


def test_digest_is_that_of_weights_and_settings(body, tmp_path, random_network, tiny):
    network = random_network(tiny)
    (tmp_path / "config.json").write_text(tiny.model_dump_json())
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, tmp_path / "model.safetensors")
    loaded = load_hmr(tmp_path)
    crops = random_crops(2)
    assert torch.equal(loaded.predict(crops).rotations, network.predict(crops).rotations)
    assert HmrRegressor(loaded, body).reads_frames
    first = hmr_digest(tmp_path)
    assert first == hmr_digest(tmp_path)
    (tmp_path / "config.json").write_text(tiny.model_dump_json(indent=1))
    assert hmr_digest(tmp_path) != first


def test_bad_folders_are_named(tmp_path, random_network, tiny):
    with pytest.raises(InputError, match=r"is no hmr network \(config.json and model.safetensors missing\)"):
        load_hmr(tmp_path)
    (tmp_path / "config.json").write_text(tiny.model_copy(update={"width": 8}).model_dump_json())
    weights = {key: value.contiguous() for key, value in random_network(tiny).state_dict().items()}
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="is damaged, or no hmr network"):
        load_hmr(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="config.json: is not readable JSON"):
        load_hmr(tmp_path)


def test_sizes_that_do_not_fit_are_refused():
    for wrong, said in (
        ({"rows_px": 250}, "not multiples of patch_px"),
        ({"columns_px": 272}, "must leave as many columns"),
        ({"width": 1281}, "not a multiple of heads"),
        ({"iterations": 3}, "need query 'state'"),
    ):
        with pytest.raises(ValidationError, match=said):
            HmrConfig(**wrong)
