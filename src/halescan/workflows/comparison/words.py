"""Words of a comparison: sentences that may be published, without the names of files and folders."""

import re

_FILE = re.compile(
    r"""(?:[^\s'"]*[/\\][^\s'"]*                                   # anything with a folder in it
        |[^\s:;,()'"]+\.(?:dcm|png|jpe?g|tiff?|bmp|np[yz]|nii(?:\.gz)?|mha|mhd|nrrd|csv|tsv|json|toml|txt))""",
    re.VERBOSE | re.IGNORECASE,
)


def without_files(sentence: str) -> str:
    """A sentence in which names of files, which may be after patients, have become "…"."""
    return _FILE.sub(lambda found: "…" + (":" if found[0].endswith(":") else ""), sentence)
