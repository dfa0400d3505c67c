import json
import os
import pickle
import subprocess
import sys
import uuid

import fsspec
import numpy as np
import pytest

from models import codec
from models.config import Config
from models.errors import InputError
from models.files import check_replaceable, digest, file_digest, replaced, write_bytes
from models.types import Footage
from pipeline.store import Store, artefact_folder


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """URL of an empty object store, with an empty cache on this machine; and what lies in it by name."""
    monkeypatch.setenv("CARECLIPS_CACHE", str(tmp_path / "cache"))
    url = f"memory://{uuid.uuid4().hex}/store"
    files, base = fsspec.url_to_fs(url)

    def content():
        return {name.removeprefix(f"{base}/"): files.cat_file(name) for name in files.find(base)}

    yield url, files, base, content
    if files.exists(base):
        files.rm(base, recursive=True)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go on as on another machine: its cache is empty."""

    def go():
        monkeypatch.setenv("CARECLIPS_CACHE", str(tmp_path / uuid.uuid4().hex))

    return go


class MadeConfig(Config):
    value: int = 1


def test_keys_change_with_everything_and_with_nothing_else(tmp_path):
    store = Store(tmp_path)
    base = store.key("depth", 1, MadeConfig(), {"video": "a"})
    assert base == Store(tmp_path / "elsewhere").key("depth", 1, MadeConfig(), {"video": "a"})
    others = {
        store.key("floor", 1, MadeConfig(), {"video": "a"}),
        store.key("depth", 2, MadeConfig(), {"video": "a"}),
        store.key("depth", 1, MadeConfig(value=2), {"video": "a"}),
        store.key("depth", 1, MadeConfig(), {"video": "b"}),
    }
    assert len(others | {base}) == 5


def test_an_artefact_is_found_again_with_its_meta(tmp_path):
    store = Store(tmp_path)
    with store.write("depth", "k", {"seed": 3}) as folder:
        (folder / "a.txt").write_text("hello")
    found = store.find("depth", "k")
    assert found is not None and found.meta["seed"] == 3
    assert (found.folder / "a.txt").read_text() == "hello"
    assert store.find("depth", "other") is None


def test_an_error_inside_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(RuntimeError), store.write("depth", "k", {}) as folder:
        (folder / "a.txt").write_text("half")
        raise RuntimeError
    assert store.find("depth", "k") is None
    assert list((tmp_path / ".partial").iterdir()) == []


@pytest.mark.parametrize("damage", ["change", "delete", "meta"])
def test_a_damaged_artefact_is_set_aside(tmp_path, damage):
    store = Store(tmp_path)
    with store.write("depth", "k", {}) as folder:
        (folder / "a.txt").write_text("hello")
    path = tmp_path / "depth" / "k"
    if damage == "change":
        (path / "a.txt").write_text("hellO")
    elif damage == "delete":
        (path / "a.txt").unlink()
    else:
        (path / "meta.json").write_text("{")
    assert store.find("depth", "k") is None
    assert not path.exists()


def test_a_killed_writer_leaves_nothing_half_written_and_its_leftovers_go(tmp_path):
    script = (
        "import os, sys; from pathlib import Path; from pipeline.store import Store\n"
        "with Store(Path(sys.argv[1])).write('depth', 'k', {}) as folder:\n"
        "    (folder / 'a.txt').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert len(list((tmp_path / ".partial").iterdir())) == 1
    store = Store(tmp_path)
    assert list((tmp_path / ".partial").iterdir()) == []
    assert store.find("depth", "k") is None


def test_the_first_of_two_writers_wins(tmp_path):
    store = Store(tmp_path)
    with store.write("depth", "k", {}) as first:
        (first / "a.txt").write_text("first")
        with store.write("depth", "k", {}) as second:
            (second / "a.txt").write_text("second")
    found = store.find("depth", "k")
    assert found is not None and (found.folder / "a.txt").read_text() == "second"


def test_digests_follow_content_not_order(tmp_path):
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.png").write_bytes(b"1")
    before = file_digest(tmp_path / "x")
    (tmp_path / "x" / "1.png").write_bytes(b"2")
    assert file_digest(tmp_path / "x") != before


def test_codec_round_trip_and_same_bytes(tmp_path):
    footage = Footage("a", "a.mp4", "s", "r", "c", np.array([0.0, 0.1]), 64, 48, "00")
    value = {"footage": footage, 3: (np.arange(4, dtype=np.uint8), [1.5, None, "x"])}
    codec.save(value, tmp_path, "one")
    codec.save(value, tmp_path, "two")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    back = codec.load(tmp_path, "one")
    np.testing.assert_array_equal(back["footage"].timestamps_s, footage.timestamps_s)
    assert back["footage"].clip == "a" and back[3][1] == [1.5, None, "x"] and back[3][0].dtype == np.uint8
    with pytest.raises(TypeError, match="cannot store a set"):
        codec.save({1, 2}, tmp_path, "bad")
    assert json.loads((tmp_path / "one.json").read_text())["#dict"][0][0] == "footage"


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    out = tmp_path / "new" / "out"
    with replaced(out) as folder:
        (folder / "mark").write_text("1")
    with pytest.raises(RuntimeError), replaced(out) as folder:
        (folder / "mark").write_text("half")
        raise RuntimeError
    assert (out / "mark").read_text() == "1"
    with replaced(out) as folder:
        assert list(folder.iterdir()) == []  # neither the old content nor what was left half written
        (folder / "other").write_text("2")
    assert [file.name for file in out.iterdir()] == ["other"] and [file.name for file in out.parent.iterdir()] == [
        "out"
    ]


def test_somebody_elses_folder_is_not_replaced(tmp_path):
    check_replaceable(tmp_path / "nowhere", "mark")
    check_replaceable(tmp_path, "mark")  # empty
    (tmp_path / "holiday.mp4").touch()
    with pytest.raises(
        InputError, match="is there already and holds no mark; name a new folder, or remove it yourself"
    ):
        check_replaceable(tmp_path, "mark")
    (tmp_path / "mark").touch()
    check_replaceable(tmp_path, "mark")


def put(store, text="hello"):
    with store.write("depth", "k", {"seed": 3}) as folder:
        (folder / "a.txt").write_text(text)
        (folder / "more").mkdir()
        (folder / "more" / "b.bin").write_bytes(bytes(range(256)))


def test_an_object_store_holds_the_bytes_of_a_local_one(tmp_path, bucket, elsewhere):
    url, _, _, content = bucket
    put(Store(url))
    put(Store(tmp_path / "local"))
    local = tmp_path / "local" / "depth" / "k"
    assert content() == {f"depth/k/{f.relative_to(local)}": f.read_bytes() for f in local.rglob("*") if f.is_file()}
    for machine in (lambda: None, elsewhere):
        machine()
        found = Store(url).find("depth", "k")
        assert found is not None and found.meta["seed"] == 3
        assert (found.folder / "a.txt").read_text() == "hello"
        assert (found.folder / "more" / "b.bin").read_bytes() == bytes(range(256))
        assert artefact_folder(f"{url}/depth/k") == found.folder
    assert Store(url).find("depth", "other") is None


def test_what_was_fetched_once_is_not_fetched_again(bucket, elsewhere):
    url, files, base, _ = bucket
    put(Store(url))
    elsewhere()
    first = Store(url).find("depth", "k")
    files.rm_file(f"{base}/depth/k/a.txt")
    again = Store(url).find("depth", "k")
    assert first is not None and again is not None and (again.folder / "a.txt").read_text() == "hello"
    (again.folder / "a.txt").write_text("changed")  # a damaged cache is no answer
    assert Store(url).find("depth", "k") is None


def test_half_an_upload_is_not_found_even_where_the_cache_has_it_all(bucket):
    url, files, base, _ = bucket
    put(Store(url))
    files.rm_file(f"{base}/depth/k/meta.json")
    assert Store(url).find("depth", "k") is None
    put(Store(url))
    assert Store(url).find("depth", "k") is not None


def test_an_upload_that_breaks_off_leaves_no_artefact(bucket, monkeypatch):
    url, files, _, content = bucket
    upload = type(files).put_file

    def breaks_off(self, local, remote, **more):
        if remote.endswith("b.bin"):
            raise ConnectionError("the line is down")
        upload(self, local, remote, **more)

    with monkeypatch.context() as patch:
        patch.setattr(type(files), "put_file", breaks_off)
        with pytest.raises(ConnectionError):
            put(Store(url))
    assert list(content()) == ["depth/k/a.txt"] and Store(url).find("depth", "k") is None
    put(Store(url))
    assert Store(url).find("depth", "k") is not None


@pytest.mark.parametrize("damage", ["change", "delete", "meta"])
def test_a_damaged_object_is_withdrawn_and_made_again(bucket, elsewhere, damage):
    url, files, base, content = bucket
    put(Store(url))
    if damage == "change":
        files.pipe_file(f"{base}/depth/k/a.txt", b"hellO")
    elif damage == "delete":
        files.rm_file(f"{base}/depth/k/more/b.bin")
    else:
        files.pipe_file(f"{base}/depth/k/meta.json", b"{")
    elsewhere()
    assert Store(url).find("depth", "k") is None
    assert "depth/k/meta.json" not in content()
    put(Store(url))
    found = Store(url).find("depth", "k")
    assert found is not None and (found.folder / "a.txt").read_text() == "hello"


def test_an_artefact_that_was_made_anew_elsewhere_replaces_the_cached_one(bucket, elsewhere):
    url = bucket[0]
    store = Store(url)
    put(store)
    elsewhere()
    put(Store(url), "made anew")
    found = store.find("depth", "k")  # of the first machine, whose cache holds the old one
    assert found is not None and (found.folder / "a.txt").read_text() == "made anew"


def test_texts_lie_beside_the_artefacts(tmp_path, bucket):
    url, _, _, content = bucket
    for root in (url, tmp_path / "local", f"file://{tmp_path}/by_url"):
        store = Store(root)
        assert store.read_text("index.json") is None
        store.write_text("index.json", "{}")
        assert Store(root).read_text("index.json") == "{}"
        assert pickle.loads(pickle.dumps(store)).read_text("index.json") == "{}"
    assert content() == {"index.json": b"{}"}
    assert (tmp_path / "local" / "index.json").exists() and (tmp_path / "by_url" / "index.json").exists()


def test_a_file_url_is_that_folder(tmp_path):
    put(Store(f"file://{tmp_path}/store"))
    found = Store(tmp_path / "store").find("depth", "k")
    assert found is not None and found.folder == tmp_path / "store" / "depth" / "k"


def test_looking_into_a_store_makes_nothing(tmp_path):
    assert Store(tmp_path / "typo").find("depth", "k") is None and not (tmp_path / "typo").exists()


def test_urls_that_cannot_be_opened(bucket):
    with pytest.raises(InputError, match="nope://x: cannot be opened .*; install what it asks for, or name a folder"):
        Store("nope://x")
    with pytest.raises(InputError, match="is no artefact; give STORE/<stage>/<key>, or the store itself"):
        artefact_folder(f"{bucket[0]}/depth/k")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    write_bytes(tmp_path / "a.bin", b"first")
    write_bytes(tmp_path / "a.bin", b"second")
    assert (tmp_path / "a.bin").read_bytes() == b"second"
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_bytes(tmp_path / "folder", b"no file can take a folder's place")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "folder"]


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "..\\evil.txt", "meta.json", "."]
)
def test_a_bucket_cannot_write_outside_of_an_artefacts_folder(bucket, elsewhere, tmp_path, name):
    url, files, base, content = bucket
    put(Store(url))
    elsewhere()
    meta = json.loads(files.cat_file(f"{base}/depth/k/meta.json"))
    meta["files"][name] = "0" * 64
    files.pipe_file(f"{base}/depth/k/meta.json", json.dumps(meta).encode())
    files.pipe_file(f"{base}/evil.txt", b"evil")
    files.pipe_file(f"{base}/depth/evil.txt", b"evil")
    assert Store(url).find("depth", "k") is None
    assert [path for path in tmp_path.rglob("*evil*")] == [] and not os.path.exists("/tmp/evil.txt")
    assert "depth/k/meta.json" not in content()


@pytest.mark.parametrize("name", [".nfs000000000000a1b2", "host", "host_x_00000000_k", "a_b_c"])
def test_what_a_file_system_leaves_in_a_store_breaks_nothing(tmp_path, name):
    (tmp_path / ".partial").mkdir(parents=True)
    (tmp_path / ".partial" / name).write_text("")
    put(Store(tmp_path))
    assert Store(tmp_path).find("depth", "k") is not None and (tmp_path / ".partial" / name).exists()
