"""The ways beside each other as the table of the documentation."""

from __future__ import annotations

from typing import Any

HEAD = (
    "load", "way", "messages/s", "readings/s", "lost", "p50; p99, ms", "CPU µs a reading", "MB",
    "bytes a reading", "one series; by the minute; its last, ms",
)  # fmt: skip


def markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Where and when, then the table."""
    turns = [one["runs"] for one in rows if one.get("messages_per_s")]
    versions = ", ".join(f"{name}: {text}" for name, text in about["versions"].items())
    said = f"{about['date']}, {about['cores']} cores of {about['cpu']}, {versions}. Load before: "
    said += f"{about['load_average']}, after: {about['load_average_after']}. "
    said += f"Medians of {min(turns, default=0)} to {max(turns, default=0)} turns.\n"
    return "\n".join([said, _line(HEAD), "|---" * len(HEAD) + "|", *map(_row, rows)])


def _row(one: dict[str, Any]) -> str:
    load, way = one["load"], one["way"]
    if one.get("note"):
        return _line((load, way, one["note"], *[""] * (len(HEAD) - 3)))
    asked, size = one.get("query_ms"), one.get("bytes_per_reading")
    delays = [one["p50_ms"], one["p99_ms"]]
    return _line(
        (
            load,
            way,
            f"{one['messages_per_s']:,.0f}",
            f"{one['readings_per_s']:,.0f}",
            f"{one['lost']:,.0f} of {one['sent']:,.0f}" if one["lost"] else "0",
            "-" if None in delays else "; ".join(f"{one:,.1f}" for one in delays),
            f"{1e6 * one['cpu_s'] / max(one['sent'] - one['lost'], 1):.2f}",
            f"{one['rss_mb']:,.0f}",
            "-" if size is None else f"{size:.1f}",
            "-" if asked is None else "; ".join(f"{took:.1f}" for took in asked.values()),
        )
    )


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
