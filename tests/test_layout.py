"""A stranger finds their way: what lies where, how long files are, how wide signatures are."""

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = [path for folder in ("models", "stages", "pipeline") for path in sorted((ROOT / folder).rglob("*.py"))]
CODE.append(ROOT / "flows.py")
TESTS = sorted((ROOT / "tests").rglob("*.py"))
SPLIT = {"people2d_crossing": "people2d.py", "train_config": "train.py"}
"""Tests of one file that are in two."""


def test_our_packages_are_this_repository():
    import models
    import pipeline
    import stages

    for package in (models, pipeline, stages):
        assert Path(package.__file__).parents[1] == ROOT


def test_few_files_lie_at_the_top_of_models():
    assert len(list((ROOT / "models").glob("*.py"))) <= 12


def test_every_folder_of_code_says_what_it_holds_and_imports_nothing():
    registries = {"models/mocap/importers", "models/motion/denoisers"}
    for folder in {path.parent for path in CODE} - {ROOT}:
        tree = ast.parse((folder / "__init__.py").read_text())
        assert ast.get_docstring(tree), folder
        if str(folder.relative_to(ROOT)) not in registries:
            assert len(tree.body) == 1, folder


def test_files_are_short_and_long_ones_say_why():
    long = [path for path in [*CODE, *TESTS] if len(path.read_text().splitlines()) > 400]
    assert len(long) <= 3, long
    for path in long:
        assert "Over 400 lines" in (ast.get_docstring(ast.parse(path.read_text())) or ""), f"{path} does not say why"


def test_signatures_are_short_outside_the_command_line():
    wide = []
    for path in CODE:
        if path.is_relative_to(ROOT / "pipeline" / "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                if len(names) - (names[:1] in (["self"], ["cls"])) > 8:
                    wide.append(f"{path.relative_to(ROOT)}: {node.name}")
    assert not wide


def test_the_formatter_is_seldom_told_to_skip():
    assert sum(path.read_text().count("# fmt: skip") for path in [*CODE, *TESTS] if path != Path(__file__)) <= 40


def test_tests_mirror_the_code():
    """Every test lies where the file or folder lies that it is of; tests of verbs as a user runs them lie at the
    top."""
    for path in (ROOT / "tests").glob("*/**/test_*.py"):
        within = path.relative_to(ROOT / "tests")
        name = path.stem.removeprefix("test_")
        places = [within.parent / SPLIT.get(name, f"{name}.py"), within.parent / name]
        assert any((ROOT / place).exists() for place in places), f"{within} is of no file or folder"


def test_no_command_line_hides_in_a_module():
    """Training and measuring are verbs of `careclips`."""
    for path in CODE:
        if path not in (ROOT / "pipeline" / "cli" / "main.py", ROOT / "flows.py"):
            assert "argparse" not in path.read_text() and "__main__" not in path.read_text(), path


def test_help_is_quick_and_imports_nothing_heavy():
    program = (
        "import sys; from typer.testing import CliRunner; from pipeline.cli.main import app\n"
        "assert 'reconstruct' in CliRunner().invoke(app, ['--help']).output\n"
        "heavy = {'torch', 'prefect', 'cv2', 'mujoco', 'transformers', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_documentation_names_what_exists():
    """Paths of code and configs that the README and docs/ name are there."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for name in re.findall(r"`((?:models|stages|pipeline|configs|tests)/[\w./]*\w/?)`", page.read_text()):
            assert (ROOT / name).exists(), f"{page.name} names {name}"
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
