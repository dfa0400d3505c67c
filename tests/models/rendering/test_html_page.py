"""Pages in one file."""

import base64
from pathlib import Path

import cv2
import jinja2
import numpy as np
import pytest
from matplotlib.figure import Figure

from models.rendering.html_page import embedded_figure, embedded_image, rendered


def test_a_template_is_filled_in_and_escaped(tmp_path: Path) -> None:
    (tmp_path / "base.j2").write_text("<{% block inner %}{% endblock %}>")
    (tmp_path / "page.j2").write_text('{% extends "base.j2" %}{% block inner %}{{ text }}{% endblock %}')
    assert rendered(tmp_path / "page.j2", text="a & b") == "<a &amp; b>"
    with pytest.raises(jinja2.UndefinedError, match="text"):
        rendered(tmp_path / "page.j2")


def test_pictures_are_inside(tmp_path: Path) -> None:
    image = np.zeros((20, 30, 3), dtype=np.uint8)
    image[..., 0] = 250  # red
    kind, data = embedded_image(image).split(",")
    back = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    assert kind == "data:image/jpeg;base64" and back is not None and back.shape == (20, 30, 3)
    assert back[10, 15, 2] > 240 and back[10, 15, 0] < 20


def test_the_same_diagram_gives_the_same_bytes() -> None:
    def diagram(height: float) -> str:
        figure = Figure(figsize=(1, 1))
        figure.add_subplot().plot([0.0, height])
        return embedded_figure(figure)

    assert diagram(1.0) == diagram(1.0) != diagram(2.0)
    assert diagram(1.0).startswith("data:image/png;base64,")
