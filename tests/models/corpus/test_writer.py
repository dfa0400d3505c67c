"""Writing a corpus: what comes back, what is refused, splits and packs."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.body.model import load_body
from models.body.tracks import track_joints
from models.corpus.reader import read_corpus, read_index
from models.corpus.writer import Item, motion_of, split_of, write_corpus, write_pack
from models.errors import InputError
from models.geometry.transforms import matrix_from_axis_angle
from models.types import SMPL_PARENTS, Motion, PersonTrack


def world_rotations(track: PersonTrack) -> np.ndarray:
    """Of every joint, along its chain."""
    turns = np.concatenate([track.global_orient, track.body_pose], axis=1).reshape(-1, 24, 3)
    rotations = matrix_from_axis_angle(turns)
    for joint, parent in enumerate(SMPL_PARENTS[1:], start=1):
        rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
    return rotations


def degrees_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(2.0 * np.arcsin(np.linalg.norm(a - b, axis=(-1, -2)) / np.sqrt(8.0)))


def test_motions_come_back_within_millimetres(items: tuple[Item, ...], tmp_path: Path) -> None:
    body = load_body()
    write_corpus(tmp_path / "c.bin", items, body.name, {})
    corpus = read_corpus(tmp_path / "c.bin")
    by_name = {item.name: item for item in items}
    assert len(corpus.index.rows) == len(items)
    for place, row in enumerate(corpus.index.rows):
        given, back = by_name[row.name].motion, motion_of(corpus, place)
        np.testing.assert_array_equal(back.actions, given.actions)
        np.testing.assert_allclose(back.timestamps_s, given.timestamps_s, atol=1e-9)
        assert (back.source, back.details) == (by_name[row.name].source, given.details)
        for one, other in zip(given.people, back.people, strict=True):
            assert (one.person, one.role) == (other.person, other.role)
            np.testing.assert_array_equal(other.visible, one.visible)
            np.testing.assert_allclose(other.confidence, one.confidence, atol=0.002)
            assert np.linalg.norm(track_joints(body, one) - track_joints(body, other), axis=-1).max() < 0.004
            assert degrees_apart(world_rotations(one), world_rotations(other)).max() < 0.2


def test_same_items_same_bytes_in_any_order(items: tuple[Item, ...], tmp_path: Path) -> None:
    write_corpus(tmp_path / "a.bin", items, "body", {"reason": 1})
    write_corpus(tmp_path / "b.bin", reversed(items), "body", {"reason": 1})
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    write_corpus(tmp_path / "b.bin", items, "body", {"reason": 2})
    assert (tmp_path / "a.bin").read_bytes() != (tmp_path / "b.bin").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", "b.bin"], "nothing half written stays"


def with_nan(motion: Motion) -> Motion:
    transl = motion.people[0].transl.copy()
    transl[3, 1] = np.nan
    return replace(motion, people=(replace(motion.people[0], transl=transl),))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda item: replace(item, motion=with_nan(item.motion)),
            "item walk_0: transl of person_0 holds numbers that are not finite; mend it, or leave the item out",
        ),
        (
            lambda item: replace(item, motion=replace(item.motion, people=())),
            "item walk_0: has 0 people, 1 to 5 expected; leave some out",
        ),
        (
            lambda item: replace(item, motion=replace(item.motion, timestamps_s=item.motion.timestamps_s * 2.0)),
            "item walk_0: is not sampled at 20 Hz; resample it",
        ),
        (
            lambda item: replace(item, texts=("walks", " ")),
            "item walk_0: has no caption, or an empty one; describe it in words",
        ),
        (
            lambda item: replace(item, motion=replace(item.motion, actions=item.motion.actions + 16)),
            "item walk_0: has actions outside -1 to 15; use indices into ACTIONS",
        ),
        (lambda item: replace(item, licence=""), "item walk_0: does not say its licence or its take; name both"),
        (
            lambda item: replace(item, motion=replace(item.motion, details={"place": np.zeros(2)})),
            (
                "item walk_0: details are not plain values (Object of type ndarray is not JSON serializable); "
                "use text, numbers, lists and dicts"
            ),
        ),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(items: tuple[Item, ...], tmp_path: Path, change, message) -> None:
    with pytest.raises(InputError) as caught:
        write_corpus(tmp_path / "c.bin", [*items[1:], change(items[0])], "body", {})
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


def test_two_items_of_one_name_and_no_items_are_refused(items: tuple[Item, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="item walk_0: is in the corpus already"):
        write_corpus(tmp_path / "c.bin", [items[0], items[0]], "body", {})
    with pytest.raises(InputError, match="no item was given"):
        write_corpus(tmp_path / "c.bin", [], "body", {})


def test_a_take_is_in_one_split(items: tuple[Item, ...], tmp_path: Path) -> None:
    shares = Counter(split_of(f"take {number}") for number in range(5000))
    assert shares["train"] == pytest.approx(4000, abs=150) and shares["val"] == pytest.approx(500, abs=100)
    assert shares["test"] == pytest.approx(500, abs=100)
    assert [split_of(f"take {number}") for number in (0, 7, 8)] == ["train", "test", "val"], "names alone decide"
    index = write_corpus(tmp_path / "c.bin", items, "body", {})
    assert all(row.split == split_of(row.take) for row in index.rows)
    assert len({row.split for row in index.rows if row.take == "walk"}) == 1


@pytest.fixture
def many(items: tuple[Item, ...], tmp_path: Path) -> Path:
    """Walks in plenty, two falls, one stand; all of takes that are for training."""
    walks = [replace(items[k % 6], name=f"w{k:02}", take="take 0") for k in range(30)]
    rest = [replace(item, take="take 0") for item in items if item.name in ("fall_0", "fall_1", "stand_0")]
    write_corpus(tmp_path / "many.bin", [*walks, *rest], "body", {"reason": 1})
    return tmp_path / "many.bin"


def test_a_small_pack_is_balanced_and_within_its_bytes(many: Path, tmp_path: Path) -> None:
    whole = read_index(many)
    budget = whole.file_bytes // 2
    index = write_pack(many, tmp_path / "pack.bin", budget)
    assert 0.8 * budget < (tmp_path / "pack.bin").stat().st_size <= budget
    assert {"fall_0", "fall_1", "stand_0"} < {row.name for row in index.rows} < {row.name for row in whole.rows}
    write_pack(many, tmp_path / "again.bin", budget)
    assert (tmp_path / "pack.bin").read_bytes() == (tmp_path / "again.bin").read_bytes()
    part, full = read_corpus(tmp_path / "pack.bin"), read_corpus(many)
    names = [row.name for row in full.index.rows]
    for place, row in enumerate(part.index.rows):
        np.testing.assert_array_equal(part.tracks(place).rotations, full.tracks(names.index(row.name)).rotations)


def test_a_pack_with_room_for_all_holds_all_that_may_be_taken(many: Path, tmp_path: Path) -> None:
    assert len(write_pack(many, tmp_path / "pack.bin").rows) == 33
    free = write_pack(many, tmp_path / "pack.bin", licences=["CC0"])
    assert len(free.rows) == 31 and {row.licence for row in free.rows} == {"CC0"}
    with pytest.raises(InputError) as caught:
        write_pack(many, tmp_path / "pack.bin", splits=["test"])
    assert str(caught.value) == (
        f"{many}: none of its 33 items may be packed into 24000000 bytes; "
        "ask for other licences (it has Apache-2.0, CC0) or for more room"
    )
