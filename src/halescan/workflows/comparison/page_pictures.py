"""Pictures for the page of a comparison: those of the leading method of each set."""

from collections.abc import Mapping, Sequence
from typing import Any

from halescan.workflows.comparison.done import Done, by_row
from halescan.workflows.comparison.ranking import leading


def pictures_of(record: Mapping[str, Any], done: Sequence[Done]) -> dict[str, dict[str, Any]]:
    """For each set the pictures of its leading method: `{"method", "pictures": [{..., "bytes"}]}`."""
    found: dict[str, dict[str, Any]] = {}
    rows = by_row(done)
    for one in record["sets"]:
        for line in leading(one["ranking"]):
            cell = next((cell for cell in rows[one["name"], line["method"]] if cell.cell.seed == 0), None)
            told = [] if cell is None else cell.file("pictures/pictures.json").get("pictures", [])
            if cell is not None and cell.folder is not None and told:
                pictures = [{**each, "bytes": (cell.folder / "pictures" / each["file"]).read_bytes()} for each in told]
                found[one["name"]] = {"method": line["method"], "pictures": pictures}
                break
    return found
