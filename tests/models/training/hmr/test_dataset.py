"""What is done to a crop is done to its truth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from models.errors import InputError
from models.training.hmr.dataset import Skeleton, batch_of, read_views, save_views, varied
from models.types import SMPL_JOINTS

HEAD = SMPL_JOINTS.index("head")


def test_truth_follows_what_is_done_to_the_pixels(body, dot_people):
    """A dot at the head stays at the head through mirror, turn and zoom."""
    views = dot_people(body, 30, rows=128)
    batch = batch_of(views, body)
    skeleton = Skeleton(body, 128)
    real = skeleton.in_crop(skeleton.joints(batch.rotations, batch.betas, batch.transl), batch.focal_px)
    crops = np.zeros((30, 128, 96, 3), dtype=np.uint8)
    for crop, (right, down) in zip(crops, real[:, HEAD].numpy(), strict=True):
        cv2.circle(crop, (round(64 * right + 47.5), round(64 * down + 63.5)), 3, (255, 255, 255), -1)
    pixels, true = varied(replace(batch, crops=torch.as_tensor(crops)), np.random.default_rng(1))
    moved = skeleton.in_crop(skeleton.joints(true.rotations, true.betas, true.transl), true.focal_px)[:, HEAD].numpy()
    assert np.abs(moved - real[:, HEAD].numpy()).max() > 0.1
    for picture, (right, down) in zip(pixels.sum(1).double().numpy(), moved, strict=True):
        weight = picture - picture.min()
        weight[weight < 0.5 * weight.max()] = 0.0
        found = [(weight * grid).sum() / weight.sum() for grid in np.mgrid[0:128, 0:96][::-1]]
        assert np.abs(np.array(found) - [64 * right + 47.5, 64 * down + 63.5]).max() < 1.2
    assert len({round(float(focal), 3) for focal in true.focal_px}) > 20


def test_mirrored_truth_changes_sides(body, dot_people):
    """Red is left: after a mirror the truth's left is where the right was drawn, in blue."""
    batch = batch_of(dot_people(body, 20, rows=128, sides=True), body)
    skeleton = Skeleton(body, 128)
    pixels, true = varied(batch, np.random.default_rng(0))
    places = skeleton.in_crop(skeleton.joints(true.rotations, true.betas, true.transl), true.focal_px)
    left = SMPL_JOINTS.index("left_wrist")
    mirrored = np.sign((true.rotations[:, 1:] - batch.rotations[:, 1:]).abs().amax((1, 2, 3)).numpy()) > 0
    assert 3 < mirrored.sum() < 17
    for one in range(20):
        column, row = (64 * places[one, left].numpy() + [47.5, 63.5]).round().astype(int)
        if not (1 <= column < 95 and 1 <= row < 127):
            continue
        colour = pixels[one, :, row, column]
        assert (colour[2] > colour[0]) == mirrored[one], one


def test_views_come_back_from_their_file(body, dot_people, tmp_path):
    views = dot_people(body, 5)
    save_views(views, tmp_path / "views.npz")
    again = read_views(tmp_path / "views.npz")
    for name, value in vars(views).items():
        assert np.array_equal(value, getattr(again, name))
    (tmp_path / "other.npz").write_bytes(b"no")
    with pytest.raises(InputError, match="holds no rendered views"):
        read_views(tmp_path / "other.npz")
    np.savez(tmp_path / "less.npz", jpeg=np.zeros(3))
    with pytest.raises(InputError, match="holds no rendered views"):
        read_views(tmp_path / "less.npz")
