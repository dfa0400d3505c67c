"""A network of crops begins with the backbone of a depth network."""

import pytest
import torch

from models.depth import DepthNetwork
from models.errors import InputError
from models.networks import STARTERS
from models.people3d.hmr_network import Hmr
from models.training.hmr.initialisation import start_backbone
from models.training.hmr.train import small_config


def test_backbone_starts_with_that_of_the_depth_starter(body, tmp_path, tiny):
    """Layer for layer the same function, Dinov2's scales included; other sizes are refused."""
    network = Hmr(small_config(body)).eval()
    start_backbone(network, STARTERS / "depth_relative")
    theirs = DepthNetwork("relative", "starter", None, None, "cpu").network.backbone
    x = torch.randn((2, 48, 192), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for own, other in zip(network.backbone.encoder.layer, theirs.encoder.layer, strict=True):
            found, wanted = own(x), other(x)
            assert torch.allclose(found, wanted if isinstance(wanted, torch.Tensor) else wanted[0], atol=1e-4)
        flat = torch.full((1, 3, 128, 96), 0.7)
        patch = network.backbone.embeddings.patch_embeddings(flat)[0, 20]
        other = theirs.embeddings.patch_embeddings(torch.full((1, 3, 168, 168), 0.7))[0, 20]
    assert (patch - other).norm() < 0.05 * other.norm()
    with pytest.raises(InputError, match="has a backbone of other sizes"):
        start_backbone(Hmr(tiny), STARTERS / "depth_relative")
