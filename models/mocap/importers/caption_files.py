"""Text files with one caption a line."""

from pathlib import Path

from models.errors import InputError


def read_lines(path: Path) -> tuple[str, ...]:
    """Read the lines that are not empty; raises InputError where there are none."""
    try:
        lines = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(path, f"the motion's captions cannot be read ({error})", "put its text file there") from error
    if not lines:
        raise InputError(path, "holds no caption", "write one caption a line")
    return lines
