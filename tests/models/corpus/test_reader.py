"""A corpus in memory: the index, windows, and files that are none."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.corpus.reader import MAGIC, Corpus, read_corpus, read_index
from models.corpus.writer import Item, write_corpus
from models.errors import InputError
from models.types import ACTIONS


@pytest.fixture(scope="module")
def path(items: tuple[Item, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "corpus.bin"
    write_corpus(path, items, "a-body", {"simulation_unstable": 2})
    return path


@pytest.fixture(scope="module")
def corpus(path: Path) -> Corpus:
    return read_corpus(path)


def place(corpus: Corpus, name: str) -> int:
    return [row.name for row in corpus.index.rows].index(name)


def test_the_index_says_what_an_item_is(path: Path, items: tuple[Item, ...]) -> None:
    index = read_index(path)
    assert (index.body, index.actions, index.dropped) == ("a-body", ACTIONS, {"simulation_unstable": 2})
    assert index.file_bytes == path.stat().st_size
    assert [row.name for row in index.rows] == sorted(item.name for item in items)
    fall = next(row for row in index.rows if row.name == "fall_0")
    assert (fall.kind, fall.source, fall.licence, fall.take) == ("fall", "physics", "Apache-2.0", "fall_0")
    assert fall.texts == ("an old woman falls forward", "she is pushed and falls on her face")
    assert (fall.people, fall.roles, fall.seconds) == (("person_0",), ("resident",), 5.0)
    motion = next(item for item in items if item.name == "fall_0").motion
    assert fall.details == motion.details and fall.details["cause"] == "push"
    assert fall.action_seconds["fall"] == (motion.actions == ACTIONS.index("fall")).sum() / 20.0
    assert sum(fall.action_seconds.values()) == pytest.approx(5.0)
    pair = next(row for row in index.rows if row.name == "pair")
    assert pair.roles == ("resident", "carer") and pair.action_seconds == {"walk": 6.0}


def test_windows_are_the_frames_that_were_picked(corpus: Corpus) -> None:
    pair, stand = place(corpus, "pair"), place(corpus, "stand_1")
    windows = corpus.windows([(pair, 40), (stand, 7)], 30)
    assert windows.rotations.shape == (2, 5, 30, 24, 3)
    np.testing.assert_array_equal(windows.present, [[True, True, *3 * [False]], [True, *4 * [False]]])
    np.testing.assert_array_equal(windows.valid, [[True] * 20 + [False] * 10, [True] * 30])
    both, one = corpus.tracks(pair), corpus.tracks(stand)
    np.testing.assert_array_equal(windows.rotations[0, :2, :20], both.rotations[:, 40:])
    np.testing.assert_array_equal(windows.transl[0, :2, :20], both.transl[:, 40:])
    np.testing.assert_array_equal(windows.transl[0, :2, 20:], np.repeat(both.transl[:, -1:], 10, axis=1))
    np.testing.assert_array_equal(windows.rotations[1, 0], one.rotations[0, 7:37])
    np.testing.assert_array_equal(windows.actions[1, 0], one.actions[0, 7:37])
    np.testing.assert_array_equal(windows.betas[0, :2], both.betas)
    for values, nothing in ((windows.rotations, 0), (windows.transl, 0), (windows.betas, 0), (windows.actions, -1)):
        assert (values[~windows.present] == nothing).all()
    assert both.betas.any() and one.rotations.any()


def test_a_batch_of_windows_is_the_windows_one_by_one(corpus: Corpus) -> None:
    rng = np.random.default_rng(0)
    picks = [(int(rng.integers(len(corpus.index.rows))), int(rng.integers(60))) for _ in range(16)]
    batch = corpus.windows(picks, 25)
    for number, pick in enumerate(picks):
        single = corpus.windows([pick], 25)
        for name in vars(batch):
            np.testing.assert_array_equal(getattr(batch, name)[number], getattr(single, name)[0])


def test_items_are_left_out_by_what_their_row_says(path: Path) -> None:
    free = read_corpus(path, keep=lambda row: row.licence == "CC0" and row.kind != "composed")
    assert {row.name for row in free.index.rows} == {*(f"walk_{k}" for k in range(6)), "stand_0", "stand_1"}
    whole = read_corpus(path)
    np.testing.assert_array_equal(
        free.tracks(place(free, "stand_1")).rotations, whole.tracks(place(whole, "stand_1")).rotations
    )
    with pytest.raises(InputError) as caught:
        read_corpus(path, keep=lambda row: row.licence == "GPL")
    assert str(caught.value) == f"{path}: none of its 11 items is kept; ask for fewer conditions"


def test_what_is_no_corpus_is_refused_in_one_line(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    other = tmp_path / "other.bin"
    with pytest.raises(InputError, match=re.escape(f"{other}: cannot be read (No such file or directory)")):
        read_index(other)
    other.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(InputError) as caught:
        read_corpus(other)
    assert str(caught.value) == (
        f"{other}: is no motion corpus: it begins with b'PK\\x03\\x04 something else', not {MAGIC!r}; "
        "name a file that the corpus step made"
    )
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for damaged in (content[:25], content[:60], content[:-1], content + b"\0", bytes(flipped)):
        other.write_bytes(damaged)
        with pytest.raises(InputError) as caught:
            read_corpus(other)
        assert str(caught.value) == (
            f"{other}: is damaged or cut off: its {len(damaged)} bytes are not those its digest is of; "
            "copy or make it again"
        )


def test_a_bare_machine_reads_it(path: Path) -> None:
    """Reading imports numpy, jaxtyping and the standard library, and of ours nothing that would import more."""
    program = """
import sys
from pathlib import Path
from models.corpus.reader import read_corpus
print(read_corpus(Path(sys.argv[1])).rotations.shape)
print(*{name.partition(".")[0] for name in sys.modules if name != "__main__"} - {*sys.stdlib_module_names})
"""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    shape, imported = done.stdout.strip().split("\n")
    assert shape == "(880, 24, 3)"  # 8 walkers of 60 frames, 4 others of 100
    assert {"numpy", "jaxtyping", "models"} <= {*imported.split()}
    assert not {"scipy", "cv2", "torch", "pydantic", "yaml"} & {*imported.split()}, imported
