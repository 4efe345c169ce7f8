"""The report page over HTTP while a study runs: read-only, rendered anew when the tables' files have changed.

`/` is the page, `/state` a short text that changes when the results do. `/events` sends, as server-sent events, the
state and how far runs are whenever they change; the page renews itself by it. Nothing is encrypted: from elsewhere, an
SSH tunnel to the loopback address is safer than an open port.

Without a token only this machine is served, and only under its own names, since a page of another site could have its
name resolved to this machine (DNS rebinding). With one, the address that was printed sets a cookie, which every further
request must carry.
"""

import asyncio
import errno
import hmac
import html
import json
import secrets
import socket
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import quote

from aiohttp import web

from lethe.errors import InputError
from lethe.report.live._report import LOOK_EVERY_S, ClosedError, LiveReport
from lethe.results import QueryError, SchemaError
from lethe.storage.root import StorageError

_RETRY_S: Final = 5
_END_S: Final = 1.0
"""How long requests in progress may take when the server ends."""
_THREADS: Final = 32
"""Requests that may wait for the page or the state at once; further ones queue."""
_HTTP_PORT: Final = 80
_ALIVE_LOOKS: Final = 15
"""Looks without news after which a listener is sent an empty line, so that one who has gone is noticed."""

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Server": "lethe",
}

_OTHER_NAME: Final = (
    "Not served under this name: open the address that was printed; a tunnel needs one port at both ends."
)
_NO_TOKEN: Final = "Open the address that was printed, with its token."

_NOTHING_TO_SHOW: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="refresh" content="{retry_s}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Lethe</title>
<body style="font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem">
<h1>Nothing to show yet</h1>
<p style="white-space: pre-line">{why}</p>
<p>This page looks again every {retry_s} seconds.</p>
"""


class ReportServer:
    """Serves a live report. As a context it is closed at the end.

    Args:
        report: what is served.
        host: the address to listen on. Other machines reach any but a loopback address.
        port: 0 for a free one.
        token: whoever has it may read; None admits everyone on this machine. A host that others reach gets a random
            one.

    Raises:
        InputError: the server cannot listen on the address, or the token is empty.
    """

    def __init__(self, report: LiveReport, host: str, port: int, token: str | None) -> None:
        if token == "":
            raise InputError("the token is empty: give one that cannot be guessed, or none to have one made")
        self.report = report
        self.host = host.strip("[]")
        self.is_loopback = _is_loopback(self.host)
        self.token = token if token or self.is_loopback else secrets.token_urlsafe()
        try:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            self._socket = socket.create_server((self.host, port), family=family)
        except OSError as error:
            raise InputError(_advice(error, host, port)) from error
        self.port: int = self._socket.getsockname()[1]
        self._stop = threading.Event()
        self._over = asyncio.Event()
        self._wake: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address to open in a browser, with the token where one is needed."""
        name = socket.gethostname() if self.host in ("", "0.0.0.0", "::") else self.host
        token = f"?token={quote(self.token, safe='')}" if self.token else ""
        return f"http://{_bracketed(name)}:{self.port}/{token}"

    def serve(self) -> None:
        """Serve until `stop`.

        Raises:
            KeyboardInterrupt: Ctrl-C, in the main thread.
        """
        asyncio.run(self._serve())

    def stop(self) -> None:
        """End `serve`, which runs in another thread or will."""
        self._stop.set()
        self._wake()

    def close(self) -> None:
        """Stop listening; a page that is being rendered is finished."""
        self._socket.close()
        self.report.close()

    async def _serve(self) -> None:
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self._over = over
        loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        self._wake = lambda: loop.call_soon_threadsafe(over.set)
        runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=_END_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            if not self._stop.is_set():
                await over.wait()
        finally:
            self._wake = lambda: None
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        answer = await self._answer_to(request)
        answer.headers.update(_HEADERS)
        if isinstance(answer, _EventStream) and request.method == "GET":
            await self._send_events(request, answer)
        return answer

    async def _answer_to(self, request: web.BaseRequest) -> web.StreamResponse:
        token = request.query.get("token")
        if request.method not in ("GET", "HEAD"):
            refusal = _say(HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD: nothing can be changed here.")
            refusal.headers["Allow"] = "GET, HEAD"
            return refusal
        if not self._host_is_ours(request):
            return _say(HTTPStatus.FORBIDDEN, _OTHER_NAME)
        if token is not None and self.token and _same(token, self.token):
            return self._trade_for_a_cookie()
        if self.token and not _same(request.cookies.get(self._cookie_name, ""), self._cookie):
            return _say(HTTPStatus.FORBIDDEN, _NO_TOKEN)
        if request.path == "/":
            return await self._page("gzip" in request.headers.get("Accept-Encoding", ""))
        if request.path == "/state":
            return await self._state()
        if request.path == "/events":
            return _EventStream()
        return _say(HTTPStatus.NOT_FOUND, "There are /, /state and /events here.")

    def _trade_for_a_cookie(self) -> web.Response:
        answer = _say(HTTPStatus.SEE_OTHER, "")
        answer.headers["Location"] = "/"
        answer.set_cookie(self._cookie_name, self._cookie, httponly=True, samesite="Strict")
        return answer

    async def _page(self, packed: bool) -> web.Response:
        try:
            page = await asyncio.to_thread(self.report.page)
        except (ClosedError, StorageError, QueryError, SchemaError) as error:
            return _say_why(HTTPStatus.SERVICE_UNAVAILABLE, "\n".join([str(error), *await self._lines()]))
        except Exception as error:
            traceback.print_exc()
            why = f"The report could not be made: {type(error).__name__}: {error}"
            return _say_why(HTTPStatus.INTERNAL_SERVER_ERROR, why)
        answer = web.Response(body=page.gzipped if packed else page.plain, content_type="text/html", charset="utf-8")
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        return answer

    async def _lines(self) -> list[str]:
        """Return how far runs are, a line each, before there is a page; nothing where that cannot be read either."""
        with suppress(ClosedError, StorageError):
            return [f"{run['study']}: {run['line']}" for run in await asyncio.to_thread(self.report.progress)]
        return []

    async def _send_events(self, request: web.BaseRequest, stream: "_EventStream") -> None:
        """Send what is new until the listener goes or the server ends."""
        await stream.prepare(request)
        with suppress(ConnectionError):
            while not self._over.is_set():
                await stream.send(await asyncio.to_thread(self._news))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), LOOK_EVERY_S)

    def _news(self) -> dict[str, str]:
        """Return the data of each event; what cannot be read now is left out."""
        news = {}
        with suppress(ClosedError, StorageError):
            news["progress"] = json.dumps(self.report.progress())
            news["state"] = self.report.state()
        return news

    async def _state(self) -> web.Response:
        try:
            return _say(HTTPStatus.OK, await asyncio.to_thread(self.report.state))
        except (ClosedError, StorageError) as error:
            return _say(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    def _host_is_ours(self, request: web.BaseRequest) -> bool:
        """Return whether a loopback server was asked for under a loopback name, at its own port."""
        if not self.is_loopback:
            return True
        names = {"localhost", "127.0.0.1", "[::1]", _bracketed(self.host)}
        asked = request.headers.get("Host", "").lower()
        return asked in {f"{name}:{self.port}" for name in names} or (self.port == _HTTP_PORT and asked in names)

    @property
    def _cookie_name(self) -> str:
        """The cookie's name; browsers do not keep the ports of one host apart."""
        return f"lethe-{self.port}"

    @property
    def _cookie(self) -> str:
        """The cookie's value, from which nobody learns the token."""
        return sha256(f"lethe watch {self.token}".encode()).hexdigest()


class _EventStream(web.StreamResponse):
    """Server-sent events to one listener, each sent when its data differ from those sent last."""

    def __init__(self) -> None:
        super().__init__(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        self._sent: dict[str, str] = {}
        self._looks = 0

    async def send(self, news: dict[str, str]) -> None:
        """Send what is new.

        Raises:
            ConnectionError: the listener has gone.
        """
        fresh = {name: data for name, data in news.items() if self._sent.get(name) != data}
        self._sent |= fresh
        self._looks = 0 if fresh else self._looks + 1
        text = "".join(f"event: {name}\ndata: {data}\n\n" for name, data in fresh.items())
        if text or self._looks % _ALIVE_LOOKS == _ALIVE_LOOKS - 1:
            await self.write(text.encode() or b":\n\n")


def _say(status: HTTPStatus, text: str) -> web.Response:
    return web.Response(status=status, text=text)


def _say_why(status: HTTPStatus, why: str) -> web.Response:
    page = _NOTHING_TO_SHOW.format(retry_s=_RETRY_S, why=html.escape(why))
    return web.Response(status=status, text=page, content_type="text/html")


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode())


def _advice(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is taken: choose another with --port, or --port 0 for a free one"
    return f"cannot listen on port {port} of {host}: {error.strerror}"
