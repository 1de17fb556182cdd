"""What a raw scan looks like in a dozen numbers, for telling one site, protocol or patient mix from another."""

import numpy as np

from halescan.data.intensity import ranked, ranked_quantiles
from halescan.types import Scan

_ENOUGH = 16_384  # grey values looked at: their quantiles are then good to 1 %
_BINS = 64
_WORDS = ("Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "ViewPosition", "ScanningSequence")
_NUMBERS = ("KVP", "SliceThickness", "MagneticFieldStrength", "EchoTime", "RepetitionTime", "InversionTime")


def scan_facts(scan: Scan, grey: np.ndarray, mask: np.ndarray) -> dict[str, float | str]:
    """Numbers and words of one scan, in its own unit and before any normalisation.

    Args:
        scan: The scan.
        grey: Its grey values, `scan.shape`.
        mask: Where the profile looks, `scan.shape` bool.

    Returns:
        `mean`, `std`, `p05`, `p50`, `p95` of the grey values; `entropy` in bits of their histogram over their own
        range, in [0, 6]; `height`, `width`, `depth` in voxels; `aspect` (width by height); `mask_share` in [0, 1];
        where spacing is known, `spacing_mm` in the plane and, for a volume, `slice_spacing_mm`; and what the header
        says of the machine and its protocol: words (`modality`, `Manufacturer` ...) and numbers (`KVP` ...).
    """
    flat = grey.reshape(-1)
    rising = ranked(flat[:: max(1, flat.size // _ENOUGH) | 1])  # an odd stride: it does not follow columns
    p05, p50, p95 = ranked_quantiles(rising, (0.05, 0.5, 0.95))
    values = rising.astype(np.float64)
    height, width = scan.shape[-2:]
    facts: dict[str, float | str] = {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "p05": float(p05),
        "p50": float(p50),
        "p95": float(p95),
        "entropy": _entropy(values),
        "height": float(height),
        "width": float(width),
        "depth": float(scan.shape[0] if scan.dims == 3 else 1),
        "aspect": width / height,
        "mask_share": float(np.count_nonzero(mask) / mask.size),
    }
    if scan.spacing_mm is not None:
        facts["spacing_mm"] = float(np.sqrt(scan.spacing_mm[-2] * scan.spacing_mm[-1]))
        if scan.dims == 3:
            facts["slice_spacing_mm"] = float(scan.spacing_mm[0])
    facts["spacing"] = "unknown" if scan.spacing_mm is None else "known"
    if scan.modality:
        facts["modality"] = scan.modality
    facts |= {name: str(scan.header[name]) for name in _WORDS if scan.header.get(name)}
    facts |= {name: float(value) for name in _NUMBERS if isinstance(value := scan.header.get(name), int | float)}
    return facts


def _entropy(rising: np.ndarray) -> float:
    """Shannon entropy in bits of a histogram over the values' own range; they come in rising order."""
    low, high = rising[0], rising[-1]
    if low == high:
        return 0.0
    edges = np.linspace(low, high, _BINS + 1)
    counts = np.diff(np.searchsorted(rising, edges[1:-1]), prepend=0, append=rising.size)
    shares = counts[counts > 0] / rising.size
    return float(-(shares * np.log2(shares)).sum()) + 0.0
