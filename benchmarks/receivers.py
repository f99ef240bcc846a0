"""Receivers for `python:`: they do nothing, as quickly as can be."""

from typing import Any


async def no_op(**kwargs: Any) -> dict[str, str]:
    """Take the execution."""
    return {"id": kwargs["graph_id"]}
