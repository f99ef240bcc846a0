"""The page over fakes or PostgreSQL, as an application."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx
from litestar import Litestar

from adapters.memory.overview import MemoryOverview
from domain.cron import CronDialect
from domain.lookout.lookout import Lookout
from entrypoints.page.access import Access
from entrypoints.page.app import create_page
from entrypoints.page.here import Here
from entrypoints.page.state import Wellness
from ports.overview import Overview
from tests.rpc.serving import World

TOKEN = "tökén-1"


@dataclass
class PageWorld:
    """What stands around the page. `token` and `embedded` are what an operator sets."""

    world: World
    overview: Overview
    token: str | None = None
    embedded: bool = True
    stopping: Callable[[], bool] = field(default=lambda: False)

    def app(self) -> Litestar:
        """Return the application, RPC and page."""
        world = self.world
        lookout = Lookout(jobs=world.jobs, ledger=world.ledger, overview=self.overview, clock=world.clock)
        page = create_page(
            lookout=lambda: lookout,
            access=Access(token=self.token, open_without_token=self.embedded, key=b"0" * 32),
            wellness=Wellness(health=lambda: world.stuck, ready=world.ready),
            here=Here("UTC", CronDialect.STANDARD, world.clock.now),
            stopping=self.stopping,
        )
        return world.app(page=page, rpc_token=self.token)


def over_memory(world: World, **options: Any) -> PageWorld:
    """Return the page over the fakes."""
    jobs, ledger = world.jobs, world.ledger
    overview = MemoryOverview(jobs, ledger=ledger, clock=world.clock)  # type: ignore[arg-type]  # the fakes' own
    return PageWorld(world, overview, **options)


def form_token(html: str) -> str:
    """Return what a page's form carries."""
    found = re.search(r'name="form_token" value="([0-9a-f]{64})"', html)
    assert found is not None, html
    return found[1]


async def act(client: httpx.AsyncClient, path: str, confirmation: str, **fields: str) -> httpx.Response:
    """Open a confirmation and send its form."""
    asked = await client.get(confirmation)
    assert asked.status_code == 200, asked.text
    return await client.post(path, data={"form_token": form_token(asked.text), **fields})


class Elements(HTMLParser):
    """The elements and attributes of a page, as a browser would have them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        self.tags.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each such element."""
        return [attributes for name, attributes in self.tags if name == tag]
