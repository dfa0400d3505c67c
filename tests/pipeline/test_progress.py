"""One bar a step on a terminal, whoever tells of it; nothing else but messages."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys, time
from pipeline.run_log import run_log
from pipeline.runner import plain_runner
from tests_step import wait
with run_log("test"):
    plain_runner(int(sys.argv[1]))("making clips", wait, [(str(n), (n,)) for n in range(6)])
    print("finished", file=sys.stderr)
"""
STEP = """
import os, time
def wait(number):
    os.write(2, b"INFO: Created TensorFlow Lite XNNPACK delegate\\n")
    time.sleep(0.3)
"""


def on_a_terminal(tmp_path, workers: int) -> str:
    (tmp_path / "tests_step.py").write_text(STEP)
    (tmp_path / "program.py").write_text(
        "if __name__ == '__main__':\n" + re.sub("^", "    ", PROGRAM, flags=re.MULTILINE)
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{tmp_path}",
        "CARECLIPS_CACHE": str(tmp_path / "cache"),
        "TERM": "xterm",
        "COLUMNS": "120",
    }
    leader, follower = pty.openpty()
    command = [sys.executable, str(tmp_path / "program.py"), str(workers)]
    with subprocess.Popen(command, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 4096):
                shown += part
        except OSError:  # the other end is closed
            pass
    assert process.returncode == 0
    os.close(leader)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())


def test_a_terminal_shows_one_bar_with_items_rate_and_time_left(tmp_path):
    for workers in (1, 2):
        shown = on_a_terminal(tmp_path, workers)
        assert re.search(r"making clips .* [1-5]/6 +[0-9.]+(/s| s each) 0:00:0", shown), shown
        assert "TensorFlow" not in shown and shown.rstrip().endswith("finished")
    log = "".join(path.read_text() for path in (tmp_path / "cache" / "logs").iterdir())
    assert "making clips: 6 of 6" in log and "TensorFlow" in log


def test_where_there_is_no_terminal_there_is_no_bar(tmp_path):
    (tmp_path / "tests_step.py").write_text(STEP)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{tmp_path}", "CARECLIPS_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", PROGRAM, "1"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "finished\n")
