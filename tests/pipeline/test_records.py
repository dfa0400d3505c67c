"""`index.json` of a store: written and read again, and what summaries say of a clip that a step rejected."""

import json
from dataclasses import replace

import pytest

from models.errors import InputError
from pipeline.records import ClipRecord, StoreIndex, read_store_index, read_store_summary
from pipeline.store import Store


def test_a_clip_that_a_step_rejected_still_has_its_row():
    record = ClipRecord(ingest="k", seconds=4.0, recomputed=True, room="r")
    row = record.summary_row("c")
    assert (row["people"], row["reprojection_px_median"], row["clip_seconds"], row["seconds"]) == (0, None, 4.0, 0.0)
    lifted = replace(record, people=2, figures={"stature_m": [1.6]}, people2d_s=1.0, people3d_s=0.5).summary_row("c")
    assert (lifted["stature_m"], lifted["seconds"], lifted["people"]) == ([1.6], 1.5, 2)


def test_an_index_comes_back_and_holds_only_what_is_known(tmp_path):
    index = StoreIndex({"cam": "key"}, {"a": ClipRecord("i", 4.0, people2d="p"), "b": ClipRecord("j", 2.0)}, "footage")
    index.write(Store(tmp_path))
    assert read_store_index(Store(tmp_path)) == index
    written = json.loads((tmp_path / "index.json").read_text())
    assert written["clips"]["b"] == {"ingest": "j", "seconds": 2.0, "recomputed": False}


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "index.json").write_text("half an ind")
    for read in (read_store_index, read_store_summary):
        with pytest.raises(InputError, match="is no store of rebuilt rooms; run `careclips reconstruct FOOTAGE"):
            read(Store(tmp_path))
