"""The report page over HTTP while a study runs: read-only, rendered anew when the tables' files have changed.

`/` is the page, `/state` a short text that changes when the results do, by which the page knows when to reload. Nothing
is encrypted: from elsewhere, an SSH tunnel to the loopback address is safer than an open port.

Without a token only this machine is served, and only under its own names, since a page of another site could have its
name resolved to this machine (DNS rebinding). With one, the address that was printed sets a cookie, which every further
request must carry.
"""

import asyncio
import errno
import gzip
import hmac
import html
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import quote

from aiohttp import web

from lethe.errors import InputError, LetheError
from lethe.report.page import render_page
from lethe.results import QueryError, SchemaError
from lethe.storage.layout import Layout
from lethe.storage.root import StorageError, StorageRoot

_LIVE: Final = '<meta name="lethe-live">'
_SHOWING: Final = '<meta name="lethe-live" content="{state}">'
"""The page's own state: with it, the page misses nothing that arrived while it was rendered."""

_LOOK_EVERY_S: Final = 1.0
_SHARE: Final = 0.25
"""Largest share of the time spent rendering, where results arrive faster than the page can be rendered."""
_RETRY_S: Final = 5
_END_S: Final = 1.0
"""How long requests in progress may take when the server ends."""
_THREADS: Final = 32
"""Requests that may wait for the page or the state at once; further ones queue."""
_HTTP_PORT: Final = 80
_GZIP_LEVEL: Final = 5

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


class ClosedError(LetheError):
    """A report that is asked for after it was closed."""


@dataclass(frozen=True)
class LivePage:
    """A page as it is sent: its bytes, and the same compressed."""

    plain: bytes
    gzipped: bytes


class LiveReport:
    """The report page of the current results; safe to use from several threads.

    Args:
        place: the results; nothing is written to them.
        study: one study; all if None.
        images: whether the forget samples are shown with their pictures.
    """

    def __init__(self, root: StorageRoot, study: str | None = None, *, images: bool = True) -> None:
        self.root = root
        self.study = study
        self.images = images
        self._looking = threading.Lock()
        self._look_at = float("-inf")
        self._state = ""
        self._rendering = threading.Lock()
        self._rendering_s = 0.0
        self._shown: tuple[str, LivePage] | None = None
        self._closed = False

    def state(self) -> str:
        """Return a text that changes when a file of the tables does.

        The files are listed once a second at most, and less often where a page takes long to render: the machine may be
        the one that the study runs on.

        Raises:
            StorageError: the results cannot be read.
            ClosedError: the report was closed.
        """
        with self._looking:
            if self._closed:
                raise ClosedError("The server has ended.")
            if time.monotonic() >= self._look_at:
                self._state = self._look()
                self._look_at = time.monotonic() + max(_LOOK_EVERY_S, self._rendering_s / _SHARE)
            return self._state

    def page(self) -> LivePage:
        """Return the page, rendered anew if the state has changed; one thread renders it, others wait for it.

        Raises:
            QueryError: there are no results yet.
            SchemaError: a newer Lethe wrote a part.
            StorageError: the results cannot be read.
            ClosedError: the report was closed.
        """
        with self._rendering:
            state = self.state()
            if self._shown is None or self._shown[0] != state:
                began = time.monotonic()
                self._shown = state, self._render(state)
                self._rendering_s = time.monotonic() - began
            return self._shown[1]

    def close(self) -> None:
        """Wait for what is being rendered, and render nothing more.

        The threads that ask end with the process, which must not find them in the middle of DuckDB's or Arrow's code.
        """
        with self._rendering, self._looking:
            self._closed = True

    def _render(self, state: str) -> LivePage:
        page = render_page(self.root, self.study, images=self.images, live=True).html
        plain = page.replace(_LIVE, _SHOWING.format(state=state), 1).encode()
        return LivePage(plain, gzip.compress(plain, _GZIP_LEVEL))

    def _look(self) -> str:
        stamps = Layout(self.root).tables.stamps(recursive=True)
        seen = sha256()
        for name, stamp in sorted(stamps.items()):
            if self.study is None or self.study in name.split("/")[1:2]:
                seen.update(f"{name}\n{stamp}\n".encode())
        return seen.hexdigest()[:20]


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

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        answer = await self._answer_to(request)
        answer.headers.update(_HEADERS)
        return answer

    async def _answer_to(self, request: web.BaseRequest) -> web.Response:
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
        return _say(HTTPStatus.NOT_FOUND, "There are / and /state here.")

    def _trade_for_a_cookie(self) -> web.Response:
        answer = _say(HTTPStatus.SEE_OTHER, "")
        answer.headers["Location"] = "/"
        answer.set_cookie(self._cookie_name, self._cookie, httponly=True, samesite="Strict")
        return answer

    async def _page(self, packed: bool) -> web.Response:
        try:
            page = await asyncio.to_thread(self.report.page)
        except (ClosedError, StorageError, QueryError, SchemaError) as error:
            return _say_why(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        except Exception as error:
            traceback.print_exc()
            why = f"The report could not be made: {type(error).__name__}: {error}"
            return _say_why(HTTPStatus.INTERNAL_SERVER_ERROR, why)
        answer = web.Response(body=page.gzipped if packed else page.plain, content_type="text/html", charset="utf-8")
        if packed:
            answer.headers["Content-Encoding"] = "gzip"
        return answer

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
