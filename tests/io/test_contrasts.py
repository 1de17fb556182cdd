"""Contrasts: three files of one body as three channels, each on its own scale."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from halescan.errors import ScanError
from halescan.io import Source, read, source_of


def volume(path: Path, pixels: np.ndarray, *, shift: float = 0.0) -> Path:
    affine = np.diag([-1.0, -1.0, 2.0, 1.0])
    affine[0, 3] = shift
    nibabel.save(nibabel.Nifti1Image(pixels.T, affine), path)  # type: ignore[attr-defined]
    return path


def three(folder: Path, *, last: tuple[int, ...] = (4, 6, 5), shift: float = 0.0) -> Source:
    random = np.random.default_rng(0)
    shapes = ((4, 6, 5), (4, 6, 5), last)
    files = [
        volume(folder / f"{n}.nii.gz", scale * random.integers(0, 100, shape).astype(np.int16), shift=shift * (n == 2))
        for n, (shape, scale) in enumerate(zip(shapes, (1, 5, 30), strict=True))
    ]
    first = source_of(files[0])
    return Source(first.path, first.format, tuple(files), stacked=True)


def test_each_contrast_is_a_channel_on_a_scale_of_its_own(tmp_path: Path) -> None:
    source = three(tmp_path)
    scan = read(source)
    assert scan.pixels.shape == (4, 6, 5, 3)
    for channel, file in enumerate(source.files):
        alone = read(file)
        values = scan.pixels[..., channel]
        assert 0.95 < np.quantile(values, 0.99) < 1.1
        assert values.min() >= 0
        np.testing.assert_allclose(values / values.max(), alone.pixels / alone.pixels.max(), atol=1e-6)  # 0 stays 0
    np.testing.assert_array_equal(scan.affine_lps, read(source.files[0]).affine_lps)


def test_a_slice_of_a_stack_is_a_slice_of_each(tmp_path: Path) -> None:
    source = three(tmp_path)
    cut = read(Source(source.path, source.format, source.files, slice_index=2, stacked=True))
    np.testing.assert_array_equal(cut.pixels, read(source).pixels[2])


def test_contrasts_of_other_grids_or_places_are_refused(tmp_path: Path) -> None:
    for name, changes in (("shape", {"last": (4, 6, 4)}), ("place", {"shift": 3.0})):
        (tmp_path / name).mkdir()
        with pytest.raises(ScanError, match="does not lie on the grid"):
            read(three(tmp_path / name, **changes))  # type: ignore[arg-type]


def test_two_contrasts_make_no_image(tmp_path: Path) -> None:
    source = three(tmp_path)
    with pytest.raises(ScanError, match="expected 3"):
        read(Source(source.path, source.format, source.files[:2], stacked=True))
