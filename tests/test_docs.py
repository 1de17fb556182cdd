"""The docs have a place for every detector, error, command, option, profile and field, and none for what is gone."""

import inspect
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
import typer

from halescan import errors
from halescan.cli import app
from halescan.data.profiles import PROFILES, Profile, load_profile
from halescan.detectors import CATALOGUE, find_detector
from halescan.io import FORMATS
from halescan.io import formats as readable
from halescan.reporting.json_out import CASES_COLUMNS
from halescan.reporting.words import sentence
from halescan.types import Stack
from halescan.workflows.detector_settings import settings_of

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = DOCS / "reference"
SETTINGS = REFERENCE / "detectors.md"
ERRORS = [name for name, value in vars(errors).items() if inspect.isclass(value)]
NOT_OURS = {"--rm", "--network", "--build-arg", "--user"}  # docker's own


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(page: Path, heading: str) -> str:
    """What stands under `## heading`."""
    _, found, rest = f"\n{text_of(page)}".partition(f"\n## {heading}\n")
    assert found, f"{name_of(page)} has no heading '## {heading}'"
    return rest.partition("\n## ")[0]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks in a language, "" for none."""
    fences = re.findall(r"^ *```(\w*)\n(.*?)^ *```", text_of(page), re.DOTALL | re.MULTILINE)
    return [body for kind, body in fences if kind == language]


def commands() -> dict[str, Any]:
    """Every command by its words, `halescan backbones get` and so on."""
    group: Any = typer.main.get_command(app)
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        if below is None:
            found[f"halescan {name}"] = command
        else:
            found |= {f"halescan {name} {word}": one for word, one in below.items()}
    return found


def options(command: Any) -> set[str]:
    return {word for part in command.params for word in part.opts if word.startswith("--")} | {"--help"}


COMMANDS = commands()
EVERY_OPTION = {word for command in COMMANDS.values() for word in options(command)} | {"--version"}


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_detector_has_a_heading_its_settings_and_its_source(name: str) -> None:
    told = section(REFERENCE / "detectors.md", name)
    kind = find_detector(name)
    missing = [setting for setting in kind().settings if f"| `{setting}` |" not in told]
    assert not missing
    assert kind.source.partition("://")[2].removeprefix("doi.org/") in told
    assert "**Cost**" in told


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_setting_is_told_of_that_a_detector_does_not_have(name: str) -> None:
    told = re.findall(r"^\| `(\w+)` \|", section(REFERENCE / "detectors.md", name), re.MULTILINE)
    assert sorted(told) == sorted(find_detector(name)().settings)


@pytest.mark.parametrize("name", CATALOGUE)
def test_values_and_ranges_of_the_settings_are_those_of_the_class(name: str) -> None:
    told = re.findall(r"^\| `(\w+)` \| `(.+?)` \| `(.+?)` \| (.+?) \|", section(SETTINGS, name), re.MULTILINE)
    meant = [one.words() for one in settings_of(name)]
    rows = [(one["name"], one["cpu"], one["paper"], one["range"] or "–") for one in meant]
    assert told == rows, "run docs/settings_tables.py"


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_has_a_heading_and_a_way_out(name: str) -> None:
    told = section(REFERENCE / "errors.md", name)
    assert name == "HalescanError" or "**Way out**" in told or "**way out**" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_heading_and_every_option_is_named_there(name: str) -> None:
    told = section(REFERENCE / "commands.md", name)
    missing = [word for word in options(COMMANDS[name]) - {"--help"} if f"`{word}`" not in told]
    assert not missing


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_has_a_heading_and_its_blind_spots(name: str) -> None:
    told = section(REFERENCE / "profiles.md", name)
    missing = [key for key in PROFILES[name].blind_spots if sentence(key, "en") not in told]
    assert not missing


def test_every_field_of_a_profile_is_told_of_and_no_other() -> None:
    told = re.findall(r"^\| `(\w+)` \|", section(REFERENCE / "profiles.md", "Fields"), re.MULTILINE)
    assert sorted(told) == sorted(Profile.model_fields)


def test_every_choice_of_a_profile_field_is_named() -> None:
    told = section(REFERENCE / "profiles.md", "Fields")
    choices = [str(choice) for field in Profile.model_fields.values() for choice in literals(field.annotation)]
    assert "lungs" in choices
    assert not [choice for choice in choices if not re.search(rf"\b{choice}\b", told)]


def literals(kind: Any) -> list[Any]:
    """The values of every `Literal` within a type."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [value for part in get_args(kind) for value in literals(part)]


def test_every_column_of_the_cases_table_is_named() -> None:
    told = section(REFERENCE / "files.md", "cases.csv")
    assert not [column for column in CASES_COLUMNS if f"`{column}`" not in told]


def test_every_ending_that_is_read_is_named() -> None:
    told = text_of(REFERENCE / "formats.md")
    endings = {ending for name in FORMATS for ending in readable()[name].endings + readable()[name].belongs}
    assert not [ending for ending in endings if ending not in told]


@pytest.mark.parametrize("name", [*CATALOGUE, *PROFILES])
def test_the_readme_names_every_detector_and_profile(name: str) -> None:
    assert f"| `{name}` |" in text_of(ROOT / "README.md")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [target for target in links(page) if not leads_somewhere(page, target)]
    assert not broken


@pytest.mark.parametrize("page", sorted(set(PAGES) - {ROOT / "README.md", ROOT / "CONTRIBUTING.md"}), ids=name_of)
def test_every_page_can_be_reached_from_the_index(page: Path) -> None:
    index = DOCS / "index.md"
    reached = {(DOCS / target.partition("#")[0]).resolve() for target in links(index)}
    assert page == index or page.resolve() in reached


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_shown_could_be_called(page: Path) -> None:
    for line in command_lines(page):
        check_call(line)


def test_the_docs_show_every_command_that_does_a_job() -> None:
    shown = {words[1] for page in PAGES for words in command_lines(page)}
    assert shown >= {
        "demo",
        "train",
        "examine",
        "evaluate",
        "recalibrate",
        "detectors",
        "profiles",
        "doctor",
        "backbones",
    }


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_option_named_exists(page: Path) -> None:
    named = re.findall(r"`(--[a-z][a-z-]*)", text_of(page))
    assert not set(named) - EVERY_OPTION - NOT_OURS


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_and_toml_in_the_docs_can_be_read(page: Path) -> None:
    for body in blocks(page, "python"):
        compile(body, str(page), "exec")
    for body in blocks(page, "toml"):
        tomllib.loads(body)


def test_the_profile_of_the_how_to_is_one(tmp_path: Path) -> None:
    file = tmp_path / "icu-chest.toml"
    file.write_text(blocks(DOCS / "how-to" / "own-profile.md", "toml")[0], encoding="utf-8")
    profile = load_profile(file)
    assert profile.detector_settings["memory_mb"] == 128
    assert find_detector(profile.detector)(**profile.detector_settings).settings["memory_mb"] == 128


def test_the_detector_of_the_how_to_works() -> None:
    shelf: dict[str, Any] = {}
    exec(compile(blocks(DOCS / "how-to" / "add-a-detector.md", "python")[0], "add-a-detector.md", "exec"), shelf)
    kind: Any = shelf["Darkness"]
    images = np.random.default_rng(0).random((40, 1, 8, 8), np.float32)
    learned = kind(gain=2.0).fit(Stack(images, batch_size=16))
    dark = images[:1] * 0
    again = kind(**learned.settings).restore(learned.state())
    np.testing.assert_array_equal(again.score(dark).map, learned.score(dark).map)
    np.testing.assert_allclose(learned.score(dark).map[0], 2 * images.mean((0, 1)), rtol=1e-5)


def test_every_variable_named_is_one_the_program_reads() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    tests = "HALESCAN_DATA"
    named = {name for page in PAGES for name in re.findall(r"HALESCAN_[A-Z]+", text_of(page))} - {tests}
    assert named
    assert not [name for name in named if name not in source]


def links(page: Path) -> list[str]:
    """Targets of the page's links that stay in the checkout."""
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text_of(page), flags=re.DOTALL))
    return [target for target in targets if "://" not in target]


def leads_somewhere(page: Path, target: str) -> bool:
    place, _, heading = target.partition("#")
    file = page.parent / place if place else page
    if not file.exists():
        return False
    return not heading or heading in {slug(line) for line in re.findall(r"^#+ (.+)$", text_of(file), re.MULTILINE)}


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of every `halescan ...` line in a block of commands, and of whole calls within sentences."""
    for body in blocks(page, ""):
        for line in body.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["halescan"]:
                yield words
    for call in re.findall(r"`(halescan [a-z][^`]*)`", text_of(page)):
        yield shlex.split(call)


def check_call(words: list[str]) -> None:
    """That a command has the options it is called with, and that names and settings in it exist."""
    name = next((" ".join(words[:n]) for n in (3, 2) if " ".join(words[:n]) in COMMANDS), None)
    assert name, f"{shlex.join(words)}: no such command"
    for word, value in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--"):
            assert word in options(COMMANDS[name]), f"{name} has no {word}"
        if value.isupper():  # a placeholder
            continue
        if word == "--profile" and not value.endswith(".toml"):
            assert value in PROFILES
        if word in ("--detector", "--cite"):
            assert value in CATALOGUE
        if word == "--set":
            check_setting(value)


def check_setting(pair: str) -> None:
    room, _, key = pair.partition("=")[0].partition(".")
    known = {
        "profile": set(Profile.model_fields),
        "detector": {setting for kind in CATALOGUE for setting in find_detector(kind)().settings},
    }
    assert key in known[room], f"--set {pair}: no such setting"


def test_the_picture_of_the_readme_is_there_and_small() -> None:
    picture = DOCS / "images" / "report.png"
    assert 20_000 < os.path.getsize(picture) < 500_000
