"""MuJoCo: the humanoid, its collision shapes, tracking of a motion, and rooms as boxes."""
