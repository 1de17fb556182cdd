"""Pictures that are nearly the same."""

from pathlib import Path

import numpy as np
from PIL import Image

from halescan.data.likeness import alike, difference_hash, duplicates, joined, read_thumbnail, thumbnail
from halescan.io import find
from halescan.types import Scan


def texture(seed: int, side: int = 128) -> np.ndarray:
    coarse = np.random.default_rng(seed).random((8, 9)) * 200
    return np.asarray(Image.fromarray(coarse.astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC))


def test_a_recompressed_and_slightly_cropped_copy_is_found_and_others_are_not(tmp_path: Path) -> None:
    for seed in range(4):
        Image.fromarray(texture(seed)).save(tmp_path / f"{seed}.png")
    Image.fromarray(texture(1)[1:-1, 1:-1]).save(tmp_path / "copy.jpg", quality=40)
    sources = find(tmp_path).sources
    names = [source.path.name for source in sources]
    pairs = alike([read_thumbnail(source) for source in sources])
    assert [{names[a], names[b]} for a, b in pairs] == [{"1.png", "copy.jpg"}]


def test_brightness_and_contrast_do_not_hide_a_copy() -> None:
    picture = texture(0).astype(np.float32)
    small = [thumbnail(Scan(one, 2)) for one in (picture, picture * 0.5 + 30, texture(1))]
    assert alike(small) == [(0, 1)]


def test_the_hash_says_which_cell_is_brighter_than_its_neighbour() -> None:
    rising = np.tile(np.arange(9.0), (8, 1))
    assert difference_hash(rising) == 2**64 - 1
    assert difference_hash(-rising) == 0


def test_colours_and_volumes_have_thumbnails_too() -> None:
    volume = np.random.default_rng(0).random((5, 40, 40)).astype(np.float32)
    assert thumbnail(Scan(volume, 3)).shape == (32, 32)
    assert thumbnail(Scan(np.repeat(volume[0][..., None], 3, axis=-1), 2)).shape == (32, 32)


def test_files_with_the_same_bytes_are_duplicates_whatever_their_name(tmp_path: Path) -> None:
    Image.fromarray(texture(0)).save(tmp_path / "a.png")
    for name in ("b.png", "z.png"):
        (tmp_path / name).write_bytes((tmp_path / "a.png").read_bytes())
    Image.fromarray(texture(2)).save(tmp_path / "c.png")
    assert duplicates(find(tmp_path).sources) == [(0, 1), (0, 3)]


def test_chains_join() -> None:
    units = joined(5, [(0, 1), (1, 4)])
    assert units[0] == units[1] == units[4]
    assert len(set(units)) == 3
    assert len(set(joined(3, []))) == 3


def test_a_file_that_cannot_be_read_is_like_no_other(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    Image.fromarray(texture(0)).save(tmp_path / "good.png")
    pictures = [read_thumbnail(source) for source in find(tmp_path).sources]
    assert pictures[0] is None
    assert alike(pictures) == []
