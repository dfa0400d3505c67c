"""A process that dies costs its own item alone."""

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline.worker_pool import WorkerPool


def work_on(item: str):
    """A step that does what the item says."""
    logging.getLogger("pipeline.test").warning("working on %s", item)
    if item == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "crash":
        os.abort()
    if item == "exit":
        os._exit(7)
    if item == "defect":
        return {}["missing"]
    if item == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "/x")
    if item == "unsendable":
        return lambda: None
    time.sleep(0.05)
    return os.getpid()


def run(pool, items):
    advanced = []
    outcomes = pool.run(work_on, [(item, (item,)) for item in items], lambda: advanced.append(1))
    assert [outcome.item for outcome in outcomes] == items and len(advanced) == len(items)
    return {outcome.item: outcome for outcome in outcomes}


@pytest.fixture()
def pool():
    pool = WorkerPool(2)
    yield pool
    pool.close()


def test_what_kills_its_process_is_named_and_all_else_is_done(pool, caplog):
    items = ["a", "killed", "b", "crash", "c", "exit", "d", "defect", "unsendable", "e"]
    outcomes = run(pool, items)
    assert {item: outcomes[item].kind for item in items if outcomes[item].kind} == {
        "killed": "resources",
        "crash": "defect",
        "exit": "defect",
        "defect": "defect",
        "unsendable": "defect",
    }
    assert "SIGKILL" in outcomes["killed"].reason and "SIGABRT" in outcomes["crash"].reason
    assert "KeyError: 'missing'" in outcomes["defect"].reason
    assert all(isinstance(outcomes[item].value, int) for item in "abcde")


def test_a_pool_runs_again_after_a_death_and_its_workers_notes_arrive(pool, caplog):
    run(pool, ["a", "killed"])
    assert {outcome.kind for outcome in run(pool, ["b", "c"]).values()} == {None}
    pool.close()
    assert "working on b" in caplog.text


def test_a_full_disk_ends_the_step(pool):
    with pytest.raises(OSError, match="No space left"):
        run(pool, ["a", "full", "b"])
    assert run(pool, ["b"])["b"].kind is None


PROGRAM = """
import os, sys, time
from pipeline.worker_pool import WorkerPool, run_alone
def tell(seconds):
    os.write(1, f"{os.getpid()}\\n".encode())  # in one piece: print may let the other worker's number between
    time.sleep(seconds)
if __name__ == "__main__":
    if sys.argv[1] == "alone":
        run_alone(tell, "a", (60,))
    else:
        WorkerPool(2).run(tell, [("a", (60,)), ("b", (60,))], lambda: None)
"""


@pytest.mark.parametrize(("how", "workers"), [("pool", 2), ("alone", 1)])
def test_no_worker_outlives_a_parent_that_is_killed(tmp_path, how, workers):
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(tmp_path / "program.py"), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        found = [psutil.Process(int(parent.stdout.readline())) for _ in range(workers)]
        assert all(process.is_running() for process in found)
        parent.kill()
        gone, alive = psutil.wait_procs(found, timeout=30)
    assert len(gone) == workers and not alive
