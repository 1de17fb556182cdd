"""Findings: the right regions, measured right, in the right place."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from halescan.errors import SettingError, ShapeError
from halescan.scoring.calibration import Calibration
from halescan.scoring.findings import find, longest_diameter
from halescan.scoring.tail import HealthyTail

RNG = np.random.default_rng(8)


def disc(radius: int, side: int = 41) -> np.ndarray:
    y, x = np.indices((side, side)) - side // 2
    return (y**2 + x**2 <= radius**2).astype(float)


@pytest.mark.parametrize("length", [1, 2, 7, 30])
def test_a_rod_measures_its_own_length(length):
    rod = np.zeros((5, 40))
    rod[2, 3 : 3 + length] = 1
    (finding,) = find(rod, threshold=0.5, spacing_mm=(0.5, 0.5)).findings
    assert finding.diameter_px == pytest.approx(length)
    assert finding.diameter_mm == pytest.approx(0.5 * length)
    assert finding.area_mm2 == pytest.approx(0.25 * length)
    assert finding.voxels == length


@pytest.mark.parametrize("radius", [1, 3, 8, 15])
def test_a_disc_measures_its_diameter_and_its_area(radius):
    (finding,) = find(disc(radius), threshold=0.5, spacing_mm=(2.0, 2.0)).findings
    assert finding.diameter_px == pytest.approx(2 * radius + 1)
    assert finding.diameter_mm == pytest.approx(2 * (2 * radius + 1))
    assert finding.area_mm2 == 4 * disc(radius).sum()
    assert finding.volume_mm3 is None


def test_a_rod_along_each_axis_of_an_uneven_volume_measures_in_its_own_millimetres():
    for axis, spacing in enumerate((5.0, 0.8, 0.7)):
        rod = np.zeros((12, 12, 12))
        rod[tuple(slice(1, 11) if a == axis else 4 for a in range(3))] = 1
        (finding,) = find(rod, threshold=0.5, spacing_mm=(5.0, 0.8, 0.7)).findings
        assert finding.diameter_mm == pytest.approx(10 * spacing)
        assert finding.volume_mm3 == pytest.approx(10 * 5 * 0.8 * 0.7)
        assert finding.area_mm2 == pytest.approx((1 if axis == 0 else 10) * 0.8 * 0.7)


def test_a_diagonal_rod_measures_between_its_far_ends():
    (finding,) = find(np.eye(10), threshold=0.5).findings
    assert finding.diameter_px == pytest.approx(9 * np.sqrt(2) + 1)


@given(st.integers(0, 5000), st.sampled_from([(1.0, 1.0), (0.7, 2.5), (1.0, 1.0, 1.0), (5.0, 0.8, 0.8)]))
@settings(max_examples=60, deadline=None)
def test_the_short_way_to_the_longest_diameter_finds_the_farthest_pair(seed, spacing):
    rng = np.random.default_rng(seed)
    inside = rng.random((9,) * len(spacing)) < rng.choice([0.02, 0.3, 0.9])
    inside[(4,) * len(spacing)] = True
    voxels = np.argwhere(inside)
    points = voxels * spacing
    farthest = pdist(points).max() if len(points) > 1 else 0.0
    widest = ((np.ptp(voxels, axis=0) + 1) * spacing).max()
    measured = longest_diameter(inside, spacing)
    assert measured >= max(farthest + min(spacing) - 1e-9, widest - 1e-9)
    assert measured <= max(farthest + max(spacing), widest) + 1e-9


def test_a_large_ball_is_measured_by_its_hull_and_a_large_flat_region_without_one():
    z, y, x = np.indices((61, 61, 61)) - 30
    ball = z**2 + y**2 + x**2 <= 30**2
    assert longest_diameter(ball, (1.0, 1.0, 1.0)) == pytest.approx(61)
    oblique = z + y == 0
    assert longest_diameter(oblique, (1.0, 1.0, 1.0)) == pytest.approx(60 * np.sqrt(3) + 1)


def test_a_larger_region_never_measures_less():
    single, pair = np.ones((1, 1, 1), bool), np.ones((1, 1, 2), bool)
    assert longest_diameter(pair, (5.0, 1.0, 1.0)) >= longest_diameter(single, (5.0, 1.0, 1.0)) == 5


def test_regions_that_touch_at_a_corner_are_one_and_others_are_two():
    strangeness = np.zeros((2, 10, 10))
    strangeness[0, 1, 1] = strangeness[1, 2, 2] = 1
    strangeness[0, 7, 7] = 2
    findings = find(strangeness, threshold=0.5).findings
    assert [finding.voxels for finding in findings] == [1, 2]


def test_findings_come_strangest_first_and_the_rest_are_counted():
    strangeness = np.zeros((40, 40))
    for k in range(13):
        strangeness[3 * k, 3 * k] = 1 + k
    found = find(strangeness, threshold=0.5, most=5)
    assert [finding.peak for finding in found.findings] == [13, 12, 11, 10, 9]
    assert [finding.number for finding in found.findings] == [1, 2, 3, 4, 5]
    assert found.beyond == 8
    assert found.too_small == 0


def test_specks_are_dropped_in_millimetres_where_known_and_else_in_pixels():
    strangeness = np.zeros((30, 30))
    strangeness[2, 2] = strangeness[10, 10:14] = 1
    assert len(find(strangeness, threshold=0.5, min_diameter_px=2).findings) == 1
    assert find(strangeness, threshold=0.5, min_diameter_px=2).too_small == 1
    in_mm = find(strangeness, threshold=0.5, spacing_mm=(3.0, 3.0), min_diameter_mm=2, min_diameter_px=2)
    assert len(in_mm.findings) == 2
    exact = find(strangeness, threshold=0.5, spacing_mm=(3.0, 3.0), min_diameter_mm=12)
    assert [finding.voxels for finding in exact.findings] == [4]


def test_nothing_is_found_outside_the_mask_or_below_the_threshold():
    strangeness, mask = disc(5), np.zeros((41, 41), bool)
    assert find(strangeness, threshold=0.5, mask=mask).findings == ()
    assert find(strangeness, threshold=1.5).findings == ()
    assert len(find(strangeness, threshold=1.0).findings) == 1


def test_peak_box_and_centre_are_where_the_lesion_was_planted():
    strangeness = np.zeros((6, 20, 30))
    strangeness[2:5, 4:9, 10:17] = 1
    strangeness[3, 5, 12] = 4
    affine = np.array([[0, 0, 0.5, -10], [0, 2.0, 0, 20], [3.0, 0, 0, 100], [0, 0, 0, 1]])
    (finding,) = find(strangeness, threshold=0.5, spacing_mm=(3.0, 2.0, 0.5), affine_lps=affine).findings
    assert finding.peak_index == (3, 5, 12)
    assert finding.box == ((2, 5), (4, 9), (10, 17))
    assert finding.centre_lps_mm == pytest.approx((13 * 0.5 - 10, 6 * 2 + 20, 3 * 3 + 100))


def test_a_flat_scan_has_a_place_in_the_patient_too():
    affine = np.array([[0, 0, 0.5, -10], [0, 2.0, 0, 20], [3.0, 0, 0, 100], [0, 0, 0, 1]])
    (finding,) = find(disc(3), threshold=0.5, affine_lps=affine).findings
    assert finding.centre_lps_mm == pytest.approx((0, 60, 100))
    assert find(disc(3), threshold=0.5).findings[0].centre_lps_mm is None


@given(st.integers(0, 2000), st.sets(st.integers(0, 1)))
@example(550, {1})  # two lines of one region are equally long, and the extents of their voxels differ
@settings(max_examples=30, deadline=None)
def test_mirroring_the_map_mirrors_the_findings_and_keeps_their_sizes(seed, axes):
    strangeness = np.random.default_rng(seed).normal(size=(24, 30))
    plain = find(strangeness, threshold=1.2, spacing_mm=(1.0, 2.0), most=99).findings
    turned = find(np.flip(strangeness, tuple(axes)), threshold=1.2, spacing_mm=(1.0, 2.0), most=99).findings
    assert [(f.peak, f.voxels) for f in plain] == [(f.peak, f.voxels) for f in turned]
    np.testing.assert_allclose([f.diameter_mm for f in plain], [f.diameter_mm for f in turned])


def test_each_finding_has_its_family_wise_p_value_and_its_tail():
    calibration = Calibration(np.zeros(19), peaks=np.arange(19.0))
    tail = HealthyTail.fit([(np.arange(99.0).reshape(9, 11), None)])
    strangeness = np.zeros((20, 20))
    strangeness[2:4, 2:4], strangeness[10:12, 10:12] = 50, 9
    strong, weak = find(strangeness, threshold=5, calibration=calibration, tail=tail, false_alarms=0.05).findings
    assert (strong.p_value, strong.above) == (0.05, True)
    assert (weak.p_value, weak.above) == (0.55, False)
    assert strong.peak_tail == pytest.approx(-np.log10(50 / 100), abs=1e-6)


def test_too_few_healthy_cases_leave_the_p_value_and_withhold_the_decision():
    calibration = Calibration(np.zeros(3), peaks=np.arange(3.0))
    (finding,) = find(disc(2), threshold=0.5, calibration=calibration, false_alarms=0.05).findings
    assert finding.p_value == 0.75
    assert finding.above is None


def test_the_place_is_told_within_the_masks_box():
    strangeness, mask = np.zeros((90, 100)), np.zeros((90, 100), bool)
    mask[10:70, 20:80] = True
    strangeness[12:16, 60:66] = 1
    (finding,) = find(strangeness, threshold=0.5, mask=mask, places="chest-xray").findings
    assert finding.place == ("left", "upper-zone")


def test_false_calls_are_refused():
    with pytest.raises(ShapeError, match="not finite"):
        find(np.full((4, 4), np.nan), threshold=0)
    with pytest.raises(ShapeError):
        find(np.zeros((4, 4)), threshold=0, mask=np.ones((5, 5), bool))
    with pytest.raises(ShapeError, match="spacings"):
        find(np.zeros((4, 4)), threshold=0, spacing_mm=(1.0, 1.0, 1.0))
    with pytest.raises(SettingError, match="false-alarm"):
        find(np.zeros((4, 4)), threshold=0, false_alarms=0)


def test_a_single_voxel_of_a_thick_slice_is_still_a_speck() -> None:
    strangeness = np.zeros((5, 20, 20), np.float32)
    strangeness[2, 5, 5] = 1
    found = find(strangeness, threshold=0.5, spacing_mm=(8.0, 0.6, 0.6), min_diameter_mm=4)
    assert not found.findings
    assert found.too_small == 1
