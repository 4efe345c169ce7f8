"""An object store that says "not now", refuses, or lacks the bucket: a tiny server on loopback, behind obstore's S3."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from typer.testing import CliRunner

import lethe.storage.root
from lethe.cli import app
from lethe.storage import object_store
from lethe.storage.root import StorageError, StorageRoot, StoreUnavailableError

BUSY = (429, "<Error><Code>Busy</Code><Message>no</Message></Error>")
UNAVAILABLE = (503, "<Error><Code>SlowDown</Code><Message>no</Message></Error>")
DENIED = (403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
NO_BUCKET = (404, "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>")
LISTING = (
    200,
    "<ListBucketResult><Name>b</Name><Prefix>r/</Prefix><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>"
    "<Contents><Key>r/a.txt</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>"
    "</ListBucketResult>",
)


NO_OBJECTS = (
    200,
    "<ListBucketResult><Name>b</Name><Prefix>r/</Prefix><KeyCount>0</KeyCount><IsTruncated>false</IsTruncated>"
    "</ListBucketResult>",
)
DELETED = (200, "<DeleteResult><Deleted><Key>r/a</Key></Deleted></DeleteResult>")


class Store(ThreadingHTTPServer):
    """Returns its answers one after the other, and the last one again and again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, str]] = []
        self.asked = 0

    @property
    def uri(self) -> str:
        return f"s3://KEY:PASSWORD@b/r?endpoint_override=127.0.0.1:{self.server_port}&scheme=http&region=us-east-1"


class Handler(BaseHTTPRequestHandler):
    server: Store

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        status, body = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("ETag", '"tag"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(object_store, "FIRST_WAIT_S", 0.01)
    with Store() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize("not_now", [BUSY, UNAVAILABLE])
def test_a_store_that_says_not_now_is_asked_again(store: Store, not_now: tuple[int, str]) -> None:
    store.answers = [not_now, not_now, not_now, LISTING]
    assert StorageRoot.at(store.uri).names() == ["a.txt"]
    assert store.asked == 4


def test_a_file_whose_bytes_the_store_cannot_give_now_is_read_again(store: Store) -> None:
    store.answers = [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, (200, "bytes")]
    assert StorageRoot.at(store.uri).read("a") == b"bytes"


def test_a_store_that_stays_out_of_reach_is_reported_after_a_named_time(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "PATIENCE_S", 1.0)
    store.answers = [BUSY]
    message = r"cannot list the files of s3://b/r \(tried for 30 s\): (.|\n)*check the network"
    with pytest.raises(StoreUnavailableError, match=message):
        StorageRoot.at(store.uri).names()
    assert store.asked > 2


@pytest.mark.parametrize(
    ("answer", "advice"), [(DENIED, "refuses these credentials"), (NO_BUCKET, "no such bucket or container")]
)
def test_what_waiting_does_not_mend_is_told_from_the_network_and_at_once(
    store: Store, answer: tuple[int, str], advice: str
) -> None:
    store.answers = [answer]
    with pytest.raises(StorageError, match=advice) as raised:
        StorageRoot.at(store.uri).write("a", b"x")
    assert not isinstance(raised.value, StoreUnavailableError)
    assert store.asked == 1


def test_a_creation_whose_answer_was_lost_counts(store: Store) -> None:
    store.answers = [BUSY, (412, ""), (200, "mine")]
    assert StorageRoot.at(store.uri).create("a", b"mine")
    store.answers = [BUSY, (412, ""), (200, "another's")]
    assert not StorageRoot.at(store.uri).create("a", b"mine")
    store.answers = [(412, ""), (200, "mine")]
    assert not StorageRoot.at(store.uri).create("a", b"mine")


def test_a_store_that_ignores_conditional_writes_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lethe.storage.root, "_PROBE_BYTES", 0)
    written, read, created = (200, ""), (200, ""), (200, "")
    store.answers = [written, read, created, NO_OBJECTS, DELETED]
    with pytest.raises(StorageError, match=r"s3://b/r ignores conditional writes \(If-None-Match\)"):
        StorageRoot.at(store.uri).prepared()


def test_a_command_ends_with_the_exit_code_of_a_store_out_of_reach(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "PATIENCE_S", 0.05)
    for answer, code in ((BUSY, 4), (DENIED, 2)):
        store.answers = [answer]
        done = CliRunner().invoke(app, ["leaderboard", "--results", store.uri])
        assert done.exit_code == code, done.output
        assert "PASSWORD" not in done.output


def answered(status: str) -> GenericError:
    return GenericError(f"Generic S3 error: Error performing PUT http://h/b - Server returned {status}: <Error/>")


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (GenericError("Generic S3 error: HTTP error: error sending request\n\nDebug source:\n404"), "network"),
        (answered("non-2xx status code: 502 Bad Gateway"), "network"),
        (answered("non-2xx status code: 408 Request Timeout"), "network"),
        (answered("non-2xx status code: 501 Not Implemented"), None),
        (answered("non-2xx status code: 401 Unauthorized"), "permission"),
        (PermissionDeniedError("The operation lacked the necessary privileges"), "permission"),
        (answered("non-2xx status code: 404 Not Found"), "absence"),
        (FileNotFoundError("Object at location a not found: <Code>NoSuchBucket</Code>"), "absence"),
        (FileNotFoundError("Object at location a not found: <Code>NoSuchKey</Code>"), None),
        (OSError("AWS Error NETWORK_CONNECTION during HeadBucket operation: curlCode: 7"), "network"),
        (OSError("Invalid argument"), None),
    ],
)
def test_errors_of_stores_are_told_apart(error: Exception, trouble: str | None) -> None:
    assert object_store.trouble_of(error) == trouble


def test_an_error_that_is_none_of_a_stores_is_not_tried_again() -> None:
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise OSError("Invalid argument")

    with pytest.raises(OSError, match="Invalid argument"):
        object_store.patiently(call)
    assert len(calls) == 1
