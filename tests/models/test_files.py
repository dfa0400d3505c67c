"""Arrays of foreign files: numbers, or one line that says what the file is."""

import io
import os
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.errors import InputError
from models.files import cache_folder, finite, read_arrays, without_passwords


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


GOOD = npz(poses=np.arange(300.0).reshape(100, 3), name=np.array("walk"))


def test_arrays_by_name_and_the_one_of_an_npy(tmp_path):
    (tmp_path / "a.npz").write_bytes(GOOD)
    found = read_arrays(tmp_path / "a.npz")
    assert set(found) == {"poses", "name"} and found["poses"][99, 2] == 299.0
    np.save(tmp_path / "b.npy", np.arange(3))
    assert read_arrays(tmp_path / "b.npy")["array"].tolist() == [0, 1, 2]


def declared(shape: str) -> bytes:
    """An npz whose array is declared larger than any memory."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("poses.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty (0 bytes)"),
        (b"PK\x03\x04 no archive", "is no npz or npy that can be read"),
        (b"nothing", "is no npz or npy that can be read"),
        (GOOD[:200], "is no npz or npy that can be read"),
        (npz(poses=np.array([{}], dtype=object)), "is no npz or npy that can be read (Object arrays cannot be loaded"),
        (declared("(1000000000000000,)"), "is no npz or npy that can be read"),
        (declared("("), "is no npz or npy that can be read"),
    ],
)
def test_what_is_none_is_refused_in_one_line(tmp_path, content, problem):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_arrays(tmp_path / "a.npz")
    assert str(caught.value).startswith(f"{tmp_path}/a.npz: {problem}") and "\n" not in str(caught.value)
    with pytest.raises(InputError):
        read_arrays(tmp_path / "none.npz")


@given(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=8), st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_bytes_are_read_or_refused(tmp_path, at, noise, cut):
    content = GOOD[:at] if cut else GOOD[:at] + noise + GOOD[at + len(noise) :]
    (tmp_path / "a.npz").write_bytes(content)
    try:
        found = read_arrays(tmp_path / "a.npz")
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert all(isinstance(value, np.ndarray) for value in found.values())


@pytest.mark.parametrize(
    "values", [np.array(["a"]), np.array([np.nan]), np.array([np.inf], np.float32), np.zeros(2, "M8[s]")]
)
def test_numbers_are_finite_or_refused(tmp_path, values):
    assert finite(tmp_path, "poses", np.array([1, 2], dtype=np.uint8), "mend it").dtype == np.float64
    with pytest.raises(InputError, match=f"{tmp_path}: poses holds .*; mend it"):
        finite(tmp_path, "poses", values, "mend it")


def test_a_password_that_holds_an_at_sign_is_left_out_whole():
    assert without_passwords("s3://key:p@ss@host/store of a@b.org") == "s3://***@host/store of a@b.org"
    assert without_passwords("s3://key:sec/ret@bucket/store") == "s3://***@bucket/store"
    assert without_passwords("file:///home/a@b/store") == "file:///home/a@b/store"


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "CARECLIPS_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with pytest.raises(InputError, match="HOME: is not set, and this user has no home; set CARECLIPS_CACHE"):
        cache_folder()
