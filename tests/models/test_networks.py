"""Networks on disk: the weights are those that the settings state, also of all networks that ship, and those are
small."""

import json
from pathlib import Path

import pytest
from torch import nn

from models.errors import InputError
from models.files import file_digest
from models.motion.denoisers.layers import Sizes
from models.networks import load_network
from models.training.state import write_starter

STARTERS = Path(__file__).parents[2] / "models" / "starter"


def test_weights_that_are_not_the_stated_ones_are_refused(tmp_path):
    network = nn.Linear(3, 2)
    write_starter(tmp_path, network.state_dict(), Sizes(), {})
    seen = []
    load_network(tmp_path, "network", "train one", lambda settings: seen.append(settings) or nn.Linear(3, 2))
    assert seen == [Sizes().model_dump(mode="json")], "the digest is none of the network's settings"
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"has the digest \w{12}, config.json states \w{12}; fetch it again"):
        load_network(tmp_path, "network", "train one", lambda _: nn.Linear(3, 2))


@pytest.mark.parametrize("name", ["motion", "motion_evaluator", "pose_lift", "pose_prior"])
def test_what_ships_states_its_weights(name):
    weights = file_digest(STARTERS / name / "model.safetensors")
    assert json.loads((STARTERS / name / "config.json").read_text())["weights_sha256"] == weights
    assert weights in (STARTERS / name / "README.md").read_text(), "the card says which weights it is of"


def test_what_ships_is_small():
    def megabytes(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6

    assert megabytes(STARTERS / "motion") <= 14.0 and megabytes(STARTERS / "motion_evaluator") <= 5.0
    assert megabytes(STARTERS) <= 32.0
