"""MLflow's page over the runs: its address and first view, reachable under this machine's own names."""

import json
import os
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Sequence

import psutil

from gan.data.mirrors import without_credentials

LOCAL = ("localhost", "127.0.0.1", "::1")
SHARED_VIEW = "mlflow.sharedViewState."  # an experiment's tag with the state of a view, and below it the view's name
VIEW = "scores"
STARTING = 60.0  # seconds that a server may take until a browser is shown nothing
COLUMNS = (
    *("metrics.`score/fid`", "metrics.`score/coverage`", "metrics.`score/digits`", "metrics.`score/kid`"),
    *("tags.`variant`", "tags.`seed`", "params.`objective`", "params.`data`", "params.`epochs`"),
    *("attributes.`Dataset`", "attributes.`Models`"),
)
DESCRIPTION = """\
One run per variant and seed of the study (`variant/seed-…`), one per trial of the ladder and the search, and one,
`study summary`, with the verdicts, the report and its figures. The files in `reports/` are the record; `make sync`
brings this page up to date with them.

| metrics | are |
|:--|:--|
| `score/…` | of the generated images; FID is the score that decides, lower is better |
| `train/…` | what was measured in each epoch of training |
| `snapshot/fid` | FID while learning |
| `digit/…` | the share of each digit among the images |
| `last/…`, `check/…` | scores of the last epoch alone, and FID under other choices |

Searches: `tags.variant = "minimax"`, `tags.design = "search"`, `params.objective = "non_saturating"`.
"""


def experiment_tags(name: str) -> dict[str, str]:
    """What makes MLflow show an experiment as one of trained models, the runs with the lowest FID first."""
    view = {
        "orderByKey": "metrics.`score/fid`",
        "orderByAsc": True,
        "selectedColumns": COLUMNS,
        "columnOrder": COLUMNS,
    }
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": "score/fid",
        "mlflow.experiment.primaryMetric.greaterIsBetter": "False",
        "mlflow.note.content": f"# {name}\n\n{DESCRIPTION}",
        f"{SHARED_VIEW}{VIEW}": json.dumps(view),
    }


def address(server: str, experiment: str | None) -> str:
    """Where the page of `server` shows the runs of the experiment with this id, or without one all experiments."""
    page = f"{server.rstrip('/')}/#/experiments"
    if experiment is None:
        return f"{page}?workflowType=machine_learning"
    return f"{page}/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={VIEW}"


def serve(host: str, port: int, allowed: Sequence[str]) -> None:
    """Become `mlflow ui`, which doesn't return; where the runs are on a server, say so instead.

    MLflow answers only requests to names that it knows. Unless it serves this machine alone, it is told the machine's
    names and addresses, and those in `allowed`. On a desktop, a browser opens the page when it is there.
    """
    store = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if store.startswith("http"):
        print(f"The runs are on {address(without_credentials(store), experiment_id(store))}")
        return
    command = [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port)]
    # One worker: several are ended, again and again, when a training leaves them too little time to start.
    command += ["--backend-store-uri", store, "--workers", "1"]
    if host not in LOCAL or allowed:
        names = own_names(host, allowed)
        print(
            f"The page answers under {', '.join(names)}; under another name with `make ui HOST={host} ALLOWED=name`.\n"
            f"warning: whoever reaches this machine at {host} can change the runs",
            file=sys.stderr,
            flush=True,
        )
        command += ["--allowed-hosts", ",".join(f"{name}:*,{name}" for name in names)]
        command += ["--cors-allowed-origins", ",".join(f"http://{name}:{port}" for name in names)]
    seen_as = f"[{host}]" if ":" in host else "127.0.0.1" if host == "0.0.0.0" else host
    page = address(f"http://{seen_as}:{port}", experiment_id(store))
    print(f"The runs: {page}", flush=True)
    if sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        subprocess.Popen([sys.executable, "-m", "gan.tracking.page", page, "127.0.0.1", str(port)])
    os.execv(command[0], command)


def experiment_id(store: str) -> str | None:
    """The id of the study's experiment in the store; None if it has none, or can't be reached."""
    from mlflow import MlflowClient  # it takes seconds
    from mlflow.exceptions import MlflowException

    from gan.study.loading import load_study

    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"  # MLflow itself would try for minutes
    try:
        experiment = MlflowClient(store).get_experiment_by_name(load_study().tracking.experiment)
    except (MlflowException, OSError):
        return None
    return experiment.experiment_id if experiment else None


def own_names(host: str, allowed: Sequence[str]) -> list[str]:
    """The names and addresses that this machine has, as they stand in an address, and those in `allowed`."""
    families = (socket.AF_INET, socket.AF_INET6)
    networks = psutil.net_if_addrs().values()
    numbers = [address.address for network in networks for address in network if address.family in families]
    name = socket.gethostname()
    names = [*LOCAL, host, name, name.partition(".")[0], socket.getfqdn(), *allowed, *numbers]
    # An address may have its network card behind a percent sign.
    names = [f"[{name.partition('%')[0]}]" if ":" in name else name for name in names]
    return list(dict.fromkeys(name for name in names if name not in ("0.0.0.0", "[::]")))


def open_when_served(page: str, host: str, port: int) -> None:
    """Open the page in a browser as soon as something listens there."""
    until = time.monotonic() + STARTING
    while time.monotonic() < until:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            webbrowser.open(page)
            return


if __name__ == "__main__":
    open_when_served(sys.argv[1], sys.argv[2], int(sys.argv[3]))
