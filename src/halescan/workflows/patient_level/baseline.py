"""The bar that every method has to clear: the share of red pixels of a stained patch, with nothing learned."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from halescan.data.ahead import ahead
from halescan.data.item import Item
from halescan.data.stain import red_mask
from halescan.errors import HalescanError, OutputError
from halescan.io import read
from halescan.workflows.patient_level.decide import DETECTOR, Judgement, Rules, judge
from halescan.workflows.patient_level.learn import Answers
from halescan.workflows.patient_level.plan import LeftOut
from halescan.workflows.patient_level.study import Patches, Study

RED = "red-count"


def red_shares(items: Sequence[Item], *, jobs: int) -> list[np.ndarray | None]:
    """Share of red pixels of each scan, one number a slice `(z,)` or `(1,)`; None without colour.

    Pixels are those of the file, not of the prepared image: what is looked for may be smaller than a prepared pixel.
    """
    return list(ahead(_red_of, items, jobs=jobs, most=4 * jobs))


def red_of_patches(items: Sequence[Item], patches: Patches, folder: Path, *, jobs: int) -> np.ndarray | None:
    """`(n,)` share of red pixels of each patch, kept in `folder`; None unless all are in colour.

    Raises:
        OutputError: if it cannot be kept.
    """
    kept = folder / "red.npy"
    try:
        found: np.ndarray = np.load(kept, allow_pickle=False)
        if found.shape == (len(patches),):
            return found
    except (OSError, ValueError, EOFError):
        pass
    used = np.unique(patches.item).tolist()
    shares = dict(zip(used, red_shares([items[at] for at in used], jobs=jobs), strict=True))
    if any(share is None for share in shares.values()):
        return None
    found = np.array(
        [shares[int(item)][max(0, int(place))] for item, place in zip(patches.item, patches.slice_index, strict=True)]  # type: ignore[index]
    )
    draft = kept.with_name(f".{kept.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as sink:
            np.save(sink, found)
        draft.replace(kept)
    except OSError as error:
        raise OutputError(f"{kept}: cannot be written ({error.strerror}); choose another --out") from error
    finally:
        draft.unlink(missing_ok=True)
    return found


def judge_untaught(
    name: str,
    raw: np.ndarray,
    study: Study,
    patches: Patches,
    fold: np.ndarray,
    answers: Mapping[LeftOut, Answers],
    rules: Rules,
) -> Judgement:
    """What a number `(n,)` of each patch says by itself, with scale, cuts and p-values as the methods have them."""
    nobody = np.empty(0, np.intp)
    said = {
        job: replace(
            one,
            detector=raw[one.where],
            classifier=np.full(len(one.where), np.nan),
            patients=nobody,
            bags=np.empty(0),
        )
        for job, one in answers.items()
    }
    return replace(judge(study, patches, fold, said, rules)[0][DETECTOR], name=name)


def _red_of(item: Item) -> np.ndarray | None:
    try:
        scan = read(item.source)
        red = red_mask(scan.pixels) if scan.colour else None
    except HalescanError:
        return None
    return None if red is None else np.atleast_1d(red.mean(axis=(-2, -1)))
