"""Rigid transforms, rotations, cameras, lenses, planes and easing curves."""
