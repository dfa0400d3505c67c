"""Steps of reconstruct that choose among files."""

from pipeline.reconstruct import chosen_file


def test_camera_files_that_differ_from_the_one_in_use_are_told(tmp_path):
    files = [tmp_path / name for name in ("a.json", "b.json", "c.json", "d.json")]
    for file, text in zip(files[1:], ("one", "one", "other"), strict=True):
        file.write_text(text)
    assert chosen_file(files) == (files[1], [files[3]])
    assert chosen_file([*files[1:3], files[2]]) == (files[1], [])
    assert chosen_file(files[:1]) == (None, [])
