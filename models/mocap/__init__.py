"""Captured motion of other programs and data sets, read and retargeted to our body, and written for them."""
