"""Joints without the body: a small file."""

import pytest
import torch

from models.body.model import load_body
from models.body.rest_skeleton import read_skeleton, save_skeleton, skeleton_of
from models.errors import InputError


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
