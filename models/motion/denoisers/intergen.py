"""InterGen's denoiser (Liang et al. 2024, section 4.2), a baseline: two networks that share weights, one for each of
two people.

Each block lets a person attend to itself, then to the other. Caption and step enter by adaptive norm. Patches,
conditions and the map to the norms are those of our own denoiser, so that the two differ by how people meet alone.
"""

from typing import Literal

from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from models.motion.condition import Condition
from models.motion.denoisers.layers import AdaptiveNorm, Attention, ConditionEmbedding, PatchEmbedding, Sizes, mlp
from models.motion.features import FEATURES


class InterGenConfig(Sizes):
    """Sizes of the network; five layers hold about as many weights as seven of `identity`."""

    name: Literal["intergen"] = "intergen"
    layers: int = Field(default=5, ge=1)
    """Blocks, each of which attends to oneself and to the other."""

    @property
    def people(self) -> tuple[int, ...]:
        """Return the numbers of people in a scene that it can do."""
        return (2,)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList([AdaptiveNorm(width) for _ in range(3)])
        self.self_attention, self.cross_attention, self.mlp = (
            Attention(width, heads),
            Attention(width, heads),
            mlp(width),
        )

    def forward(
        self, x: Tensor, modulation: Float[Tensor, "scene 9 width"], token_mask: Bool[Tensor, "scene token"]
    ) -> Tensor:
        """Denoise `x`: both people of a scene one after the other, so that exchanging neighbours gives the other."""
        y, gate = self.norms[0](x, modulation[:, :3])
        x = x + gate * self.self_attention(y, y, token_mask)
        y, gate = self.norms[1](x, modulation[:, 3:6])
        x = x + gate * self.cross_attention(y, _exchanged(y), _exchanged(token_mask))
        y, gate = self.norms[2](x, modulation[:, 6:])
        return x + gate * self.mlp(y)


def _exchanged(values: Tensor) -> Tensor:
    return values.unflatten(0, (-1, 2)).flip(1).flatten(0, 1)


class InterGenDenoiser(nn.Module):
    """See the module; for scenes of two people, an assertion fails for others."""

    def __init__(self, config: InterGenConfig, features: int = FEATURES, planned: bool = False):
        super().__init__()
        self.config = config
        self.patches, self.condition_embedding = PatchEmbedding(config, features, planned), ConditionEmbedding(config)
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(config.width, 9 * config.width))
        self.blocks = nn.ModuleList([_Block(config.width, config.heads) for _ in range(config.layers)])

    def forward(
        self,
        x_t: Float[Tensor, "batch person time n"],
        step: Int[Tensor, "batch"],
        condition: Condition,
        mask: Bool[Tensor, "batch person time"],
    ) -> Float[Tensor, "batch person time n"]:
        """Predict clean features from noisy ones."""
        assert x_t.shape[1] == 2, f"intergen is for two people, got {x_t.shape[1]}"
        modulation = self.modulation(self.condition_embedding(step, condition)).unflatten(-1, (9, -1)).flatten(0, 1)
        tokens, token_mask = self.patches.patchify(x_t, condition, mask)
        x, token_mask = tokens.flatten(0, 1), token_mask.flatten(0, 1)
        for block in self.blocks:
            x = block(x, modulation, token_mask)
        return self.patches.unpatchify(x.unflatten(0, (-1, 2)), x_t, mask)
