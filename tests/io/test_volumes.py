"""A file of several volumes says how to get at one, in Python and at the command line."""

import re
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from halescan.errors import AmbiguousScan
from halescan.io import read
from tests.io.made import VOLUME


def in_time(folder, name):
    """Two volumes, one after the other, in a file of that name."""
    path = folder / name
    if name.endswith((".mha", ".nrrd")):
        sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(VOLUME), sitk.GetImageFromArray(VOLUME + 50)]), path)
    else:
        pixels = np.stack([VOLUME.T, VOLUME.T + 50], axis=-1)
        pixels = pixels[..., None, :] if name == "five axes.nii" else pixels
        nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4)), path)
    return path


@pytest.mark.parametrize("name", ["a.nii.gz", "bold run-2.nii", "five axes.nii", "a.mha", "a.nrrd"])
def test_the_command_that_the_sentence_names_saves_the_first_volume(tmp_path, name):
    path = in_time(tmp_path, name)
    with pytest.raises(AmbiguousScan, match=r"holds 2 volumes .* one is needed.* index=0\) to index=1") as caught:
        read(path)
    command = re.search(r"by: python (-c \".*\") In Python", str(caught.value)).group(1)
    subprocess.run(f"{sys.executable} {command}", shell=True, check=True, cwd=tmp_path)
    saved = next(tmp_path.glob("volume_0.*"))
    np.testing.assert_array_equal(read(saved).pixels, VOLUME)


def test_a_name_that_a_shell_would_run_is_not_put_into_a_command(tmp_path):
    path = in_time(tmp_path, "$(touch x).nii")
    with pytest.raises(AmbiguousScan, match=r"nibabel\.load\('YOUR-FILE'\)"):
        read(path)
