"""Text files as other programs write them: any usual encoding, tables with blank and short rows, JSON, YAML.

Every reader of CSV, JSON, YAML, BVH and AMC reads its bytes here, so what one of them understands, all do.
"""

import codecs
import csv
import functools
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.errors import InputError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """Read a text in UTF-8, in UTF-16 or UTF-32 with a byte order mark, or else in Windows-1252.

    Raises InputError where the file cannot be opened or holds bytes that are no text (NUL).
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be opened ({error.strerror})", "correct the path or its permissions") from error
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise InputError(path, f"is no whole {encoding} text ({error.reason})", "save it as UTF-8") from error
        text = content.decode("cp1252", errors="replace")
    if "\0" in text:
        raise InputError(path, "holds NUL bytes, so it is no text", "save it as UTF-8 text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(path: Path, constants: bool = False) -> Any:
    """Read a JSON value; InputError names the line where it is none.

    NaN and infinity are no JSON; with `constants` they are read as Python writes them, for who checks every number.
    """

    def refuse(constant: str) -> Any:
        if constants:
            return float(constant.replace("Infinity", "inf"))
        raise ValueError(f"{constant} is not a number that JSON knows")

    try:
        return json.loads(read_text(path), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(path, f"is not readable JSON ({error})", "correct it, or write it again") from error


@functools.cache
def _yaml_loader() -> Any:
    """Safe values only; a key that stands twice is an error, for one of the two would be passed over."""
    import yaml  # here, for machines that only read a corpus have none

    class UniqueKeys(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = []
            for key_node, _ in node.value:
                key = None if key_node.tag == "tag:yaml.org,2002:merge" else self.construct_object(key_node, deep=True)
                keys.append(key)
                if key is not None and keys.count(key) > 1:
                    problem = f"the key {key!r} stands twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            return super().construct_mapping(node, deep)

    return UniqueKeys


def read_yaml(path: Path) -> Any:
    """Read a YAML value; InputError names the line where it is none."""
    import yaml

    try:
        return yaml.load(read_text(path), _yaml_loader())
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        words = " ".join(str(error).split())
        if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
            words = f"line {error.problem_mark.line + 1}: {error.problem}"
        raise InputError(path, f"is not readable YAML ({words})", "correct it") from error


@dataclass(frozen=True)
class Row:
    """A row of a table that holds something."""

    table: Path
    line: int
    """Number of its line in the file, the header being 1."""
    cells: dict[str, str]
    """Text by column, stripped; a cell that the row lacks is empty."""

    def fail(self, problem: str, remedy: str = "correct it") -> InputError:
        """Return the error that names this line."""
        return InputError(self.table, f"line {self.line}: {problem}", remedy)

    def text(self, column: str) -> str:
        """Return a cell that must hold something; InputError names line and column where it does not."""
        value = self.cells.get(column, "")
        if not value:
            raise self.fail(f"{column} is empty", f"fill in {column}, or remove the line")
        return value

    def number(self, column: str) -> float:
        """Return a cell as a finite number; InputError names line and column where it is none."""
        value = self.text(column)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.fail(f"{column} is {value!r}, expected a number")
        return number


def read_table(path: Path, required: Sequence[str]) -> list[Row]:
    """Read a table with a header, separated by commas, semicolons or tabs; rows without anything in them are left out.

    Raises InputError where it is no table, or lacks a column of `required`.
    """
    lines = read_text(path).split("\n")
    # Excel may say first what separates cells, and people leave a line free.
    begin = next((n for n, line in enumerate(lines) if line.strip() and not line.lower().startswith("sep=")), 0)
    header, text = lines[begin], "\n".join(lines[begin:])
    separator = max(",;\t", key=header.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        names = [(name or "").strip() for name in reader.fieldnames or []]
        reader.fieldnames = names
        missing = [column for column in required if column not in names]
        if missing:
            raise InputError(path, f"has no column {missing[0]!r}", f"give at least the columns {','.join(required)}")
        rows = []
        for cells in reader:
            values = {name: (cells.get(name) or "").strip() for name in names if name}
            if any(cell.strip() for cell in cells.get(None) or ()):
                problem = f"it has more cells than the header's {len(names)}"
                raise Row(path, begin + reader.line_num, values).fail(
                    problem, "put what holds commas in quotation marks"
                )
            if any(values.values()):
                rows.append(Row(path, begin + reader.line_num, values))
        return rows
    except csv.Error as error:
        raise InputError(path, f"is no readable table ({error})", "write it as CSV again") from error
