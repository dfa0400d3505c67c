"""Networks on disk: the weights are those that the settings state, also of all networks that ship, and those are
small."""

import json
import shutil
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.errors import InputError
from models.files import file_digest
from models.motion.denoisers.layers import Sizes
from models.motion.model import motion_model_digest
from models.networks import current_keys, load_network
from models.people3d.keypoint_lifter import pose_lift_digest
from models.people3d.pose_prior import load_pose_prior, pose_prior_digest
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


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(STARTERS / "pose_prior", tmp_path / "pose_prior")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("{", "is not readable JSON"),
        ("", "is not readable JSON"),
        ("[]", "holds no settings of a pose prior, but a list; train or fetch it again"),
        ("null", "holds no settings of a pose prior, but a NoneType; train or fetch it again"),
        ('{"weights_sha256": 3}', "has the digest"),
        ('{"latent": "many"}', "holds no settings of a pose prior (latent: Input should be a valid integer"),
        ('{"colour": 1}', "holds no settings of a pose prior (colour: Extra inputs are not permitted)"),
    ],
)
def test_settings_that_are_none_are_one_line(copy, settings, problem):
    (copy / "config.json").write_text(settings)
    with pytest.raises(InputError) as caught:
        load_pose_prior(copy)
    assert problem in str(caught.value) and "\n" not in str(caught.value)


def test_weights_that_are_none_are_one_line(copy):
    settings, weights = copy / "config.json", copy / "model.safetensors"
    whole = {name: value.clone() for name, value in load_file(weights).items()}
    settings.write_text(json.dumps({k: v for k, v in json.loads(settings.read_text()).items() if "sha" not in k}))
    content = weights.read_bytes()
    for cut in (0, 5, 500, len(content) - 3):
        weights.write_bytes(content[:cut])
        with pytest.raises(InputError, match="pose_prior: is damaged, or no pose prior"):
            load_pose_prior(copy)
    weights.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 98973320\n")
    with pytest.raises(InputError, match="model.safetensors: is a Git LFS pointer, not the file; run `git lfs pull`"):
        load_pose_prior(copy)
    name = next(iter(whole))
    save_file(whole | {name: torch.full_like(whole[name], torch.nan)}, weights)
    with pytest.raises(InputError, match=f"model.safetensors: holds numbers that are not finite, in {name}"):
        load_pose_prior(copy)


@pytest.mark.parametrize("name", ["motion", "motion_evaluator", "pose_lift", "pose_prior"])
def test_what_ships_states_its_weights(name):
    weights = file_digest(STARTERS / name / "model.safetensors")
    assert json.loads((STARTERS / name / "config.json").read_text())["weights_sha256"] == weights
    assert weights in (STARTERS / name / "README.md").read_text(), "the card says which weights it is of"


def test_what_ships_is_known_by_what_it_was_always_known_by():
    """The digests that artefacts were kept by before the networks' modules were renamed: nothing is made anew."""
    assert {
        "motion": motion_model_digest("starter"),
        "pose_prior": pose_prior_digest("starter"),
        "pose_lift": pose_lift_digest("starter"),
    } == {
        "motion": "3948780a590e4f0f37294cf2844673d39c7cc282a474c39f7cc1fb59c1d971ab",
        "pose_prior": "b7da411e37eb0acdd1d1e7d918fd1abf2b1dbcaf5b286f0afa980d5e98f50458",
        "pose_lift": "df100a00809494430fa5271322dc99aeca096486533ebd84c3bed1db32cc69d8",
    }


def test_a_network_that_is_changed_is_known_by_another_digest(tmp_path):
    """Only the very files that were renamed stand for what was before."""
    shutil.copytree(STARTERS / "motion", tmp_path / "motion")
    assert motion_model_digest(tmp_path / "motion") == motion_model_digest("starter")
    settings = tmp_path / "motion" / "config.json"
    settings.write_text(settings.read_text().replace('"max_frames": 240', '"max_frames": 200'))
    assert motion_model_digest(tmp_path / "motion") != motion_model_digest("starter")


def test_names_of_before_become_names_of_today_where_whole_parts_agree():
    class Renamed(nn.Module):
        renamed_keys: ClassVar[dict[str, str]] = {"a.b": "c.b", "c": "d", "own": "offset"}

    value = torch.zeros(1)
    keys = ["a.b.weight", "xa.b", "block.own", "own_weight", "d.weight", "weights.a.b"]
    found = current_keys(Renamed(), dict.fromkeys(keys, value))
    assert list(found) == ["d.b.weight", "xa.b", "block.offset", "own_weight", "d.weight", "weights.d.b"]


def test_what_ships_is_small():
    def megabytes(folder):
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6

    assert megabytes(STARTERS / "motion") <= 14.0 and megabytes(STARTERS / "motion_evaluator") <= 5.0
    assert megabytes(STARTERS) <= 32.0
