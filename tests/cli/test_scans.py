"""Before bad scans and strange names: one sentence, and the other cases are still done."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.synthesis.cohort import PhantomFolders
from tests.cli.said import QUICK, RAMP, Say, examine
from tests.io.made import VOLUME, write_dicom, write_series

PERSON = ("Doe", "Jane", "secret-77", "Phantom^")


def _text(folder: Path) -> None:
    (folder / "bad.dcm").write_text("Dear Doctor, Jane Doe is ill")


def _empty(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"")


def _cut(folder: Path) -> None:
    path = write_dicom(folder / "bad.dcm", RAMP)
    path.write_bytes(path.read_bytes()[:-4000])


def _mislabelled(folder: Path) -> None:
    (folder / "bad.nii.gz").write_bytes(b"no volume at all" * 99)


def _without_pixels(folder: Path) -> None:
    write_dicom(folder / "bad.dcm", RAMP, PixelData=None)


def _huge(folder: Path) -> None:
    write_dicom(folder / "bad.dcm", RAMP, Rows=65535, Columns=32768)


def _missing_slice(folder: Path) -> None:
    volume = np.repeat(VOLUME, 3, axis=0)
    write_series(folder / "series", volume[:5], positions=[(0, 0, z) for z in (0, 2, 6, 8, 10)])


def _uneven(folder: Path) -> None:
    volume = np.repeat(VOLUME, 3, axis=0)
    write_series(folder / "series", volume[:5], positions=[(0, 0, z) for z in (0, 2, 4.5, 6, 9.2)])


def _nan(folder: Path) -> None:
    np.save(folder / "bad.npy", np.where(RAMP > 100, np.nan, RAMP))


def _infinite(folder: Path) -> None:
    np.save(folder / "bad.npy", np.where(RAMP > 100, np.inf, RAMP))


def _constant(folder: Path) -> None:
    Image.new("L", (64, 64), 7).save(folder / "bad.png")


def _pickle(folder: Path) -> None:
    np.save(folder / "bad.npy", np.array([{"a": 1}], object), allow_pickle=True)


def _link_to_nothing(folder: Path) -> None:
    (folder / "bad.png").symlink_to("nowhere.png")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "bad.png")


def _no_text_name(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/bad\xff.png", "wb") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    "spoil",
    [
        _text, _empty, _cut, _mislabelled, _without_pixels, _huge, _missing_slice, _uneven, _nan, _infinite, _constant,
        _pickle, _link_to_nothing, _pipe, _no_text_name,
    ],
)  # fmt: skip
def test_a_bad_scan_costs_one_sentence_and_the_other_is_done(
    say: Say, atlas: Path, mixed: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(mixed)
    said = examine(say, atlas, mixed)
    lines = [line for line in said.out.splitlines() if line.startswith("not done: ")]
    assert said.code == 1
    assert len(lines) == 1
    assert str(mixed) in lines[0]
    assert "Problem(" not in lines[0]
    assert "1 case in out" in said.out
    assert not any(word in said.out + said.err for word in PERSON)
    assert all(line.startswith("examining: ") for line in said.err.splitlines())


@pytest.mark.parametrize("content", [{}, {"readme.txt": "hello"}])
def test_a_folder_without_images_is_a_bad_call(say: Say, atlas: Path, tmp_path: Path, content: dict[str, str]) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    assert "no scan found" in examine(say, atlas, folder).sentence
    assert "no healthy scan found" in say("train", folder, *QUICK, "--out", "o").sentence
    assert "no scan has a label" in say("evaluate", atlas, folder, "--out", "e").sentence


def test_colour_size_and_modality_that_the_model_does_not_know_are_told_in_the_record(
    say: Say, atlas: Path, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 40, 3)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "colour.png")
    write_dicom(tmp_path / "mr.dcm", RAMP, Modality="MR")
    assert examine(say, atlas, tmp_path / "colour.png").code == 0
    assert examine(say, atlas, tmp_path / "mr.dcm").code == 0
    records = [json.loads(path.read_text()) for path in Path("out").glob("*/case.json")]
    keys = [{note["key"] for note in (*record["notes"], *record["scans"][0]["notes"])} for record in records]
    assert len(keys) == 2
    assert all("unlike-training" in found for found in keys)
    assert any("colour-to-grey" in found for found in keys)
    assert any("other-modality" in found for found in keys)


def test_three_healthy_scans_still_score_and_say_how_many_are_needed(
    say: Say, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted(phantoms.healthy.iterdir())[:3]:
        shutil.copy(path, few)
    assert say("train", few, *QUICK, "--out", "m").code == 0
    said = examine(say, Path("m"), phantoms.new)
    assert said.code == 0
    assert said.out.count("decision withheld") == 5
    assert "needs 19 healthy cases" in said.out


def test_a_scan_named_twice_is_examined_once(say: Say, atlas: Path, mixed: Path) -> None:
    once = examine(say, atlas, mixed)
    twice = say("examine", atlas, mixed, mixed / "good.dcm", "--out", "again", "--reports", "json")
    assert twice.out.splitlines()[0] == once.out.splitlines()[0]


def test_names_with_spaces_quotes_markup_and_escapes_reach_neither_terminal_nor_report(
    say: Say, atlas: Path, mixed: Path
) -> None:
    strange = mixed / "a 'b' \"c\" <script>alert(1)<x> é \x1b[31m\n Doe^Jane"
    (mixed / "good.dcm").rename(strange.with_suffix(".dcm"))
    strange.with_suffix(".png").write_bytes(b"x")
    said = say("examine", atlas, mixed, "--out", "out 'é'", "--log-file", "a.log", "--reports", "html,json,overlay,map")
    assert said.code == 1
    assert "\x1b" not in said.out + said.err
    assert len([line for line in said.out.splitlines() if "not done" in line]) == 1
    written = [path for path in Path("out 'é'").rglob("*") if path.is_file()]
    assert len(written) == 5
    assert not any(b"alert(1)" in path.read_bytes() or b"Doe" in path.read_bytes() for path in written)
    assert "Doe" not in Path("a.log").read_text()


def test_no_name_or_id_of_a_person_is_written_anywhere(say: Say, atlas: Path, tmp_path: Path) -> None:
    write_dicom(tmp_path / "scan.dcm", RAMP)
    said = say("examine", atlas, tmp_path / "scan.dcm", "--out", "out", "--log-file", "a.log", "--json")
    assert said.code == 0
    written = [path for path in Path("out").rglob("*") if path.is_file()] + [Path("a.log")]
    assert len(written) == 7
    for word in PERSON[:3]:
        assert word not in said.out + said.err
        assert not any(word.encode() in path.read_bytes() for path in written)
