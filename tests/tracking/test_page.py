"""MLflow's page answers under the machine's own names, and starts on the store that the study fills."""

import os
import socket
import sys

import pytest

from gan.tracking.page import own_names, serve


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line that this process would have become."""
    words: list[str] = []
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(os, "execv", lambda program, command: words.extend(command))
    return words


def test_on_this_machine_alone_mlflow_guards_itself(started: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    serve("127.0.0.1", 5000, [])
    assert started[:4] == [sys.executable, "-m", "mlflow", "ui"]
    assert started[started.index("--backend-store-uri") + 1] == "sqlite:///mlflow.db"
    assert "--allowed-hosts" not in started
    assert capsys.readouterr().err == ""


def test_on_all_addresses_it_answers_under_every_name(started: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    serve("0.0.0.0", 5377, ["lab.example.org"])
    hosts = started[started.index("--allowed-hosts") + 1].split(",")
    origins = started[started.index("--cors-allowed-origins") + 1].split(",")
    for name in (socket.gethostname(), "lab.example.org", "127.0.0.1", "[::1]"):
        assert f"{name}:*" in hosts  # with any port, or what a proxy makes of it
        assert name in hosts
        assert f"http://{name}:5377" in origins
    told = capsys.readouterr().err
    assert "ALLOWED=name" in told
    assert "can change the runs" in told


def test_names_stand_once_and_as_in_an_address() -> None:
    names = own_names("fe80::1%eth0", ["localhost"])
    assert "[fe80::1]" in names
    assert len(names) == len(set(names))
    assert "0.0.0.0" not in own_names("0.0.0.0", [])


def test_a_server_needs_no_second_page(
    started: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cret@tracking.example.org:5000")
    serve("127.0.0.1", 5000, [])
    assert not started
    told = capsys.readouterr().out
    assert "tracking.example.org:5000" in told
    assert "s3cret" not in told
