"""Footage as it comes: videos, sidecars, label tables, undistorted frames, masks of people, inpainting."""
