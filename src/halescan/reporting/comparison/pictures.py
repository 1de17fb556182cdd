"""Pictures of a set: the worst false alarms and misses of its leading method."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup


def pictures_view(told: Mapping[str, Any], ranking: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    views = [
        {
            **picture,
            "uri": Markup("data:image/jpeg;base64," + base64.b64encode(picture["bytes"]).decode("ascii")),
            "caption": _picture_words(picture),
        }
        for picture in told["pictures"]
    ]
    first = next(line for line in ranking if line["method"] == told["method"])
    return {
        "method": told["method"],
        "why": ", the best that is no baseline" if (first["rank"] or 1) > 1 and not first["baseline"] else "",
        "alarms": [view for view in views if view["kind"] == "false-alarm"],
        "misses": [view for view in views if view["kind"] == "miss"],
    }


def _picture_words(picture: Mapping[str, Any]) -> str:
    p = picture["p_value"]
    said = f"rank {picture['rank']} of {picture['of']}"
    said += "" if p is None else f", p = {p:.3f}"
    return said + {"above": ", above the threshold", "not-above": ", below the threshold"}.get(picture["decision"], "")
