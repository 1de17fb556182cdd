"""Pictures of scans and maps."""

from dataclasses import replace

import numpy as np
import pytest

from halescan.reporting.colours import LEVELS
from halescan.reporting.figures import (
    close_up,
    grey_window,
    key_slice,
    merged,
    montage,
    plane_picture,
    png,
    slices_to_show,
)
from halescan.types import Scan
from tests.reporting.cases import THRESHOLD, bump, colour_scan, finding_of, flat_scan, volume_scan

FULL = (0.0, 255.0)


def _picture(result, **changes):
    asked = {"number": None, "window": FULL, "threshold": THRESHOLD, "longest_px": 480, **changes}
    return plane_picture(result, **asked)


def test_a_window_maps_its_ends_to_black_and_white():
    scan = Scan(pixels=np.repeat([[-1000.0, 400.0]], 8, axis=0).astype(np.float32), dims=2, unit="HU")
    picture = _picture(flat_scan(scan=scan, map=None, tail=None, findings=()), window=(-1000.0, 400.0))
    grey = np.asarray(picture.base)
    assert grey[5, 2] == 0
    assert grey[5, -2] == 255


def test_eight_bit_pixels_without_a_unit_count_as_already_windowed():
    scan = Scan(pixels=np.zeros((4, 4), np.uint8), dims=2)
    assert grey_window(scan, (-1000.0, 400.0)) == (0.0, 255.0)


def test_a_window_is_not_forced_on_pixels_of_another_scale():
    pixels = np.linspace(5000, 9000, 400, dtype=np.float32).reshape(20, 20)
    low, high = grey_window(Scan(pixels=pixels, dims=2), (-1000.0, 400.0))
    assert 5000 <= low < high <= 9000


def test_a_constant_scan_has_a_window_all_the_same():
    low, high = grey_window(Scan(pixels=np.full((4, 4), 7.0), dims=2), None)
    assert low < 7 < high


def test_the_map_lies_where_it_is_strange_and_nowhere_else():
    result = flat_scan(findings=())
    over = np.asarray(_picture(result).over)
    scale = over.shape[0] / 96
    assert over[round(60.5 * scale), round(25.5 * scale)] > 0.9 * 3.8 / 4 * (LEVELS - 1)
    assert over[-3, -3] < LEVELS / 4


def test_the_same_strangeness_has_the_same_colour_in_every_scan():
    alone = flat_scan(findings=())
    assert alone.tail is not None
    weaker = replace(alone, tail=np.where(alone.tail > 3, 3.0, alone.tail))
    first, second = (np.asarray(_picture(result).over) for result in (alone, weaker))
    low = first < 2.5 / 4 * LEVELS
    assert (first[low] == second[low]).all()


def test_an_outline_runs_along_the_threshold():
    result = flat_scan()
    over = np.asarray(_picture(replace(result, tail=None, findings=result.findings[:1])).over)
    line = np.argwhere((over >= LEVELS + 12) & (over < LEVELS + 16)) / (over.shape[0] / 96) - 0.5
    line = line[(line[:, 0] > 60) | (line[:, 1] < 25)]  # the badge touches it up and to the right
    radius = np.hypot(*(line - [60, 25]).T)
    expected = 9 * np.sqrt(2 * np.log(3.8 / THRESHOLD))
    assert len(line) > 40
    assert np.abs(radius - expected).max() < 1.0


def test_every_finding_has_its_number_even_at_the_edge():
    result = flat_scan()
    assert result.map is not None
    at_edge = replace(result.findings[0], peak_index=(0, 0), box=((0, 2), (0, 2)))
    over = np.asarray(_picture(replace(result, findings=(at_edge,), tail=None)).over)
    assert (over >= LEVELS + 32).sum() > 200


def test_a_badge_touches_its_own_region_and_covers_no_other():
    strangeness = bump((96, 80), (60, 25), 9, 3.8) + bump((96, 80), (46, 39), 3, 3.8)  # up and to the right, beside it
    findings = (finding_of(strangeness, (60, 25)),)
    over = np.asarray(_picture(flat_scan(map=strangeness, tail=None, findings=findings)).over)
    badge = np.argwhere(over >= LEVELS + 32) / (over.shape[0] / 96) - 0.5
    other = strangeness >= THRESHOLD
    other[50:] = False
    assert len(badge) > 200 / 25
    assert not other[tuple(np.rint(badge).astype(int).T)].any()
    own = np.argwhere(strangeness >= THRESHOLD)
    own = own[own[:, 0] >= 50]
    assert min(np.hypot(*(own - place).T).min() for place in badge) < 2


def test_no_halo_is_drawn_at_a_rim_of_the_mask_where_no_region_ends():
    mask = np.zeros((96, 80), bool)
    mask[:, :40] = True  # cuts a slope below the threshold
    strangeness = bump((96, 80), (60, 25), 5, 3.8) + 0.9 * THRESHOLD * (np.arange(80) > 30)
    findings = (finding_of(bump((96, 80), (60, 25), 5, 3.8), (60, 25)),)
    findings = (replace(findings[0], box=((40, 80), (10, 42))),)
    over = np.asarray(
        _picture(flat_scan(map=strangeness.astype(np.float32), mask=mask, tail=None, findings=findings)).over
    )
    scale = over.shape[0] / 96
    drawn = np.argwhere((over >= LEVELS) & (over < LEVELS + 32)) / scale
    assert not (np.abs(drawn[:, 1] - 40) < 1.5)[np.abs(drawn[:, 0] - 60) > 12].any()


def test_badges_do_not_cover_each_other():
    result = flat_scan(tail=None)
    twins = (result.findings[0], replace(result.findings[0], number=2))
    one = np.asarray(_picture(replace(result, findings=twins[:1])).over)
    two = np.asarray(_picture(replace(result, findings=twins)).over)
    assert (two >= LEVELS + 32).sum() > 1.8 * (one >= LEVELS + 32).sum()


def test_without_a_threshold_the_box_itself_is_framed():
    result = flat_scan(tail=None)
    over = np.asarray(_picture(result, threshold=None).over)
    assert ((over >= LEVELS) & (over < LEVELS + 16)).sum() > 200


def test_nothing_is_laid_over_a_scan_without_a_map():
    assert _picture(flat_scan(map=None, tail=None, findings=())).over is None


def test_a_close_up_shows_three_times_the_box_but_no_colours():
    result = volume_scan()
    picture = close_up(result, result.findings[0], window=(-1000.0, 400.0), threshold=THRESHOLD)
    assert picture.over is not None
    assert picture.over.size == picture.base.size
    levels = np.asarray(picture.over)
    assert (levels[levels < LEVELS] == 0).all()
    assert (levels >= LEVELS).any()


def test_a_finding_shows_on_its_own_slices_only():
    result = replace(volume_scan(), tail=None)
    assert _picture(result, number=4, window=(-1000.0, 400.0)).over is not None
    assert _picture(result, number=13, window=(-1000.0, 400.0)).over is None


def test_the_montage_holds_the_key_slices_and_at_most_twelve_tiles():
    result = volume_scan()
    numbers = slices_to_show(result)
    assert 4 in numbers
    assert len(numbers) <= 12
    picture = montage(result, numbers, window=(-1000.0, 400.0), threshold=THRESHOLD)
    assert picture.over is not None
    assert picture.over.size == picture.base.size


def test_the_montage_holds_the_strangest_slice():
    scores = np.ones(14)
    scores[9] = 7.0
    assert {4, 9} <= set(slices_to_show(replace(volume_scan(), slice_scores=scores), most=3))


def test_the_montage_keeps_to_the_slices_that_were_examined():
    result = volume_scan()
    mask = np.zeros(result.scan.shape, bool)
    mask[3:8] = True
    assert slices_to_show(replace(result, mask=mask)) == (3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, 4), ({"key_slice": 99}, 13), ({"key_slice": None, "findings": ()}, 4)],
)
def test_the_key_slice_is_always_one_of_the_volume(changes, expected):
    assert key_slice(replace(volume_scan(), **changes)) == expected


def test_the_same_picture_has_the_same_bytes():
    first, second = (_picture(colour_scan()) for _ in range(2))
    assert png(first.base) == png(second.base)
    assert first.over is not None
    assert second.over is not None
    assert png(first.over) == png(second.over)


def test_merging_leaves_ordinary_places_untouched():
    picture = _picture(flat_scan(findings=()))
    both, base = np.asarray(merged(picture)), np.asarray(picture.base.convert("RGB"))
    ordinary = np.asarray(picture.over) < LEVELS / 4 - 1
    assert (both[ordinary] == base[ordinary]).all()
    assert (both != base).any()
