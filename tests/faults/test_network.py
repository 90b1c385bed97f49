"""Mirrors that fail in every way: the next one is asked, and if none is left, each is named with its failure."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import contents, mirrors
from torchvision.datasets import MNIST

from gan.data.download import download
from gan.images import DataError

FAILURES = {
    "403": "403 Forbidden",
    "404": "404 Not Found",
    "503": "503 Service Unavailable",
    "hang": "no answer within 1 s",
    "silence": "no answer within 1 s",
    "trickle": "too slow: not done within 2 s",
    "flood": "sends more than 50,000,000 bytes",
    "cut": "cut short",
    "close": "cut short",
    "wrong": "wrong file, md5",
}


class Mirror(ThreadingHTTPServer):
    """Serves `folder` below each failure's name: whole but for the file `failing`, which fails in that way."""

    daemon_threads = True
    folder: Path
    failing: str


class Answer(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self) -> None:
        _, failure, name = self.path.split("/")
        content = (self.server.folder / name).read_bytes()
        if name == self.server.failing:
            self.fail(failure, content)
        else:
            self.begin(len(content))
            self.wfile.write(content)

    def begin(self, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def fail(self, failure: str, content: bytes) -> None:
        if failure.isdigit():
            self.send_error(int(failure))
        elif failure == "hang":
            time.sleep(5)
        elif failure == "close":
            self.begin(len(content))
        elif failure == "wrong":
            self.begin(len(content))
            self.wfile.write(content[::-1])
        elif failure == "flood":
            self.begin(10**9)
            while True:
                self.wfile.write(bytes(1_000_000))
        else:
            self.begin(len(content))
            self.wfile.write(content[: len(content) // 2])
            for _ in range({"silence": 1, "trickle": 100, "cut": 0}[failure]):
                self.wfile.flush()
                time.sleep(0.1 if failure == "trickle" else 5)
                self.wfile.write(b"x")

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:  # the other side has had enough
            self.close_connection = True

    def log_message(self, *args) -> None:
        pass


@pytest.fixture
def mirror(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setattr("gan.data.mirrors.MOST_TIMEOUTS", 2)
    monkeypatch.setattr("gan.data.mirrors.MOST_BYTES", 50_000_000)
    server = Mirror(("127.0.0.1", 0), Answer)
    server.folder = tiny_mnist
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.fault(
    f"a mirror fails: {', '.join(FAILURES)}",
    full=4 * len(FAILURES),
    short=len(FAILURES),
    note="the next one is asked; with none left, one line names each and its failure",
)
def test_a_failing_mirror(
    mirror: Mirror, tiny_mnist: Path, tmp_path: Path, injection: int, record_property: Callable
) -> None:
    """On any one of the four files; another failing mirror stands before it."""
    failure = list(FAILURES)[injection % len(FAILURES)]
    mirror.failing = [name for name, _ in MNIST.resources][injection // len(FAILURES)]
    before = random.Random(injection).choice([name for name in FAILURES if name != failure])
    address = f"http://127.0.0.1:{mirror.server_port}"
    bad = [f"{address}/{name}" for name in (before, failure)]
    with pytest.raises(DataError) as caught:
        download(*mirrors(*bad, timeout_seconds=1.0), tmp_path / "none")
    told = str(caught.value)
    assert told.startswith(f"no mirror has {mirror.failing}: ")
    assert f"{bad[0]}: {FAILURES[before]}" in told
    assert f"{bad[1]}: {FAILURES[failure]}" in told
    assert "\n" not in told
    assert not (tmp_path / "none").exists()

    download(*mirrors(str(tiny_mnist)), tmp_path / "undisturbed")
    download(*mirrors(*bad, str(tiny_mnist), timeout_seconds=1.0), tmp_path / "data")
    assert contents(tmp_path / "data") == contents(tmp_path / "undisturbed")
    record_property("identical", True)
