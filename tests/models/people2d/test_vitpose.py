"""Hub models are pinned, folders are whole, devices are there: each else is one line."""

import pytest
import torch
from transformers import (
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessorPil,
    RTDetrResNetConfig,
    VitPoseBackboneConfig,
    VitPoseConfig,
    VitPoseForPoseEstimation,
    VitPoseImageProcessorPil,
)

from models.errors import InputError
from models.people2d.vitpose import TransformersPose


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny random detector and pose network, as `save_pretrained` leaves them."""
    root = tmp_path_factory.mktemp("pose")
    torch.manual_seed(0)
    backbone = RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], out_features=["stage2", "stage3", "stage4"]
    )
    detector = RTDetrConfig(
        backbone_config=backbone,
        encoder_hidden_dim=16,
        encoder_in_channels=[8, 16, 16],
        encoder_ffn_dim=16,
        d_model=16,
        decoder_ffn_dim=16,
        decoder_in_channels=[16, 16, 16],
        decoder_layers=1,
        num_queries=5,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        id2label={0: "person"},
        label2id={"person": 0},
    )
    RTDetrForObjectDetection(detector).save_pretrained(root / "detector")
    RTDetrImageProcessorPil().save_pretrained(root / "detector")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    inner = VitPoseBackboneConfig(image_size=[32, 24], patch_size=[16, 16], **sizes)
    pose = VitPoseConfig(backbone_config=inner, num_labels=17)
    VitPoseForPoseEstimation(pose).save_pretrained(root / "pose")
    VitPoseImageProcessorPil().save_pretrained(root / "pose")
    return str(root / "detector"), str(root / "pose")


def test_folders_load(folders):
    detector, pose = folders
    assert TransformersPose(detector, None, pose, None).person_label == 0


def test_a_hub_model_needs_a_revision(folders):
    detector, pose = folders
    with pytest.raises(InputError) as caught:
        TransformersPose("org/detector", None, pose, None)
    assert str(caught.value) == (
        "org/detector: is a hub model without people2d.backend.detector_revision; set "
        "people2d.backend.detector_revision to the commit to use"
    )
    with pytest.raises(InputError, match="org/pose: is a hub model without people2d.backend.pose_revision"):
        TransformersPose(detector, None, "org/pose", None)


def test_a_hub_that_cannot_be_reached_is_one_line(folders, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError) as caught:
        TransformersPose("org/detector", "abc123", folders[1], None)
    assert str(caught.value).startswith("org/detector: cannot be loaded as RTDetrImageProcessorPil (")
    assert "a local folder in people2d.backend.detector" in str(caught.value) and "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_one_line(folders):
    with pytest.raises(InputError, match="people2d.backend.device: 'cuda:77' is not there; name a device that torch"):
        TransformersPose(folders[0], None, folders[1], None, "cuda:77")


def test_networks_in_each_other_s_place_are_named(folders):
    detector, pose = folders
    with pytest.raises(InputError, match="people2d.backend.detector"):
        TransformersPose(pose, None, pose, None)
    with pytest.raises(InputError, match="people2d.backend.pose"):
        TransformersPose(detector, None, detector, None)
