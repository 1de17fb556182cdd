import csv
import os
import stat
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from halescan.errors import OutputError
from halescan.io.identity import MAY_STAY, case_name, home, remember
from halescan.types import Identity

JANE = Identity("secret-77", "1.2.3", "1.2.3.4")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HALESCAN_HOME", str(tmp_path / "home"))


def test_home_is_where_the_variable_says(tmp_path, monkeypatch):
    assert home() == tmp_path / "home"
    monkeypatch.delenv("HALESCAN_HOME")
    assert home() == Path.home() / ".halescan"


def test_the_same_study_has_the_same_name_and_another_has_another():
    assert case_name("1.2.3") == case_name("1.2.3") != case_name("1.2.4")
    name = case_name("1.2.3")
    assert name.startswith("case-")
    assert len(name) == 17
    int(name[5:], 16)
    assert "1.2.3" not in name


def test_another_key_gives_another_name(tmp_path, monkeypatch):
    here = case_name("1.2.3")
    monkeypatch.setenv("HALESCAN_HOME", str(tmp_path / "elsewhere"))
    assert case_name("1.2.3") != here


def test_the_key_and_the_table_are_for_their_owner_alone():
    remember(case_name("1.2.3"), JANE, source=Path("a.dcm"))
    for file in home().iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home().stat().st_mode) == 0o700
    assert sorted(file.name for file in home().iterdir()) == ["case.key", "identity.csv"]


def test_many_at_once_agree_on_one_key():
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(case_name, ["1.2.3"] * 32))
    assert len(names) == 1


def test_processes_agree_on_one_key():
    with ProcessPoolExecutor(2) as pool:
        names = set(pool.map(case_name, ["1.2.3"] * 4))
    assert len(names) == 1


def test_a_damaged_key_is_never_used():
    case_name("1.2.3")
    (home() / "case.key").write_bytes(b"short")
    with pytest.raises(OutputError, match="has 5 bytes, expected 32"):
        case_name("1.2.3")


def test_a_home_that_cannot_be_made_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HALESCAN_HOME", str(tmp_path / "file" / "home"))
    with pytest.raises(OutputError, match="HALESCAN_HOME"):
        case_name("1.2.3")
    with pytest.raises(OutputError, match="HALESCAN_HOME"):
        remember("case-1", JANE, source=Path("a.dcm"))


def test_a_fact_is_remembered_once():
    for _ in range(3):
        file = remember("case-1", JANE, source=Path("a, b.dcm"))
    remember("case-2", Identity(), source=Path("c.png"))
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["case"] for row in rows] == ["case-1", "case-2"]
    assert rows[0]["patient"] == "secret-77"
    assert rows[0]["source"] == "a, b.dcm"
    assert rows[0]["recorded_utc"].endswith("+00:00")


def test_lines_of_many_writers_never_mix():
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: remember(f"case-{n}", JANE, source=Path(f"{n}.dcm")), range(40)))
    with (home() / "identity.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert len(rows) == 41
    assert {len(row) for row in rows} == {6}


def test_nothing_that_may_stay_is_about_a_person():
    personal = (
        "Name",
        "ID",
        "UID",
        "Birth",
        "Date",
        "Time",
        "Description",
        "Comments",
        "Address",
        "Accession",
        "Age",
        "Sex",
    )
    harmless = {"ExposureTime", "RepetitionTime", "EchoTime", "InversionTime", "ManufacturerModelName"}
    assert not [word for word in MAY_STAY if any(part in word for part in personal) and word not in harmless]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_an_umask_of_zero_changes_nothing():
    before = os.umask(0)
    try:
        remember(case_name("9"), JANE, source=Path("a"))
    finally:
        os.umask(before)
    assert {stat.S_IMODE(file.stat().st_mode) for file in home().iterdir()} == {0o600}
