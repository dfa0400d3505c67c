"""SMPL fitted to 2D keypoints over all frames: observations, initialisation, objective, optimiser, windows."""
