import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from models.corpus.reader import Row
from models.errors import InputError
from models.motion.dataset import MotionData
from models.motion.evaluation.evaluator import (
    MotionEvaluator,
    MotionEvaluatorConfig,
    load_motion_evaluator,
    meaning_of,
    same_meaning,
)
from models.training.state import write_starter

CONFIG = MotionEvaluatorConfig(width=16, layers=2, heads=2, dims=8, text_dim=6, text_encoder_digest="none")


@pytest.fixture(scope="module")
def network() -> MotionEvaluator:
    torch.manual_seed(0)
    return MotionEvaluator(CONFIG).eval()


def _row(kind: str, people: int = 1, **details) -> Row:
    names = tuple(f"person_{k}" for k in range(people))
    return Row("a", kind, "s", "CC0", "t", "test", ("x",), names, ("person",) * people, 40, {}, details, 0)


def test_scenes_are_unit_vectors_alike_alone_and_in_a_batch_and_padding_does_not_count(network):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 2, 11, 268, generator=generator)
    mask = torch.ones(2, 2, 11, dtype=torch.bool)
    mask[0, 1], mask[0, :, 6:] = False, False
    roles = torch.tensor([[0, -1], [1, 0]])
    both = network.motions(features, mask, roles)
    assert torch.allclose(both.norm(dim=-1), torch.ones(2), atol=1e-5)
    alone = network.motions(features[:1, :1, :6], mask[:1, :1, :6], roles[:1, :1])
    assert torch.allclose(alone[0], both[0], atol=1e-5)
    spoiled = features.clone()
    spoiled[0, 1], spoiled[0, :, 6:] = 100.0, -100.0
    assert torch.allclose(network.motions(spoiled, mask, roles), both, atol=1e-5)


def test_time_people_and_roles_matter(network):
    features = torch.randn(1, 2, 16, 268, generator=torch.Generator().manual_seed(1))
    mask, roles = torch.ones(1, 2, 16, dtype=torch.bool), torch.tensor([[0, 1]])
    found = network.motions(features, mask, roles)
    for other in (
        network.motions(features.flip(2), mask, roles),
        network.motions(features.flip(1), mask, roles),
        network.motions(features, mask, roles.flip(1)),
    ):
        assert (other - found).norm() > 1e-3


def test_loss_is_the_known_one_and_captions_of_one_meaning_do_not_stand_against_each_other(network):
    motions, captions = normalize(torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    none_same = torch.eye(4, dtype=torch.bool)
    likely = (network.log_scale.exp() * motions @ captions.T).detach().double().numpy()
    by_row = np.log(np.exp(likely).sum(axis=1)) - np.diag(likely)
    by_column = np.log(np.exp(likely).sum(axis=0)) - np.diag(likely)
    expected = (by_row.mean() + by_column.mean()) / 2.0
    assert network.loss(motions, captions, none_same).item() == pytest.approx(expected, rel=1e-4)
    # Two scenes of one meaning with the same caption: without the exception each would cost log 2.
    twice = torch.eye(8)[[0, 0, 1, 2]]
    same = same_meaning(["fall", "fall", "walk", "sit"])
    assert same.tolist()[0] == [True, True, False, False]
    assert network.loss(twice, twice, same).item() < 1e-4
    assert network.loss(twice, twice, none_same).item() > 0.3


def test_what_captions_mean():
    left, right = _row("fall", cause="trip", direction="left"), _row("fall", cause="trip", direction="right")
    assert meaning_of(left) == "fall, cause trip, direction left" != meaning_of(right)
    assert meaning_of(_row("fall", cause="trip", direction="left", age_years=80.0)) == meaning_of(left)
    near = _row("look_alike", cause="trip", direction="left", recovered=True)
    assert meaning_of(near) not in (meaning_of(left), meaning_of(right))
    assert meaning_of(_row("composed", 2, composition="help_up")) == "no fall, composition help_up"
    walks = {meaning_of(_row("mocap", description=text)) for text in ("walk", "a person: walking", "walk on terrain")}
    assert walks == {"1 captured: wal"}
    assert meaning_of(_row("mocap", 2, description="walk")) not in walks
    assert meaning_of(_row("mocap", description="a person performs an Indian dance")).endswith("an indian dance")


def test_it_comes_back_from_disk_and_another_layout_is_refused(network, tmp_path):
    write_starter(tmp_path, dict(network.state_dict()), CONFIG, {})
    loaded = load_motion_evaluator(tmp_path)
    encoded = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(loaded.captions(encoded), network.captions(encoded), atol=1e-2)
    unit = normalize(loaded.captions(encoded), dim=-1)
    assert torch.allclose(loaded.captions(encoded), unit)
    write_starter(tmp_path, dict(network.state_dict()), CONFIG.model_copy(update={"layout": "other"}), {})
    with pytest.raises(InputError, match="was trained on 'other', features are 'positions 66"):
        load_motion_evaluator(tmp_path)
    with pytest.raises(InputError, match="is no motion evaluator"):
        load_motion_evaluator(tmp_path / "nowhere")


def test_real_items_pass(network, items, tmp_path):
    from models.body.model import load_body
    from models.body.rest_skeleton import skeleton_of
    from models.corpus.reader import read_corpus
    from models.corpus.writer import write_corpus

    body = load_body()
    write_corpus(tmp_path / "corpus.bin", items, body.name, {})
    data = MotionData(read_corpus(tmp_path / "corpus.bin"), skeleton_of(body), 80)
    batch = data.batch(data.held_out(np.arange(len(data.rows))))
    found = network.motions(batch.features, batch.mask, batch.roles)
    assert found.shape == (len(items), 8) and torch.isfinite(found).all()
