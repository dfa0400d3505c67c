import functools

import numpy as np

from models.body.model import load_body
from models.depth import DepthModelsConfig
from models.motion_sources.sampled import SampledMotion
from stages.doctor import known_frame, run
from stages.sample_motion import SampleMotionConfig


def test_every_check_passes_with_the_starters():
    sampled = SampleMotionConfig()
    source = functools.partial(
        SampledMotion, load_body(), sampled.model, sampled.text, sampled.sampling, sampled.cleanup
    )
    checks = run(None, DepthModelsConfig(), None, source)
    assert [check["check"] for check in checks] == [
        "Open3D (libusb)",
        "renderer (EGL)",
        "body",
        "depth",
        "2D poses",
        "physics",
        "motion model",
    ]
    assert all(check["fine"] for check in checks), checks


def test_a_model_that_is_not_there_is_named_and_the_rest_goes_on(tmp_path):
    def broken(footage, frames):
        raise ValueError("no such tensor")

    checks = {
        check["check"]: check for check in run(None, DepthModelsConfig(metric=str(tmp_path / "gone")), broken, None)
    }
    assert not checks["depth"]["fine"] and "gone" in checks["depth"]["detail"]
    assert checks["2D poses"] == {"check": "2D poses", "fine": False, "detail": "ValueError: no such tensor"}
    assert checks["physics"]["fine"] and checks["motion model"]["detail"] == "not used: motion is simulated"


def test_the_known_frame_is_always_the_same():
    (one, depth), (two, _) = known_frame(), known_frame()
    np.testing.assert_array_equal(one, two)
    assert depth.min() > 1.0
