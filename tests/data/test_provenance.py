"""What a file gives away without its picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halescan.data.provenance import compression, file_facts
from halescan.io import find, read


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60), np.uint8))


def test_size_and_shape_are_those_of_the_file(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    source = find(tmp_path).sources[0]
    facts = file_facts(source, read(source))
    assert facts["file-size"] == (tmp_path / "a.png").stat().st_size
    assert (facts["height"], facts["width"], facts["aspect"], facts["pixels"]) == (40, 60, 1.5, 2400)
    assert (facts["file-ending"], facts["pixel-type"], facts["spacing"]) == (".png", "uint8", "unknown")


def test_a_coarser_jpeg_has_coarser_quantisation(tmp_path: Path) -> None:
    for quality in (30, 90):
        noise().convert("RGB").save(tmp_path / f"{quality}.jpg", quality=quality, subsampling=2)
    coarse, fine = compression(tmp_path / "30.jpg"), compression(tmp_path / "90.jpg")
    with Image.open(tmp_path / "30.jpg") as picture:
        assert coarse["jpeg-quantisation"] == pytest.approx(np.mean(picture.quantization[0]))
    assert float(coarse["jpeg-quantisation"]) > float(fine["jpeg-quantisation"])
    assert (fine["jpeg-subsampling"], fine["jpeg-kind"]) == ("2 x 2", "baseline")


def test_a_png_says_its_bits(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    assert compression(tmp_path / "a.png") == {"png-kind": "8 bit, colour type 0"}


@pytest.mark.parametrize("content", [b"", b"\xff\xd8", b"\xff\xd8\xff\xdb\x00\x00rest", b"\x89PNG\r\n\x1a\n", b"text"])
def test_a_damaged_file_gives_nothing_away(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.jpg").write_bytes(content)
    assert compression(tmp_path / "bad.jpg") == {}
