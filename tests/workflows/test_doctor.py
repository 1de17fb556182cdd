"""The doctor: what is missing, and how to get it."""

import shutil
from pathlib import Path

import pytest

from halescan.workflows import doctor
from halescan.workflows.doctor import examine_installation


def found(weights: Path | None = None) -> dict[str, doctor.Check]:
    return {check.name: check for check in examine_installation(weights)}


def test_an_installation_that_runs_these_tests_is_fine() -> None:
    checks = found()
    assert all(check.fine for check in checks.values() if check.needed)
    assert checks["packages"].found.startswith("all ")


def test_without_a_backbone_the_command_that_fetches_one_is_named() -> None:
    assert "halescan backbones get mobilenet_v2" in found()["backbones"].found
    assert not found()["backbones"].fine


def test_a_damaged_backbone_is_no_backbone(tmp_path: Path) -> None:
    folder = tmp_path / "mobilenet_v2"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "mobilenet_v2"}')
    (folder / "model.safetensors").write_bytes(b"cut short")
    (folder / "SHA256SUMS").write_text("0" * 64 + "  model.safetensors\n")
    check = found(tmp_path)["backbones"]
    assert not check.fine
    assert "mobilenet_v2 damaged" in check.found


def test_a_missing_package_and_a_missing_decoder_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SHOWN", ("numpy", "no-such-package"))
    monkeypatch.setattr(doctor, "DECODERS", {"JPEG": ("no_such_module", "python-gdcm")})
    monkeypatch.setattr(doctor, "_required", lambda: ["numpy", "no-such-package"])
    checks = found()
    assert checks["no-such-package"].found == "missing: pip install no-such-package"
    assert checks["packages"].found == "no-such-package missing: pip install no-such-package"
    assert checks["DICOM JPEG"].found == "cannot be read: pip install python-gdcm"
    assert not any(checks[name].fine for name in ("no-such-package", "packages", "DICOM JPEG"))


def test_a_python_that_is_too_old_is_told_which_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    check = found()["python"]
    assert not check.fine
    assert "3.11 to 3.13" in check.found


def test_a_home_that_cannot_be_made_names_the_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HALESCAN_HOME", str(tmp_path / "new" / "home"))
    assert "will be made" in found()["home"].found
    monkeypatch.setattr(doctor.os, "access", lambda path, how: False)
    assert "set HALESCAN_HOME" in found()["home"].found


def test_a_full_disk_is_told_about(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")._replace(free=2**28)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    check = found()["disk"]
    assert not check.fine
    assert "0.2 GiB free in this folder; prepared scans" in check.found
