"""Networks that predict clean motion from noisy: one signature, chosen by `name` in config.

    denoiser(x_t, step, condition, mask) -> x_0

`x_t`: normalised features [batch, person, time, n], of bodies (268) or of a plan (10); `step`: diffusion step [batch];
`mask`: frames that are there [batch, person, time]. What comes out where nobody is, is zero.
"""

from typing import Annotated

from pydantic import Field

from models.motion.denoisers.identity import IdentityConfig, IdentityDenoiser
from models.motion.denoisers.intergen import InterGenConfig, InterGenDenoiser
from models.motion.denoisers.mdm import MdmConfig, MdmDenoiser
from models.motion.denoisers.ponimator import PonimatorConfig, PonimatorDenoiser
from models.motion.denoisers.timotion import TimotionConfig, TimotionDenoiser
from models.motion.features import FEATURES

DenoiserConfig = Annotated[
    IdentityConfig | InterGenConfig | MdmConfig | PonimatorConfig | TimotionConfig, Field(discriminator="name")
]
Denoiser = IdentityDenoiser | InterGenDenoiser | MdmDenoiser | PonimatorDenoiser | TimotionDenoiser
DENOISERS = {
    "identity": IdentityDenoiser,
    "intergen": InterGenDenoiser,
    "mdm": MdmDenoiser,
    "ponimator": PonimatorDenoiser,
    "timotion": TimotionDenoiser,
}


def build_denoiser(config: DenoiserConfig, features: int = FEATURES, planned: bool = False) -> Denoiser:
    """Build an untrained network of the config's kind and sizes, for so many numbers of a person in a frame; `planned`
    ones are told a plan."""
    return DENOISERS[config.name](config, features, planned)
