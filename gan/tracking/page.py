"""MLflow's page over the runs, reachable under this machine's own names."""

import os
import socket
import sys
from collections.abc import Sequence

import psutil

from gan.data.mirrors import without_credentials

LOCAL = ("localhost", "127.0.0.1", "::1")


def serve(host: str, port: int, allowed: Sequence[str]) -> None:
    """Become `mlflow ui`, which doesn't return; where the runs are on a server, say so instead.

    MLflow answers only requests to names that it knows. Unless it serves this machine alone, it is told the machine's
    names and addresses, and those in `allowed`.
    """
    store = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if store.startswith("http"):
        print(f"The runs are on {without_credentials(store)}")
        return
    command = [sys.executable, "-m", "mlflow", "ui", "--host", host, "--port", str(port)]
    command += ["--backend-store-uri", store]
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
    os.execv(command[0], command)


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
