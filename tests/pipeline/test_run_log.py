"""What a process writes past Python goes to the log, warnings to the terminal as well."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import logging, logging.config, os, sys
from pipeline.run_log import run_log
with run_log("test") as path:
    os.write(2, b"native chatter\\n")
    logging.getLogger("pipeline.x").info("a note")
    logging.getLogger("foreign").info("a foreign note")
    logging.getLogger("pipeline.x").info("read %s", "s3://key:secret@bucket/store")
    logging.getLogger("stages.x").warning("a warning", exc_info=ValueError("why"))
    logging.getLogger("models.training.x").info("step 1")
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})  # as Prefect does
    logging.getLogger("pipeline.x").info("a note after that")
    print("a message", file=sys.stderr)
os.write(2, b"native afterwards\\n")
print(path)
"""


def test_the_terminal_shows_warnings_and_messages_and_the_log_the_rest(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CARECLIPS_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == "WARNING stages.x: a warning\nINFO models.training.x: step 1\na message\nnative afterwards\n"
    path = Path(done.stdout.strip())
    log = path.read_text()
    assert path.parent == tmp_path / "logs" and path.stat().st_mode & 0o777 == 0o600
    assert "native chatter" in log and "a note after that" in log and "a warning" in log and "ValueError: why" in log
    assert "secret" not in log and "read s3://***@bucket/store" in log
    assert "a foreign note" not in log and "a message" not in log


def test_where_no_log_can_be_written_the_run_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CARECLIPS_CACHE": str(tmp_path / "file")}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment, check=True)
    assert "no log is kept" in done.stderr and "a message" in done.stderr and done.stdout.strip() == "None"


def test_a_log_that_cannot_grow_is_one_warning_and_the_run_goes_on(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CARECLIPS_CACHE": str(tmp_path)}
    full = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1, 1))\n"  # as a full disk
    command = [sys.executable, "-c", full + PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr.count("the log ends here: File too large") == 1 and "Traceback" not in done.stderr
    assert "WARNING stages.x: a warning" in done.stderr and "a message" in done.stderr
