"""A folder is written by one run at a time, and one that cannot be written is refused before any work."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import InputError
from pipeline.output_folder import held_folder, holds, used_store

ROOT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from pathlib import Path
from pipeline.output_folder import held_folder
with held_folder(Path(sys.argv[1]), "generate"):
    print("held", flush=True)
    time.sleep(60)
"""


@holds("out")
def make_something(out: Path, value: int = 1) -> int:
    out.mkdir(exist_ok=True)
    return value


def test_a_folder_is_held_by_one_process_and_free_when_that_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "new" / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        (tmp_path / "link").symlink_to(tmp_path / "new")
        words = rf"is being written by `careclips generate` \(process {holder.pid} of .* on .*, since 20"
        for place in (tmp_path / "new" / "out", tmp_path / "link" / "out"):
            with pytest.raises(InputError, match=words):
                make_something(place)
        assert make_something(tmp_path / "other", value=3) == 3
        holder.send_signal(signal.SIGKILL)
    assert make_something(tmp_path / "new" / "out") == 1
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["out"]


def test_a_folder_is_free_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), held_folder(tmp_path / "out", "x"):
        raise ZeroDivisionError
    assert make_something(tmp_path / "out") == 1


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="file: is a file, and a folder is to be written there; name another folder"):
        make_something(tmp_path / "file")
    with pytest.raises(InputError, match=r"out: cannot be written \(File exists\); name another folder"):
        make_something(tmp_path / "file" / "out")
    with pytest.raises(InputError, match="cannot be written"):
        make_something(Path("/proc/out"))
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(InputError, match=r"out: cannot be written \(Permission denied\)"):
        make_something(tmp_path / "out")


def test_of_processes_that_train_together_the_first_alone_holds(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with held_folder(tmp_path / "out", "train motion"):
        assert make_something(tmp_path / "out") == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_a_store_may_lie_where_only_others_may_write(tmp_path):
    (tmp_path / "mounted" / "store").mkdir(parents=True)
    (tmp_path / "mounted").chmod(0o500)
    store = tmp_path / "mounted" / "store"
    with pytest.raises(InputError, match=r"store: cannot be written \(Permission denied\)"):
        make_something(store)
    with held_folder(store, "reconstruct", stays=True):
        with (
            pytest.raises(InputError, match="is being written by `careclips reconstruct`"),
            held_folder(store, "forget", stays=True),
        ):
            raise AssertionError
        assert [path.name for path in store.iterdir()] == [".store.lock"]
    assert not list(store.iterdir())


def test_many_use_a_store_at_once_and_who_removes_from_it_is_alone(tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    with used_store(store, "generate"):
        with used_store(store, "generate"):
            pass
        with (
            pytest.raises(InputError, match="store: is being written by `careclips generate`"),
            used_store(store, "forget", alone=True),
        ):
            raise AssertionError
    refused = pytest.raises(InputError, match="is being written by `careclips forget`")
    with used_store(store, "forget", alone=True), refused, used_store(store, "generate"):
        raise AssertionError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]
    with used_store(tmp_path / "nowhere" / "store", "generate"):
        assert not (tmp_path / "nowhere").exists()
