"""What everybody may read without a token: health, metrics, the interface's description, and what problems mean."""

import os
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis import docs_page
from chassis.edge import Exchange
from chassis.health import Health
from chassis.problems import PAGES, Problem, catalogue, title_of
from chassis.representation import as_json

Serve = Callable[[Request], Awaitable[Response]]


def routes(health: Health, document: Mapping[str, Any]) -> list[Route]:
    """The routes."""

    async def livez(_: Request) -> Response:
        return as_json({"status": "alive"})

    async def readyz(_: Request) -> Response:
        reasons, degraded = await health.unready(), health.degraded()
        status = "not ready" if reasons else "degraded" if degraded else "ready"
        said = {"status": status, "process": os.getpid(), "reasons": reasons, "degraded": degraded}
        return as_json(said, 503 if reasons else 200)

    async def metrics(_: Request) -> Response:
        await health.unready()
        health.measure()
        return Response(generate_latest(health.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def describe(_: Request) -> Response:
        return JSONResponse(document)

    async def explain(_: Request) -> Response:
        return HTMLResponse(docs_page.page(document))

    async def welcome(_: Request) -> Response:
        return RedirectResponse("/docs", 307)

    return [
        _route("/", welcome),
        _route("/livez", livez),
        _route("/readyz", readyz),
        _route("/metrics", metrics),
        _route("/openapi.json", describe),
        _route("/docs", explain),
        _route(PAGES + "{slug}", _problem_page),
    ]


def _route(path: str, serve: Serve) -> Route:
    async def named(request: Request) -> Response:
        Exchange.of(request.scope).route = path
        return await serve(request)

    return Route(path, named, include_in_schema=False)


async def _problem_page(request: Request) -> Response:
    slug = request.path_params["slug"]
    status, meaning = catalogue().get(slug, (0, ""))
    if not status:
        raise Problem(404, "unknown-path")
    if "text/html" not in request.headers.get("accept", ""):
        return as_json({"type": PAGES + slug, "title": title_of(slug), "status": status, "meaning": meaning})
    title = escape(title_of(slug))
    return HTMLResponse(
        f'<!doctype html><html lang="en"><title>{title}</title><h1>{title}</h1>'
        f"<p>HTTP status {status}</p><p>{escape(meaning)}</p></html>"
    )
