"""Things that never were: phantoms, planted lesions, made-up cohorts."""

from halescan.synthesis.cohort import PhantomFolders, write_cohort, write_test_set
from halescan.synthesis.lesions import plant_lesion
from halescan.synthesis.phantoms import chest_slice, chest_volume, chest_xray

__all__ = [
    "PhantomFolders",
    "chest_slice",
    "chest_volume",
    "chest_xray",
    "plant_lesion",
    "write_cohort",
    "write_test_set",
]
