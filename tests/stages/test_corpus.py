"""Parts of the corpus: captions that are true, takes that keep their split, rejects that are counted."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.animation.gait_curves import procedural_walking
from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.corpus.mirror import mirrored_item
from models.corpus.reader import read_corpus
from models.corpus.statistics import summary
from models.corpus.writer import split_of, write_corpus
from models.falls.sampling import FallsConfig, simulated
from models.interactions.kinds import INTERACTION_KINDS
from models.mocap.bvh import write_bvh
from models.mocap.export import track_bvh
from models.mocap.importers.indexed_folder import index_takes
from models.motion.dataset import ROLES, MotionData
from models.text.captions import captions
from models.types import ACTIONS
from pipeline.build_corpus import corpus_part
from pipeline.runner import load_value
from pipeline.settings import Settings
from pipeline.store import Store
from stages import corpus, corpus_report
from stages.corpus import CorpusConfig

CONFIG = CorpusConfig(captions=3, pair_window_s=2.0, pair_stride_s=1.0)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def captures(body, tmp_path_factory):
    """Two walks, one of them a pair, and a file that is none."""
    folder = tmp_path_factory.mktemp("captures")
    rows = []
    for name, pair in (("cmu_iclone/001_02", ""), ("cmu_pair/a", "p"), ("cmu_pair/b", "p"), ("cmu_iclone/003_01", "")):
        (folder / name).parent.mkdir(exist_ok=True)
        walk = procedural_walking(body, np.zeros(10), 4.0, 30.0, np.random.default_rng(len(rows)))
        if name.endswith("003_01"):
            (folder / f"{name}.bvh").write_text("HIERARCHY\nnothing")
        else:
            write_bvh(track_bvh(body, walk.people[0], walk.timestamps_s), folder / f"{name}.bvh")
        rows.append(
            {"file": f"{name}.bvh", "format": "bvh", "fps": "30", "pair": pair, "description": "walk, turn left"}
        )
    with (folder / "index.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return folder


def test_captured_takes_are_kept_whole_and_pairs_are_cut_and_mirrored(body, captures):
    items, aside = corpus.captured_part(CONFIG, body, index_takes(captures), captures, 0)
    single = [item for item in items if len(item.motion.people) == 1]
    pairs = [item for item in items if len(item.motion.people) == 2]
    assert [item.name for item in single] == ["cmu_iclone/001_02"] and single[0].take == "cmu 1_2"
    assert "CMU" in single[0].licence and len(single[0].texts) > 1
    assert (
        len(pairs) == 6 and len({item.take for item in pairs}) == 1 and all("mirrored" in p.name for p in pairs[1::2])
    )
    assert all("left" in text for text in pairs[0].texts if "turn" in text)
    assert all("right" in text for text in pairs[1].texts if "turn" in text)
    assert sum(aside.values()) == 1 and "003_01" in next(iter(aside))


def test_takes_that_cannot_be_read_never_end_the_build(body, tmp_path):
    """A file that is missing, one that is cut off and one of another kind: each is counted with its reason."""
    (tmp_path / "cmu").mkdir()
    (tmp_path / "cmu" / "cut.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    (tmp_path / "cmu" / "other.txt").write_bytes(b"\x00\x01")
    rows = ["cmu/none.bvh,bvh,,,walks", "cmu/cut.bvh,bvh,,,walks", "cmu/other.txt,deepmimic-json,,,walks"]
    rows.append("cmu/none.amc,amc,120,,walks")
    (tmp_path / "index.csv").write_text("\n".join(["file,format,fps,pair,description", *rows]))
    items, aside = corpus.captured_part(CONFIG, body, index_takes(tmp_path), tmp_path, 0)
    assert items == [] and sum(aside.values()) == 4
    reasons = " ".join(aside)
    for part in (
        "none.bvh: cannot be opened",
        "cut.bvh: has no MOTION",
        "other.txt: holds NUL bytes",
        "none.amc: has no skeleton",
    ):
        assert part in reasons
    store, settings = Store(tmp_path / "store"), Settings({"corpus": {"mocap": str(tmp_path)}})
    made = corpus_part(store, settings, "captured", [0, 1, 2, 3])
    assert sum(load_value(store, "corpus_part", made["key"])["dropped"].values()) == 4


def test_captures_are_taken_for_what_their_index_allows(body, captures, tmp_path):
    shutil.copytree(captures, tmp_path / "captures")
    root = tmp_path / "captures"
    (root / "index.csv").write_text(
        "file,format,fps,pair,description,licence,use\n"
        "cmu_iclone/001_02.bvh,bvh,,,walk,CC BY 4.0,ship\n"
        "cmu_pair/a.bvh,bvh,,,walk (done badly on purpose),CC BY-NC 4.0,evaluate\n"
        "cmu_pair/b.bvh,bvh,,,walk,,\n"
    )
    items, aside = corpus.captured_part(CONFIG, body, index_takes(root), root, 0)
    assert [(item.name, item.licence) for item in items] == [("cmu_iclone/001_02", "CC BY 4.0")]
    assert dict(aside) == {
        "capture is for 'evaluate' (licence: CC BY-NC 4.0)": 1,
        "capture is for '' (licence: unknown)": 1,
    }
    asked = CONFIG.model_copy(update={"mocap_use": ("ship", "evaluate")})
    items, aside = corpus.captured_part(asked, body, index_takes(root), root, 0)
    assert [item.licence for item in items] == ["CC BY 4.0", "CC BY-NC 4.0"] and sum(aside.values()) == 1
    assert "done badly on purpose" in items[1].texts[0]
    # What may be taken is part of what a stored part was made of, and of no part without captures.
    keys = set()
    for use in (["ship"], ["evaluate"]):
        settings = Settings({"corpus": {"mocap": str(root), "mocap_use": use, "falls": 1}})
        keys.add(corpus_part(Store(tmp_path / "store"), settings, "captured", [0, 1])["key"])
        assert "mocap_use" not in settings.corpus.key_values()
    assert len(keys) == 2


def test_repetitions_of_an_exercise_are_one_take():
    named = ["uiprmd/m01_correct/m01_s02_e03", "uiprmd/m01_incorrect/m01_s02_e10_inc"]
    assert {corpus.take_of(name) for name in named} == {"uiprmd/m01_s02"}
    assert corpus.take_of("hdm05/HDM_bd_squat1Reps_003_120") == "hdm05/HDM_bd_squat1Reps"


def test_a_take_has_one_name_however_it_was_exported():
    assert corpus.take_of("cmu_amc/01_02") == corpus.take_of("cmu_iclone/001_02") == "cmu 1_2"
    assert corpus.take_of("cmu_expmap/walking_1") == "cmu_expmap/walking_1"
    assert split_of(corpus.take_of("cmu_amc/01_02")) == split_of(corpus.take_of("cmu_iclone/001_02"))


def test_who_stays_on_the_bed_is_said_to_lie_there(body):
    """Draw 7 of a slide out of bed ends on the bed: neither a fall nor somebody who stands."""
    draw = np.random.default_rng([7, 5])
    motion = simulated(FallsConfig(), body, "slide_out_of_bed", "forward", draw)
    assert motion.details["start"] == "bed_edge"
    labels = [ACTIONS[action] for action in motion.actions[0]]
    assert motion.details["recovered"] and motion.details["ends"] == "lying" == labels[-1]
    assert not {"fall", "fallen", "standing"} & set(labels)
    for text in captions(corpus.fall_facts(motion), np.random.default_rng(0), 8):
        assert not {"fall", "falls", "stands", "standing", "balance"} & set(text.lower().strip(".").split()), text


def test_falls_say_what_happened(body):
    items, aside = corpus.fall_part(CONFIG, body, range(8), 0)
    assert len(items) + sum(aside.values()) == 8 and len(items) >= 6
    for item in items:
        details, labels = item.motion.details, {ACTIONS[action] for action in item.motion.actions[0]}
        first, last = item.texts[0].lower(), item.texts[-1].lower()
        assert "person" not in first.split() and set(last.split()) & {"person", "someone", "somebody"}, (
            "of anybody, too"
        )
        if details["recovered"]:
            assert item.kind == "look_alike" and "fall" not in labels
            continue
        assert item.kind == "fall" and {"fall", "fallen"} <= labels
        way = details["direction"]
        if way in ("left", "right"):
            assert way in first and ("right" if way == "left" else "left") not in first
        elif way != "down":
            assert way.rstrip("s") in first
        if way != "down":
            turned = {"forward": 0.0, "left": 90.0, "backward": 180.0, "right": -90.0}[way] - details["direction_deg"]
            assert abs((turned + 180.0) % 360.0 - 180.0) <= 45.0
    assert corpus.fall_part(CONFIG, body, [3], 0)[0] == [] or (
        corpus.fall_part(CONFIG, body, [3], 0)[0][0].motion.people[0].transl.tobytes()
        == next(item for item in items if item.name == "fall/00003").motion.people[0].transl.tobytes()
    ), "a part depends on its numbers alone"


def test_who_is_too_young_for_a_resident_is_a_person(body):
    young = CorpusConfig(fall=FallsConfig(age_years=(20.0, 44.0)), captions=4)
    (item, *_), _ = corpus.fall_part(young, body, range(3), 0)
    assert item.motion.people[0].role == "person" and 20.0 <= item.motion.details["age_years"] <= 44.0
    words = " ".join(item.texts).lower()
    assert "resident" not in words and "elderly" not in words and "young" in words
    motion = simulated(FallsConfig(age_years=(60.0, 61.0)), body, "slip", "backward", np.random.default_rng(0))
    assert motion.people[0].role == "resident"


def test_who_is_held_up_by_furniture_teaches_no_rest_on_nothing(body):
    items, _ = corpus.fall_part(CONFIG, body, range(8), 0)
    lies = next(i.motion for i in items if i.kind == "fall" and i.motion.details["landing"] == "floor")
    lies = replace(lies, details=lies.details | {"after": "lies_still"})
    assert not corpus.leans_on_furniture(body, lies)
    track = lies.people[0]
    higher = replace(lies, people=(replace(track, transl=track.transl + (0.0, 0.0, 0.4)),))
    assert corpus.leans_on_furniture(body, higher)
    for other in ({"after": "gets_up"}, {"landing": "chair"}, {"recovered": True}):
        assert not corpus.leans_on_furniture(body, replace(higher, details=higher.details | other))


def test_look_alikes_are_no_falls(body):
    items, aside = corpus.look_alike_part(CONFIG, body, range(12), 0)
    assert len(items) + sum(aside.values()) == 12 and len(items) >= 9
    for item in items:
        labels = {ACTIONS[action] for action in item.motion.actions[0]}
        assert item.kind == "look_alike" and not labels & {"fall", "fallen"}
        assert not any("fall" in text for text in item.texts)
        np.testing.assert_allclose(np.diff(item.motion.timestamps_s), 0.05)
    kinds = {item.motion.details["kind"] for item in items}
    assert len(kinds) == len(items), "each kind in turn"


def test_compositions_are_marked_and_named_by_kind(body):
    items, skipped = corpus.interaction_part(CONFIG, body, "walk_beside", range(4), 0)
    assert len(items) + sum(skipped.values()) == 4 and len(items) >= 2
    assert all(reason.startswith("walk_beside composed_") for reason in skipped)
    for item in items:
        kind, folder, number = item.name.split("/")
        assert (kind, folder, item.motion.details["composition"]) == ("composed", "walk_beside", "walk_beside")
        assert item.kind == "composed" and item.motion.details["composed"] and len(item.motion.people) == 2
        alone = corpus.interaction_part(CONFIG, body, "walk_beside", [int(number)], 0)[0][0]
        assert alone.motion.people[1].transl.tobytes() == item.motion.people[1].transl.tobytes()
        assert alone.texts == item.texts


def test_groups_are_written_mirrored_reported_and_learned_from(body, tmp_path):
    """Three to five people go wherever two do."""
    items, _ = corpus.interaction_part(CONFIG, body, "talk_in_group", range(10), 0)
    assert {len(item.motion.people) for item in items} == {3, 4, 5}
    items += [mirrored_item(item, body) for item in items]
    path = tmp_path / "corpus.bin"
    write_corpus(path, items, body.name, {})
    read = read_corpus(path)
    assert summary(read.index)["two_person"] == len(items) == len(read.index.rows)
    assert f"<b>{len(items)}</b><span>of two and more people</span>" in corpus_report.run(path, body, strips=2)
    data = MotionData(read, skeleton_of(body), 40)
    batch = data.draw(data.where(lambda row: True), np.ones(len(items)), 6, 0, seed=0)
    people = (batch.roles >= 0).sum(dim=1).tolist()
    assert max(people) == batch.features.shape[1] and set(people) <= {3, 4, 5}
    for scene, row in enumerate(read.index.rows[item] for item in batch.items.tolist()):
        there = batch.roles[scene] >= 0
        assert people[scene] == len(row.people) and bool(batch.mask[scene, there, :40].all())
        assert sorted(ROLES[role] for role in batch.roles[scene, there].tolist()) == sorted(row.roles)
        assert torch.isfinite(batch.features[scene]).all() and batch.features[scene, ~there].abs().sum() == 0.0


def test_interactions_are_shared_out_evenly_and_another_kind_takes_from_the_end_of_each():
    kinds = list(INTERACTION_KINDS)
    shared = corpus.interactions_by_kind(len(kinds) * 7 + 2, kinds)
    assert sum(shared.values()) == len(kinds) * 7 + 2 and set(shared.values()) == {7, 8} and shared[kinds[0]] == 8
    fewer = corpus.interactions_by_kind(len(kinds) * 7, kinds[:-1])
    assert sum(fewer.values()) == len(kinds) * 7 and min(fewer.values()) >= 7
    assert corpus.interactions_by_kind(1, kinds) == {kind: int(kind == kinds[0]) for kind in kinds}
