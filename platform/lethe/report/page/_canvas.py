"""How the page's figures look: colours, axes, and the JSON that plotly draws in the browser.

Colours are named as the page's CSS variables and resolved when a figure is drawn, so that both themes have their own.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import plotly.graph_objects as go

SURFACE: Final = "var(--surface)"
INK: Final = "var(--ink)"
MUTED: Final = "var(--muted)"
GRID: Final = "var(--rule)"
UNLEARNED: Final = "var(--unlearned)"
ORACLE: Final = "var(--oracle)"
BAND: Final = "var(--oracle-band)"
GOOD: Final = "var(--good)"
BAD: Final = "var(--bad)"

DIGITS: Final = 4
"""Significant digits of the numbers that are drawn."""

_AXIS: Final = {"gridcolor": GRID, "zeroline": False, "linecolor": GRID, "title": {"font": {"size": 12}, "standoff": 8}}

SHARED: Final = {
    "height": 270,
    "margin": {"l": 48, "r": 10, "t": 8, "b": 44},
    "paper_bgcolor": SURFACE,
    "plot_bgcolor": "rgba(0,0,0,0)",
    "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "size": 12, "color": MUTED},
    "hoverlabel": {"bgcolor": SURFACE, "bordercolor": GRID, "font": {"color": INK, "size": 12}},
    "hovermode": "closest",
    "dragmode": False,
    "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": GRID, "activecolor": INK},
    "showlegend": False,
    "xaxis": {**_AXIS, "showline": True, "ticks": "outside", "ticklen": 4, "tickcolor": GRID},
    "yaxis": _AXIS,
    "template": {
        "layout": {
            "annotationdefaults": {"showarrow": False, "font": {"size": 11}},
            "shapedefaults": {"line": {"color": MUTED, "width": 1}},
        }
    },
}
"""The layout of a figure that says nothing else; a page holds it once, and a figure its own beside it."""

LOG_SPAN: Final = 20.0
"""Ratio of the largest to the smallest value above which an axis is logarithmic."""


def in_points(gap: float | None) -> float | None:
    """Return a gap in points; None where there is none."""
    return None if gap is None else 100 * gap


def spans_decades(values: Sequence[float]) -> bool:
    """Return whether values are positive and so far apart that their axis is logarithmic."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= LOG_SPAN


def log_axis(values: Sequence[float]) -> dict[str, Any]:
    """Return the options of a logarithmic axis that holds these values, with ticks that people read."""
    low, high = math.log10(min(values, default=1.0)), math.log10(max(values, default=1.0))
    low, high = (low - 0.1, high + 0.1) if high - low > 0.3 else (low - 0.5, high + 0.5)
    steps = (1, 3) if high - low > 0.8 else (1, 1.5, 2, 3, 5, 7)
    ticks = [float(f"{step}e{decade}") for decade in range(math.floor(low), math.ceil(high)) for step in steps]
    return {"type": "log", "range": [low, high], "tickvals": ticks, "tickangle": 0}


def figure_json(figure: go.Figure, *, height: int | None = None, margin: Mapping[str, int] | None = None) -> str:
    """Write what is a figure's own, as JSON that is safe in a script element; the page adds `SHARED` to it."""
    own = json.loads(figure.to_json())
    del own["layout"]["template"]
    own["layout"] |= {name: value for name, value in (("height", height), ("margin", margin)) if value is not None}
    for trace in own["data"]:
        if trace["type"] == "scatter":
            del trace["type"]
    return script_json(json.dumps(_rounded(own), separators=(",", ":")))


def shared_json() -> str:
    """Write what all figures share, as JSON that is safe in a script element."""
    return script_json(json.dumps(SHARED, separators=(",", ":")))


def _rounded(value: Any) -> Any:
    """Round every number to as many digits as an eye can see: a page has thousands of points."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value


def script_json(text: str) -> str:
    """Write JSON so that nothing in it can end the script element that holds it."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
