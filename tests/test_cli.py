"""The command line before clumsy and hostile users: one sentence, the right exit code, the other cases still done."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan import cli
from halescan.synthesis.cohort import PhantomFolders, write_cohort
from tests.io.made import VOLUME, write_dicom, write_series

QUICK = ["--profile", "lung-ct", "--set", "profile.size=[64,64]", "--detector", "healthy-atlas"]
RAMP = np.arange(64 * 64, dtype=np.int16).reshape(64, 64) % 999
PERSON = ("Doe", "Jane", "secret-77", "Phantom^")


@dataclass(frozen=True)
class Said:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one line that names the trouble."""
        lines = [line for line in self.err.splitlines() if line.startswith("halescan: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        assert "This is a bug" not in self.err
        return lines[0]


Say = Callable[..., Said]


@pytest.fixture
def say(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Say]:
    """Run a command in this process, in a folder of its own; what C libraries print past Python is heard too."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["halescan", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Said(int(ended.value.code or 0), *capfd.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def atlas(phantoms: PhantomFolders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of phantoms, trained by the command."""
    out = tmp_path_factory.mktemp("cli") / "model"
    environment = {**os.environ, "HALESCAN_HOME": str(out.parent / "home")}
    command = [sys.executable, "-m", "halescan", "train", str(phantoms.healthy), "--out", str(out), *QUICK]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return out


@pytest.fixture
def mixed(phantoms: PhantomFolders, tmp_path: Path) -> Path:
    """A folder with one good scan, to which a test adds a bad one."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    shutil.copy(phantoms.new / "case-a.dcm", folder / "good.dcm")
    return folder


def examine(say: Say, model: Path, scans: Path, *more: object) -> Said:
    return say("examine", model, scans, "--out", "out", "--reports", "json", *more)


# --- calls -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["train"], "Missing argument 'healthy'"),
        (["train", "x", "--profile", "lung-ct"], "--out"),
        (["train", "--nope"], "--nope"),
        (["examine", "m"], "Missing argument 'paths'"),
        (["examine", "m", "p", "--out", "o", "--false-alarms", "2"], "(0, 1), got 2"),
        (["examine", "m", "p", "--out", "o", "--false-alarms", "nan"], "(0, 1), got nan"),
        (["examine", "m", "p", "--out", "o", "--lang", "xx"], "en, fr"),
        (["examine", "m", "p", "--out", "o", "--reports", "docx"], "html, pdf"),
        (["examine", "m", "p", "--out", "o", "--device", "quantum"], "cpu, cuda"),
        (["examine", "m", "p", "--out", "o", "--jobs", "0"], "--jobs"),
        (["examine", "m", "p", "--out", "o", "--log-file", "no/such/folder.log"], "name another file"),
        (["train", "x", *QUICK, "--out", "o", "--seed", "-1"], "--seed"),
        (["train", "x", *QUICK, "--out", "o", "--size", "huge"], "cpu"),
        (["train", "x", *QUICK, "--out", "o", "--weights", "nowhere"], "no folder nowhere"),
        (["train", "x", "--profile", "nosuch", "--out", "o"], "lung-ct"),
        (["train", "x", "--profile", "no.toml", "--out", "o"], "no.toml"),
        (["train", "x", "--profile", "lung-ct", "--detector", "nosuch", "--out", "o"], "healthy-atlas"),
        (["train", "x", *QUICK, "--out", "o", "--set", "nonsense"], "detector.NAME=VALUE"),
        (["train", "x", *QUICK, "--out", "o", "--set", "detector.nope=1"], "its settings are"),
        (["train", "x", *QUICK, "--out", "o", "--set", "profile.nope=1"], "no setting 'nope'"),
        (["train", "x", *QUICK, "--out", "o", "--set", "profile.size=[0,0]"], "between 8 and 4096"),
        (["train", "x", *QUICK, "--out", "o", "--set", "profile.pooling=median"], "'mean', 'max' or 'top'"),
        (["train", "nowhere", *QUICK, "--out", "o"], "no such file or folder"),
        (["train", "x\udcff", *QUICK, "--out", "o"], "not UTF-8"),
        (["evaluate", "m", "--out", "o"], "MODEL and TEST"),
        (["evaluate", "m", "t", "--out", "o", "--scores", "s.csv"], "TEST --scores FILE"),
        (["evaluate", "m", "t", "--out", "o", "--threshold", "1"], "go with --scores"),
        (["evaluate", "m", "t", "--out", "o", "--lesion-sizes", "9,3"], "ascending"),
        (["demo", "--lang", "xx"], "'xx'"),
        (["detectors", "--cite", "nosuch"], "healthy-atlas"),
        (["backbones", "get", "mobilenet_v2"], "HALESCAN_WEIGHTS"),
    ],
)
def test_a_bad_call_gets_one_sentence_and_exit_code_2(say: Say, words: list[str], says: str) -> None:
    said = say(*words)
    assert said.code == 2
    assert says in said.sentence
    assert said.out == ""


@pytest.mark.parametrize("text", ["size=[64,64", 'base="nosuch"', 'base="lung-ct"\nfoo=3', "size=3"])
def test_a_profile_file_with_an_error_is_refused_before_any_scan_is_read(
    say: Say, phantoms: PhantomFolders, text: str
) -> None:
    Path("own.toml").write_text(text)
    said = say("train", phantoms.healthy, "--profile", "own.toml", "--out", "o")
    assert said.code == 2
    assert said.sentence
    assert not Path("o.partial").exists()


def test_no_words_at_all_show_the_help(say: Say) -> None:
    said = say()
    assert said.code == 2
    assert said.err.startswith("Usage: halescan")
    assert say("--version").code == 0


@pytest.mark.parametrize("words", [["detectors"], ["profiles"], ["doctor"], ["backbones", "list"]])
def test_lists_are_json_for_programs(say: Say, words: list[str]) -> None:
    said = say(*words, "--json")
    assert isinstance(json.loads(said.out), list)
    assert said.err == ""


# --- scans -----------------------------------------------------------------------------------------------------------


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


# --- results ---------------------------------------------------------------------------------------------------------


def test_json_is_all_that_stands_on_stdout_and_stderr_is_silent(say: Say, atlas: Path, mixed: Path) -> None:
    _text(mixed)
    said = examine(say, atlas, mixed, "--json")
    assert said.code == 1
    assert said.err == ""
    record = json.loads(said.out)
    assert len(record["cases"]) == len(record["problems"]) == 1
    assert "Problem(" not in record["problems"][0]


def test_a_pipe_gets_plain_progress_lines_on_stderr_alone(say: Say, atlas: Path, mixed: Path) -> None:
    said = examine(say, atlas, mixed)
    assert said.err == "examining: 1/1\n"
    assert "examining" not in said.out


def test_a_second_run_skips_what_is_done_and_replaces_nothing_unasked(say: Say, atlas: Path, mixed: Path) -> None:
    assert examine(say, atlas, mixed).code == 0
    assert "1 case (1 done already)" in examine(say, atlas, mixed).out
    other = examine(say, atlas, mixed, "--lang", "fr")
    assert other.code == 2
    assert "--overwrite" in other.sentence
    assert examine(say, atlas, mixed, "--lang", "fr", "--overwrite").code == 0


def test_a_bad_scan_in_training_or_in_a_check_ends_with_exit_code_1(
    say: Say, phantoms: PhantomFolders, tmp_path: Path
) -> None:
    for path in sorted(phantoms.healthy.iterdir())[:4]:
        (tmp_path / "set").mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "set")
    (tmp_path / "set" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for words in (("train", "set", *QUICK, "--out", "m"), ("leaks", "set")):
        said = say(*words)
        assert (said.code, "broken.png" in said.out) == (1, True), words


def test_models_and_evaluations_are_not_replaced_unasked(
    say: Say, atlas: Path, phantoms: PhantomFolders, test_set: Path
) -> None:
    assert "--overwrite" in say("train", phantoms.healthy, *QUICK, "--out", atlas, "--seed", "9").sentence
    assert "folder of its own" in say("recalibrate", atlas, phantoms.healthy, "--out", atlas).sentence
    assert say("evaluate", atlas, test_set, "--out", "e").code == 0
    assert say("evaluate", atlas, test_set, "--out", "e").code == 0  # done already
    other = say("evaluate", atlas, test_set, "--out", "e", "--false-alarms", "0.2")
    assert other.code == 2
    assert "--overwrite" in other.sentence


def test_scores_from_elsewhere_need_no_model(say: Say, atlas: Path, test_set: Path) -> None:
    assert say("evaluate", atlas, test_set, "--out", "ours").code == 0
    said = say("evaluate", test_set, "--scores", "ours/scores.csv", "--out", "again", "--threshold", "0")
    assert said.code == 0
    auroc = [line for line in said.out.splitlines() if line.startswith("image auroc")]
    assert auroc == [
        line for line in say("evaluate", atlas, test_set, "--out", "ours").out.splitlines() if line in auroc
    ]


def test_a_statistic_as_good_as_the_scores_is_said_on_the_error_stream(say: Say, test_set: Path) -> None:
    paths = sorted(test_set.glob("*/*.dcm"))
    poor = [f"{path.parent.name}/{path.name},{number % 2}" for number, path in enumerate(paths)]
    Path("poor.csv").write_text("file,score\n" + "\n".join(poor) + "\n")
    said = say("evaluate", test_set, "--scores", "poor.csv", "--out", "e")
    assert said.code == 0
    assert "warning: " in said.err
    assert "alone reaches an AUROC" in said.err


def test_reports_without_json_still_list_their_cases(say: Say, atlas: Path, mixed: Path) -> None:
    said = say("examine", atlas, mixed, "--out", "out", "--reports", "html")
    assert "1 case in out" in said.out
    assert {path.name for path in next(Path("out").glob("case-*")).iterdir()} == {"report.html", "case.json"}


# --- models ----------------------------------------------------------------------------------------------------------


def _edited(key: str, value: object) -> Callable[[Path], None]:
    def spoil(model: Path) -> None:
        record = json.loads((model / "model.json").read_text())
        record.pop(key) if value is None else record.update({key: value})
        (model / "model.json").write_text(json.dumps(record))

    return spoil


def _flipped(model: Path) -> None:
    path = model / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda model: (model / "model.json").unlink(), "is not a model"),
        (lambda model: (model / "model.json").write_text("{"), "damaged"),
        (lambda model: (model / "weights.safetensors").unlink(), "missing"),
        (lambda model: (model / "calibration.json").unlink(), "missing"),
        (lambda model: (model / "extra.pkl").write_bytes(b"x"), "can run code"),
        (_flipped, "checksum"),
        (_edited("schema", "halescan.model/9"), "newer Halescan"),
        (_edited("detector", "nosuch"), "no detector"),
        (_edited("settings", {"nope": 1}), "no setting nope"),
        (_edited("profile", [1]), "profile"),
        (_edited("training_set", None), "training_set"),
        (_edited("trained_utc", [1]), "trained_utc"),
    ],
)
def test_a_damaged_newer_or_unsafe_model_is_refused(
    say: Say, atlas: Path, mixed: Path, tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(shutil.copytree(atlas, tmp_path / "copy"))
    said = examine(say, tmp_path / "copy", mixed)
    assert said.code == 2
    assert says in said.sentence


def test_markup_in_a_strangers_model_stays_text(say: Say, atlas: Path, mixed: Path, tmp_path: Path) -> None:
    _edited("name", "</title><script>alert(1)</script>")(shutil.copytree(atlas, tmp_path / "copy"))
    assert say("examine", tmp_path / "copy", mixed, "--out", "out", "--reports", "html").code == 0
    assert "<script>alert" not in next(Path("out").glob("*/report.html")).read_text()


# --- disks -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 100 kB; only root may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", place], capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_leaves_nothing_half_written(
    say: Say, atlas: Path, mixed: Path, phantoms: PhantomFolders, test_set: Path, small_disk: Path
) -> None:
    said = say("examine", atlas, mixed, "--out", small_disk / "out", "--reports", "html,pdf,json")
    assert said.code == 1
    assert "No space left" in said.out
    assert [path.name for path in (small_disk / "out").iterdir()] == ["cases.csv"]
    (small_disk / "filling").write_bytes(bytes(40_000))
    assert "No space left" in say("train", phantoms.healthy, *QUICK, "--out", small_disk / "m").sentence
    assert not (small_disk / "m").exists()
    subprocess.run(["dd", "if=/dev/zero", f"of={small_disk / 'rest'}", "bs=1k"], capture_output=True, check=False)
    assert (
        "No space left"
        in say("recalibrate", atlas, test_set / "healthy", "--split", "test", "--out", small_disk / "m").sentence
    )
    assert say("evaluate", atlas, test_set, "--out", small_disk / "e").code == 2
    assert say("demo", "--out", small_disk / "d").code == 2


def test_a_read_only_disk_is_named_before_the_work_where_it_can_be(
    say: Say, atlas: Path, mixed: Path, phantoms: PhantomFolders, test_set: Path, small_disk: Path
) -> None:
    (small_disk / "old").mkdir()
    (small_disk / "old" / "metrics.json").touch()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    said = say("evaluate", atlas, test_set, "--out", small_disk / "old", "--overwrite")
    assert (said.code, "measuring" in said.err) == (2, False)
    assert "choose another --out" in said.sentence
    for words in (
        ("examine", atlas, mixed, "--out", small_disk),
        ("examine", atlas, mixed, "--out", small_disk / "o"),
        ("train", phantoms.healthy, *QUICK, "--out", small_disk / "m"),
        ("evaluate", atlas, phantoms.healthy.parent / "healthy", "--out", small_disk / "e", "--log-file", small_disk),
    ):
        said = say(*words)
        assert said.code == 2
        assert str(small_disk) in said.sentence


# --- signals and streams ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than a hundred small scans."""
    folder = tmp_path_factory.mktemp("crowd") / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(120):
        Image.fromarray(rng.integers(0, 255, (48, 48)).astype(np.uint8)).save(folder / f"{number:03d}.png")
    return folder


def started(*words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "halescan", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, preexec_fn=_hear_ctrl_c
    )


def _hear_ctrl_c() -> None:
    """Where the tests run in the background of a shell, Ctrl-C is ignored, and children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(process: subprocess.Popen[str], *, after: str, seconds: float = 0.0) -> Said:
    """Press Ctrl-C (which goes to the whole process group) once a line has been seen."""
    assert process.stderr is not None
    seen = ""
    while after not in seen:
        line = process.stderr.readline()
        assert line, seen
        seen += line
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return Said(process.returncode, out, err)


def living(group: int) -> list[str]:
    """Processes of a group that are still there after a moment (multiprocessing's own tracker ends last)."""
    until = time.monotonic() + 5
    while time.monotonic() < until and _members(group):
        time.sleep(0.05)
    return _members(group)


def _members(group: int) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[2]) == group and rest[0] != "Z":
            found.append(status.parent.name)
    return found


def test_ctrl_c_in_train_keeps_a_checkpoint_and_resume_goes_on(tmp_path: Path) -> None:
    folders = write_cohort(tmp_path / "cohort", healthy=6, unseen=0, lesions=0)
    words = ["train", folders.healthy, "--profile", "lung-ct", "--set", "profile.size=[64,64]", "--out", tmp_path / "m"]
    words += ["--detector", "denoising-autoencoder", "--set", "detector.steps=20", "--set", "detector.batch_size=2"]
    said = interrupted(started(*words), after="denoising-autoencoder: 1/20")
    assert said.code == 130
    assert "--resume" in said.sentence
    assert not (tmp_path / "m").exists()
    again = started(*words, "--resume")
    _, err = again.communicate(timeout=60)
    assert again.returncode == 0, err
    assert (tmp_path / "m" / "model.json").exists()
    assert not (tmp_path / "m.partial").exists()


def test_ctrl_c_in_examine_leaves_whole_cases_only_and_no_worker_and_a_second_run_does_the_rest(
    atlas: Path, crowd: Path, tmp_path: Path
) -> None:
    words = ["examine", atlas, crowd, "--out", tmp_path / "o", "--reports", "json,map", "--jobs", "2"]
    process = started(*words)
    said = interrupted(process, after="examining", seconds=0.7)
    assert said.code == 130
    assert said.sentence.startswith("halescan: stopped")
    assert living(process.pid) == []
    folders = [path for path in (tmp_path / "o").iterdir() if path.is_dir()]
    assert all(len(list(folder.iterdir())) == 2 for folder in folders)
    assert not any(folder.name.startswith(".") for folder in folders)
    both = [started(*words), started(*words)]  # and two at once get on with each other
    for one in both:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
        assert "120 cases" in out


def test_ctrl_c_in_evaluate_writes_no_figures(atlas: Path, crowd: Path, tmp_path: Path) -> None:
    shutil.copytree(crowd, tmp_path / "test" / "healthy")
    said = interrupted(started("evaluate", atlas, tmp_path / "test", "--out", tmp_path / "e"), after="measuring")
    assert said.code == 130
    assert said.sentence
    assert list((tmp_path / "e").iterdir()) == []


def test_a_reader_that_has_gone_and_a_full_stdout_are_no_bugs(tmp_path: Path) -> None:
    listing = started("profiles")
    assert listing.stdout is not None
    listing.stdout.close()
    assert listing.wait(timeout=30) == 1
    assert listing.stderr is not None
    assert listing.stderr.read() == ""
    listing.stderr.close()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "halescan", "profiles"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert Said(2, "", done.stderr).sentence


def test_the_help_loads_nothing_heavy() -> None:
    code = "import sys, halescan.cli; print([m for m in ('numpy', 'torch', 'pydicom', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_compare_names_the_detectors_there_are(say: Say, phantoms: PhantomFolders) -> None:
    said = say("compare", phantoms.healthy, "--detectors", "patch-cord", "--out", "out")
    assert said.code == 2
    assert "no detector is called 'patch-cord'" in said.sentence
    assert not Path("out").exists()


def test_compare_says_what_a_data_set_lacks(say: Say, phantoms: PhantomFolders) -> None:
    said = say("compare", phantoms.healthy, "--detectors", "healthy-atlas", "--out", "out")
    assert said.code == 2
    assert "name the test scans with --test" in said.sentence
