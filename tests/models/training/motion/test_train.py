"""Training: what is learned, what an interruption changes (nothing), and what is refused."""

import json
import os
import socket
from copy import copy
from dataclasses import replace

import pytest
import torch

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.corpus.reader import read_corpus
from models.corpus.writer import split_of, write_corpus
from models.errors import InputError
from models.motion.dataset import ROLES, MotionData
from models.motion.denoisers.identity import IdentityConfig
from models.motion.denoisers.intergen import InterGenConfig
from models.motion.denoisers.mdm import MdmConfig
from models.motion.denoisers.ponimator import PonimatorConfig
from models.motion.features import LAYOUT
from models.motion.model import load_motion_model, motion_model_digest
from models.networks import half_precision
from models.training.loop import Run, Schedule
from models.training.motion.plan_losses import PlanTrainConfig
from models.training.motion.train import MotionTrainConfig, drop_roles, sampling_weights, train

SMALL = {"width": 32, "layers": 1, "heads": 2, "text": 12}
CONFIG = MotionTrainConfig(
    denoiser=IdentityConfig(**SMALL),
    plan=PlanTrainConfig(denoiser=IdentityConfig(patch=2, **SMALL), batch_size=4),
    steps=6,
    batch_size=4,
    max_frames=60,
    validate_every=3,
    validation=4,
    precision="float32",
    warmup_steps=2,
    sampling_weights={"fall": 0.4, "look_alike": 0.4, "composed": 0.2},
    save_every_s=0.0,
)


def takes():
    """Names of takes that are learned, and held out."""
    return {split: next(f"t{n}" for n in range(999) if split_of(f"t{n}") == split) for split in ("train", "val")}


def run(motion_data, embed, out, config=CONFIG, seed=3):
    return train(config, motion_data, embed, "some encoder", Run(seed, out), {"corpus": "small"})


def test_it_learns_to_undo_noise(motion_data, embed, tmp_path):
    config = CONFIG.model_copy(update={"steps": 200, "learning_rate": 3e-3, "validate_every": 100, "save_every_s": 1e9})
    curve = run(motion_data, embed, tmp_path, config)
    assert [row["step"] for row in curve.validation] == [100, 200]
    assert curve.train[-1]["simple"] < 0.8 * curve.train[0]["simple"]
    facts = json.loads((tmp_path / "training.json").read_text())
    assert facts["corpus"] == "small" and facts["steps"] == 200 and facts["config"]["batch_size"] == 4
    model = load_motion_model(tmp_path)
    assert model.config.text_encoder_digest == "some encoder" and model.config.denoiser.name == "identity"
    assert model.normaliser.std.max() > 0.1 and len(motion_model_digest(tmp_path)) == 64


def test_motion_around_a_pose_is_learned(motion_data, embed, tmp_path):
    """On a few scenes, of one and of two, what is minimised falls by half; a plan is not to be had beside it."""
    more = {"steps": 200, "learning_rate": 3e-3, "validate_every": 200, "log_every": 20, "save_every_s": 1e9}
    even = {"high_noise_fraction": 0.0, "text_dropout": 0.0, "role_dropout": 0.0, "plan": None}
    denoiser = PonimatorConfig.model_validate(SMALL | {"width": 64})
    curve = run(motion_data, embed, tmp_path, CONFIG.model_copy(update=more | even | {"denoiser": denoiser}))
    first, last = (sum(row.values()) - row["step"] - row["seconds"] for row in (curve.train[0], curve.train[-1]))
    assert last < 0.5 * first and curve.train[-1]["simple"] < 0.85 * curve.train[0]["simple"]
    assert load_motion_model(tmp_path).config.denoiser == denoiser
    with pytest.raises(ValueError, match="plan must be null where the denoiser makes motion around a pose"):
        MotionTrainConfig(denoiser=denoiser)


def test_single_poses_are_learned_by_the_same_code(motion_data, embed, tmp_path):
    """Without a plan, and by networks that need no pose to begin with."""
    poses = copy(motion_data)
    poses.max_frames = 1
    more = {"max_frames": 1, "steps": 200, "learning_rate": 3e-3, "validate_every": 200, "log_every": 20}
    even = {"high_noise_fraction": 0.0, "batch_size": 8, "plan": None, "save_every_s": 1e9}
    config = CONFIG.model_copy(update=more | even)
    curve = run(poses, embed, tmp_path, config)
    assert curve.train[-1]["simple"] < 0.8 * curve.train[0]["simple"] and curve.train[-1]["velocity"] == 0.0
    assert load_motion_model(tmp_path).config.max_frames == 1
    with pytest.raises(ValueError, match="max_frames 1 learns single poses: plan must be null"):
        MotionTrainConfig(max_frames=1)
    with pytest.raises(ValueError, match="max_frames must be 1, or at least 4 to be motion, got 3"):
        MotionTrainConfig(max_frames=3)


def test_an_interruption_changes_nothing(motion_data, embed, tmp_path, monkeypatch):
    run(motion_data, embed, tmp_path / "whole")
    monkeypatch.setattr("models.training.motion.train._validate", stop_at(6))
    with pytest.raises(KeyboardInterrupt):
        run(motion_data, embed, tmp_path / "cut")
    monkeypatch.undo()
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    run(motion_data, embed, tmp_path / "cut")
    cut, whole = (
        {path.name: path.read_bytes() for path in (tmp_path / of).glob("*.safetensors")} for of in ("cut", "whole")
    )
    assert cut == whole and set(cut) == {"model.safetensors", "state_0000006_00.safetensors"}
    progress = json.loads((tmp_path / "cut" / "state.json").read_text())["progress"]
    assert [row["step"] for row in progress["validation"]] == [3, 6]


def test_a_state_of_another_training_is_not_gone_on_with(motion_data, embed, tmp_path):
    run(motion_data, embed, tmp_path)
    with pytest.raises(InputError, match="is of a training with another seed; name a new folder"):
        run(motion_data, embed, tmp_path, seed=4)
    with pytest.raises(InputError, match="is of a training with another config"):
        run(motion_data, embed, tmp_path, CONFIG.model_copy(update={"batch_size": 2}))
    part = tmp_path / "state_0000006_00.safetensors"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(InputError, match="holds no state to go on from"):
        run(motion_data, embed, tmp_path)


def test_a_training_may_stop_before_its_rate_has_fallen(motion_data, embed, tmp_path):
    run(motion_data, embed, tmp_path, CONFIG.model_copy(update={"max_steps": 3}))
    assert json.loads((tmp_path / "training.json").read_text())["steps"] == 3
    assert (tmp_path / "state_0000003_00.safetensors").exists()
    with pytest.raises(
        ValueError, match="max_steps is 7, the learning rate is made for steps 6: make max_steps at most"
    ):
        MotionTrainConfig(steps=6, max_steps=7)


def stop_at(step):
    """A validation that is interrupted at its second time, after step 5 was saved."""
    calls = []

    def validate(*_):
        calls.append(1)
        if len(calls) * 3 == step:
            raise KeyboardInterrupt
        return {}

    return validate


def test_same_seed_same_bytes_and_another_seed_others(motion_data, embed, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(motion_data, embed, tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


@pytest.mark.parametrize(
    ("denoiser", "people"), [(InterGenConfig(**SMALL), (2,)), (MdmConfig(**SMALL), (1,))], ids=["intergen", "mdm"]
)
def test_baselines_are_trained_by_the_same_code(motion_data, items, embed, tmp_path, denoiser, people):
    if people == (2,):
        body, pair = load_body(), next(item for item in items if len(item.motion.people) == 2)
        both = [replace(pair, name=f"pair_{split}", take=take) for split, take in takes().items()]
        write_corpus(tmp_path / "corpus.bin", both, body.name, {})
        motion_data = MotionData(read_corpus(tmp_path / "corpus.bin"), skeleton_of(body), 60)
    config = CONFIG.model_copy(update={"denoiser": denoiser, "people": people, "steps": 3})
    run(motion_data, embed, tmp_path, config)
    assert load_motion_model(tmp_path).config.denoiser.name == denoiser.name


def test_a_denoiser_learns_scenes_of_as_many_people_as_it_can_do():
    for denoiser, can in ((InterGenConfig(**SMALL), r"\[2\]"), (MdmConfig(**SMALL), r"\[1\]")):
        with pytest.raises(ValueError, match=rf"people is \[1, 2\], the denoiser {denoiser.name} does scenes of {can}"):
            MotionTrainConfig(denoiser=denoiser)


def test_kinds_have_their_weights_and_falls_of_some_causes_more_than_others(motion_data):
    one = motion_data.rows[0]
    causes = ("push", "trip", "trip")
    rows = [replace(one, kind="fall", frames=100, details={"cause": cause}) for cause in causes]
    rows.append(replace(one, kind="look_alike", frames=400, details={}))
    plain, more = (
        sampling_weights(CONFIG.model_copy(update={"cause_weights": how}), rows) for how in ({}, {"push": 2.0})
    )
    assert plain == pytest.approx([0.4 / 3, 0.4 / 3, 0.4 / 3, 0.4]) and more == pytest.approx([0.2, 0.1, 0.1, 0.4])


def test_the_rate_warms_up_and_falls():
    rates = [Schedule(100, 10)(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1 * max(rates), rel=0.05) and rates[9] == max(rates)
    assert rates[-1] < 0.02 * max(rates)


def test_half_precision_where_it_is_asked_for_or_in_hardware():
    assert half_precision("bfloat16", torch.device("cpu")) and not half_precision("float32", torch.device("cuda"))
    assert half_precision("auto", torch.device("cuda"))


def test_another_layout_is_refused(motion_data, embed, tmp_path):
    run(motion_data, embed, tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    assert settings["layout"] == LAYOUT
    (tmp_path / "config.json").write_text(json.dumps(settings | {"layout": "positions 66"}))
    with pytest.raises(InputError, match="laid out as 'positions 66'.*train it again"):
        load_motion_model(tmp_path)
    with pytest.raises(InputError, match="is no motion model"):
        load_motion_model(tmp_path / "nothing")


def test_a_model_can_be_begun_with_if_it_is_of_the_same_sizes(motion_data, embed, tmp_path):
    run(motion_data, embed, tmp_path / "first")
    first = load_motion_model(tmp_path / "first")
    still = CONFIG.model_copy(update={"steps": 1, "learning_rate": 1e-12, "validate_every": 1})
    train(still, motion_data, embed, "some encoder", Run(0, tmp_path / "second"), {}, None, first)
    second = load_motion_model(tmp_path / "second")
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    other = CONFIG.model_copy(update={"denoiser": IdentityConfig(**(SMALL | {"layers": 2}))})
    with pytest.raises(InputError, match="start: has as denoiser .*layers=1.*the config .*layers=2"):
        train(other, motion_data, embed, "some encoder", Run(0, tmp_path / "third"), {}, None, first)


def learn_together(rank, port, folder):
    """One of two processes, as `torchrun` would start it."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    torch.set_num_threads(1)
    data = MotionData(read_corpus(folder / "corpus.bin"), skeleton_of(load_body()), 60)
    seen = []

    def rows(texts):
        seen.append(tuple(texts))
        return torch.ones(len(texts), 12)

    train(CONFIG, data, rows, "some encoder", Run(3, folder / "out"), {})
    (folder / f"seen_{rank}.json").write_text(json.dumps([seen[0]]))


def test_two_processes_learn_one_model(items, tmp_path, embed):
    """Each from batches of its own; one writes. Half the batches twice over are not the batches of one process."""
    body = load_body()
    placed = [replace(item, take=takes()["val" if item.name == "walk_5" else "train"]) for item in items]
    write_corpus(tmp_path / "corpus.bin", placed, body.name, {})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(learn_together, (port, tmp_path), nprocs=2)
    model = load_motion_model(tmp_path / "out")
    assert all(torch.isfinite(value).all() for value in model.parameters())
    assert json.loads((tmp_path / "out" / "training.json").read_text())["validation"][-1]["step"] == 6
    first, second = (json.loads((tmp_path / f"seen_{rank}.json").read_text()) for rank in (0, 1))
    assert len(first[0]) == len(second[0]) == 4 and first != second


def test_veiled_people_are_called_something_else_and_places_of_nobody_stay_empty():
    roles = torch.tensor([[0, -1]] * 400 + [[0, 1]] * 400)
    draw = torch.Generator().manual_seed(0)
    found = drop_roles(roles, 0.5, draw)
    alone, together = found[:400], found[400:]
    assert (alone[:, 1] == -1).all() and set(alone[:, 0].tolist()) == set(range(len(ROLES)))
    person = ROLES.index("person")
    called = (together == person).all(1)
    assert 160 < int(called.sum()) < 240 and (together[~called] == torch.tensor([0, 1])).all()
    assert torch.equal(drop_roles(roles, 0.0, draw), roles)
