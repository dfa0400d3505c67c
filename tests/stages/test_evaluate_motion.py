import functools
import itertools
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.body.model import load_body
from models.body.rest_skeleton import skeleton_of
from models.body.tracks import standing_pelvis_height
from models.compare_falls.fall_audit import Audit, fall_agreement
from models.corpus.reader import read_corpus
from models.corpus.writer import write_corpus
from models.errors import InputError
from models.motion.dataset import MotionData
from models.motion.evaluation.evaluator import MotionEvaluator, MotionEvaluatorConfig
from models.motion.evaluation.memorisation import embedded
from models.motion.evaluation.physical_metrics import BodySurfaces, joints_of
from models.motion.evaluation.report import write_motion_report
from models.motion.evaluation.scenes import Scene, sample_scenes, scenes_of
from models.text.encoder import SentenceConfig, TextEncoder
from stages import label
from stages.evaluate_motion import EvaluateMotionConfig, Judge, is_assisted_rise, perform_rises, run

CONFIG = EvaluateMotionConfig(repeats=3, min_scenes=4, min_pool=2, physical_scenes=20)


@pytest.fixture(scope="module")
def body():
    return load_body()


@pytest.fixture(scope="module")
def audit(body) -> Audit:
    config = label.LabelConfig()
    return Audit(
        functools.partial(label.find_fall, config),
        lambda betas: standing_pelvis_height(body, betas),
        config.direction_tolerance_deg,
    )


@pytest.fixture(scope="module")
def scenes(items, body, tmp_path_factory) -> list[Scene]:
    path = tmp_path_factory.mktemp("motion") / "corpus.bin"
    write_corpus(path, items, body.name, {})
    corpus = read_corpus(path)
    data = MotionData(corpus, skeleton_of(body), 160)
    return scenes_of(data, corpus, data.held_out(np.arange(len(items))))


@pytest.fixture(scope="module")
def judge(body, audit) -> Judge:
    encoder = TextEncoder(SentenceConfig())
    torch.manual_seed(0)
    config = MotionEvaluatorConfig(
        width=16, layers=1, heads=2, dims=4, text_dim=encoder.dim, text_encoder_digest=encoder.digest
    )
    return Judge(MotionEvaluator(config).eval().requires_grad_(False), encoder, BodySurfaces(body), audit)


def test_scenes_are_the_items_and_their_groups(scenes, items):
    by_name = {scene.row.name: scene for scene in scenes}
    assert len(by_name) == len(items)
    assert by_name["pair"].group == "composed_pairs" and len(by_name["pair"].features) == 2
    assert by_name["fall_0"].group == "single" and by_name["fall_0"].text == by_name["fall_0"].row.texts[0]
    item = next(item for item in items if item.name == "fall_0")
    assert np.allclose(by_name["fall_0"].betas[0].numpy(), item.motion.people[0].betas, atol=1e-3)
    captured = replace(by_name["pair"], row=replace(by_name["pair"].row, kind="mocap"))
    assert captured.group == "captured_pairs"


def test_the_audit_tells_whether_and_where_somebody_fell(scenes, audit):
    fall, walk = (next(s for s in scenes if s.row.name == name) for name in ("fall_0", "walk_0"))

    def told(motion: Scene, **changes):
        row = replace(fall.row, details={**fall.row.details, **changes})
        return fall_agreement(row, motion.betas[0], joints_of(motion.features, motion.rest), audit)

    assert told(fall) == (1.0, 1.0)
    assert told(fall, direction="backward") == (1.0, 0.0)
    assert told(fall, direction="down") == (1.0, None)
    assert told(walk) == (0.0, 0.0)
    assert fall_agreement(walk.row, walk.betas[0], joints_of(walk.features, walk.rest), audit) == (None, None)


def test_an_arm_of_real_motion_is_as_real_and_a_spoiled_one_is_not(scenes, judge, tmp_path):
    spoiled = []
    for scene in scenes:
        features = scene.features.clone()
        features[..., 2] -= 0.3  # below the floor
        features[..., :2] += 0.05 * torch.randn(features[..., :2].shape, generator=torch.Generator().manual_seed(0))
        features[..., 264:] = 1.0  # and says that it stands
        spoiled.append(replace(scene, features=features))
    summary = run(CONFIG, judge, scenes, {"copy": scenes, "spoiled": spoiled}, 0)
    assert {"real", "shuffled_text", "copy", "spoiled", "real/single", "copy/single"} <= set(summary)
    assert "copy/composed_pairs" not in summary  # one scene is too few
    copy, bad, real = summary["copy"], summary["spoiled"], summary["real"]
    assert copy["fid"][0] == pytest.approx(0.0, abs=1e-6) and bad["fid"][0] > 1e-5
    assert copy["r_precision"] and len(copy["r_precision"]) == 3 and copy["jerk_ratio"][0] == pytest.approx(1.0)
    assert bad["jerk_ratio"][0] > 5.0 and bad["penetration_cm"][0] > 25.0 > copy["penetration_cm"][0]
    assert bad["foot_skate_cm_s"][0] > 50.0 > real["foot_skate_cm_s"][0]
    assert copy["fall_action_agreement"][0] == 1.0 and copy["closest_shift_cm"] == 0.0
    causes = [scene.row.details["cause"] for scene in scenes if scene.row.kind == "fall"]
    assert {cause: row["scenes"] for cause, row in copy["fell_by_cause"].items()} == Counter(causes)
    assert all(row["fell"] == 1.0 for row in copy["fell_by_cause"].values())
    for row in summary.values():
        for name in ("fid", "kid", "mm_dist", "diversity", "penetration_cm", "jerk_ratio"):
            if row[name] is None:
                # Too few takes of real motion to be held against itself.
                assert name in ("fid", "kid")
                continue
            figure, low, high = row[name]
            assert low <= figure <= high
    assert run(CONFIG, judge, scenes, {"copy": scenes, "spoiled": spoiled}, 0) == summary
    few = run(CONFIG.model_copy(update={"min_pool": 8}), judge, scenes, {}, 0)
    assert few["real"]["pool"] < 8 and few["real"]["r_precision"] is None
    assert not any("nearest_learned" in row for row in summary.values())
    write_motion_report(tmp_path, summary)
    assert json.loads((tmp_path / "summary.json").read_text()) == summary and not (tmp_path / "memorised.png").exists()
    assert (tmp_path / "table.csv").read_text().splitlines()[0].startswith("arm,scenes,fid,fid_low,fid_high,kid")
    assert (tmp_path / "motion.png").stat().st_size > 5000


def test_who_copies_what_was_learned_is_found_out(items, scenes, judge, body, tmp_path):
    """Held-out scenes lie somewhere; an arm of the very scenes that were learned lies at distance zero."""
    write_corpus(tmp_path / "corpus.bin", items[:4], body.name, {})
    data = MotionData(read_corpus(tmp_path / "corpus.bin"), skeleton_of(body), 160)
    learned = embedded(judge.evaluator, data, data.held_out(np.arange(4)))
    copied = [scene for scene in scenes if scene.row.name in [item.name for item in items[:4]]]
    assert learned.shape == (4, 4) and len(copied) == 4
    summary = run(CONFIG, judge, scenes, {"copier": copied}, 0, learned)
    assert summary["copier"]["nearest_learned"][0] < 1e-3 < summary["real"]["nearest_learned_quantiles"][-1]
    assert "nearest_learned" not in summary["shuffled_text"]
    (tmp_path / "out").mkdir()
    write_motion_report(tmp_path / "out", summary)
    assert (tmp_path / "out" / "memorised.png").stat().st_size > 5000


def test_sampled_scenes_are_judged_before_and_after_they_were_cleaned_up(scenes, judge, tmp_path):
    """Of a pair, and of whoever falls; here what was sampled is what is real, and cleaned up 10 cm higher."""
    sampled = []
    for scene in scenes:
        higher = scene.features.clone()
        higher[..., 2] += 0.1
        # Who gets up, or rests on a chair, is not judged by where the head ends: it is not there that it would lie.
        rests = {"after": "gets_up" if sampled else "lies_still", "landing": "floor"}
        row = replace(scene.row, details=scene.row.details | {"composition": "walk_beside"} | rests)
        sampled.append(replace(scene, features=higher, row=row, raw=scene.features, asked=scene.features))
    summary = run(CONFIG, judge, scenes, {"sampled": sampled, "unknown": scenes}, 0)
    found = summary["sampled"]["interactions"]["walk_beside"]
    assert found["scenes"] == 1 and found["cleanup_moved_cm"] == pytest.approx(10.0, abs=1e-3)
    assert found["wasserstein_cm"] == {"raw": 0.0, "cleaned": pytest.approx(0.0, abs=1e-6)}
    assert set(found["pair_distance_m"]) == set(found["interpenetration_cm3"]) == {"real", "raw", "cleaned"}
    assert summary["sampled"]["rest_head_below_035"]["real"] == summary["sampled"]["rest_head_below_035"]["raw"] == 1.0
    assert summary["unknown"]["interactions"] == {} and summary["unknown"]["rest_head_below_035"] is None
    write_motion_report(tmp_path, summary)
    head, line = (tmp_path / "interactions.csv").read_text().splitlines()
    assert head.startswith("arm,kind,scenes,pair_distance_m_real") and line.startswith("sampled,walk_beside,1,")


def test_several_samples_of_a_caption_have_a_multimodality(scenes, judge):
    once = [*{scene.text: scene for scene in scenes if scene.row.name != "pair"}.values()]
    turned = [replace(scene, features=scene.features.flip(1)) for scene in once]
    arms = {"once": once, "twice": [*once, *once], "two": [*once, *turned]}
    summary = run(CONFIG, judge, scenes, arms, 0)
    assert summary["once"]["multimodality"] is None
    assert summary["twice"]["multimodality"][0] == pytest.approx(0.0, abs=1e-6), "twice the same is one"
    assert summary["two"]["multimodality"][0] > 1e-3


def test_what_cannot_be_judged_is_refused(scenes, judge):
    with pytest.raises(InputError, match="has 2 scenes, at least 4 are needed"):
        run(CONFIG, judge, scenes[:2], {}, 0)
    with pytest.raises(InputError, match="arm 'real': has a name that is taken"):
        run(CONFIG, judge, scenes, {"real": scenes}, 0)
    broken = replace(scenes[0], features=scenes[0].features * torch.nan)
    with pytest.raises(InputError, match="arm 'a': holds motion that is not finite"):
        run(CONFIG, judge, scenes, {"a": [broken]}, 0)


def test_a_model_answers_the_captions_with_scenes_of_their_own_shape(scenes, judge):
    from models.motion.denoisers.identity import IdentityConfig
    from models.motion.model import MotionModel, MotionModelConfig
    from models.motion.sampler import MotionSampler
    from models.motion.schedulers import SamplingConfig

    encoder = judge.texts
    torch.manual_seed(0)
    denoiser = IdentityConfig(width=16, layers=1, heads=2, text=encoder.dim)
    settings = MotionModelConfig(denoiser=denoiser, text_encoder_digest=encoder.digest, people=(1,))
    model = MotionModel(settings).eval().requires_grad_(False)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.1)
    sampling = SamplingConfig(steps=2, precision="float32")
    single = [scene for scene in scenes if scene.row.name != "pair"]
    sampler = MotionSampler(model, encoder, load_body(), sampling, None)
    made = sample_scenes(sampler, scenes, 0, 2)
    assert [scene.row.name for scene in made] == [scene.row.name for scene in single for _ in range(2)]
    assert all(one.features.shape == scene.features.shape for one, scene in zip(made[::2], single, strict=True))
    assert (made[0].features - made[1].features).abs().max() > 0.01
    assert torch.equal(made[0].raw, made[0].features) and torch.equal(made[0].asked, single[0].features)
    alone = sample_scenes(sampler, single[3:4], 0, 2)
    assert torch.allclose(alone[1].features, made[7].features, atol=1e-4)
    # Two windows of one item have one caption, and motions of their own.
    windows = sample_scenes(sampler, [single[3], single[3]], 0, 2)
    assert all((one.features - other.features).abs().max() > 0.01 for one, other in itertools.combinations(windows, 2))
    with pytest.raises(InputError, match="text encoder: is .* the motion model learned its captions from"):
        MotionSampler(MotionModel(MotionModelConfig(denoiser=denoiser)), encoder, load_body())
    with pytest.raises(InputError, match=r"knows scenes of \(1,\) people only"):
        sample_scenes(sampler, [scene for scene in scenes if scene.row.name == "pair"], 0)


def test_a_model_that_makes_motion_around_a_pose_is_told_one_of_the_real_motion(scenes, judge):
    """Untrained, it answers a motion that stands still in it, whoever is in the scene."""
    from models.motion.denoisers.ponimator import PonimatorConfig
    from models.motion.features import positions
    from models.motion.interactive_pose import in_world_of, middle_pose
    from models.motion.model import MotionModel, MotionModelConfig
    from models.motion.sampler import MotionSampler
    from models.motion.schedulers import SamplingConfig

    denoiser = PonimatorConfig(width=16, layers=1, heads=2, text=judge.texts.dim)
    model = MotionModel(MotionModelConfig(denoiser=denoiser, text_encoder_digest=judge.texts.digest)).eval()
    sampling = SamplingConfig(steps=2, precision="float32")
    asked = [scene for scene in scenes if scene.row.name in ("pair", "walk_0")]
    made = sample_scenes(MotionSampler(model, judge.texts, load_body(), sampling, None), asked, 0)
    for scene, found in zip(asked, made, strict=True):
        known = middle_pose(scene.features)
        frame = int(known.where.any(-1)[0].nonzero()[0, 0])
        wanted = positions(scene.features[:, frame])[:, None]
        there = positions(in_world_of(known, frame, found.features.detach()))
        torch.testing.assert_close(there, wanted.expand_as(there), atol=1e-3, rtol=0.0)


def test_rises_with_help_are_performed_by_physics(judge, tmp_path):
    """The real one, which physics made, is; of an untrained model nobody rises. Who rises in vain is not asked for."""
    from models.corpus.writer import Item
    from models.errors import Rejected
    from models.interactions.composition import compose_interaction
    from models.motion.denoisers.identity import IdentityConfig
    from models.motion.model import MotionModel, MotionModelConfig
    from models.motion.sampler import MotionSampler
    from models.motion.schedulers import SamplingConfig

    made, body = [], load_body()
    for seed in range(20):
        try:
            made.append(compose_interaction(body, "help_up", 20.0, np.random.default_rng(seed))[0])
        except Rejected:
            continue
    vain = replace(made[0], details=made[0].details | {"outcome": "sinks_back"})
    items = [
        Item(f"rise_{k}", motion, ("a carer helps somebody up",), "composed", "Apache-2.0", f"{k}", "composed")
        for k, motion in enumerate((*made[:2], vain))
    ]
    write_corpus(tmp_path / "corpus.bin", items, body.name, {})
    corpus = read_corpus(tmp_path / "corpus.bin", is_assisted_rise)
    assert [row.name for row in corpus.index.rows] == ["rise_0", "rise_1"]

    def sampler(*people: int) -> MotionSampler:
        torch.manual_seed(0)
        denoiser = IdentityConfig(width=16, layers=1, heads=2, text=judge.texts.dim)
        config = MotionModelConfig(denoiser=denoiser, text_encoder_digest=judge.texts.digest, people=people)
        sampling = SamplingConfig(steps=2, precision="float32")
        return MotionSampler(MotionModel(config).eval().requires_grad_(False), judge.texts, body, sampling, None)

    asked = (3, body, corpus, {"pairs": sampler(1, 2), "single": sampler(1)}, 0)
    found = perform_rises(*asked)
    assert found["single"] is None and found["pairs"]["real"] == {"tried": 2, "performed": 2, "reasons": {}}
    assert found["pairs"]["sampled"] == {"tried": 3, "performed": 0, "reasons": {"does_not_rise": 3}}
    assert perform_rises(*asked) == found
    assert perform_rises(1, *asked[1:])["pairs"]["real"]["tried"] == 1
