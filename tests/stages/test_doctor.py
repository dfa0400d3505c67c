import numpy as np

from models.depth import DepthModelsConfig
from stages.doctor import known_frame, run


def test_every_check_passes_with_the_starters():
    checks = run(None, DepthModelsConfig(), None)
    assert [check["check"] for check in checks] == [
        "Open3D (libusb)",
        "renderer (EGL)",
        "body",
        "depth",
        "2D poses",
        "physics",
    ]
    assert all(check["fine"] for check in checks), checks


def test_a_model_that_is_not_there_is_named_and_the_rest_goes_on(tmp_path):
    def broken(footage, frames):
        raise ValueError("no such tensor")

    checks = {check["check"]: check for check in run(None, DepthModelsConfig(metric=str(tmp_path / "gone")), broken)}
    assert not checks["depth"]["fine"] and "gone" in checks["depth"]["detail"]
    assert checks["2D poses"] == {"check": "2D poses", "fine": False, "detail": "ValueError: no such tensor"}
    assert checks["physics"]["fine"]


def test_the_known_frame_is_always_the_same():
    (one, depth), (two, _) = known_frame(), known_frame()
    np.testing.assert_array_equal(one, two)
    assert depth.min() > 1.0
