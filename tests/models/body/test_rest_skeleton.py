"""Joints without the body: the same as the body's, and a small file."""

import pytest
import torch

from models.body.kinematics import bone_lengths, forward_kinematics
from models.body.model import load_body
from models.body.rest_skeleton import read_skeleton, save_skeleton, skeleton_of
from models.errors import InputError
from models.geometry.rotations import matrices_from_axis_angle


def test_joints_are_the_body_s():
    body = load_body()
    skeleton = skeleton_of(body)
    draw = torch.Generator().manual_seed(0)
    betas, transl = torch.randn(3, 10, generator=draw), torch.randn(3, 5, 3, generator=draw)
    angles = torch.randn(3, 5, 24, 3, generator=draw)
    angles[:, :, 22:] = 0.0
    wanted = body.joints(betas[:, None].expand(3, 5, 10), angles[:, :, 0], angles[:, :, 1:].flatten(-2), transl)
    rest = skeleton.rest_joints(betas)
    root = transl + rest[:, None, 0]
    found = forward_kinematics(rest[:, None], matrices_from_axis_angle(angles[:, :, :22]), root)
    torch.testing.assert_close(found, wanted[:, :, :22], atol=2e-6, rtol=0.0)
    spans = (
        found[..., 1:, :] - found[..., [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19], :]
    ).norm(dim=-1)
    torch.testing.assert_close(spans, bone_lengths(rest)[:, None].expand_as(spans), atol=2e-6, rtol=0.0)


def test_a_skeleton_travels_as_a_small_file(tmp_path):
    skeleton = skeleton_of(load_body())
    save_skeleton(skeleton, tmp_path / "skeleton.safetensors")
    again = read_skeleton(tmp_path / "skeleton.safetensors")
    betas = torch.randn(4, 10, generator=torch.Generator().manual_seed(1))
    assert again.name == skeleton.name and torch.equal(again.rest_joints(betas), skeleton.rest_joints(betas))
    assert (tmp_path / "skeleton.safetensors").stat().st_size < 8192


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_what_is_no_skeleton_is_refused(tmp_path, content):
    path = tmp_path / "skeleton.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="is no skeleton of a body.*name the skeleton.safetensors"):
        read_skeleton(path)
