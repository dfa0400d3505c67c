"""The corpus report is one page that shows what is in the file."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.body.model import BodyModel, load_body
from models.body.tracks import track_joints
from models.corpus.reader import read_corpus
from models.corpus.writer import Item, write_corpus
from models.errors import InputError
from stages import corpus_report


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_body()


@pytest.fixture(scope="module")
def page(items: tuple[Item, ...], body: BodyModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "corpus.bin"
    write_corpus(path, items, body.name, {"fall <without> rest": 4})
    return corpus_report.run(path, body, strips=4)


def pictures(page: str) -> dict[str, np.ndarray]:
    found = re.findall(r'<img src="data:image/\w+;base64,([^"]+)" alt="([^"]+)"', page)
    return {alt: cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR) for data, alt in found}


def test_the_page_says_the_figures(page: str, body: BodyModel) -> None:
    assert "<b>11</b><span>items</span>" in page and "<b>2</b><span>falls</span>" in page
    assert "<b>8</b><span>look-alikes</span>" in page and "<b>1</b><span>of two and more people</span>" in page
    assert f"on the body {body.name}, 5 different captions" in page
    assert '<td>fall &lt;without&gt; rest</td><td class="n">4</td>' in page
    assert re.search(r"<th>cause</th><th class=\"n\">forward</th><th class=\"n\">all</th>", page)
    assert re.search(r"<td>push</td><td class=\"n\">2</td><td class=\"n\">2</td>", page)
    assert re.search(r"<td>physics</td><td>fall</td><td>Apache-2.0</td><td class=\"n\">2</td>", page)


def test_everything_is_inside_the_page(page: str) -> None:
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    shown = pictures(page)
    assert {"person-hours by action and kind", "pelvis height since the onset"} < set(shown)
    assert all(picture is not None and picture.std() > 5.0 for picture in shown.values())


def test_one_of_each_kind_is_shown_with_its_caption(page: str) -> None:
    shown = [name for name in pictures(page) if re.fullmatch(r"(walk|stand|fall)_\d|pair", name)]
    assert len(shown) == 4 and {name.split("_")[0] for name in shown} == {"fall", "stand", "walk", "pair"}
    assert "“two people walk”" in page and "“an old woman falls forward”" in page


def test_same_corpus_same_page(items: tuple[Item, ...], body: BodyModel, tmp_path: Path) -> None:
    write_corpus(tmp_path / "c.bin", items[-3:], body.name, {})
    assert corpus_report.run(tmp_path / "c.bin", body, 1) == corpus_report.run(tmp_path / "c.bin", body, 1)


def test_a_corpus_without_falls_has_a_page_without_them(
    items: tuple[Item, ...], body: BodyModel, tmp_path: Path
) -> None:
    write_corpus(tmp_path / "c.bin", items[:2], body.name, {})
    page = corpus_report.run(tmp_path / "c.bin", body, strips=0)
    assert "Phase plots" not in page and "Falls by cause" not in page and "Dropped" not in page


def test_falls_of_unknown_onset_are_counted_but_not_drawn(
    items: tuple[Item, ...], body: BodyModel, tmp_path: Path
) -> None:
    fall = next(item for item in items if item.name == "fall_0")
    write_corpus(tmp_path / "c.bin", [replace(fall, motion=replace(fall.motion, details={}))], body.name, {})
    page = corpus_report.run(tmp_path / "c.bin", body, strips=0)
    assert "Phase plots" not in page and re.search(r"<td>unknown</td><td class=\"n\">1</td>", page)


def test_another_body_is_refused(items: tuple[Item, ...], body: BodyModel, tmp_path: Path) -> None:
    write_corpus(tmp_path / "c.bin", items[:1], "smpl", {})
    with pytest.raises(InputError) as caught:
        corpus_report.run(tmp_path / "c.bin", body)
    assert str(caught.value) == (
        f"{tmp_path / 'c.bin'}: is of the body smpl, not of {body.name}; give the body it was made with"
    )


def test_a_fall_is_followed_from_its_onset_to_its_rest(
    items: tuple[Item, ...], body: BodyModel, tmp_path: Path
) -> None:
    fall = next(item for item in items if item.name == "fall_0")
    write_corpus(tmp_path / "c.bin", [fall], body.name, {})
    drop = corpus_report.drop_of(read_corpus(tmp_path / "c.bin"), 0, body)
    assert (drop.cause, drop.direction) == ("push", "forward")
    details, clock = fall.motion.details, fall.motion.timestamps_s
    assert drop.since_onset_s[0] == pytest.approx(-0.6, abs=0.03)
    assert drop.since_onset_s[-1] == pytest.approx(details["rest_s"] - details["onset_s"], abs=0.03)
    assert drop.impact is not None
    assert drop.since_onset_s[drop.impact] == pytest.approx(details["impact_s"] - details["onset_s"], abs=0.03)
    pelvis = track_joints(body, fall.motion.people[0])[:, 0, 2]
    np.testing.assert_allclose(
        drop.height_m, np.interp(drop.since_onset_s + details["onset_s"], clock, pelvis), atol=0.002
    )
    assert drop.height_m[0] > 0.7 and drop.height_m[-1] < 0.3 and drop.speed_m_s.min() < -1.0 < drop.speed_m_s[0]
