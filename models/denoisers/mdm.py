"""MDM's denoiser (Tevet et al. 2023), a baseline for one person: a plain transformer encoder, caption and step as its first token."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.denoisers.layers import Patches, Sizes, Told
from models.motion_condition import Condition


class MdmConfig(Sizes):
    """Sizes of the network."""

    name: Literal["mdm"] = "mdm"
    layers: int = Field(default=7, ge=1)


class MdmDenoiser(nn.Module):
    """See the module; for scenes of one person, an assertion fails for others."""

    def __init__(self, config: MdmConfig):
        super().__init__()
        self.config = config
        self.patches, self.told = Patches(config), Told(config)
        layer = nn.TransformerEncoderLayer(
            config.width, config.heads, 4 * config.width, dropout=0.0, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)

    def forward(
        self,
        x_t: Float[Tensor, "batch person time 268"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time 268"]:
        """Clean features from noisy ones."""
        assert x_t.shape[1] == 1, f"mdm is for one person, got {x_t.shape[1]}"
        tokens, held = self.patches.tokens(x_t, condition, mask)
        x = torch.cat([self.told(step, condition), tokens[:, 0]], dim=1)
        held = torch.cat([torch.ones_like(held[:, 0, :1]), held[:, 0]], dim=1)
        x = self.encoder(x, src_key_padding_mask=~held)
        return self.patches.frames(x[:, None, 1:], mask)
