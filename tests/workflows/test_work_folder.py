"""The work folder: nothing learned is lost unasked, and what differs between two requests is said."""

from pathlib import Path
from typing import Any

import pytest

from halescan.errors import OutputError, SettingError
from halescan.workflows.work_folder import open_work_folder

FUSED = {"detector": "ensemble", "seed": 0, "settings": {"members": [{"detector": "vae", "settings": {"steps": 5}}]}}


def fused(**settings: Any) -> dict[str, Any]:
    """The same request with other settings of its one member."""
    return FUSED | {"settings": {"members": [{"detector": "vae", "settings": {"steps": 5} | settings}]}}


def begun(tmp_path: Path, wanted: dict[str, Any], *, learned: bool) -> Path:
    """A work folder that holds a file of its own, and perhaps a checkpoint."""
    work = open_work_folder(tmp_path / "m", wanted, resume=False, overwrite=False).path
    (work / "prepared").touch()
    if learned:
        (work / "vae.checkpoint.safetensors").write_bytes(b"cut short")
    return work


@pytest.mark.parametrize(
    ("resume", "overwrite", "kept"), [(False, False, True), (True, False, True), (False, True, False)]
)
def test_the_same_request_finds_its_scans_again_unless_all_is_to_be_replaced(
    tmp_path: Path, resume: bool, overwrite: bool, kept: bool
) -> None:
    work = begun(tmp_path, FUSED, learned=False)
    assert open_work_folder(tmp_path / "m", FUSED, resume=resume, overwrite=overwrite).path == work
    assert (work / "prepared").exists() == kept


def test_scans_prepared_for_another_request_make_room(tmp_path: Path) -> None:
    work = begun(tmp_path, FUSED, learned=False)
    open_work_folder(tmp_path / "m", fused(steps=6), resume=False, overwrite=False)
    assert not (work / "prepared").exists()


def test_even_a_checkpoint_that_cannot_be_read_is_thrown_away_only_if_asked(tmp_path: Path) -> None:
    work = begun(tmp_path, FUSED, learned=True)
    with pytest.raises(OutputError, match=r"a checkpoint that cannot be read .*--resume, start anew with --overwrite"):
        open_work_folder(tmp_path / "m", FUSED, resume=False, overwrite=False)
    open_work_folder(tmp_path / "m", FUSED, resume=False, overwrite=True)
    assert list(work.iterdir()) == [work / "request.json"]


def test_what_differs_is_named_down_to_the_member_of_an_ensemble(tmp_path: Path) -> None:
    begun(tmp_path, FUSED, learned=True)
    with pytest.raises(SettingError, match=r"training: detector.members\[0\].settings.steps 5, now 6\. "):
        open_work_folder(tmp_path / "m", fused(steps=6), resume=True, overwrite=False)


def test_a_long_list_of_differences_is_cut(tmp_path: Path) -> None:
    begun(tmp_path, FUSED | {"profile": {str(number): 0 for number in range(9)}}, learned=True)
    other = FUSED | {"profile": {str(number): 1 for number in range(9)}}
    with pytest.raises(SettingError, match=r"profile.3 0, now 1; and 5 more\. "):
        open_work_folder(tmp_path / "m", other, resume=True, overwrite=False)


def test_every_change_of_the_rate_is_remembered(tmp_path: Path) -> None:
    begun(tmp_path, fused(learning_rate=1.0), learned=True)
    for rate in (0.1, 0.01):
        again = open_work_folder(tmp_path / "m", fused(learning_rate=rate), resume=True, overwrite=False)
    assert [note.rpartition(": ")[2] for note in again.remarks] == [
        "detector.members[0].settings.learning_rate 1.0, now 0.1",
        "detector.members[0].settings.learning_rate 0.1, now 0.01",
    ]
    assert open_work_folder(tmp_path / "m", fused(learning_rate=0.01), resume=True, overwrite=False) == again


def test_a_rate_under_which_nothing_was_learned_leaves_no_remark(tmp_path: Path) -> None:
    begun(tmp_path, fused(learning_rate=1.0), learned=False)
    assert not open_work_folder(tmp_path / "m", fused(learning_rate=0.1), resume=True, overwrite=False).remarks
