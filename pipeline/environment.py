"""What has to be in the environment before numpy, OpenGL and Prefect are imported: import this first."""

import logging
import os

os.umask(0o077)  # footage of vulnerable people, and what is made of it, is its user's alone
os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a process: sums in one order give the same bytes
if os.environ.get("PYOPENGL_PLATFORM", "egl") != "egl":
    logging.getLogger(__name__).warning("PYOPENGL_PLATFORM is set to egl: careclips renders without a screen")
os.environ["PYOPENGL_PLATFORM"] = "egl"
os.environ.setdefault("TQDM_DISABLE", "1")  # libraries' bars: a step has one of its own
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")  # its heartbeat races the first migration
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")  # 20 s are too few beside other work
