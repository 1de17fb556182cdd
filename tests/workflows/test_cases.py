"""Cases: what was read once is not read again while there is room for it."""

from pathlib import Path

import numpy as np
from PIL import Image

from halescan.data.profiles import load_profile
from halescan.data.table import read_cohort
from halescan.workflows.cases import Case, Kept, cases_of, opened

PROFILE = load_profile("generic")


def pictures(folder: Path, count: int) -> list[Case]:
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (32, 32)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return cases_of(read_cohort(folder))


def test_a_kept_case_needs_its_file_no_more(tmp_path: Path) -> None:
    cases = pictures(tmp_path, 3)
    kept = Kept({case.key for case in cases})
    for case, scans in opened(cases, PROFILE, jobs=1):
        kept.put(case, scans)
    for file in tmp_path.iterdir():
        file.unlink()
    for jobs in (1, 2):
        errors = [scan.error for _, scans in opened(cases, PROFILE, jobs=jobs, kept=kept) for scan in scans]
        assert [bool(error) for error in errors] == [jobs == 2] * 3  # each is handed out once


def test_no_more_is_kept_than_there_is_room_for(tmp_path: Path) -> None:
    cases = pictures(tmp_path, 4)
    (first, *_) = [scans for _, scans in opened(cases[:1], PROFILE, jobs=1)]
    kept = Kept({case.key for case in cases}, most_bytes=2 * first[0].nbytes)
    for case, scans in opened(cases, PROFILE, jobs=1):
        kept.put(case, scans)
    assert [kept.take(case) is None for case in cases] == [False, False, True, True]


def test_what_nobody_will_ask_for_is_not_kept(tmp_path: Path) -> None:
    cases = pictures(tmp_path, 3)
    kept = Kept({cases[1].key})
    for case, scans in opened(cases, PROFILE, jobs=1):
        kept.put(case, scans)
    assert [kept.take(case) is None for case in cases] == [True, False, True]
