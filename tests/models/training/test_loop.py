"""The training loop: what it minimises, averages, keeps, and where it goes on."""

from pathlib import Path

import pytest
import torch

from models.errors import InputError
from models.training.loop import Schedule, TrainConfig, Validation, averaged, fit
from models.training.state import Checkpoint

CONFIG = TrainConfig(steps=30, learning_rate=0.1, weight_decay=0.0, ema_decay=0.9, log_every=10, save_every_s=0.0)
NOWHERE = Checkpoint(None, {})


def point() -> torch.nn.Linear:
    torch.manual_seed(0)
    return torch.nn.Linear(3, 1)


def run(model, checkpoint=NOWHERE, config=CONFIG, validation=None, breaks_at=None, is_first=True):
    def losses(step):
        if step == breaks_at:
            raise KeyboardInterrupt
        drawn = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        found = model(drawn)
        return {"fit": (found - drawn.sum(1, keepdim=True)).square().mean(), "small": 0.0 * found.mean()}

    optimisers = [
        torch.optim.AdamW([model.weight], lr=config.learning_rate),
        torch.optim.SGD([model.bias], lr=0.01, momentum=0.9),
    ]
    return fit(model, optimisers, losses, config, checkpoint, Schedule(config.steps, 3), validation, is_first)


def test_the_sum_of_the_losses_falls_and_the_average_follows():
    model = point()
    average, progress = run(model)
    assert [row["step"] for row in progress.train] == [10, 20, 30] and set(progress.losses) == {"fit", "small"}
    assert progress.train[-1]["fit"] < progress.train[0]["fit"]
    assert float((model.weight.detach() - 1.0).norm()) < 0.2 < float((point().weight.detach() - 1.0).norm())
    assert not average.training and not any(value.requires_grad for value in average.parameters())
    assert 0.0 < float((average.weight - model.weight.detach()).norm()) < 0.2


def test_the_average_is_exponential_and_quick_at_first():
    model = torch.nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.0)
    average = averaged(model, 0.5)
    wanted = 0.0
    for number in range(1, 20):
        model.weight.data.fill_(float(number))
        average.update_parameters(model)
        decay = min(0.5, number / (number + 9))
        wanted = decay * wanted + (1.0 - decay) * number
        assert float(average.module.weight) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("breaks_at", [1, 17])
def test_who_goes_on_ends_at_the_same_bytes(tmp_path, breaks_at):
    whole = point()
    whole_average, whole_progress = run(whole)
    checkpoint = Checkpoint(tmp_path / "state", {"seed": 0})
    with pytest.raises(KeyboardInterrupt):
        run(point(), checkpoint, breaks_at=breaks_at)
    resumed = torch.nn.Linear(3, 1)
    average, progress = run(resumed, checkpoint)
    assert torch.equal(resumed.weight, whole.weight) and torch.equal(resumed.bias, whole.bias)
    assert torch.equal(average.weight, whole_average.weight) and progress.losses == whole_progress.losses
    assert [row["step"] for row in progress.train] == [10, 20, 30]
    # Done is done: nothing is learned any more.
    again, _ = run(torch.nn.Linear(3, 1), checkpoint, breaks_at=30)
    assert torch.equal(again.weight, average.weight)


def test_a_state_of_something_else_is_refused(tmp_path):
    run(point(), Checkpoint(tmp_path, {"seed": 0, "data": "a"}))
    with pytest.raises(InputError, match="is of a training with another data, seed; name a new folder"):
        run(point(), Checkpoint(tmp_path, {"seed": 1, "data": "b"}))
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(InputError, match="holds no state to go on from"):
        run(point(), Checkpoint(tmp_path, {}))


def test_the_best_is_kept_and_patience_ends():
    scores, kept, seen = iter([3.0, 2.0, 2.5, 2.2, 1.0]), [], []
    validation = Validation(
        5,
        lambda average: {"score": next(scores)},
        look=lambda step, average: seen.append(step),
        score="score",
        keep=lambda average, progress: kept.append((progress.best_step, progress.best)),
        patience=2,
    )
    _, progress = run(point(), validation=validation)
    assert kept == [(5, 3.0), (10, 2.0)] and progress.step == 20 and seen == [5, 10, 15, 20]


def test_of_processes_that_train_together_the_first_alone_writes(tmp_path):
    _, progress = run(point(), Checkpoint(tmp_path / "state", {}), is_first=False)
    assert progress.step == 30 and progress.train == [] and not Path(tmp_path / "state").exists()


def test_the_learning_rate_warms_up_and_falls_along_half_a_cosine():
    schedule = Schedule(100, 10, end_share=0.02)
    assert schedule(0) == pytest.approx(0.1) and schedule(4) == pytest.approx(0.5, rel=0.01)
    assert schedule(50) == pytest.approx(0.51) and schedule(100) == pytest.approx(0.02)
    model = point()
    rates = []
    optimiser = torch.optim.SGD(model.parameters(), lr=2.0)

    def losses(step):
        rates.append(optimiser.param_groups[0]["lr"])
        return {"loss": model.weight.square().sum()}

    fit(model, [optimiser], losses, CONFIG, NOWHERE, Schedule(30, 3))
    assert rates == pytest.approx([2.0 * Schedule(30, 3)(step) for step in range(30)], rel=1e-12)


def test_training_stops_within_the_steps_of_its_learning_rate():
    _, progress = run(point(), config=CONFIG.model_copy(update={"max_steps": 7}))
    assert progress.step == 7
    with pytest.raises(ValueError, match="max_steps is 31, the learning rate is made for steps 30"):
        TrainConfig(steps=30, max_steps=31)
