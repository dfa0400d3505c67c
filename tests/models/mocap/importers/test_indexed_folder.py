"""An indexed folder: pairs are one motion in one world, clocks and captions come from the index; real takes of each
format."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.body.floor_contact import lowest_surface
from models.body.model import BodyModel
from models.body.tracks import track_joints
from models.errors import InputError
from models.mocap.bvh import write_bvh
from models.mocap.evaluate_retargeting import agreement, retargeting_metrics
from models.mocap.importers import IMPORTERS
from models.mocap.importers.indexed_folder import index_takes, read, read_take
from models.mocap.joint_names import match_joints
from models.mocap.plug_in_gait import MARKERS
from models.mocap.retarget import retarget
from models.mocap.skeleton_motion import SkeletonMotion
from models.types import SMPL_JOINTS

SHARED = Path(__file__).parents[4].parent / "shared" / "mocap"
MORE = SHARED.with_name("mocap_more")
needs_more = pytest.mark.skipif(not MORE.exists(), reason="no ../shared/mocap_more beside the repository")
needs_mocap = pytest.mark.skipif(not SHARED.exists(), reason="no ../shared/mocap beside the repository")
HEAD = "file,format,frames,fps,captured_fps,subject,pair,description\n"


@pytest.fixture
def folder(smpl_walk: Callable, tmp_path: Path) -> Path:
    """A pair and somebody alone, as BVH."""
    for name, turned in (("a", 0.0), ("b", 2.0), ("c", 1.0)):
        write_bvh(smpl_walk(30.0, turned), tmp_path / f"{name}.bvh")
    (tmp_path / "index.csv").write_text(
        HEAD + 'a.bvh,bvh,90,30,30,1,p_1,"two people, walking"\nc.bvh,bvh,90,30,30,1,,a walk\n'
        'b.bvh,bvh,90,30,30,2,p_1,"two people, walking"\n'
    )
    return tmp_path


def test_pairs_are_one_motion_and_captions_come_along(body: BodyModel, betas: np.ndarray, folder: Path) -> None:
    pair, alone = read(folder, body, betas)
    assert pair.source == "a.bvh + b.bvh" and [p.person for p in pair.people] == ["person_0", "person_1"]
    assert pair.details["texts"] == ("two people, walking",) and alone.details["texts"] == ("a walk",)
    assert pair.actions.shape == (2, len(pair.timestamps_s)) and len(alone.people) == 1
    # The first one walks along +x from the origin, the second 2 radians to the right of that (the sources' y is up).
    ways = [track.transl[-1, :2] - track.transl[0, :2] for track in pair.people]
    angle = np.arctan2(ways[1][1], ways[1][0]) - np.arctan2(ways[0][1], ways[0][0])
    assert np.cos(angle - 2.0) > 0.999 and np.linalg.norm(ways[1]) == pytest.approx(np.linalg.norm(ways[0]), rel=0.01)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("file,fps\na.bvh,30\n", "has no column 'format'; give at least the columns file,format,fps,pair,description"),
        (
            HEAD + "a.bvh,c3d,90,30,30,1,,x\n",
            "line 2: format 'c3d' is none of bvh, amc, expmap, deepmimic-json, npy, json, npz; correct",
        ),
        (HEAD + "a.amc,amc,90,fast,30,1,,x\n", "line 2: fps is 'fast', expected a number; correct it"),
        (HEAD + "a.amc,amc,90,0,30,1,,x\n", "line 2: fps is 0, expected 1 to 1000 frames a second; correct the line"),
        (HEAD + "a.amc,amc,90,,30,1,,x\n", "line 2: fps is empty; fill in fps, or remove the line"),
        (HEAD + "a.amc,amc,90,nan,30,1,,x\n", "line 2: fps is 'nan', expected a number; correct it"),
        (HEAD + "../a.bvh,bvh,90,30,30,1,,x\n", "line 2: ../a.bvh leaves the folder; give paths below it"),
        (HEAD + "a.bvh,bvh\n\na.bvh,bvh\n", "line 4: a.bvh is listed already; keep one of the lines"),
        (
            HEAD + "a.amc,amc,90,120,30,1,p,x\nb.amc,amc,90,60,30,1,p,x\n",
            "line 3: pair p is of several formats or rates; give people of a pair in one format",
        ),
        (HEAD + "a.npz,npz,90,30,30,1,,x\n", "line 2: a.npz names no episode; write <file>#<episode>"),
        (
            "file,format,fps,pair,description,licence\na.bvh,bvh,,p,x,MIT\nb.bvh,bvh,,p,x,CC BY 4.0\n",
            "line 3: pair p is under several licences; give people of a pair under one",
        ),
        (None, "cannot be opened (No such file or directory)"),
    ],
)
def test_a_wrong_index_says_so(folder: Path, index: str | None, message: str) -> None:
    path = folder / "index.csv"
    path.unlink() if index is None else path.write_text(index)
    with pytest.raises(InputError) as caught:
        index_takes(folder)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_pair_of_different_length_says_so(
    body: BodyModel, betas: np.ndarray, folder: Path, smpl_walk: Callable
) -> None:
    walk = smpl_walk(30.0)
    write_bvh(
        SkeletonMotion(
            walk.path,
            walk.names,
            walk.parents,
            walk.offsets,
            walk.translations[:60],
            walk.rotations[:60],
            walk.timestamps_s[:60],
        ),
        folder / "b.bvh",
    )
    take = next(take for take in index_takes(folder) if len(take.paths) == 2)
    with pytest.raises(InputError, match=r"is not on one clock with the others \(.*a.bvh: 90 .*b.bvh: 60 frames"):
        read_take(take, body, betas)
    assert len(read(folder, body, betas)) == 1, "who cannot be read costs nobody else"


def test_episodes_of_one_file_are_takes_of_their_own(
    body: BodyModel, betas: np.ndarray, marker_take, tmp_path: Path
) -> None:
    """Two exercises in one npz, what may be done with them, and words behind the format."""
    data = np.stack([marker_take.markers[name] for name in MARKERS], axis=1) * 1e4
    whole = np.concatenate([data, data[::-1][:40]]).astype(np.int16)
    (tmp_path / "gym").mkdir()
    np.savez(
        tmp_path / "gym" / "m.npz", data=whole, starts=np.array([0, 90, 130]), names=["a", "b"], markers=list(MARKERS)
    )
    (tmp_path / "index.csv").write_text(
        "file,format,fps,pair,description,licence,use\n"
        'gym/m.npz#a,"npz int16, 39 markers",30,,a person crouches,CC0,ship\n'
        'gym/m.npz#b,"npz int16, 39 markers",60,,a person stands up,unknown,evaluate\n'
    )
    takes = index_takes(tmp_path)
    assert [take.name(tmp_path) for take in takes] == ["gym/m/a", "gym/m/b"]
    assert [(take.licence, take.uses) for take in takes] == [("CC0", ("ship",)), ("unknown", ("evaluate",))]
    first, second = read(tmp_path, body, betas)
    assert first.timestamps_s[-1] == pytest.approx(2.95) and second.timestamps_s[-1] == pytest.approx(0.65)
    assert first.source == "m.npz#a" and second.details["texts"] == ("a person stands up",)
    heights = [track_joints(body, motion.people[0])[:, 0, 2] for motion in (first, second)]
    assert np.ptp(heights[0]) > 0.3 and heights[1][-1] < heights[1][0], "it is the end of the crouch, backwards"
    whole_file = IMPORTERS["npz"](tmp_path / "gym" / "m.npz", body, betas)
    assert len(whole_file) == 2 and whole_file[0].details["assumed_hz"] == 30.0


def test_an_index_without_licence_and_use_says_nothing_of_them(folder: Path) -> None:
    assert {(take.licence, take.uses) for take in index_takes(folder)} == {("", ())}


def test_an_index_as_excel_writes_it(folder: Path) -> None:
    text = (folder / "index.csv").read_text().replace("a walk", "ein Ständer") + ",,,,,,,\r\n"
    (folder / "index.csv").write_bytes(text.encode("utf-16"))
    assert [take.texts for take in index_takes(folder)] == [("two people, walking",), ("ein Ständer",)]


@needs_mocap
@pytest.mark.parametrize(
    "name",
    [
        "cmu_salsa/10.bvh",
        "cmu_pair/18_01.bvh",
        "cmu_iclone/002_01.bvh",
        "cmu_indian/13.bvh",
        "cmu_martial/04.bvh",
        "idle/003_genuine.bvh",
        "cmu_amc/02_01.amc",
        "cmu_expmap/walking_1.txt",
        "deepmimic/humanoid3d_walk.txt",
        "deepmimic/humanoid3d_getup_faceup.txt",
    ],
)
def test_captured_takes_slide_and_sink_no_more_than_they_did(body: BodyModel, betas: np.ndarray, name: str) -> None:
    take = next(take for take in index_takes(SHARED) if take.paths[0] == SHARED / name)
    motion = read_take(take, body, betas)
    assert len(motion.people) == len(take.paths) and motion.details["texts"] == take.texts
    step = np.diff(motion.timestamps_s)
    np.testing.assert_allclose(step, 0.05, atol=1e-9)
    for person, source in enumerate(take.sources()):
        told = retargeting_metrics(source, motion, person, body)
        assert told["skate_added_cm_s"] < 1.0 and told["penetration_cm"] < 1.0
        assert told["ankle_cm"] < 4.0 and told["wrist_cm"] < 4.0 and told["limb_direction_deg"] < 5.0
        track, joints = motion.people[person], track_joints(body, motion.people[person])
        lowest = lowest_surface(body, betas, track.global_orient, track.body_pose, track.transl)
        assert np.median(lowest) < 0.02, "somebody floats"
        # Left stays left: the line between the hips runs as in the source, seen from the trunk.
        joint_of, (_, theirs) = match_joints(source), source.forward()

        def handed(places: np.ndarray, at: dict[str, int]) -> np.ndarray:
            up = places[:, at["neck"]] - places[:, at["pelvis"]]
            ahead = sum(places[:, at[f"{s}_ankle"]] - places[:, at[f"{s}_knee"]] for s in ("left", "right"))
            across = places[:, at["left_hip"]] - places[:, at["right_hip"]]
            return np.sign(np.sum(np.cross(up, ahead) * across, axis=-1)).mean()

        ours = handed(joints, {name: index for index, name in enumerate(SMPL_JOINTS)})
        assert ours == pytest.approx(handed(theirs, joint_of), abs=0.35)


@needs_more
@pytest.mark.parametrize(
    ("name", "lowest_m"),
    [
        ("uiprmd/m01_correct/m01_s06_e02", (0.25, 0.55)),
        ("uiprmd/m02_incorrect/m02_s08_e05_inc", (0.75, 1.05)),
        ("uiprmd/m03_correct/m03_s04_e06", (0.35, 0.65)),
        ("uiprmd/m05_incorrect/m05_s07_e04_inc", (0.35, 0.65)),
        ("holosoma_climb/mocap_climb_seq_3_joint_positions_f200-2600", (0.35, 1.0)),
        ("hdm05/HDM_dg_squat1Reps_026_120", (0.2, 0.5)),
        ("hdm05/HDM_tr_lieDownFloor_020_120", (0.05, 0.25)),
        ("cml_inlab/09_bring_somewhere_to_somewhere", (0.2, 0.8)),
    ],
)
def test_markers_and_positions_stand_and_go_as_low_as_people_did(
    body: BodyModel, betas: np.ndarray, name: str, lowest_m: tuple[float, float]
) -> None:
    take = next(take for take in index_takes(MORE) if take.name(MORE) == name)
    motion, (source,) = read_take(take, body, betas), take.sources()
    told = retargeting_metrics(source, motion, 0, body)
    assert told["skate_added_cm_s"] < 2.0 and told["penetration_cm"] < 1.0
    assert told["ankle_cm"] < 4.0 and told["wrist_cm"] < 4.0
    joints = track_joints(body, motion.people[0])
    assert lowest_m[0] < joints[:, 0, 2].min() < lowest_m[1]
    ahead = np.cross(joints[:, 1] - joints[:, 2], [0.0, 0.0, 1.0])
    toes = joints[:, 10] + joints[:, 11] - joints[:, 7] - joints[:, 8]
    assert np.mean(np.sum(ahead * toes, axis=-1) > 0.0) > 0.9, "toes point where the hips face"


@needs_mocap
def test_dancers_who_hold_hands_stay_close(body: BodyModel, betas: np.ndarray) -> None:
    take = next(take for take in index_takes(SHARED) if take.paths[0] == SHARED / "cmu_salsa/10.bvh")
    assert [path.name for path in take.paths] == ["10.bvh", "25.bvh"]
    motion = read_take(take, body, betas)
    places = [track_joints(body, track)[:, 0, :2] for track in motion.people]
    theirs = [source.forward()[1][1:, 0] * np.mean(motion.details["metres_per_unit"]) for source in take.sources()]
    apart = np.linalg.norm(places[0] - places[1], axis=-1)
    known = np.linalg.norm((theirs[0] - theirs[1])[:, [0, 2]], axis=-1)
    clock = np.interp(motion.timestamps_s, np.arange(len(known)) / 30.0, known)
    np.testing.assert_allclose(apart, clock, atol=0.08)
    assert apart.min() > 0.2 and np.median(apart) < 1.2


@needs_mocap
@pytest.mark.parametrize("take", ["02_01", "03_02"])
def test_one_take_in_two_formats_is_one_motion(body: BodyModel, betas: np.ndarray, take: str) -> None:
    files = {f"cmu_amc/{take}.amc", f"cmu_iclone/0{take}.bvh"}
    both = [t for t in index_takes(SHARED) if str(t.paths[0].relative_to(SHARED)) in files]
    one, other = (track_joints(body, read_take(t, body, betas).people[0]) for t in both)
    distance_mm, angle_deg = agreement(one, other)
    assert distance_mm < 60.0 and angle_deg < 10.0
    mirrored, _ = agreement(one * [1.0, -1.0, 1.0], other)
    assert mirrored > 1.5 * distance_mm, "the measure sees a mirror"


@needs_mocap
def test_a_file_alone_tells_what_was_assumed(body: BodyModel, betas: np.ndarray) -> None:
    (motion,) = IMPORTERS["amc"](SHARED / "cmu_amc" / "02_01.amc", body, betas)
    assert motion.details["assumed_hz"] == 120.0 and motion.details["texts"] == ()
    (known,) = IMPORTERS["bvh"](SHARED / "cmu_iclone" / "002_01.bvh", body, betas)
    assert "assumed_hz" not in known.details
    assert motion.timestamps_s[-1] == pytest.approx(known.timestamps_s[-1] / 4.0, abs=0.1)


def test_a_short_motion_keeps_its_bones(body: BodyModel, betas: np.ndarray, smpl_walk: Callable) -> None:
    joints = track_joints(body, retarget([smpl_walk(30.0)], body, betas, 20.0).people[0])
    thighs = np.linalg.norm(joints[:, 4] - joints[:, 1], axis=-1)
    np.testing.assert_allclose(thighs, thighs[0], atol=1e-5)
