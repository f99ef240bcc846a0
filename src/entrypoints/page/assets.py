"""The files that pages load."""

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response

from entrypoints.page.answers import Assets


@get("/page.css", sync_to_thread=False)
def style(files: NamedDependency[Assets]) -> Response[bytes]:
    """Return the style."""
    return files.answer("page.css")


@get("/page.js", sync_to_thread=False)
def script(files: NamedDependency[Assets]) -> Response[bytes]:
    """Return the script."""
    return files.answer("page.js")


@get("/icon.svg", sync_to_thread=False)
def icon(files: NamedDependency[Assets]) -> Response[bytes]:
    """Return the icon."""
    return files.answer("icon.svg")


HANDLERS = [style, script, icon]
