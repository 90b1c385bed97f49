"""The fault campaign: tests that inject one fault each, and the table of what came of it.

A test marked `fault(name, full=…, note=…)` takes the argument `injection` (0, 1, 2, …), by which it chooses the moment
or the place. Tests inject each fault once (`short=` says otherwise, 0 leaves it out), `make faults` `full` times. A
test that compares a result with an undisturbed one says so with `record_property("identical", True)`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from gan.files import write_json

ENDINGS = pytest.StashKey[dict[str, list[dict[str, Any]]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--campaign", type=Path, help="Inject every fault as often as it says; write the rows to this file"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "fault(name, full, note, short=1): injects a fault; see tests/faults/campaign.py"
    )
    config.stash[ENDINGS] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "injection" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("fault")
        times = mark.kwargs["full"] if metafunc.config.option.campaign else mark.kwargs.get("short", 1)
        metafunc.parametrize("injection", range(times))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.campaign:
        items[:] = [item for item in items if item.get_closest_marker("fault")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    mark = item.get_closest_marker("fault")
    if mark and (report.when == "call" or report.failed):
        ending = {"survived": report.passed, "note": mark.kwargs["note"], **dict(item.user_properties)}
        item.config.stash[ENDINGS].setdefault(mark.args[0], []).append(ending)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if not config.option.campaign or config.option.collectonly:
        return
    rows = [_row(fault, endings) for fault, endings in config.stash[ENDINGS].items()]
    write_json(config.option.campaign, rows)
    table = Table("Fault", "Injected", "Survived", "Identical", "What happens")
    for row in rows:
        identical = {True: "yes", False: "no", None: ""}[row["identical"]]
        table.add_row(row["fault"], str(row["injected"]), str(row["survived"]), identical, row["note"])
    terminalreporter.ensure_newline()
    Console().print(table)


def _row(fault: str, endings: list[dict[str, Any]]) -> dict[str, Any]:
    """`identical` is null for a fault without a result to compare; an injection that failed did not compare one."""
    compares = any("identical" in ending for ending in endings)
    return {
        "fault": fault,
        "injected": len(endings),
        "survived": sum(ending["survived"] for ending in endings),
        "identical": all(ending.get("identical", False) for ending in endings) if compares else None,
        "note": endings[0]["note"],
    }
