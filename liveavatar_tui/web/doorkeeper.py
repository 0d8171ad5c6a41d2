"""Who may come in: a token in the first address, then a cookie; requests under other names are turned away.

A page of another site cannot come in with the cookie: it is for this site only, and a request's host and origin must be
ours. Knows aiohttp's requests and nothing of what is served.
"""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from lora_repository.i18n import _

COOKIE: Final = "liveavatar-token"
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # Nothing from elsewhere: the page's own fonts are served with it, and a host without internet must not wait.
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval';"
    " style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; img-src 'self' data:; font-src 'self' data:",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Doorkeeper:
    """Knows the token, and the host names that this server answers to."""

    def __init__(self, token: str, host: str) -> None:
        self._token = token
        self._hosts = LOOPBACK | {host}

    def middleware(self) -> Middleware:
        """What stands before every handler."""

        @web.middleware
        async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._is_ours(request):
                raise web.HTTPForbidden(text=_("This server does not answer to that name."), headers=_HEADERS)
            if "token" in request.query and request.path == "/":
                return self._let_in(request)
            if not self._knows(request.cookies.get(COOKIE, "")):
                raise web.HTTPForbidden(
                    text=_("Open the address that `liveavatar-tui serve` printed: the token is in it."),
                    headers=_HEADERS,
                )
            answer = await handler(request)
            if not answer.prepared:
                answer.headers.update(_HEADERS)
            return answer

        return keep

    def _let_in(self, request: web.Request) -> web.StreamResponse:
        """Exchange the token for a cookie, so that it stays in no address and no history."""
        if not self._knows(request.query["token"]):
            raise web.HTTPForbidden(text=_("That token is not the one of this server."), headers=_HEADERS)
        answer = web.HTTPSeeOther("/", headers=_HEADERS)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="Strict", path="/")
        raise answer

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())

    def _is_ours(self, request: web.Request) -> bool:
        """Host and, where a page asks, its origin: a name that leads here by a trick in the DNS is not ours."""
        if urlsplit(f"//{request.host}").hostname not in self._hosts:
            return False
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == request.host
