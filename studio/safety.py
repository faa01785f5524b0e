"""What keeps others out: the name that is asked for, a token, a CSRF token on each change, limits, headers.

The studio starts trainings and reads pictures, so a page of some other site must not be able to use it
through the browser of its user. Each request passes here before it reaches a room.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections import deque
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studio.settings import LOOPBACK, Settings

CSRF = "studio_csrf"
SESSION = "studio_session"
FIELD = "csrf"  # in forms, in those with a file the first; htmx sends it as the header
HEADER = "x-csrf-token"
LARGEST_FORM = 1 << 20  # bytes
FIRST_FIELD = 4096  # bytes of a form with a file, in which its first field is
_FIRST = re.compile(rb'--[^\r\n]+\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n([\w-]+)\r\n')
SAFE = ("GET", "HEAD")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Reports have their style and pictures inside, and no scripts.
POLICY_OF_REPORTS = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)


class Guard:
    """ASGI middleware around all rooms.

    Args:
        app: the rooms.
        settings: address and token.
        largest: bytes of a body by the beginning of the path, where it may be larger than a form.
    """

    def __init__(self, app: ASGIApp, settings: Settings, largest: dict[str, int] | None = None) -> None:
        self._app, self._settings, self._largest = app, settings, largest or {}
        self._session = hmac.new(settings.token.encode(), b"studio", sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        refusal = self._refusal(scope, headers, cookies)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send, ""))
            return
        csrf = cookies.get(CSRF, "")
        is_new = len(csrf) < 32
        if is_new:
            csrf = secrets.token_urlsafe(32)
        scope["csrf"] = csrf
        limit = self._limit(scope["path"])
        if scope["method"] not in SAFE:
            has_file = limit != LARGEST_FORM  # which is not kept in memory
            begun = await _begun(receive, FIRST_FIELD if has_file else limit)
            body = b"".join(message.get("body", b"") for message in begun)
            if len(body) > limit:
                await _too_large(limit)(scope, receive, _with_headers(send, ""))
                return
            given = headers.get(HEADER) or (_first_field(body) if has_file else _field(body))
            if is_new or not hmac.compare_digest(given.encode(), csrf.encode()):
                text = "this page is too old, or the request is not from it; load the page again"
                await PlainTextResponse(text, 403)(scope, receive, _with_headers(send, ""))
                return
            receive = _limited(_again(begun, receive), limit)
        cookie = f"{CSRF}={csrf}; Path=/; HttpOnly; SameSite=Strict" if is_new else ""
        await self._app(scope, receive, _with_headers(send, cookie))

    def _refusal(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        """What to answer a request that must not reach a room; None if it may."""
        host, length = headers.get("host", ""), headers.get("content-length", "0")
        origin, limit = headers.get("origin"), self._limit(scope["path"])
        if not self._settings.token and urlsplit(f"//{host}").hostname not in LOOPBACK:
            # A name of another site that leads here (DNS rebinding).
            return PlainTextResponse("the studio answers to 127.0.0.1 and localhost alone", 403)
        if scope["method"] not in SAFE and origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("another site asked for this", 403)
        if not length.isdigit() or int(length) > limit:
            return _too_large(limit)
        return self._without_session(scope, cookies) if self._settings.token else None

    def _without_session(self, scope: Scope, cookies: dict[str, str]) -> Response | None:
        if hmac.compare_digest(cookies.get(SESSION, "").encode(), self._session.encode()):
            return None
        if scope["path"] == "/enter":
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if hmac.compare_digest(given.encode(), self._settings.token.encode()):
                entered = RedirectResponse("/", 303)
                entered.set_cookie(SESSION, self._session, httponly=True, samesite="strict")
                return entered
        return PlainTextResponse("open the studio by the address that it printed when it started", 401)

    def _limit(self, path: str) -> int:
        own = [limit for start, limit in self._largest.items() if path.startswith(start)]
        return max(own, default=LARGEST_FORM)


def _too_large(limit: int) -> Response:
    return PlainTextResponse(f"this is more than {limit >> 20} MB, the most that the studio takes here", 413)


async def _begun(receive: Receive, most: int) -> list[Message]:
    """The beginning of a body, until more than so many bytes have come; a browser need not say its length."""
    messages, size = [], 0
    while size <= most:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    return messages


def _field(body: bytes) -> str:
    try:
        return parse_qs(body.decode()).get(FIELD, [""])[0]
    except ValueError:  # no UTF-8, or too many fields
        return ""


def _first_field(body: bytes) -> str:
    """The token in a form with a file, as browsers write it if it is the first field."""
    found = _FIRST.match(body)
    return found[1].decode() if found else ""


def _again(begun: Iterable[Message], rest: Receive) -> Receive:
    """A body whose beginning has been read, for the room."""
    waiting = deque(begun)

    async def receive() -> Message:
        return waiting.popleft() if waiting else await rest()

    return receive


def _limited(receive: Receive, limit: int) -> Receive:
    """A body that ends as if the browser had gone away, once it is too large."""
    size = 0

    async def limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        return message if size <= limit else {"type": "http.disconnect"}

    return limited


def _with_headers(send: Send, cookie: str) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", POLICY)
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers["Referrer-Policy"] = "same-origin"
            headers["Cross-Origin-Opener-Policy"] = "same-origin"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            if cookie:
                headers.append("Set-Cookie", cookie)
        await send(message)

    return sent
