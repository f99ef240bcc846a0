"""The page's part of the application: its routes under `/ui`, its templates, and what they are given."""

from collections.abc import Callable, Mapping
from typing import Any

from litestar import Router
from litestar.connection import Request
from litestar.di import Provide
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from domain.lookout.lookout import Lookout
from entrypoints.page import assets, cron, firings, login, overview, schedule, schedules
from entrypoints.page.access import Access, Visitor
from entrypoints.page.answers import REFUSALS, Assets, environment, secured
from entrypoints.page.here import Here
from entrypoints.page.live import LiveFirings
from entrypoints.page.state import Wellness
from entrypoints.rpc.app import Page
from entrypoints.rpc.authentication import PUBLIC

_LARGEST_FORM = 64 * 1024


def create_page(
    *,
    lookout: Callable[[], Lookout],
    access: Access,
    wellness: Wellness,
    here: Here,
    stopping: Callable[[], bool],
) -> Page:
    """Return the page over providers of its use cases.

    Following live ends when `stopping` says so.
    """
    files = Assets()
    env = environment(files, needs_token=access.needs_token, service_timezone=here.timezone)
    live = LiveFirings(env, stopping=stopping)

    def visitor(request: Request[Any, Any, Any]) -> Visitor:
        return access.visitor(request)

    provided: Mapping[str, Callable[..., Any]] = {
        "lookout": lookout,
        "visitor": visitor,
        "access": lambda: access,
        "files": lambda: files,
        "live": lambda: live,
        "here": lambda: here,
        "wellness": lambda: wellness,
    }
    router = Router(
        path="/ui",
        route_handlers=[
            *assets.HANDLERS,
            *overview.HANDLERS,
            *schedules.HANDLERS,
            *schedule.HANDLERS,
            *firings.HANDLERS,
            *cron.HANDLERS,
            *login.HANDLERS,
        ],
        dependencies={name: Provide(value, sync_to_thread=False) for name, value in provided.items()},
        exception_handlers=REFUSALS,
        after_request=secured,
        request_class=Request,
        request_max_body_size=_LARGEST_FORM,
        include_in_schema=False,
        opt={PUBLIC: True},  # the page asks for the token in its own way
    )
    return Page(router, TemplateConfig(instance=JinjaTemplateEngine.from_environment(env)))
