"""The report served live, over real HTTP and in a real browser, while rows are appended to a real store."""

import gzip
import http.client
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from forked_lethe import ForkedLethe
from selenium import webdriver

import lethe.report.live._report
from lethe.report.live import LiveReport, ReportServer
from lethe.report.live._report import shown
from lethe.results import ConfirmationRow, CorruptPartWarning, Row, Store, TrialRow
from lethe.results.progress import Best, Part, RunProgress, write_progress
from lethe.storage.root import StorageRoot

PATIENCE_S = 60.0

WHERE = "return [scrollY, document.documentElement.dataset.theme]"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str


def ask(server: ReportServer, target: str = "/", method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    try:
        connection.request(method, target, headers=headers)
        got = connection.getresponse()
        return Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read().decode())
    finally:
        connection.close()


@contextmanager
def listening(server: ReportServer) -> Iterator[Callable[[str], str]]:
    """Listens to the events; the function returns the data of the next event of a name."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
        client.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        lines = (line.decode().strip() for line in client.makefile("rb"))

        def next_of(name: str) -> str:
            for line in lines:
                if line == f"event: {name}":
                    return next(lines).removeprefix("data: ")
            raise AssertionError("the stream has ended")

        yield next_of


def run_progress(**changes: Any) -> RunProgress:
    best = Best(scenario="organ, augmentation none, forget random 10 %", method="salun", gap=0.08, original_gap=0.2)
    whole = Part(done=6, total=6)
    known: dict[str, Any] = {
        "study": "s",
        "artifacts": whole,
        "trials": Part(done=3, total=24),
        "confirmations": Part(done=0, total=9),
        "share": 0.25,
        "running": 2,
        "failed": 0,
        "seconds_left": 90.0,
        "best": (best,),
        "ended": None,
    }
    return RunProgress(**(known | changes))


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture
def confirm(store: Store, make: Callable[..., Row]) -> Callable[..., None]:
    """Records one row of a comparison on one seed."""

    def record(row: str, seed: int = 1, **changes: Any) -> None:
        values = {"row": row, "method": row, "training_seed": seed, "gap": 0.1} | changes
        store.append([make(ConfirmationRow, confirmation_id=f"{row}-{seed}", **values)])

    return record


@pytest.fixture
def serve(store: Store) -> Iterator[Callable[..., ReportServer]]:
    """Starts a server on a free port, for the store's place unless another is given."""
    started: list[tuple[ReportServer, threading.Thread]] = []

    def start(
        host: str = "127.0.0.1", token: str | None = None, study: str | None = None, root: StorageRoot = store.root
    ) -> ReportServer:
        server = ReportServer(LiveReport(root, study), host, 0, token)
        thread = threading.Thread(target=server.serve)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.stop()
        thread.join()
        server.close()


def test_state_and_page_change_when_a_row_is_appended(
    serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    server = serve()
    state, page = ask(server, "/state"), ask(server)
    assert (state.status, page.status) == (200, 200)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "gradient_ascent" not in page.body
    time.sleep(1.5)
    assert ask(server, "/state").body == state.body
    confirm("gradient_ascent")
    until(lambda: ask(server, "/state").body != state.body)
    assert "gradient_ascent" in ask(server).body


def test_listeners_hear_of_results_and_of_the_run_as_they_change(
    serve: Callable[..., ReportServer], confirm: Callable[..., None], store: Store
) -> None:
    confirm("original")
    write_progress(store.root, run_progress())
    with listening(serve()) as next_of, listening(serve(study="other")) as next_of_other:
        [run] = json.loads(next_of("progress"))
        assert (run["study"], run["share"]) == ("s", 0.25)
        assert run["line"].startswith("25 % · artifacts 6/6 · trials 3/24 · confirmed 0/9 · 2 running · best gap 8.0 %")
        assert run["best"] == [
            ["organ, augmentation none, forget random 10 %", "salun: best gap 8.0 % (doing nothing 20.0 %)"]
        ]
        state = next_of("state")
        confirm("gradient_ascent")
        assert next_of("state") != state
        write_progress(store.root, run_progress(ended="stopped"))
        assert json.loads(next_of("progress"))[0]["line"].endswith(" · stopped")
        write_progress(store.root, run_progress(ended="finished"))
        assert json.loads(next_of("progress")) == []
        assert json.loads(next_of_other("progress")) == []


def test_a_run_that_has_long_said_nothing_may_have_died() -> None:
    assert shown(run_progress(), 59)["line"].endswith("about 90 s left")
    assert shown(run_progress(), 200)["line"].endswith("about 90 s left · nothing new for 3 min")


def test_the_server_ends_while_somebody_listens(
    serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    server = serve()
    with listening(server) as next_of:
        assert next_of("state")
        server.stop()
        with pytest.raises(AssertionError, match="the stream has ended"):
            next_of("progress")
            next_of("progress")


def test_a_page_says_which_state_it_shows(serve: Callable[..., ReportServer], confirm: Callable[..., None]) -> None:
    confirm("original")
    server = serve()
    page = ask(server).body
    assert f'<meta name="lethe-live" content="{ask(server, "/state").body}">' in page


def test_one_study_is_not_disturbed_by_another(
    serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    server, of_all = serve(study="s"), serve()
    state, state_of_all = ask(server, "/state").body, ask(of_all, "/state").body
    confirm("gradient_ascent", study="other")
    until(lambda: ask(of_all, "/state").body != state_of_all)
    assert ask(server, "/state").body == state
    assert "gradient_ascent" not in ask(server).body


def test_many_who_ask_at_once_cost_one_rendering_a_state(
    serve: Callable[..., ReportServer], confirm: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Any] = []
    render_page = lethe.report.live._report.render_page

    def counted(*arguments: Any, **options: Any) -> Any:
        rendered.append(arguments)
        return render_page(*arguments, **options)

    monkeypatch.setattr(lethe.report.live._report, "render_page", counted)
    confirm("original")
    server = serve()
    with ThreadPoolExecutor(8) as artifacts:
        pages = list(artifacts.map(lambda _: ask(server), range(8)))
    assert {page.status for page in pages} == {200}
    assert len({page.body for page in pages}) == len(rendered) == 1
    state = ask(server, "/state").body
    confirm("original", seed=2)
    until(lambda: ask(server, "/state").body != state)
    assert ask(server).status == ask(server).status == 200
    assert len(rendered) == 2


def test_before_there_are_results_the_page_says_so_and_looks_again(
    serve: Callable[..., ReportServer], confirm: Callable[..., None], store: Store
) -> None:
    server = serve()
    early = ask(server)
    assert early.status == 503
    assert "Nothing to show yet" in early.body
    assert 'http-equiv="refresh"' in early.body
    write_progress(store.root, run_progress())
    until(lambda: "s: 25 % · artifacts 6/6" in ask(server).body)
    assert ask(server, "/state").status == 200
    confirm("original")
    until(lambda: ask(server).status == 200)


def test_a_page_that_cannot_be_made_is_told_and_does_not_end_the_server(
    serve: Callable[..., ReportServer],
    confirm: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no <ink>")

    confirm("original")
    server = serve()
    with monkeypatch.context() as patch:
        patch.setattr(lethe.report.live._report, "render_page", broken)
        answer = ask(server)
    assert answer.status == 500
    assert "RuntimeError: no &lt;ink&gt;" in answer.body
    assert "no <ink>" in capsys.readouterr().err
    assert ask(server).status == 200


def test_a_place_that_cannot_be_read_is_told(serve: Callable[..., ReportServer], tmp_path: Path) -> None:
    (tmp_path / "tables").touch()
    server = serve(root=StorageRoot.at(tmp_path))
    assert (ask(server).status, ask(server, "/state").status) == (503, 503)
    assert "cannot list the files of" in ask(server, "/state").body


@pytest.mark.parametrize("target", ["/states", "/state/", "/../pyproject.toml", "/favicon.ico"])
def test_there_is_nothing_else(target: str, serve: Callable[..., ReportServer]) -> None:
    assert ask(serve(), target).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_sent(method: str, serve: Callable[..., ReportServer]) -> None:
    answer = ask(serve(), method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_method_that_http_does_not_know_is_refused(serve: Callable[..., ReportServer]) -> None:
    assert ask(serve(), method="BREW").status == 400


def test_head_gives_the_head_of_get(serve: Callable[..., ReportServer], confirm: Callable[..., None]) -> None:
    confirm("original")
    server = serve()
    for target in ("/", "/state"):
        got, head = ask(server, target), ask(server, target, "HEAD")
        assert (head.status, head.body) == (200, "")
        assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.body.encode()))


def test_a_browser_that_can_unpack_gets_the_page_packed(
    serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    connection = http.client.HTTPConnection("127.0.0.1", (server := serve()).port, timeout=PATIENCE_S)
    connection.request("GET", "/", headers={"Accept-Encoding": "gzip, br"})
    packed = connection.getresponse()
    assert packed.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(packed.read()).decode() == ask(server).body
    connection.close()


def test_every_answer_carries_the_headers_that_confine_it(
    serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    server, closed = serve(), serve(token="secret")
    answers = [ask(server), ask(server, "/state"), ask(server, "/else"), ask(server, method="PUT"), ask(closed)]
    for answer in [*answers, ask(closed, "/?token=secret"), ask(server, Host="evil.example")]:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "connect-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "Python" not in answer.headers["server"]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_this_machine_is_served_under_its_own_names(name: str, serve: Callable[..., ReportServer]) -> None:
    server = serve()
    assert ask(server, "/state", Host=f"{name}:{server.port}").status == 200


@pytest.mark.parametrize("name", ["evil.example:{port}", "127.0.0.1.evil.example:{port}", "localhost", "localhost:1"])
def test_a_name_that_was_bent_to_this_machine_is_refused(name: str, serve: Callable[..., ReportServer]) -> None:
    for server in (serve(), serve(token="secret")):
        for target in ("/", "/state", "/events", "/else", "/?token=guess"):
            answer = ask(server, target, Host=name.format(port=server.port))
            assert (answer.status, "secret" in answer.body) == (403, False)


def test_a_token_is_traded_for_a_cookie_and_nothing_is_given_without(
    serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    server = serve("0.0.0.0", token="a secret & more")
    assert server.url.endswith(f":{server.port}/?token=a%20secret%20%26%20more")
    refused = ("/", "/state", "/events", "/else", "/?token=", "/?token=a%20secret", "/state?token=%C3%A9", "/?Token=x")
    for target in refused:
        answer = ask(server, target)
        assert (answer.status, "set-cookie" in answer.headers) == (403, False)
    traded = ask(server, "/?token=a%20secret%20%26%20more")
    assert (traded.status, traded.headers["location"]) == (303, "/")
    cookie, *attributes = traded.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} == set(attributes)
    assert "secret" not in cookie
    assert ask(server, Cookie=cookie).status == 200
    assert ask(server, "/state", Cookie=f"theme=dark; {cookie}").status == 200
    for wrong in (f"{cookie}0", cookie.replace("=", "=0"), "=;=", "lethe", f'{cookie.split("=")[0]}="é"'):
        assert ask(server, Cookie=wrong).status == 403


def test_a_host_that_others_reach_gets_a_token_of_its_own(serve: Callable[..., ReportServer]) -> None:
    one, other = serve("0.0.0.0"), serve("0.0.0.0")
    tokens = {re.fullmatch(r"http://[^/]+:\d+/\?token=([\w-]{40,})", server.url)[1] for server in (one, other)}
    assert len(tokens) == 2
    assert ask(one, "/state").status == 403


def test_an_empty_token_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="the token is empty"):
        ReportServer(LiveReport(store.root), "127.0.0.1", 0, "")


def test_a_host_that_is_not_here_is_told(store: Store) -> None:
    with pytest.raises(ValueError, match=r"cannot listen on port 0 of 192\.0\.2\.1: "):
        ReportServer(LiveReport(store.root), "192.0.2.1", 0, None)


def test_nothing_is_written(
    serve: Callable[..., ReportServer], confirm: Callable[..., None], tmp_path: Path, store: Store
) -> None:
    confirm("original")
    before = files_of(tmp_path)
    server = serve()
    assert ask(server).status == ask(server, "/state").status == 200
    assert ask(serve(root=StorageRoot.at(tmp_path / "nowhere"))).status == 503
    assert files_of(tmp_path) == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("outcome", [signal.SIGINT, signal.SIGTERM])
def test_the_command_names_its_free_port_and_ends_cleanly_in_the_middle_of_a_page(
    outcome: signal.Signals, store: Store, confirm: Callable[..., None], lethe: Callable[..., ForkedLethe]
) -> None:
    confirm("original")
    with lethe("watch", "--results", store.root, "--port", 0) as process:
        assert process.stdout is not None
        found = re.fullmatch(r"The report of .*: http://127\.0\.0\.1:(\d+)/\n", process.stdout.readline())
        assert found
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=PATIENCE_S)
        connection.request("GET", "/state")
        assert connection.getresponse().read()
        connection.request("GET", "/")
        time.sleep(0.1)
        process.send_signal(outcome)
        said = process.stdout.read()
        connection.close()
    assert (process.returncode, said) == (0, "Ctrl-C ends it.\nNo longer served.\n")


def test_the_command_refuses_a_port_that_is_taken(store: Store, lethe: Callable[..., ForkedLethe]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with lethe("watch", "--results", store.root, "--port", port) as process:
            said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert said == f"port {port} of 127.0.0.1 is taken: choose another with --port, or --port 0 for a free one\n"


def complaints(browser: webdriver.Chrome) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def test_the_page_in_a_browser_renews_itself_without_loading_when_a_row_arrives(
    browser: webdriver.Chrome,
    serve: Callable[..., ReportServer],
    confirm: Callable[..., None],
    store: Store,
    make: Callable[..., Row],
) -> None:
    confirm("original")
    store.append([make(TrialRow)])
    browser.get(serve(token="secret").url)
    assert "token" not in browser.current_url
    assert "gradient_ascent" not in browser.page_source
    until(lambda: bool(browser.find_elements("css selector", ".canvas svg")))
    browser.find_element("id", "theme").click()
    browser.execute_script("window.sameAsBefore = true")
    runs = browser.find_element("id", "runs")
    assert not runs.is_displayed()
    write_progress(store.root, run_progress())
    until(lambda: "s: 25 % · artifacts 6/6 · trials 3/24" in runs.text)
    assert "forget random 10 %: salun: best gap 8.0 % (doing nothing 20.0 %)" in runs.text
    browser.execute_script("scrollTo(0, 200)")
    before = browser.execute_script(WHERE)
    confirm("gradient_ascent")
    until(lambda: "gradient_ascent" in browser.page_source)
    until(lambda: bool(browser.find_elements("css selector", ".canvas svg")))
    assert browser.execute_script("return window.sameAsBefore")
    assert browser.execute_script(WHERE) == before
    assert before[0] == 200
    browser.execute_script("document.getElementById('theme').click()")
    assert browser.execute_script(WHERE)[1] != before[1]
    write_progress(store.root, run_progress(ended="finished"))
    until(lambda: not runs.is_displayed())
    assert complaints(browser) == []


def test_a_row_that_arrives_before_the_page_has_asked_is_not_missed(
    browser: webdriver.Chrome, serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    confirm("original")
    browser.get(serve().url)
    confirm("gradient_ascent")
    until(lambda: "gradient_ascent" in browser.page_source)


def test_a_browser_that_came_before_the_results_gets_them(
    browser: webdriver.Chrome, serve: Callable[..., ReportServer], confirm: Callable[..., None]
) -> None:
    browser.get(serve().url)
    assert "Nothing to show yet" in browser.page_source
    confirm("gradient_ascent")
    until(lambda: "gradient_ascent" in browser.page_source)


@pytest.mark.parametrize("target", ["//[", "http://[::1", "/?token=%ff%fe", "/[", "*", "//"])
def test_a_malformed_request_target_has_a_clean_answer(
    serve: Callable[..., ReportServer], confirm: Callable[..., None], capsys: pytest.CaptureFixture[str], target: str
) -> None:
    confirm("original")
    for server in (serve(), serve(token="secret")):
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as client:
            client.sendall(f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
            status = int(client.makefile("rb").readline().split()[1])
        assert status in (200, 400, 403, 404)
    assert "Traceback" not in capsys.readouterr().err


def test_a_saved_query_that_is_no_text_is_left_out_with_a_warning(
    serve: Callable[..., ReportServer], confirm: Callable[..., None], store: Store
) -> None:
    confirm("original")
    store.root.write("queries/broken.sql", b"\xff\xfe")
    server = serve()
    with pytest.warns(CorruptPartWarning, match=r"queries/broken\.sql.* is not UTF-8 text"):
        assert ask(server).status == 200
