"""The whole dashboard as one ASGI application: what stands behind which address."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from anyio import create_task_group, sleep
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from ...model import StoreError
from . import (
    api,
    asked,
    batch,
    changing,
    deciding,
    events,
    history,
    inbox,
    login,
    pictures,
    stopping,
)
from .context import Context
from .guard import Guard
from .pages import FOLDER, looked_up

SECONDS_BETWEEN_SWEEPS = 30.0
_log = logging.getLogger(__name__)


def web(context: Context) -> Starlette:
    """Return the dashboard; the guard stands in front of every address."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with create_task_group() as tasks:
            tasks.start_soon(_sweep, context)
            yield
            tasks.cancel_scope.cancel()

    made = Starlette(
        routes=routes(),
        middleware=[Middleware(Guard, context=context)],
        exception_handlers={HTTPException: _pass_on},
        lifespan=lifespan,
    )
    made.state.context = context
    return made


def routes() -> list[BaseRoute]:
    """Return every address."""
    reviewing = [*inbox.routes, *asked.routes, *deciding.routes, *changing.routes, *batch.routes]
    looking = [*events.routes, *history.routes, *pictures.routes, *stopping.routes]
    found = [*login.routes, *reviewing, *looking, *api.routes]
    return [*found, Mount("/static", StaticFiles(directory=FOLDER / "static"))]


async def _sweep(context: Context) -> None:
    """Write down what time has done, also while nobody looks."""
    while True:
        try:
            await looked_up(context.store.sweep)
        except StoreError as error:
            _log.error("%s", error)
        await sleep(SECONDS_BETWEEN_SWEEPS)


async def _pass_on(_: Request, error: Exception) -> Response:
    """Leave it to the guard, which makes a page of every problem."""
    raise error
