"""A finding in words."""

from dataclasses import replace

from halescan.reporting.finding_words import finding_facts, peak_of, place_of, size_of
from tests.reporting.cases import flat_scan, volume_scan


def test_slices_are_told_from_to_counted_from_one():
    found = replace(volume_scan().findings[0], box=((3, 9), (0, 4), (0, 4)), peak_index=(4, 1, 1), place=("left",))
    assert place_of(found, "en") == "left, slices 4–9, peak on 5"
    assert place_of(found, "fr") == "à gauche, coupes 4 à 9, maximum coupe 5"


def test_one_slice_is_named_once():
    found = replace(volume_scan().findings[0], box=((4, 5), (0, 4), (0, 4)), place=())
    assert place_of(found, "en") == peak_of(found, "en") == "slice 5"


def test_areas_are_square_pixels_and_volumes_voxels_where_millimetres_are_unknown():
    flat, solid = (replace(scan.findings[0], voxels=33) for scan in (flat_scan(), volume_scan()))
    solid = replace(solid, volume_mm3=None, diameter_mm=None, area_mm2=None)
    assert size_of(flat, "en") == "longest diameter 12.0 px; 33 px²"
    assert size_of(solid, "en") == "longest diameter 12.0 voxels; 33 voxels"


def test_areas_and_volumes_are_millimetres_where_these_are_known():
    flat = replace(flat_scan().findings[0], diameter_mm=9.0, area_mm2=42.0)
    solid = replace(volume_scan().findings[0], diameter_mm=9.0, volume_mm3=42.0, area_mm2=7.0)
    assert size_of(flat, "en") == "longest diameter 9.00 mm; 42.0 mm²"
    assert size_of(solid, "fr") == "grand axe 9,00 mm\u202f; 42,0 mm³"


def test_an_index_counts_from_zero_and_says_so():
    facts = {fact.label: fact.value for fact in finding_facts(volume_scan().findings[0], volume_scan(), 20, "en")}
    assert facts["Peak voxel (x, y, z; from 0)"] == "12, 24, 4"
