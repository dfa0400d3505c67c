"""Self-contained pages: images inside the text, one look for all."""

import base64
import io
from pathlib import Path
from typing import Any

import cv2
import jinja2
import matplotlib
import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure


def rendered(template: Path, **values: Any) -> str:
    """Render a Jinja2 template, which may extend others of its folder, filled in; a name that is missing is an
    error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template(template.name).render(**values)


def embedded_image(image: UInt8[np.ndarray, "height width 3"]) -> str:
    """Encode an image as the address of an <img>, JPEG."""
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def embedded_figure(figure: Figure) -> str:
    """Encode a diagram as the address of an <img>, PNG; the same diagram gives the same bytes."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "careclips"}):
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
