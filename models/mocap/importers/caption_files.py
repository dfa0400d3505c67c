"""Text files with one caption a line."""

from pathlib import Path

from models.errors import InputError
from models.text_files import read_text


def read_lines(path: Path) -> tuple[str, ...]:
    """Read the lines that are not empty; raises InputError where there are none."""
    if not path.is_file():
        raise InputError(path, "the motion's captions are not there", "put its text file there")
    lines = tuple(line.strip() for line in read_text(path).splitlines() if line.strip())
    if not lines:
        raise InputError(path, "holds no caption", "write one caption a line")
    return lines
