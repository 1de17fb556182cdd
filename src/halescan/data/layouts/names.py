"""Names: what the published file names of well-known sets say of the patient."""

import re

_PATTERNS = (
    # BMAD's and MedIAnomaly's slices of BraTS 2021: case, slice
    re.compile(r"(?P<patient>\d{5})_\d{1,3}"),
    re.compile(r"(?P<patient>BraTS2021_\d{5})_\w+"),
    # Kermany et al. 2018: children's chest X-rays as first published. Persons with a viral and with a bacterial
    # pneumonia are counted apart: running numbers recur between the causes (874 of 3390) and never within one.
    re.compile(r"(?P<patient>person\d+_(?:virus|bacteria))_\d+(?:_\d+)?", re.IGNORECASE),
    re.compile(r"(?P<patient>(?:NORMAL2-)?IM-\d+)-\d+(?:-\d+)?", re.IGNORECASE),
    # and as published later, with their retinal OCT: disease, patient, image
    re.compile(r"(?:NORMAL|VIRUS|BACTERIA|CNV|DME|DRUSEN)-(?P<patient>\d+)-\d+", re.IGNORECASE),
)


def patient_of(stem: str) -> str | None:
    """The patient that a published file name names, from its stem; None for any other name."""
    found = (pattern.fullmatch(stem) for pattern in _PATTERNS)
    return next((match["patient"] for match in found if match), None)
