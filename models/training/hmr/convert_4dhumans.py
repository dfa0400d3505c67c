"""Convert the published 4D-Humans checkpoint (HMR2.0, a Lightning .ckpt) to our config and safetensors, once.

    careclips train convert-hmr --checkpoint "epoch=35-step=1000000.ckpt" --out path/to/hmr

A .ckpt is a pickle. It is read with torch's `weights_only` unpickler, which builds tensors and plain containers and
refuses all else; the training's settings inside it (yacs, omegaconf) are read as empty stand-ins and thrown away. So
nothing of the file can run, and neither yacs nor omegaconf nor Lightning is needed. What is refused is named.

4D-Humans' weights were trained on data sets made for research, and their body is SMPL, which is for non-commercial use;
its rest joints are taken from the same file, or with --smpl from a licensed one. Nothing of it is shipped here, and the
converted folder stays with whoever converted it.

Key mapping (4D-Humans -> `models.people3d.hmr_network.Hmr`), N a layer:

    backbone.pos_embed                                   backbone.embeddings.position_embeddings
    backbone.patch_embed.proj                            backbone.embeddings.patch_embeddings.projection
    backbone.blocks.N.norm1, norm2                       backbone.encoder.layer.N.layernorm_before, layernorm_after
    backbone.blocks.N.attn.qkv                           ...attention.attention.query, key, value: thirds, in this order
    backbone.blocks.N.attn.proj                          ...attention.output.dense
    backbone.blocks.N.mlp.fc1, fc2                       ...mlp.fc1, fc2
    backbone.last_norm                                   backbone.layernorm
    smpl_head.transformer.to_token_embedding             query
    smpl_head.transformer.pos_embedding                  place
    smpl_head.transformer.transformer.layers.N.0         decoder.N.itself: norm, fn.to_qkv (thirds), fn.to_out.0
    smpl_head.transformer.transformer.layers.N.1         decoder.N.image: norm, fn.to_q, fn.to_kv (halves), fn.to_out.0
    smpl_head.transformer.transformer.layers.N.2         decoder.N: norm, fn.net.0 (wide), fn.net.3 (narrow)
    smpl_head.decpose, decshape, deccam                  pose, betas, camera
    smpl_head.init_body_pose, init_betas, init_cam       mean_pose, mean_betas, mean_camera
    smpl.J_regressor, v_template, shapedirs              rest_joints, rest_directions
"""

import json
import os
import pickle
import re
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pydantic import ValidationError
from safetensors.torch import save_file
from torch import Tensor

from models.body.model import BodyModel
from models.errors import InputError
from models.people3d.hmr_network import Hmr, HmrConfig

HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}
"""Attention heads of ViTPose's backbones by width: the weights do not tell."""
UNUSED = ("discriminator.", "smpl.", "initialized", "renderer.", "mesh_renderer.")
"""What a training needs and an answer does not."""
RENAMED = (
    (r"backbone\.pos_embed", r"backbone.embeddings.position_embeddings"),
    (r"backbone\.patch_embed\.proj\.(.*)", r"backbone.embeddings.patch_embeddings.projection.\1"),
    (r"backbone\.blocks\.(\d+)\.norm1\.(.*)", r"backbone.encoder.layer.\1.layernorm_before.\2"),
    (r"backbone\.blocks\.(\d+)\.norm2\.(.*)", r"backbone.encoder.layer.\1.layernorm_after.\2"),
    (r"backbone\.blocks\.(\d+)\.attn\.proj\.(.*)", r"backbone.encoder.layer.\1.attention.output.dense.\2"),
    (r"backbone\.blocks\.(\d+)\.mlp\.(fc[12]\..*)", r"backbone.encoder.layer.\1.mlp.\2"),
    (r"backbone\.last_norm\.(.*)", r"backbone.layernorm.\1"),
    (r"smpl_head\.transformer\.to_token_embedding\.(.*)", r"query.\1"),
    (r"smpl_head\.transformer\.pos_embedding", r"place"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.0\.norm\.(.*)", r"decoder.\1.itself.norm.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.0\.fn\.to_out\.0\.(.*)", r"decoder.\1.itself.out.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.1\.norm\.(.*)", r"decoder.\1.image.norm.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.1\.fn\.to_q\.(.*)", r"decoder.\1.image.query.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.1\.fn\.to_out\.0\.(.*)", r"decoder.\1.image.out.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.2\.norm\.(.*)", r"decoder.\1.norm.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.2\.fn\.net\.0\.(.*)", r"decoder.\1.wide.\2"),
    (r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.2\.fn\.net\.3\.(.*)", r"decoder.\1.narrow.\2"),
    (r"smpl_head\.decpose\.(.*)", r"pose.\1"),
    (r"smpl_head\.decshape\.(.*)", r"betas.\1"),
    (r"smpl_head\.deccam\.(.*)", r"camera.\1"),
    (r"smpl_head\.init_body_pose", r"mean_pose"),
    (r"smpl_head\.init_betas", r"mean_betas"),
    (r"smpl_head\.init_cam", r"mean_camera"),
)
SPLIT = (
    (
        r"backbone\.blocks\.(\d+)\.attn\.qkv\.(.*)",
        tuple(rf"backbone.encoder.layer.\1.attention.attention.{part}.\2" for part in ("query", "key", "value")),
    ),
    (
        r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.0\.fn\.to_qkv\.(.*)",
        tuple(rf"decoder.\1.itself.{part}.\2" for part in ("query", "key", "value")),
    ),
    (
        r"smpl_head\.transformer\.transformer\.layers\.(\d+)\.1\.fn\.to_kv\.(.*)",
        tuple(rf"decoder.\1.image.{part}.\2" for part in ("key", "value")),
    ),
)
"""Keys whose rows are several of ours, one below the other."""
FLAT = ("place", "mean_pose", "mean_betas", "mean_camera")
"""Theirs have leading axes of one."""


class _Mapping:
    """Stands in for a dict of settings: an ordered dict, which the unpickler fills."""

    def __new__(cls, *_: object) -> Any:
        return OrderedDict()


class _Setting:
    """Stands in for any other object of the settings; what it holds is not looked at."""

    def __new__(cls, *_: object) -> Any:
        return object.__new__(cls)


ALLOWED: list[Any] = [
    (_Mapping, "yacs.config.CfgNode"),
    (defaultdict, "collections.defaultdict"),
    (dict, "builtins.dict"),
    (list, "builtins.list"),
    (_Setting, "typing.Any"),
    *(
        (_Setting, f"omegaconf.{name}")
        for name in (
            "dictconfig.DictConfig", "listconfig.ListConfig", "base.ContainerMetadata", "base.Metadata",
            "nodes.AnyNode", "nodes.StringNode", "nodes.IntegerNode", "nodes.FloatNode", "nodes.BooleanNode",
        )
    ),
]  # fmt: skip
"""What the file may name beside tensors and plain containers, and what is made of it."""


def convert(
    checkpoint: Path, out: Path, heads: int | None = None, decoder_heads: int = 8, smpl: BodyModel | None = None
) -> HmrConfig:
    """Write config.json and model.safetensors (float32) to `out`; the config.

    `heads` of the backbone are known from its width where it is one of ViTPose's. `smpl` gives the rest joints where
    the file holds none. InputError, which lists the keys, where some are unknown, missing or of a wrong shape, and
    where the file is no checkpoint or holds objects that are not allowed.
    """
    weights = _read(checkpoint)
    mapped = _mapped(checkpoint, weights)
    config = _config(checkpoint, mapped, heads, decoder_heads)
    mapped |= dict(zip(("rest_joints", "rest_directions"), _rest(checkpoint, weights, smpl), strict=True))
    # Sizes alone are wanted of it: its numbers are never made.
    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in Hmr(config).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in mapped.items()}
    if wrong := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        rows = [f"{name} is {found.get(name, 'missing')}, expected {wanted.get(name, 'none')}" for name in wrong]
        raise InputError(checkpoint, f"is not laid out as HMR2.0 ({'; '.join(rows)})", "give 4D-Humans' own checkpoint")
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.float().contiguous() for name, value in mapped.items()}, out / "model.safetensors.part")
    (out / "config.json.part").write_text(json.dumps(config.model_dump(), indent=1) + "\n")
    for part in sorted(out.glob("*.part")):
        part.chmod(0o644)
        os.replace(part, part.with_suffix(""))
    return config


def _read(checkpoint: Path) -> dict[str, Tensor]:
    """The state_dict of a Lightning checkpoint."""
    again = "fetch it again, or save {'state_dict': ...} of it alone where it was made"
    try:
        with torch.serialization.safe_globals(ALLOWED):
            content = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        problem = f"holds {named[1]}, which is not allowed" if named else "is no checkpoint that can be read safely"
        raise InputError(checkpoint, problem, again) from error
    except (OSError, RuntimeError, EOFError) as error:
        raise InputError(checkpoint, f"cannot be read ({str(error).splitlines()[0]})", again) from error
    weights = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise InputError(checkpoint, "has no state_dict of tensors", "give the .ckpt of 4D-Humans")
    return weights


def _mapped(checkpoint: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights under our names; InputError lists those that have none."""
    mapped, unknown = {}, []
    for name, value in weights.items():
        if name.startswith(UNUSED):
            continue
        for pattern, ours in RENAMED:
            if match := re.fullmatch(pattern, name):
                target = match.expand(ours)
                mapped[target] = value.flatten() if target in FLAT else value
                break
        else:
            for pattern, parts in SPLIT:
                if (match := re.fullmatch(pattern, name)) and len(value) % len(parts) == 0:
                    mapped |= {
                        match.expand(ours): rows for ours, rows in zip(parts, value.chunk(len(parts)), strict=True)
                    }
                    break
            else:
                unknown.append(name)
    if unknown:
        raise InputError(
            checkpoint,
            f"has weights that HMR2.0 has not: {', '.join(sorted(unknown))}",
            "give 4D-Humans' own checkpoint",
        )
    return mapped


def _config(checkpoint: Path, mapped: dict[str, Tensor], heads: int | None, decoder_heads: int) -> HmrConfig:
    """Sizes, read off the weights."""

    def layers(prefix: str) -> int:
        return len({name.removeprefix(prefix).split(".")[0] for name in mapped if name.startswith(prefix)})

    def shape(name: str) -> tuple[int, ...]:
        if name not in mapped:
            raise InputError(checkpoint, f"is not laid out as HMR2.0 ({name} is missing)", "give 4D-Humans' checkpoint")
        return tuple(mapped[name].shape)

    width, _, patch, _ = shape("backbone.embeddings.patch_embeddings.projection.weight")
    places = shape("backbone.embeddings.position_embeddings")[1] - 1
    # The crop is 4 x 3: 16 x 12 patches in 256 x 192 pixels.
    rows = patch * round((places * 4 / 3) ** 0.5)
    heads = heads or HEADS.get(width)
    if heads is None:
        raise InputError(checkpoint, f"has a backbone of width {width}, which is none of ViTPose's", "give --heads")
    try:
        return HmrConfig(
            rows_px=rows,
            columns_px=rows * 3 // 4,
            patch_px=patch,
            width=width,
            heads=heads,
            layers=layers("backbone.encoder.layer."),
            mlp_ratio=shape("backbone.encoder.layer.0.mlp.fc1.weight")[0] // width,
            decoder_width=shape("query.weight")[0],
            decoder_layers=layers("decoder."),
            decoder_heads=decoder_heads,
            decoder_head_width=shape("decoder.0.image.query.weight")[0] // decoder_heads,
            decoder_hidden=shape("decoder.0.wide.weight")[0],
            query="zero" if shape("query.weight")[1] == 1 else "state",
            body="smpl",
        )
    except ValidationError as error:
        problem = str(error.errors()[0]["msg"])
        raise InputError(
            checkpoint, f"has sizes that do not fit ({problem})", "give --heads of its backbone"
        ) from error


def _rest(
    checkpoint: Path, weights: dict[str, Tensor], smpl: BodyModel | None
) -> tuple[Float[Tensor, "24 3"], Float[Tensor, "24 3 10"]]:
    """Rest joints of the mean shape, and their change by each of the betas."""
    if smpl is not None:
        return smpl.J_template, smpl.J_shapedirs
    names = ("smpl.J_regressor", "smpl.v_template", "smpl.shapedirs")
    if missing := [name for name in names if name not in weights]:
        raise InputError(checkpoint, f"holds no body ({', '.join(missing)} missing)", "give a SMPL file with --smpl")
    regressor, template, directions = (weights[name].double() for name in names)
    return (regressor @ template).float(), torch.einsum("jv,vcb->jcb", regressor, directions[..., :10]).float()
