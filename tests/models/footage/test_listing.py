"""Every file below the footage folder is a clip, a sidecar, a skip with its reason, or counted by its suffix."""

import json
from pathlib import Path

import pytest

from models.errors import InputError
from models.footage.listing import camera_file, clip_digest, list_footage


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())
    return root


def clips(root: Path) -> dict[str, str]:
    return {one.clip: one.path.relative_to(root).as_posix() for one in list_footage(root).clips}


def skipped(root: Path) -> dict[str, str]:
    return {one.item: one.kind for one in list_footage(root).skipped}


def test_ordinary_names_are_as_they_always_were(tmp_path):
    make(
        tmp_path, "home/room/1.mp4", "home/room/2.MKV", "home/notes.txt", "home/frames/0.png", "home/2024.01.31/a.b.avi"
    )
    assert clips(tmp_path) == {
        "home__2024.01.31__a.b": "home/2024.01.31/a.b.avi",
        "home__frames": "home/frames",
        "home__room__1": "home/room/1.mp4",
        "home__room__2": "home/room/2.MKV",
    }
    assert list_footage(tmp_path).passed_over == {".txt": 1} and list_footage(tmp_path).skipped == []


def test_clips_that_would_share_a_name_say_more(tmp_path):
    make(tmp_path, "x.mp4", "x.avi", "x.mts", "y.mp4", "cam/z.mp4", "cam__z.mp4")
    names = clips(tmp_path)
    assert set(names.values()) == {"x.mp4", "x.avi", "x.mts", "y.mp4", "cam/z.mp4", "cam__z.mp4"}
    by_path = {path: name for name, path in names.items()}
    assert [by_path[path] for path in ("x.mp4", "x.avi", "x.mts", "y.mp4")] == ["x.mp4", "x.avi", "x.mts", "y"]
    assert by_path["cam/z.mp4"].startswith("cam__z.mp4~") and by_path["cam__z.mp4"].startswith("cam__z.mp4~")
    make(tmp_path, "other.mp4", "a/b.mp4")  # what else is there changes no name
    assert {name: path for name, path in clips(tmp_path).items() if path in by_path} == names


def test_a_name_that_says_more_is_not_taken_by_another(tmp_path):
    make(tmp_path, "x.mp4", "x.avi", "x.mp4.avi")
    assert len(clips(tmp_path)) == 3 and clips(tmp_path)["x.avi"] == "x.avi"


ODD = ["a b", "né", "日本", "new\nline", "-x", "#1", "100%", "'\"$(x)`", "x" * 250]


@pytest.mark.parametrize("name", [f"{one}.mp4" for one in ODD])
def test_odd_names_come_through(tmp_path, name):
    make(tmp_path, name, "a/b.mp4")
    (path,) = [one for one in list_footage(tmp_path).clips if one.path.name == name]
    assert path.clip == (name.removesuffix(".mp4") if len(name) < 240 else path.clip)
    assert len(path.clip.encode()) <= 240 and json.loads(json.dumps(path.clip)) == path.clip


def test_deep_folders_give_names_of_bounded_length(tmp_path):
    deep = "/".join(["folder" * 10] * 6)
    make(tmp_path, f"{deep}/a.mp4", f"{deep}/b.mp4")
    names = list(clips(tmp_path))
    assert len(set(names)) == 2 and max(map(len, names)) <= 240


def test_videos_of_every_kind_are_found(tmp_path):
    names = [
        f"a.{suffix}" for suffix in ("3gp", "MOV", "MTS", "asf", "dav", "flv", "h264", "hevc", "m2ts", "ogv", "vob")
    ]
    assert list(clips(make(tmp_path, *names)).values()) == names


def test_snapshots_beside_videos_are_no_clip(tmp_path):
    make(tmp_path, "room/a.mp4", "room/door.jpg", "room/plan.png", "map.jpg")
    assert list(clips(tmp_path)) == ["room__a"] and list_footage(tmp_path).passed_over == {".jpg": 2, ".png": 1}
    make(tmp_path, *(f"room/{number}.jpg" for number in range(9)))
    assert list(clips(tmp_path)) == ["room__a"] and skipped(tmp_path) == {"room": "pictures"}
    assert "11 images lie beside videos" in list_footage(tmp_path).skipped[0].reason


def test_footage_may_itself_be_a_folder_of_frames(tmp_path):
    root = make(tmp_path / "night 3", *(f"{number * 40}.png" for number in range(10)), "timestamps.csv", "camera.json")
    assert clips(root) == {"night 3": "."} and list_footage(root).passed_over == {}
    assert camera_file(root, root) == root / "camera.json" and camera_file(root / "x.mp4", root) == root / "camera.json"
    digest = clip_digest(root, root)
    make(root, "annotations.json", "store/index.json")
    assert clip_digest(root, root) == digest
    make(root, "400.png")
    assert clip_digest(root, root) != digest


def test_links_are_followed_once_and_loops_end(tmp_path):
    root, elsewhere = tmp_path / "footage", make(tmp_path / "disk", "b.mp4", "deep/c.mp4")
    make(root, "home/a.mp4")
    (root / "disk").symlink_to(elsewhere)
    (root / "again").symlink_to(elsewhere / "deep")
    (root / "a_loop").symlink_to(root / "home")
    (root / "home" / "up").symlink_to(root)
    (root / "home" / "further_up").symlink_to(tmp_path)
    (root / "home" / "gone.mp4").symlink_to(root / "nothing.mp4")
    (elsewhere / "back").symlink_to(root)
    assert sorted(clips(root).values()) == ["again/c.mp4", "disk/b.mp4", "home/a.mp4"]
    kinds = skipped(root)
    assert set(kinds.values()) == {"link"}
    assert {"a_loop", "home/up", "home/further_up", "home/gone.mp4", "disk/back", "disk/deep"} >= set(kinds)
    assert {"a_loop", "home/up", "home/further_up", "home/gone.mp4", "disk/back"} <= set(kinds)


def test_our_own_outputs_are_no_footage(tmp_path):
    make(tmp_path, "home/a.mp4", "out/dataset/clips/0.mp4", "store/clip/k/clip.mp4", "half/ingest/k/x.npz")
    make(tmp_path, "demo/footage/truth/x.mkv", "demo/footage/r/1.mp4", "demo/store/room/k.npz", "mine/index.json")
    make(tmp_path, "mine/b.mp4")
    (tmp_path / "out/dataset/dataset.json").write_text(json.dumps({"order": {}, "counts": {}}))
    index = json.dumps({"rooms": {}, "clips": {}, "footage": ""})
    for folder in ("store", "demo/store"):
        (tmp_path / folder / "index.json").write_text(index)
    (tmp_path / "half/ingest/k/meta.json").write_text(json.dumps({"stage": "ingest", "key": "k", "files": {}}))
    make(tmp_path, "half/clip/j/clip.mp4")
    assert sorted(clips(tmp_path)) == ["home__a", "mine__b"]
    assert skipped(tmp_path) == dict.fromkeys(["demo", "half", "out/dataset", "store"], "output")
    reasons = {one.item: one.reason for one in list_footage(tmp_path).skipped}
    assert reasons["store"] == "is a store that careclips wrote; keep outputs outside of the footage"


def test_every_other_file_is_counted(tmp_path):
    make(tmp_path, "a.mp4", "a.srt", "b.TXT", "c.txt", "README", ".hidden.mp4", "truth/x/masks.mkv", "footage.xlsx")
    make(tmp_path, "annotations.json", "camera.json", "summary.json")
    assert list_footage(tmp_path).passed_over == {"(hidden)": 1, "(no suffix)": 1, ".srt": 1, ".txt": 2, ".xlsx": 1}


def test_nothing_to_read_is_an_error_that_says_what_was_there(tmp_path):
    with pytest.raises(InputError, match="holds no video and no folder of images; give a folder"):
        list_footage(tmp_path)
    make(tmp_path, "a.txt", "b.txt", "c.pdf")
    with pytest.raises(InputError, match=r"no folder of images \(passed over: 1 .pdf, 2 .txt\)"):
        list_footage(tmp_path)
    with pytest.raises(InputError, match="nowhere: is not there"):
        list_footage(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"a.txt: is not a folder"):
        list_footage(tmp_path / "a.txt")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_footage_tables_in_every_encoding(tmp_path, encoding):
    make(tmp_path, "cam1/c.mp4", "cam1/d.mp4", "cam1/e.mp4")
    text = "path,site,room,camera\r\ncam1/c.mp4,Haus,Küche,k\r\ncam1\\d.mp4,Haus\r\n,,,\r\ngone.mp4,Haus,Küche,k\r\n"
    (tmp_path / "footage.csv").write_bytes(text.encode(encoding))
    found = list_footage(tmp_path)
    assert [(one.clip, one.row["room"]) for one in found.clips] == [("cam1__c", "Küche"), ("cam1__d", "")]
    assert {one.item: one.kind for one in found.skipped} == {"cam1/e.mp4": "unlisted", "gone.mp4": "missing"}
    missing = next(one for one in found.skipped if one.kind == "missing")
    assert missing.reason == "line 5 of footage.csv: it is not there; correct the path or remove the line"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("path\n1.mp4\n", "has no column 'camera'"),
        ("path,camera\n/etc/passwd,a\n", "line 2: /etc/passwd leaves the footage folder"),
        ("path,camera\n../x.mp4,a\n", "line 2: ../x.mp4 leaves the footage folder"),
        ("camera,path\nk,a.mp4\nk\n", "line 3: path is empty"),
        ("path,camera\na.mp4,k\n./a.mp4,k\n", "line 3: a.mp4 has a line already"),
    ],
)
def test_bad_lines_are_refused_by_number(tmp_path, table, problem):
    make(tmp_path, "a.mp4")
    (tmp_path / "footage.csv").write_text(table)
    with pytest.raises(InputError, match=problem):
        list_footage(tmp_path)
