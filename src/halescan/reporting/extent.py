"""How much of what was looked at is strange: where it is most of it, a map points nowhere and says so."""

from dataclasses import replace

import numpy as np

from halescan.types import ScanResult

#: Share of the examined places above the map's threshold beyond which regions are no longer told apart. Healthy scans
#: have about 1 - map_quantile (0.5 %) above it; beyond two thirds, "unusual" describes the scan and no place on it.
MOST = 2 / 3
#: The same where regions have no p-value: then nobody knows how much of it healthy cases of this kind show as well.
MOST_UNCALIBRATED = 1 / 3


def share_above(result: ScanResult, threshold: float | None) -> float | None:
    """Share of the examined places where the map reaches its threshold; None without a map, threshold or place."""
    if result.map is None or threshold is None:
        return None
    looked = np.ones(result.map.shape, bool) if result.mask is None else np.asarray(result.mask, bool)
    places = int(np.count_nonzero(looked))
    return np.count_nonzero((result.map >= threshold) & looked) / places if places else None


def useless_share(result: ScanResult, threshold: float | None) -> float | None:
    """The share above the threshold where it is so large that the map points nowhere; else None.

    It counts all regions together, so that an organ cut in two by a thin healthy seam counts as one.
    """
    share = share_above(result, threshold)
    known = not result.findings or any(finding.p_value is not None for finding in result.findings)
    return share if share is not None and share > (MOST if known else MOST_UNCALIBRATED) else None


def as_told(result: ScanResult, threshold: float | None) -> ScanResult:
    """The scan as a report tells of it: without regions where the map points nowhere."""
    if not result.findings or useless_share(result, threshold) is None:
        return result
    return replace(result, findings=())
