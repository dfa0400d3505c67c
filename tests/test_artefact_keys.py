"""Artefacts made before are found: their keys are what they were when the tables here were written down.

A key that changes makes every user's store anew. Where a config field gets a new name, give it with
`models.config.renamed`; where a stage computes something else than before, raise its VERSION and write its new keys
down.
"""

from models.files import digest
from models.order import read_order_form
from pipeline.settings import CONFIGS, SECTIONS, Settings
from pipeline.store import Store
from stages import (
    calibrate,
    corpus,
    depth,
    floor,
    ingest,
    label,
    people2d,
    people3d,
    place_motion,
    plate,
    render,
    room,
    sample_footage,
    sample_motion,
)

VERSIONS = {
    "ingest": ingest.VERSION,
    "people2d": people2d.VERSION,
    "plate": plate.VERSION,
    "calibrate": calibrate.VERSION,
    "depth": depth.VERSION,
    "room": room.VERSION * 100 + floor.VERSION,
    "people3d": people3d.VERSION,
}
"""Of the stages that `reconstruct` keeps artefacts of, named as their sections of a config file."""
VALUES = {
    "sample_footage": {"rooms": 3, "scenarios": ["fall", "bed"], "two_people": 0.5},
    "ingest": {"minimum_frames": 4, "key_frame_change": 5.0},
    "people2d": {
        "backend": {"kind": "transformers", "least_detection": 0.4},
        "most_people": 6,
        "least_score": 0.3,
        "least_seconds": 1.0,
        "duplicates": {"least_score": 0.3, "coincide": 0.06, "share": 0.6, "explains": 0.2, "drop_share": 0.4},
        "keypoint_order": {
            "check": False,
            "least_frames": 12,
            "least_score": 0.5,
            "least_seconds": 7.0,
            "most_misproportion": 0.4,
            "least_upright": 0.2,
            "least_forwards": 0.3,
        },
    },
    "plate": {"outline_reach": 0.5, "mask_margin_px": 4},
    "calibrate": {
        "shortest_line": 0.05,
        "most_lines": 140,
        "line_witnesses": 20.0,
        "least_score": 0.2,
        "thin_s": 0.2,
        "most_frames": 300,
        "least_frames_alone": 10,
    },
    "depth": {"loss": "squared", "samples": 1000},
    "floor": {"least_lines": 10, "least_depth_range": 1.4, "min_floor_share": 0.1},
    "room": {"cell_m": 0.1, "reach_m": 8.0, "seat_heights_m": [0.3, 0.6]},
    "people3d": {
        "fit": {"steps": 100, "robust_from": 12.0, "pose": 0.5, "skate": 2.0, "device": "cuda"},
        "coarse_stride": 3,
        "stature_spread_m": 0.1,
        "regressor": {"kind": "hmr", "path": "network", "flip": False},
        "least_score": 0.2,
        "judged_score": 0.4,
        "least_frames": 6,
        "world": {"most_skate_cm_s": 40.0, "most_sunk_m": 0.1, "most_sunk_share": 0.4, "most_float_m": 0.5},
        "most_behind": 1.5,
        "separation": {"allowed_m": 0.02, "along_m": 0.4, "steps": 50},
    },
    "physics": {"timestep_s": 0.003, "limit_slack_deg": 10.0},
    "generate": {"headings": 8, "places": 100, "off_floor": 0.05, "smallest_person_px": 50.0},
    "label": {"smoothing_s": 0.3, "fall_drop": 0.5, "low_pelvis": 0.4},
    "render": {"noise": 1.0, "depth_tolerance": 0.1},
    "sample_motion": {
        "text": {"kind": "sentence", "word_dims": 48},
        "sampling": {"steps": 20, "noise_shift": 2.0, "guided": 0.5, "overlap_frames": 30},
        "cleanup": {"cutoff_hz": 5.0, "apart_m": 0.02, "apart_rounds": 10},
        "batch": 8,
    },
    "corpus": {
        "mocap": "captures",
        "falls": 10,
        "look_alikes": 5,
        "composed": 3,
        "captions": 2,
        "part": 20,
        "fall": {"physics": {"penetration_m": 0.02}, "hz": 10.0, "recovering": 0.2, "rising": 0.3, "furnished": 0.5},
    },
}
"""A config file of before: other values than the defaults, by the names that keys had, at every depth."""


def keys_of(settings: Settings) -> dict[str, str]:
    """The key of every artefact that the pipeline keeps, made of fixed inputs and of the settings, as the pipeline
    asks the store for it."""
    store, inputs = Store("nowhere"), {"of": "something"}

    def values(name: str) -> dict:
        return getattr(settings, name).key_values()

    keys = {"cameras": store.key("cameras", ingest.VERSION, settings.ingest, inputs)}
    for name, version in VERSIONS.items():
        more = {}
        if name == "people3d":
            more = {"duplicates": settings.people2d.pose_nms.key_values()}
        elif name == "room":
            more = {"floor": values("floor")}
        keys[name] = store.key(name, version, getattr(settings, name), inputs | more)
    whole = {"falls": 0, "look_alikes": 0, "composed": 0, "part": 1, "mocap": None}
    part = type(settings.corpus).model_validate(settings.corpus.key_values() | whole)
    for kind, version in corpus.VERSIONS.items():
        keys[f"corpus_part/{kind}"] = store.key("corpus_part", version, part, inputs | {"kind": kind})
    sections = ("physics", "generate", "label", "render", "sample_motion")
    versions = [place_motion.VERSION, label.VERSION, render.VERSION, sample_motion.VERSION]
    of_clip = {"configs": {name: values(name) for name in sections}, "versions": versions}
    keys["clip"] = store.key("clip", 1, None, inputs | of_clip)
    stamp = {"config": values("sample_footage"), "seed": 0, "version": sample_footage.VERSION}
    return keys | {"sample_footage": digest(stamp)[:32]}


DEFAULT_KEYS = {
    "cameras": "b127f33e29278b57712d16f9e73400af",
    "ingest": "ef2b72ae976b10dc1e990f6997db2b27",
    "people2d": "cc743223fe9866a97848ad20b32adf1c",
    "plate": "d385515488d9d6d74d4fc598695c5a2d",
    "calibrate": "ad8ceb12f061d99da93536e72b5dd12a",
    "depth": "dfd8e11bfb560b44ad6504e7707205fb",
    "room": "35b90ea6679d1497177c0a738c282faf",
    "people3d": "7a3d909514296af3a54ee29f3c1607c9",
    "corpus_part/captured": "47600e5dd9b574c8fcfa8048d08b4aae",
    "corpus_part/falls": "1934143a9e5c777515f1514dc86ec37a",
    "corpus_part/look_alikes": "e46264b09739461db403fbded485f11c",
    "corpus_part/composed": "59b0dceafef1021e5ef543bf6d330ae8",
    "clip": "3a1695b03d7e058890b610314d212393",
    "sample_footage": "f01ed5e2a4a0d001331767aefe5c2f63",
}
"""Of the settings that nobody changed."""
KEYS = {
    "cameras": "0a5894b2737f56ce51bee49dabd9cacc",
    "ingest": "44529cad02309857a5df50926bdf2f1e",
    "people2d": "ac8cc613af65dfa46e1b48935feb9f54",
    "plate": "04341220080543f7fc45ff11cc61cb8d",
    "calibrate": "ed8b74d572e716e272e9c4cabfa15a08",
    "depth": "3b662ca624c0f7031228e4973221b0a8",
    "room": "c5338b9d1cc6cc6c921b93b43c736e27",
    "people3d": "6f7291d81ba518f09147c401726cf3bb",
    "corpus_part/captured": "144f91d6b7d4dac834b49a8c3d81b0de",
    "corpus_part/falls": "41f87fcb627123126da6ecb8d296b835",
    "corpus_part/look_alikes": "6432019b79c19686ed794418bd6c47fb",
    "corpus_part/composed": "f75f0b8c75074b7be0ca43318cebc7f9",
    "clip": "f1ed4c1ebe170480717ca2fa03727aca",
    "sample_footage": "a98be5749f2b2fc7bf10891f4d0776b8",
}
"""Of `VALUES`."""


def test_keys_of_the_defaults():
    assert keys_of(Settings({})) == DEFAULT_KEYS


def test_keys_of_a_config_file_of_before():
    """Old names still work, at every depth, and name the same artefacts."""
    assert keys_of(Settings(VALUES)) == KEYS


def test_old_and_new_names_are_one_config():
    """By the names of today, as by those of before, a file's values are the same config of the same keys."""
    renamed = {}
    for name in SECTIONS:
        config = getattr(Settings(VALUES), name)
        assert type(config).model_validate(config.key_values()) == config
        renamed[name] = config.model_dump(mode="json")
        assert type(config).model_validate(renamed[name]) == config
    assert keys_of(Settings(renamed)) == KEYS


def test_orders_keep_their_digests():
    """A clip's key holds the digest of its order form, written out in full."""
    assert digest(read_order_form(CONFIGS / "falls.yaml").model_dump_json())[:32] == ORDER_DIGEST


ORDER_DIGEST = "73e54e6c1e5092c6c80b6954fde443e1"
"""Of the order form that ships."""
