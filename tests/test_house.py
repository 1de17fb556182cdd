"""The house: each room may import only the rooms drawn for it, and heavy imports wait until they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import halescan

ROOT = Path(halescan.__file__).parent

MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "wanted": set(),
    "types": {"errors"},
    "io": {"errors", "types"},
    "synthesis": {"errors", "types"},
    "data": {"errors", "wanted", "types", "io", "synthesis"},
    "networks": {"errors"},
    "training": {"errors", "wanted", "types", "networks"},
    "detectors": {"errors", "types", "networks", "training", "synthesis"},
    "classifiers": {"errors", "types", "networks", "training"},
    "scoring": {"errors", "types", "data"},
    "evaluation": {"errors", "types"},
    "reporting": {"errors", "types"},
    "workflows": {
        *("errors", "types", "io", "synthesis", "data", "training", "detectors", "classifiers"),
        *("scoring", "evaluation", "reporting"),
    },
    "cli": {"errors", "types", "workflows"},
}
SLOW_TO_IMPORT = {"monai", "transformers", "lightning_fabric"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "core", "common", "misc"}

every_file = pytest.mark.parametrize("file", sorted(ROOT.rglob("*.py")), ids=lambda file: str(file.relative_to(ROOT)))


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports_of(tree: ast.AST) -> set[str]:
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return named | plain


@every_file
def test_every_import_passes_through_a_drawn_door(file: Path) -> None:
    room = room_of(file)
    if room in {"__init__", "__main__"}:  # the shelf sees every room
        return
    rooms = {name.split(".")[1] for name in imports_of(ast.parse(file.read_text())) if name.startswith("halescan.")}
    undrawn = rooms - MAY_IMPORT[room] - {room}
    assert not undrawn, f"{file.name} imports {sorted(undrawn)}; {room} may import {sorted(MAY_IMPORT[room])}"


@every_file
def test_what_takes_seconds_to_import_is_imported_only_where_it_is_used(file: Path) -> None:
    tree = ast.parse(file.read_text())
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[]
    )
    assert not {name.split(".")[0] for name in imports_of(top)} & SLOW_TO_IMPORT


@every_file
def test_no_room_is_a_lumber_room(file: Path) -> None:
    assert not {part.removesuffix(".py") for part in file.relative_to(ROOT).parts} & FORBIDDEN_NAMES


@every_file
def test_only_the_command_line_prints_and_exits(file: Path) -> None:
    if room_of(file) in {"cli", "__main__"}:
        return
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"print", "exit", "quit"}


@every_file
def test_every_file_says_what_it_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text())), f"{file} opens without a sentence"


def test_importing_halescan_imports_nothing_heavy() -> None:
    code = "import sys, halescan; print(sorted(set(sys.modules) & {'torch', 'numpy', 'scipy', 'PIL', 'pydicom'}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_shelf_holds_what_it_promises() -> None:
    for word in halescan.__all__:
        assert getattr(halescan, word) is not None
