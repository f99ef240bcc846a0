"""Lag as an SVG: how soon a rush is done, and how late single firings are."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from benchmarks.measured import Measured

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 720, 240, 70, 50, 90
_COLOURS = ("#0a7d4f", "#c0392b", "#d98e04", "#2c5aa0")
_DECADES = range(-4, 4)  # lags from 0.1 ms to 1000 s
_POINTS = 400


def draw(kept: Mapping[str, Mapping[str, Measured]], path: Path) -> None:
    """Write a panel for each of `kept`."""
    parts = []
    for number, (title, runs) in enumerate(kept.items()):
        top = _TOP + number * (_HEIGHT + _GAP)
        parts += _frame(title, top, sparse="second" in title)
        for colour, (name, run) in zip(_COLOURS, runs.items(), strict=False):
            parts += _sparse(run, top, colour) if "second" in title else _rush(run, top, colour)
            y = top + 16 * (1 + list(runs).index(name))
            parts.append(_text(_LEFT + _WIDTH + 15, y, name, colour=colour))
    height = _TOP + len(kept) * (_HEIGHT + _GAP)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 260}" height="{height}"'
        ' font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
    )
    path.write_text("\n".join([head, *parts, "</svg>\n"]))


def _frame(title: str, top: int, *, sparse: bool) -> list[str]:
    bottom = top + _HEIGHT
    parts = [
        f'<rect x="{_LEFT}" y="{top}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>',
        _text(_LEFT, top - 12, title, bold=True),
    ]
    for decade in _DECADES:
        label = f"{10.0**decade:g} s" if decade >= 0 else f"{10.0 ** (decade + 3):g} ms"
        if sparse:
            parts.append(_text(8, _lag_y(10.0**decade, top), label))
        else:
            x = _lag_x(10.0**decade)
            parts.append(f'<line x1="{x:.0f}" y1="{top}" x2="{x:.0f}" y2="{bottom}" stroke="#eee"/>')
            parts.append(_text(x - 12, bottom + 16, label))
    if sparse:
        parts.append(_text(_LEFT, bottom + 16, "lag of each firing, over the time of the run"))
    else:
        parts += [_text(8, _share_y(share, top), f"{share:.0%}") for share in (0.0, 0.5, 1.0)]
        parts.append(_text(_LEFT, bottom + 34, "share of all schedules that had fired so long after they came due"))
    return parts


def _rush(run: Measured, top: int, colour: str) -> list[str]:
    lags = sorted(run.lags)
    step = max(1, len(lags) // _POINTS)
    points = [
        (_lag_x(lag), _share_y((index + 1) / run.expected, top))
        for index, lag in enumerate(lags)
        if index % step == 0 or index == len(lags) - 1
    ]
    return [_line(points, colour)] if points else []


def _sparse(run: Measured, top: int, colour: str) -> list[str]:
    if not run.offsets:
        return []
    scale = _WIDTH / max(run.offsets[-1], 1.0)
    return [
        f'<circle cx="{_LEFT + offset * scale:.1f}" cy="{_lag_y(lag, top):.1f}" r="2.5" fill="{colour}"/>'
        for offset, lag in zip(run.offsets, run.lags, strict=True)
    ]


def _position(lag: float) -> float:
    """Return where a lag lies between the first decade and the last, on a logarithmic scale."""
    low, high = _DECADES[0], _DECADES[-1]
    return (min(max(math.log10(max(lag, 1e-9)), low), high) - low) / (high - low)


def _lag_x(lag: float) -> float:
    return _LEFT + _position(lag) * _WIDTH


def _lag_y(lag: float, top: int) -> float:
    return top + _HEIGHT * (1 - _position(lag))


def _share_y(share: float, top: int) -> float:
    return top + _HEIGHT * (1 - share)


def _line(points: Sequence[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _text(x: float, y: float, text: str, *, colour: str = "#333", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}"{weight}>{escape(text)}</text>'
