"""Scans of every kind become images, and maps find their way back."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from halescan.data.prepare import Prepared, prepare
from halescan.data.profiles import PROFILES, load_profile
from halescan.errors import ScanError, ShapeError
from halescan.io import read
from halescan.types import Scan
from tests.data.scenes import REAL, affine_lps, chest_ct, head_mri, scene, stained

SETS = {
    "cxr-kermany": ("chest-xray", 0.99, 1.0),
    "ct-sarscov2": ("lung-ct", 0.1, 0.85),
    "mri-lgg-flair": ("brain-mri", 0.35, 0.75),
    "us-busi": ("ultrasound", 0.5, 1.0),
    "histo-hpylori": ("histology", 0.15, 1.0),
}


def only(scan: Scan, name: str, **changes: object) -> Prepared:
    (image,) = prepare(scan, load_profile(name, changes))
    return image


def keys(image: Prepared) -> list[str]:
    return [note.key for note in image.notes]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_prepares_a_scan_of_its_kind(name: str) -> None:
    profile = PROFILES[name]
    image = only(scene(name), name)
    assert image.image.shape == (profile.channels, *profile.size)
    assert image.image.dtype == np.float32
    assert image.mask.shape == profile.size
    assert image.mask.any()
    assert image.image.min() >= 0
    assert image.image.max() <= 1.5
    assert np.ptp(image.image) > 0.3
    assert image.notes == ()
    assert np.isfinite([value for value in image.facts.values() if not isinstance(value, str)]).all()


@pytest.mark.parametrize("name", PROFILES)
def test_every_map_goes_back_on_the_voxels_of_its_scan(name: str) -> None:
    scan = scene(name)
    image = only(scan, name)
    assert image.grid.back(np.ones(PROFILES[name].size)).shape == scan.shape
    assert image.grid.back_mask(image.mask).any()


@pytest.mark.parametrize("name", PROFILES)
def test_preparing_twice_gives_the_same(name: str) -> None:
    first, second = only(scene(name), name), only(scene(name), name)
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.mask, second.mask)
    assert first.facts == second.facts


@pytest.mark.parametrize("name", PROFILES)
def test_a_bright_spot_on_the_image_comes_back_to_where_it_was_on_the_scan(name: str) -> None:
    scan = scene(name)
    image = only(scan, name)
    spot = np.zeros(scan.shape, np.float32)
    centre = (int(0.45 * scan.shape[0]), int(0.5 * scan.shape[1]))
    spot[centre] = 1
    spot = ndimage.gaussian_filter(spot, 3)
    found = ndimage.center_of_mass(image.grid.back(image.grid.forward(spot)))
    assert np.abs(np.subtract(found, centre)).max() < 0.5


def test_scanning_changes_nothing_in_the_scan_itself() -> None:
    scan = scene("brain-mri")
    before = scan.pixels.copy()
    only(scan, "brain-mri")
    assert np.array_equal(scan.pixels, before)


def test_hounsfield_units_are_windowed_by_their_values() -> None:
    image = only(Scan(chest_ct(), 2, unit="HU"), "lung-ct", crop_to_mask=False, mask="everything")
    soft = (40 + 1000) / 1400
    assert np.median(image.image[image.image > 0.5]) == pytest.approx(soft, abs=0.02)


def test_eight_bits_of_ct_are_taken_as_windowed_with_a_note() -> None:
    picture = np.clip((chest_ct() + 1000) / 1400 * 255, 0, 255).astype(np.uint8)
    image = only(Scan(picture, 2), "lung-ct")
    assert keys(image) == ["already-windowed"]
    exact = only(Scan(chest_ct(), 2, unit="HU"), "lung-ct")
    assert np.abs(image.image - exact.image).mean() < 0.02


def test_a_volume_of_unknown_unit_that_can_only_be_hounsfield_is_read_so_with_a_note() -> None:
    assert keys(only(Scan(chest_ct().astype(np.int16), 2), "lung-ct")) == ["assumed-hounsfield"]
    assert "unknown-grey-scale" in keys(only(Scan((chest_ct() + 1100).astype(np.uint16), 2), "lung-ct"))


def test_colour_becomes_grey_and_grey_becomes_colour_with_a_note() -> None:
    assert keys(only(Scan(stained(), 2), "generic")) == ["colour-to-grey"]
    image = only(Scan(head_mri(), 2), "histology")
    assert "grey-to-colour" in keys(image)
    assert np.array_equal(image.image[0], image.image[2])


def test_a_scan_of_another_modality_is_prepared_with_a_note() -> None:
    image = only(replace(scene("brain-mri"), modality="CT"), "brain-mri")
    assert [(note.key, dict(note.values)) for note in image.notes] == [
        ("other-modality", {"found": "CT", "expected": "MR"})
    ]


def test_a_single_image_is_refused_by_a_profile_of_volumes() -> None:
    with pytest.raises(ShapeError, match="give the whole volume"):
        list(prepare(scene("lung-ct"), load_profile("lung-ct", {"dims": 3, "size": [16, 32, 32]})))


def chest_volume(directions: str = "SPL") -> Scan:
    empty = np.full((160, 192), -1000.0, np.float32)
    pixels = np.stack([empty, *(chest_ct(seed=seed) for seed in range(5)), empty])
    return Scan(
        pixels,
        3,
        spacing_mm=(5.0, 2.0, 2.0),
        affine_lps=affine_lps(directions, (5.0, 2.0, 2.0)),
        unit="HU",
        modality="CT",
    )


def test_a_volume_is_read_slice_by_slice_in_order_without_its_blank_slices() -> None:
    images = list(prepare(chest_volume(), PROFILES["lung-ct"]))
    assert [image.slice_index for image in images] == [1, 2, 3, 4, 5]
    assert len({id(image.facts) for image in images}) == 1
    assert images[0].facts["depth"] == 7
    assert images[0].grid.back(np.ones((224, 224))).shape == (160, 192)


def test_all_slices_share_one_frame_and_one_grey_scale() -> None:
    first, *others = prepare(chest_volume(), PROFILES["lung-ct"])
    assert all(other.grid.steps == first.grid.steps for other in others)


def test_a_volume_stored_the_other_way_round_gives_the_same_images() -> None:
    scan = chest_volume("SPL")
    turned = replace(scan, pixels=scan.pixels[:, ::-1, ::-1], affine_lps=affine_lps("SAR", (5.0, 2.0, 2.0)))
    for one, other in zip(prepare(scan, PROFILES["lung-ct"]), prepare(turned, PROFILES["lung-ct"]), strict=True):
        assert np.abs(one.image - other.image).mean() < 0.01
        assert np.array_equal(other.grid.back(other.image[0])[::-1, ::-1].shape, one.grid.back(one.image[0]).shape)


def test_a_volume_becomes_one_image_for_a_profile_of_volumes() -> None:
    scan = chest_volume()
    image = only(scan, "lung-ct", dims=3, size=[16, 48, 48])
    assert image.image.shape == (1, 16, 48, 48)
    assert image.slice_index is None
    assert image.grid.back(image.image[0]).shape == scan.shape
    assert image.spacing_mm is not None
    assert len(image.spacing_mm) == 3


def test_a_volume_on_which_there_is_nothing_to_see_is_refused() -> None:
    blank = np.broadcast_to(np.arange(4, dtype=np.float32)[:, None, None], (4, 30, 30))
    with pytest.raises(ScanError, match="none of 4 slices"):
        list(prepare(Scan(blank, 3), PROFILES["generic"]))


@pytest.mark.real
@pytest.mark.parametrize("name", SETS)
def test_the_first_real_images_of_each_set_give_plausible_masks(name: str) -> None:
    profile, least, most = SETS[name]
    files = sorted((REAL / name / "train" / "healthy").glob("*"))[:5]
    if not files:
        pytest.skip(f"no images of {name}; point HALESCAN_DATA to them")
    for file in files:
        image = only(read(file), profile)
        assert least <= image.mask.mean() <= most, file.name
        assert "lungs-not-found" not in keys(image), file.name


@pytest.mark.real
def test_the_real_ct_series_is_cropped_to_the_body_and_its_lungs_are_found() -> None:
    folder = REAL / "volumes" / "dicom" / "Lung_Dx-A0002_B40f"
    if not Path(folder).is_dir():
        pytest.skip("no CT series; point HALESCAN_DATA to it")
    scan = read(folder)
    images = list(prepare(scan, PROFILES["lung-ct"]))
    shares = np.array([image.mask.mean() for image in images])
    assert len(images) >= 25
    assert 0.2 < np.median(shares) < 0.6
    middle = images[len(images) // 2]
    seen = middle.grid.back_mask(np.ones((224, 224), dtype=bool))
    assert seen[-60:].mean() < 0.1  # the table below the patient is cut off
    lung = scan.pixels[middle.slice_index][middle.grid.back_mask(middle.mask)]
    assert np.median(lung) < -500


def other_scanner(seed: int = 0) -> Scan:
    """The stained scene as another scanner shows it: its dyes thinner and redder; glass stays glass."""
    light = stained(seed=seed).astype(np.float64) / 255
    return Scan(np.round(255 * light ** np.array([1.1, 0.8, 0.7])).astype(np.uint8), 2)


@pytest.mark.parametrize("way", ["macenko", "macenko-marker", "reinhard"])
def test_a_profile_brings_two_scanners_to_one_look_and_leaves_mask_and_facts_alone(way: str) -> None:
    before, after = ({"stain": kind, "mask": "tissue"} for kind in ("as-is", way))
    apart = [only(Scan(stained(), 2), "histology", **changes) for changes in (before, after)]
    others = [only(other_scanner(), "histology", **changes) for changes in (before, after)]
    was, now = (np.abs(one.image - other.image).mean() for one, other in zip(apart, others, strict=True))
    assert now < 0.7 * was
    assert (apart[1].mask == apart[0].mask).all()
    assert apart[1].facts == apart[0].facts
    assert keys(apart[1]) == []


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_the_stain_of_every_type_of_picture_is_brought_alike(kind: type) -> None:
    eight = only(Scan(stained(), 2), "histology", stain="macenko").image
    pixels = stained().astype(kind) * (257 if kind is np.uint16 else 1)
    pixels[0, 0], pixels[0, 1] = 0, 257 * 255 if kind is np.uint16 else 255  # floats are read between their ends
    assert np.abs(only(Scan(pixels, 2), "histology", stain="macenko").image - eight).mean() < 0.01


def test_a_picture_without_stain_keeps_its_colours_with_a_note() -> None:
    pale = np.full((64, 64, 3), 250, np.uint8) - np.random.default_rng(0).integers(0, 5, (64, 64, 3), dtype=np.uint8)
    image = only(Scan(pale, 2), "histology", stain="macenko")
    assert keys(image) == ["stain-not-found"]
    assert (image.image == only(Scan(pale, 2), "histology").image).all()
    assert keys(only(Scan(pale[..., 0], 2), "histology", stain="macenko")) == ["grey-to-colour"]


@pytest.mark.parametrize(
    ("channels", "says"), [(2, "2 channels found"), (5, "5 channels found"), (1, "1 channel found")]
)
def test_an_array_of_another_number_of_channels_is_no_volume_to_a_profile_of_three(channels: int, says: str) -> None:
    pixels = np.random.default_rng(0).random((32, 32, channels), np.float32)
    colours = load_profile("generic", {"channels": 3, "size": [32, 32]})
    with pytest.raises(ShapeError, match=rf"array \(32, 32, {channels}\): {says}, 3 expected"):
        next(prepare(Scan(pixels, 3), colours))


def test_a_thin_volume_that_knows_its_voxels_is_one_to_a_profile_of_three() -> None:
    pixels = np.random.default_rng(0).random((32, 32, 5), np.float32)
    colours = load_profile("generic", {"channels": 3, "size": [32, 32]})
    assert len([*prepare(Scan(pixels, 3, (1.0, 1.0, 5.0)), colours)]) == 32
    assert len([*prepare(Scan(np.moveaxis(pixels, -1, 0), 3), colours)]) == 5
