"""A bad call gets one sentence and exit code 2; help and lists are there for the asking."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from halescan.synthesis.cohort import PhantomFolders
from tests.cli.said import QUICK, Say

PADIM = ["--profile", "lung-ct", "--detector", "padim"]


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
        (["examine", "m", "p", "--out", "o", "--reports", ""], "choose some of html, pdf, json, overlay, map"),
        (["examine", "m", "p", "--out", "o", "--reports", " ,"], "no report format is named"),
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
        (["train", "x", *PADIM, "--out", "o", "--set", "detector.backbone=mobilenet-v2"], "backbone 'mobilenet-v2'"),
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


def test_one_detector_is_shown_with_its_settings(say: Say) -> None:
    said = say("detectors", "padim")
    assert said.out.startswith("padim: a Gaussian of healthy features")
    row = next(line for line in said.out.splitlines() if line.startswith("levels"))
    assert "list of whole numbers" in row
    assert "[6, 10, 13]" in row
    assert "[1, 2, 3]" in row
    assert "https://arxiv.org/abs/2011.08785" in said.out


def test_the_settings_are_there_for_programs(say: Say) -> None:
    rows = json.loads(say("detectors", "--json").out)
    alone = json.loads(say("detectors", "ensemble", "--json").out)
    assert alone == rows[-1]
    assert alone["settings"][0]["cpu"] == ["patchcore", "denoising-autoencoder", "autoencoder"]


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
