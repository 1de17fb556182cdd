import pickle

import numpy as np
import pytest

from halescan.errors import AmbiguousScan, ScanError
from halescan.io import find, read
from halescan.types import Note
from tests.io.made import GREY


def save(path, pixels):
    np.save(path, pixels)
    return path


def medmnist(path, *, images=5, save_as=np.savez_compressed):
    rng = np.random.default_rng(0)
    train = rng.integers(0, 255, (images, 28, 28), dtype=np.uint8)
    test = rng.integers(0, 255, (2, 28, 28, 3), dtype=np.uint8)
    save_as(
        path, train_images=train, train_labels=np.zeros((images, 1)), test_images=test, test_labels=np.zeros((2, 1))
    )
    return train, test


@pytest.mark.parametrize(
    ("shape", "dims", "colour"),
    [((9, 8), 2, False), ((5, 9, 8), 3, False), ((9, 8, 3), 2, True), ((9, 8, 4), 2, True), ((5, 9, 8, 3), 3, True)],
)
def test_the_shape_says_what_an_array_is(tmp_path, shape, dims, colour):
    pixels = (np.arange(np.prod(shape), dtype=np.int32) % 256).reshape(shape)
    scan = read(save(tmp_path / "a.npy", pixels))
    assert (scan.dims, scan.colour) == (dims, colour)
    np.testing.assert_array_equal(scan.pixels, pixels[..., :3] if colour else pixels)


@pytest.mark.parametrize("shape", [(9,), (2, 3, 4, 5), ()])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(ScanError, match="is no scan"):
        read(save(tmp_path / "a.npy", np.ones(shape)))


def test_column_order_reads_the_same(tmp_path):
    np.testing.assert_array_equal(read(save(tmp_path / "a.npy", np.asfortranarray(GREY))).pixels, GREY)
    np.savez(tmp_path / "b.npz", images=np.asfortranarray(np.stack([GREY, GREY + 9])), one=np.asfortranarray(GREY))
    whole, *images = sorted(find(tmp_path / "b.npz").sources, key=lambda source: source.part != "one")
    np.testing.assert_array_equal(read(whole).pixels, GREY)
    np.testing.assert_array_equal(read(images[1]).pixels, GREY + 9)


@pytest.mark.parametrize("save_as", [np.savez, np.savez_compressed])
def test_medmnist_gives_one_source_an_image(tmp_path, save_as):
    train, test = medmnist(tmp_path / "a.npz", save_as=save_as)
    found = find(tmp_path)
    assert [(source.part, source.index) for source in found.sources] == [
        *[("train_images", number) for number in range(5)],
        *[("test_images", number) for number in range(2)],
    ]
    for source, image in zip(found.sources, [*train, *test], strict=True):
        np.testing.assert_array_equal(read(source).pixels, image)


def test_images_can_be_taken_in_any_order(tmp_path):
    train, _ = medmnist(tmp_path / "a.npz", images=30)
    sources = find(tmp_path).sources
    for number in (29, 0, 12, 12, 3):
        np.testing.assert_array_equal(read(sources[number]).pixels, train[number])


def test_a_file_that_changed_is_read_anew(tmp_path):
    np.savez(tmp_path / "a.npz", image=GREY)
    assert read(tmp_path / "a.npz").pixels[0, 1] == GREY[0, 1]
    np.savez(tmp_path / "a.npz", image=np.pad(GREY, 3) + 1)
    assert read(tmp_path / "a.npz").pixels.shape == (18, 22)


def test_several_images_are_a_question(tmp_path):
    medmnist(tmp_path / "a.npz")
    with pytest.raises(AmbiguousScan, match="holds 7 images in test_images, train_images"):
        read(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", images=np.stack([GREY, GREY + 1]))
    with pytest.raises(AmbiguousScan, match="index=0"):
        read(tmp_path / "b.npz")
    np.testing.assert_array_equal(read(tmp_path / "b.npz", index=1).pixels, GREY + 1)
    with pytest.raises(ScanError, match="number 2 was asked for"):
        read(tmp_path / "b.npz", index=2)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_objects_are_never_unpickled(tmp_path, name):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    objects = np.empty(1, object)
    objects[0] = Bomb()
    assert b"unpickled" in pickle.dumps(objects)
    (np.save if name == "a.npy" else np.savez)(tmp_path / name, objects, allow_pickle=True)
    with pytest.raises(ScanError, match="Python objects or text"):
        read(tmp_path / name)


@pytest.mark.parametrize("pixels", [np.array([["a", "b"]]), np.zeros(3, "V4"), GREY.astype("M8[s]"), GREY * 1j])
def test_what_is_no_number_is_refused(tmp_path, pixels):
    with pytest.raises(ScanError):
        read(save(tmp_path / "a.npy", pixels))


def test_a_forged_shape_is_refused(tmp_path):
    path = save(tmp_path / "a.npy", np.ones((11, 22)))
    path.write_bytes(path.read_bytes().replace(b"(11, 22), }    ", b"(99911, 99922)}"))
    with pytest.raises(ScanError, match=r"claims 79\.9 GB of pixels"):
        read(path)


def test_an_archive_without_pictures_says_so(tmp_path):
    np.savez(tmp_path / "a.npz", train_labels=np.ones(3))
    assert not find(tmp_path).sources
    with pytest.raises(ScanError, match="holds no array that is an image"):
        read(tmp_path / "a.npz")


def test_an_archive_of_nothing_is_named(tmp_path):
    np.savez(tmp_path / "nothing.npz")
    np.save(tmp_path / "image.npy", GREY)
    found = find(tmp_path)
    assert len(found.sources) == 1
    assert ["nothing.npz: holds no array" in str(problem) for problem in found.problems] == [True]


def test_a_damaged_archive_is_a_problem_and_no_more(tmp_path):
    medmnist(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:300])
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 not an archive")
    found = find(tmp_path)
    assert [source.path.name for source in found.sources] == ["a.npz"] * 7
    assert [problem.path.name for problem in found.problems] == ["b.npz", "c.npz"]


@pytest.mark.parametrize(
    "fourth", [np.full((9, 8), 700, np.int16), np.full((9, 8), -1, np.int32), np.linspace(0, 900.0, 72).reshape(9, 8)]
)
def test_a_fourth_contrast_is_no_transparency(tmp_path, fourth):
    pixels = np.stack([GREY[:9, :8], GREY[:9, :8] + 1, GREY[:9, :8] + 2, fourth], axis=-1)
    with pytest.raises(ScanError, match=r"array \(9, 8, 4\): 4 channels found"):
        read(save(tmp_path / "a.npy", pixels))


def test_transparency_that_hides_something_is_noted(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (9, 8, 4), dtype=np.uint8)
    assert read(save(tmp_path / "a.npy", pixels)).notes == (Note("alpha-dropped"),)
    pixels[..., 3] = 255
    assert read(save(tmp_path / "b.npy", pixels)).notes == ()
    assert read(save(tmp_path / "c.npy", pixels / np.float32(255))).notes == ()
