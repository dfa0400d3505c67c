"""What is in the environment before anything is imported, whatever the user's own says."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import pipeline.environment
import os, pyrender
print(os.environ["PYOPENGL_PLATFORM"], os.umask(0o077))
renderer = pyrender.OffscreenRenderer(8, 8)
scene = pyrender.Scene(bg_color=[1.0, 0.0, 0.0])
scene.add(pyrender.PerspectiveCamera(1.0))
print(renderer.render(scene)[0][4, 4].tolist())
"""


def test_it_renders_off_screen_whatever_platform_is_named_and_shares_nothing():
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYOPENGL_PLATFORM": "glx"}
    environment.pop("DISPLAY", None)
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.splitlines() == ["egl 63", "[255, 0, 0]"], done.stderr
    assert "PYOPENGL_PLATFORM is set to egl" in done.stderr
