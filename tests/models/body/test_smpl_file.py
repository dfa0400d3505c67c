"""Files in SMPL's format: driven by our skinning as smplx drives them, and refused by name where they are something
else."""

import re

import numpy as np
import pytest
import smplx
import torch
from smplx.utils import Struct

from models.body.anny_bake import baked_body
from models.body.model import BodyShape, load_body
from models.errors import InputError
from models.types import COCO_KEYPOINTS, SMPL_PARENTS


def _random(batch: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    betas, orient, pose, transl = (torch.randn(batch, size, generator=generator) for size in (10, 3, 69, 3))
    return betas, orient, 0.5 * pose, 2.0 * transl


def _tree() -> np.ndarray:
    tree = np.stack([np.array(SMPL_PARENTS), np.arange(24)])
    tree[0, 0] = 2**32 - 1
    return tree


@pytest.fixture(scope="module")
def smpl_file(tmp_path_factory):
    """A file in SMPL's format and size, cut from our own body: SMPL's own may not be shipped."""
    baked = baked_body()
    rng = np.random.default_rng(0)
    named = {"nose": 332, "reye": 6260, "leye": 2800, "rear": 4071, "lear": 583}
    ours = dict(
        zip(("nose", "leye", "reye", "lear", "rear"), baked.keypoint_regressor[:5] @ baked.v_template, strict=True)
    )
    order = rng.permutation(len(baked.v_template))
    for name, place in named.items():
        vertex = int(np.linalg.norm(baked.v_template - ours[name], axis=1).argmin())
        other = int(np.flatnonzero(order == vertex)[0])
        order[place], order[other] = order[other], order[place]
    kept = order[:6890]
    nearest = kept[
        np.argsort(
            np.linalg.norm(baked.v_template[kept, None] - baked.J_regressor @ baked.v_template, axis=-1), axis=0
        )[:40]
    ]
    J_regressor = np.zeros((24, 6890), dtype=np.float32)
    for joint in range(24):
        J_regressor[joint, np.isin(kept, nearest[:, joint])] = 1.0 / 40.0
    path = tmp_path_factory.mktemp("smpl") / "model.npz"
    np.savez(
        path,
        v_template=baked.v_template[kept],
        shapedirs=baked.shapedirs[kept],
        posedirs=rng.normal(0.0, 1e-3, (6890, 3, 207)).astype(np.float32),
        J_regressor=J_regressor,
        weights=baked.weights[kept],
        kintree_table=_tree(),
        f=rng.integers(0, 6890, (13776, 3)),
    )
    return path


def test_a_smpl_file_is_driven_by_our_skinning_with_its_pose_corrections(smpl_file):
    body = load_body(smpl_file)
    with np.load(smpl_file) as stored:
        data = Struct(**{name: stored[name] for name in stored.files})
    reference = smplx.SMPL("", data_struct=data, batch_size=4)
    inputs = betas, orient, pose, transl = _random(4)
    expected = reference(betas=betas, body_pose=pose, global_orient=orient, transl=transl)
    mesh = body.posed(*inputs).vertices
    assert (mesh - expected.vertices).abs().max() < 1e-5
    assert (body.posed(*inputs).joints - expected.joints[:, :24]).abs().max() < 1e-5
    assert (body.posed(*inputs).surface_points - mesh[:, body.surface_vertices]).abs().max() < 1e-5
    points = body.posed(*inputs).keypoints
    assert (points[:, 0] - mesh[:, 332]).abs().max() < 1e-5
    assert body.name == "smpl" and body.digest != load_body().digest
    betas = body.betas_from_shape(BodyShape(stature_m=1.8))
    assert body.stature(betas) == pytest.approx(1.8, abs=1e-2)


def test_both_bodies_agree_on_where_the_keypoints_are(smpl_file):
    rest = [torch.zeros(size) for size in (10, 3, 69, 3)]
    distance = (load_body(smpl_file).posed(*rest).keypoints - load_body().posed(*rest).keypoints).norm(dim=-1).numpy()
    hips = np.array(["hip" in name for name in COCO_KEYPOINTS])
    assert distance[~hips].max() < 0.04
    assert distance[hips].max() < 0.1  # the file's hip joints are Anny's, which lie further out and up than SMPL's


def test_bad_smpl_files_are_named(tmp_path, smpl_file):
    remedy = "; give a SMPL model file (.pkl or .npz, 6890 vertices, 24 joints) from smpl.is.tue.mpg.de"
    absent = tmp_path / "absent.pkl"
    with pytest.raises(InputError, match=re.escape(f"{absent}: there is no such file{remedy}")):
        load_body(absent)
    text = tmp_path / "text.pkl"
    text.write_text("not a model")
    with pytest.raises(InputError, match=re.escape(f"{text}: cannot be read as a SMPL model (")):
        load_body(text)
    partial = tmp_path / "partial.npz"
    with np.load(smpl_file) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(partial, **{name: value for name, value in arrays.items() if name != "weights"})
    with pytest.raises(InputError, match=re.escape(f"{partial}: has no array 'weights'{remedy}")):
        load_body(partial)
    small = tmp_path / "small.npz"
    cut = {
        "f": arrays["f"] % 100,
        "kintree_table": arrays["kintree_table"],
        "J_regressor": arrays["J_regressor"][:, :100],
    }
    np.savez(small, **{name: cut.get(name, value[:100]) for name, value in arrays.items()})
    with pytest.raises(InputError, match=re.escape(f"{small}: ")):
        load_body(small)
