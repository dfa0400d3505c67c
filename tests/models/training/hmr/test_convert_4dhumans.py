"""The converter, on a random checkpoint of 4D-Humans' layout: same answers as their arithmetic, nothing of it run."""

import json
import sys
import types
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from models.body.model import load_body
from models.errors import InputError
from models.people3d.hmr_network import load_hmr
from models.training.hmr.convert_4dhumans import convert

WIDTH, LAYERS, HEADS, PATCH, ROWS, COLUMNS = 24, 2, 2, 8, 32, 24
INSIDE, DEPTH, DECODER_HEADS, HEAD_WIDTH, HIDDEN = 16, 2, 2, 4, 20


def random_weights(seed=0):
    """Names and shapes as 4D-Humans writes them."""
    g = torch.Generator().manual_seed(seed)
    weights = OrderedDict()

    def add(name, *shape):
        weights[name] = 0.3 * torch.randn(shape, generator=g)

    def linear(name, outputs, inputs, bias=True):
        add(f"{name}.weight", outputs, inputs)
        if bias:
            add(f"{name}.bias", outputs)

    def norm(name, width):
        add(f"{name}.weight", width)
        add(f"{name}.bias", width)

    add("backbone.pos_embed", 1, (ROWS // PATCH) * (COLUMNS // PATCH) + 1, WIDTH)
    add("backbone.patch_embed.proj.weight", WIDTH, 3, PATCH, PATCH)
    add("backbone.patch_embed.proj.bias", WIDTH)
    for n in range(LAYERS):
        block = f"backbone.blocks.{n}"
        norm(f"{block}.norm1", WIDTH)
        linear(f"{block}.attn.qkv", 3 * WIDTH, WIDTH)
        linear(f"{block}.attn.proj", WIDTH, WIDTH)
        norm(f"{block}.norm2", WIDTH)
        linear(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH)
        linear(f"{block}.mlp.fc2", WIDTH, 4 * WIDTH)
    norm("backbone.last_norm", WIDTH)
    head, inner = "smpl_head.transformer", DECODER_HEADS * HEAD_WIDTH
    add(f"{head}.pos_embedding", 1, 1, INSIDE)
    linear(f"{head}.to_token_embedding", INSIDE, 1)
    for n in range(DEPTH):
        layer = f"{head}.transformer.layers.{n}"
        for part in range(3):
            norm(f"{layer}.{part}.norm", INSIDE)
        linear(f"{layer}.0.fn.to_qkv", 3 * inner, INSIDE, bias=False)
        linear(f"{layer}.0.fn.to_out.0", INSIDE, inner)
        linear(f"{layer}.1.fn.to_kv", 2 * inner, WIDTH, bias=False)
        linear(f"{layer}.1.fn.to_q", inner, INSIDE, bias=False)
        linear(f"{layer}.1.fn.to_out.0", INSIDE, inner)
        linear(f"{layer}.2.fn.net.0", HIDDEN, INSIDE)
        linear(f"{layer}.2.fn.net.3", INSIDE, HIDDEN)
    for name, size in (("decpose", 144), ("decshape", 10), ("deccam", 3)):
        linear(f"smpl_head.{name}", size, INSIDE)
    for name, size in (("init_body_pose", 144), ("init_betas", 10), ("init_cam", 3)):
        add(f"smpl_head.{name}", 1, size)
    add("smpl.J_regressor", 24, 50)
    add("smpl.v_template", 50, 3)
    add("smpl.shapedirs", 50, 3, 10)
    add("discriminator.D_shape.fc1.weight", 4, 10)
    weights["initialized"] = torch.tensor(True)
    return weights


def their_answer(weights, crops):
    """4D-Humans' forward pass from its paper and layout, in plain products: pose numbers, betas, camera."""

    def linear(x, name):
        x = x @ weights[f"{name}.weight"].T
        return x + weights[f"{name}.bias"] if f"{name}.bias" in weights else x

    def norm(x, name, eps):
        centred = x - x.mean(-1, keepdim=True)
        unit = centred / (centred.square().mean(-1, keepdim=True) + eps).sqrt()
        return unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def attend(q, k, v, heads):
        parts = []
        for h in range(heads):
            q1, k1, v1 = (x[..., h * x.shape[-1] // heads : (h + 1) * x.shape[-1] // heads] for x in (q, k, v))
            parts.append((q1 @ k1.transpose(1, 2) / q1.shape[-1] ** 0.5).softmax(-1) @ v1)
        return torch.cat(parts, dim=-1)

    x = nn.functional.conv2d(
        crops, weights["backbone.patch_embed.proj.weight"], weights["backbone.patch_embed.proj.bias"], PATCH, padding=2
    )
    x = x.flatten(2).transpose(1, 2)
    x = x + weights["backbone.pos_embed"][:, 1:] + weights["backbone.pos_embed"][:, :1]
    for n in range(LAYERS):
        block = f"backbone.blocks.{n}"
        q, k, v = linear(norm(x, f"{block}.norm1", 1e-6), f"{block}.attn.qkv").split(WIDTH, dim=-1)
        x = x + linear(attend(q, k, v, HEADS), f"{block}.attn.proj")
        inside = nn.functional.gelu(linear(norm(x, f"{block}.norm2", 1e-6), f"{block}.mlp.fc1"))
        x = x + linear(inside, f"{block}.mlp.fc2")
    image = norm(x, "backbone.last_norm", 1e-6)
    head = "smpl_head.transformer"
    token = linear(torch.zeros(len(crops), 1, 1), f"{head}.to_token_embedding") + weights[f"{head}.pos_embedding"]
    inner = DECODER_HEADS * HEAD_WIDTH
    for n in range(DEPTH):
        layer = f"{head}.transformer.layers.{n}"
        q, k, v = linear(norm(token, f"{layer}.0.norm", 1e-5), f"{layer}.0.fn.to_qkv").split(inner, dim=-1)
        token = token + linear(attend(q, k, v, DECODER_HEADS), f"{layer}.0.fn.to_out.0")
        q = linear(norm(token, f"{layer}.1.norm", 1e-5), f"{layer}.1.fn.to_q")
        k, v = linear(image, f"{layer}.1.fn.to_kv").split(inner, dim=-1)
        token = token + linear(attend(q, k, v, DECODER_HEADS), f"{layer}.1.fn.to_out.0")
        inside = nn.functional.gelu(linear(norm(token, f"{layer}.2.norm", 1e-5), f"{layer}.2.fn.net.0"))
        token = token + linear(inside, f"{layer}.2.fn.net.3")
    return [
        linear(token[:, 0], f"smpl_head.{part}") + weights[f"smpl_head.{mean}"]
        for part, mean in (("decpose", "init_body_pose"), ("decshape", "init_betas"), ("deccam", "init_cam"))
    ]


def save(path, weights, **more):
    torch.save({"epoch": 35, "global_step": 1000000, "state_dict": weights, "optimizer_states": [{}], **more}, path)
    return path


@torch.no_grad()
def test_converted_weights_give_their_answers(tmp_path):
    weights = random_weights()
    config = convert(save(tmp_path / "x.ckpt", weights), tmp_path / "hmr", HEADS, DECODER_HEADS)
    assert (config.rows_px, config.columns_px, config.width, config.layers) == (ROWS, COLUMNS, WIDTH, LAYERS)
    assert (config.decoder_width, config.decoder_layers, config.decoder_head_width) == (INSIDE, DEPTH, HEAD_WIDTH)
    assert (config.query, config.iterations, config.body) == ("zero", 1, "smpl")
    crops = torch.randn((3, 3, ROWS, COLUMNS), generator=torch.Generator().manual_seed(1))
    found = load_hmr(tmp_path / "hmr")(crops)
    pose, betas, camera = their_answer(weights, crops)
    columns = pose.reshape(3, 24, 2, 3)
    first = nn.functional.normalize(columns[:, :, 0], dim=-1)
    assert torch.allclose(found.rotations[..., 0], first, atol=1e-4)
    # The second column lies in the plane of both, square to the first.
    second = found.rotations[..., 1]
    assert (second * first).sum(-1).abs().max() < 1e-4 and ((second * columns[:, :, 1]).sum(-1) > 0).all()
    assert torch.allclose(found.betas, betas, atol=1e-4) and torch.allclose(found.camera, camera, atol=1e-4)
    assert (betas[0] - betas[1]).abs().max() > 1e-2
    J = weights["smpl.J_regressor"]
    kept = load_file(tmp_path / "hmr" / "model.safetensors")
    assert torch.allclose(kept["rest_joints"], J @ weights["smpl.v_template"], atol=1e-5)
    shaped = J @ (weights["smpl.v_template"] + 2.0 * weights["smpl.shapedirs"][..., 3])
    assert torch.allclose(kept["rest_joints"] + 2.0 * kept["rest_directions"][..., 3], shaped, atol=1e-5)


def test_published_sizes_are_the_defaults(tmp_path):
    """HMR2.0's shapes, of which the tensors' numbers are not made."""
    from models.people3d.hmr_network import Hmr, HmrConfig

    with torch.device("meta"):
        network = Hmr(HmrConfig())
    parameters = sum(value.numel() for value in network.parameters())
    assert 665e6 < parameters < 675e6
    assert network.backbone.embeddings.position_embeddings.shape == (1, 193, 1280)
    assert network.decoder[0].image.key.weight.shape == (512, 1280)


def test_settings_in_the_file_are_passed_over(tmp_path, monkeypatch):
    """yacs' and omegaconf's objects, as Lightning pickles them, need neither package."""
    yacs, omega = types.ModuleType("yacs.config"), types.ModuleType("omegaconf.dictconfig")
    yacs.CfgNode = type("CfgNode", (dict,), {"__module__": "yacs.config"})
    omega.DictConfig = type("DictConfig", (), {"__module__": "omegaconf.dictconfig"})
    node = yacs.CfgNode(MODEL=yacs.CfgNode(IMAGE_SIZE=256))
    node.__dict__["_immutable"] = True
    settings = omega.DictConfig()
    settings.__dict__.update({"_content": {"a": 1}, "_parent": None})
    with monkeypatch.context() as patch:
        for module in (yacs, omega):
            patch.setitem(sys.modules, module.__name__.split(".")[0], types.ModuleType(module.__name__.split(".")[0]))
            patch.setitem(sys.modules, module.__name__, module)
        path = save(tmp_path / "x.ckpt", random_weights(), hyper_parameters={"cfg": node, "other": settings})
    convert(path, tmp_path / "with", HEADS, DECODER_HEADS)
    convert(save(tmp_path / "y.ckpt", random_weights()), tmp_path / "without", HEADS, DECODER_HEADS)
    first, second = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("with", "without"))
    assert first == second


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_code_in_the_file_is_refused_and_not_run(tmp_path):
    path = save(tmp_path / "x.ckpt", random_weights(), hyper_parameters=Trap(tmp_path / "sprung"))
    with pytest.raises(InputError, match=r"x\.ckpt.*open, which is not allowed"):
        convert(path, tmp_path / "hmr", HEADS)
    assert not (tmp_path / "sprung").exists() and not (tmp_path / "hmr").exists()


def test_wrong_files_are_named(tmp_path):
    (tmp_path / "text.ckpt").write_text("no")
    for name in ("text.ckpt", "none.ckpt"):
        with pytest.raises(InputError, match=rf"{name}.*(cannot be read|can be read safely)"):
            convert(tmp_path / name, tmp_path / "hmr")
    torch.save({"weights": 1}, tmp_path / "other.ckpt")
    with pytest.raises(InputError, match="has no state_dict of tensors"):
        convert(tmp_path / "other.ckpt", tmp_path / "hmr")


def test_keys_that_do_not_belong_are_listed(tmp_path):
    weights = random_weights()
    weights["backbone.blocks.0.attn.gate"] = torch.zeros(3)
    weights["smpl_head.decface.weight"] = torch.zeros(3)
    with pytest.raises(InputError, match=r"has not: backbone\.blocks\.0\.attn\.gate, smpl_head\.decface\.weight"):
        convert(save(tmp_path / "x.ckpt", weights), tmp_path / "hmr", HEADS, DECODER_HEADS)
    weights = random_weights()
    del weights["smpl_head.deccam.bias"]
    weights["smpl_head.init_cam"] = torch.zeros(1, 4)
    with pytest.raises(InputError, match=r"camera\.bias is missing.*mean_camera is \(4,\), expected \(3,\)"):
        convert(save(tmp_path / "x.ckpt", weights), tmp_path / "hmr", HEADS, DECODER_HEADS)
    with pytest.raises(InputError, match=r"width 24, which is none of ViTPose's.*--heads"):
        convert(save(tmp_path / "x.ckpt", random_weights()), tmp_path / "hmr")
    assert not (tmp_path / "hmr").exists()


def test_body_comes_from_elsewhere_where_the_file_holds_none(tmp_path):
    weights = random_weights()
    del weights["smpl.v_template"]
    path = save(tmp_path / "x.ckpt", weights)
    with pytest.raises(InputError, match=r"holds no body \(smpl\.v_template missing\).*--smpl"):
        convert(path, tmp_path / "hmr", HEADS, DECODER_HEADS)
    body = load_body()
    convert(path, tmp_path / "hmr", HEADS, DECODER_HEADS, body)
    assert torch.equal(load_file(tmp_path / "hmr" / "model.safetensors")["rest_joints"], body.J_template)
    assert json.loads((tmp_path / "hmr" / "config.json").read_text())["body"] == "smpl"
