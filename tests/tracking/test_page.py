"""MLflow's page answers under the machine's own names, and starts on the store that the study fills."""

import json
import os
import socket
import sys

import pytest

from gan.tracking import page
from gan.tracking.page import COLUMNS, SHARED_VIEW, VIEW, address, experiment_tags, own_names, serve


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line that this process would have become."""
    words: list[str] = []
    for name in ("MLFLOW_TRACKING_URI", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(page, "experiment_id", lambda store: "7")  # MLflow remembers stores by their address
    monkeypatch.setattr(os, "execv", lambda program, command: words.extend(command))
    return words


def test_on_this_machine_alone_mlflow_guards_itself(started: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    serve("127.0.0.1", 5000, [])
    assert started[:4] == [sys.executable, "-m", "mlflow", "ui"]
    assert started[started.index("--backend-store-uri") + 1] == "sqlite:///mlflow.db"
    assert "--allowed-hosts" not in started
    told = capsys.readouterr()
    assert told.err == ""
    assert told.out == f"The runs: {address('http://127.0.0.1:5000', '7')}\n"


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
    assert (
        f"tracking.example.org:5000/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey={VIEW}" in told
    )
    assert "s3cret" not in told


def test_on_a_desktop_a_browser_is_to_open_the_runs(started: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[list[str]] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(page.subprocess, "Popen", opened.append)
    serve("127.0.0.1", 5001, [])
    assert opened == [
        [sys.executable, "-m", "gan.tracking.page", address("http://127.0.0.1:5001", "7"), "127.0.0.1", "5001"]
    ]


def test_a_browser_is_shown_the_page_as_soon_as_it_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(page.webbrowser, "open", seen.append)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        page.open_when_served("a page", "127.0.0.1", port)
    assert seen == ["a page"]
    monkeypatch.setattr(page, "STARTING", 0.2)
    page.open_when_served("no page", "127.0.0.1", port)
    assert seen == ["a page"]


def test_the_first_view_is_that_of_trained_models_by_fid() -> None:
    tags = experiment_tags("gan-objectives")
    assert tags["mlflow.experimentKind"] == "custom_model_development"
    view = json.loads(tags[f"{SHARED_VIEW}{VIEW}"])
    assert view["orderByKey"] == view["selectedColumns"][0] == COLUMNS[0] == "metrics.`score/fid`"
    assert "`score/…`" in tags["mlflow.note.content"]
    assert max(map(len, tags.values())) < 20_000  # MLflow's limit
