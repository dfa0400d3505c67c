"""Schedulers are set as they must be, and guidance is counted in steps."""

import pytest

from models.motion.schedulers import SamplingConfig, guided_step_count, scheduler_of


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm++", "sde-dpm++"])
def test_schedulers_do_not_clip_and_begin_in_pure_noise(scheduler):
    made = scheduler_of(SamplingConfig(scheduler=scheduler, steps=10))
    assert int(made.timesteps[0]) == 999 and len(made.timesteps) == 10
    assert made.config.prediction_type == "sample" and made.config.timestep_spacing == "trailing"
    assert not made.config.get("clip_sample", False) and not made.config.get("thresholding", False)


@pytest.mark.parametrize(("share", "steps", "count"), [(0.6, 10, 6), (0.55, 10, 6), (0.0, 10, 0), (1.0, 7, 7)])
def test_guidance_is_given_in_the_noisiest_steps_of_the_interval(share, steps, count):
    assert guided_step_count(SamplingConfig(steps=steps, guidance_interval=share)) == count


def test_keys_of_before_are_understood(caplog):
    config = SamplingConfig.model_validate({"guided": 0.5, "noise_shift": 2.0})
    assert config == SamplingConfig(guidance_interval=0.5, timestep_shift=2.0)
    assert "the key guided is now called guidance_interval" in caplog.text
    assert config.key_values()["guided"] == 0.5 and "guidance_interval" not in config.key_values()
