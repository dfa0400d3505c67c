"""People lifted to 3D: regressors, the pose prior, smoothing, separation, plausibility and error metrics."""
