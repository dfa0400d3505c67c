"""The motion model: features, condition, denoisers, noise schedule, sampling, clean-up."""
