"""Prepared images on disk: written once, read as needed."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.data.dataset import CohortImages
from halescan.data.prepare import prepare
from halescan.data.profiles import load_profile
from halescan.data.table import Item, read_cohort
from halescan.errors import OutputError, ScanError
from halescan.io import read
from halescan.types import SomeImages

PROFILE = load_profile("generic", {"size": [20, 24]})


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 255, (30, 30), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


def items(folder: Path) -> tuple[Item, ...]:
    return read_cohort(folder).items


@pytest.fixture
def scans(tmp_path: Path) -> tuple[Item, ...]:
    return items(pictures(tmp_path / "scans", 7))


def test_images_come_back_as_they_were_prepared(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    images = CohortImages(scans, PROFILE, folder=tmp_path / "cache", batch_size=3)
    assert len(images) == 7
    batches = list(images)
    assert [len(batch) for batch in batches] == [3, 3, 1]
    whole = np.concatenate([batch.images for batch in batches])
    for item, image, mask in zip(scans, whole, images.take(range(7)).mask, strict=True):  # type: ignore[arg-type]
        (prepared,) = prepare(read(item.source), PROFILE)
        assert np.array_equal(prepared.image, image)
        assert np.array_equal(prepared.mask, mask)


def test_any_order_may_be_taken_and_taken_again(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    images = CohortImages(scans, PROFILE, folder=tmp_path / "cache")
    whole = images.take(range(7)).images
    for order in ([6, 0, 0, 3], [2, 3, 4, 1], [-1], []):
        assert np.array_equal(images.take(order).images, whole[order])


def test_a_place_beyond_the_end_is_refused(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    with pytest.raises(IndexError, match="of 7 images"):
        CohortImages(scans, PROFILE, folder=tmp_path / "cache").take([7])


def test_a_subset_of_a_subset_is_a_view(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    images = CohortImages(scans, PROFILE, folder=tmp_path / "cache")
    some = images.subset([5, 1, 3]).subset([2, 0])
    assert isinstance(some, SomeImages)
    assert np.array_equal(np.concatenate([batch.images for batch in some]), images.take([3, 5]).images)


def test_rows_say_where_each_image_comes_from(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    rows = CohortImages(scans, PROFILE, folder=tmp_path / "cache").rows
    assert [row.item for row in rows] == list(range(7))
    assert rows[0].slice_index is None
    (prepared,) = prepare(read(scans[2].source), PROFILE)
    assert rows[2].facts == pytest.approx(dict(prepared.facts))


def test_slices_of_a_volume_are_rows_of_one_scan(tmp_path: Path) -> None:
    pictures(tmp_path / "scans", 1)
    volume = np.random.default_rng(0).normal(size=(4, 16, 16)).astype(np.float32)
    volume[1] = 0
    np.save(tmp_path / "scans" / "volume.npy", volume)
    images = CohortImages(items(tmp_path / "scans"), PROFILE, folder=tmp_path / "cache")
    assert [(row.item, row.slice_index) for row in images.rows] == [(0, None), (1, 0), (1, 2), (1, 3)]


def test_threads_change_nothing(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    one = CohortImages(scans, PROFILE, folder=tmp_path / "one")
    four = CohortImages(scans, PROFILE, folder=tmp_path / "four", jobs=4)
    for part in ("images.f32", "masks.bits", "images.json"):
        assert (one.folder / part).read_bytes() == (four.folder / part).read_bytes()


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_bad_file_is_listed_and_the_others_done(tmp_path: Path, jobs: int) -> None:
    folder = pictures(tmp_path / "scans", 4)
    (folder / "001.png").write_bytes((folder / "001.png").read_bytes()[:60])
    told: list[tuple[int, int]] = []
    images = CohortImages(
        items(folder), PROFILE, folder=tmp_path / "cache", jobs=jobs, listen=lambda *at: told.append(at)
    )
    assert [row.item for row in images.rows] == [0, 2, 3]
    assert [problem.path.name for problem in images.problems] == ["001.png"]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_finished_folder_is_used_again_and_a_changed_one_is_not(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    told: list[tuple[int, int]] = []

    def build(profile: object = PROFILE) -> None:
        told.clear()
        CohortImages(scans, profile, folder=tmp_path / "c", listen=lambda *at: told.append(at))  # type: ignore[arg-type]

    build()
    build()
    assert not told
    build(load_profile("generic", {"size": [20, 25]}))
    assert len(told) == 7
    scans[0].source.path.touch()
    build()
    assert len(told) == 7


@pytest.mark.parametrize("part", ["images.f32", "masks.bits", "rows.npz", "images.json"])
def test_a_folder_that_was_left_half_written_is_written_anew(
    tmp_path: Path, scans: tuple[Item, ...], part: str
) -> None:
    images = CohortImages(scans, PROFILE, folder=tmp_path / "cache")
    whole = images.take(range(7)).images
    if part == "rows.npz":
        (images.folder / part).unlink()
    else:
        (images.folder / part).write_bytes((images.folder / part).read_bytes()[:-5])
    assert np.array_equal(CohortImages(scans, PROFILE, folder=tmp_path / "cache").take(range(7)).images, whole)


def test_an_interrupted_writing_is_never_taken_for_whole(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CohortImages(scans, PROFILE, folder=tmp_path / "cache", jobs=2, listen=stop)
    assert not (tmp_path / "cache" / "images.json").exists()
    assert len(CohortImages(scans, PROFILE, folder=tmp_path / "cache")) == 7


def test_no_image_at_all_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(np.full((9, 9), 7, np.uint8)).save(folder / "flat.png")
    with pytest.raises(ScanError, match=r"none of 1 scans gives an image.*flat\.png"):
        CohortImages(items(folder), PROFILE, folder=tmp_path / "cache")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        CohortImages(scans, PROFILE, folder=tmp_path / "file" / "cache")


def test_images_cut_short_after_opening_are_noticed(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    images = CohortImages(scans, PROFILE, folder=tmp_path / "cache")
    with (images.folder / "images.f32").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ScanError, match="cut short"):
        images.take([6])


def test_reading_batch_by_batch_needs_the_memory_of_a_batch(tmp_path: Path) -> None:
    profile = load_profile("generic", {"size": [128, 128]})
    scans = items(pictures(tmp_path / "scans", 40))
    images = CohortImages(scans, profile, folder=tmp_path / "cache", batch_size=2)
    tracemalloc.start()
    for batch in images:
        del batch
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 128 * 128 * 4  # two batches of two; the cohort is 40


def test_the_record_holds_no_place_of_a_patient(tmp_path: Path, scans: tuple[Item, ...]) -> None:
    images = CohortImages(scans, PROFILE, folder=tmp_path / "cache")
    record = json.loads((images.folder / "images.json").read_text())
    assert set(record) == {"schema", "key", "shape", "count", "facts", "words", "pixels", "problems"}
