"""`python -m gan.tracking [VARIANT ...]` brings MLflow up to date with the study in the working directory.

When MLflow fails or hangs, so does this. A study calls it through `stages.track`, which limits its time.
"""

import math
import os
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from gan.data.mirrors import without_credentials
from gan.errors import StudyError
from gan.pipeline import end_with_pipeline
from gan.study.loading import load_study

CONNECTING = 5.0  # seconds that a server may take to accept a connection


def main() -> None:
    """Synchronise; a failure ends with one line that names its cause."""
    end_with_pipeline()
    try:
        study = load_study()
        _reach(os.environ.get("MLFLOW_TRACKING_URI", ""))
        os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(math.ceil(study.tracking.timeout_seconds))
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
        from gan.tracking.synchronise import synchronise  # it imports MLflow, which takes seconds

        changes = synchronise(study, sys.argv[1:], Path())
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        sys.exit(without_credentials(cause))
    print("MLflow: {} runs logged, {} superseded, {} unchanged".format(*changes))


def _reach(uri: str) -> None:
    """StudyError if nobody listens at an http address: MLflow itself would try for minutes."""
    try:
        address = urlsplit(uri)
        port = address.port or (443 if address.scheme == "https" else 80)
    except ValueError:  # it would show a part of the address, perhaps of its password
        raise StudyError(
            "MLFLOW_TRACKING_URI is no address: special characters of a password are written like %40"
        ) from None
    if address.scheme not in ("http", "https") or not address.hostname:
        return
    if select_proxy(uri, get_environ_proxies(uri)):  # it may reach what this machine doesn't
        return
    try:
        socket.create_connection((address.hostname, port), timeout=CONNECTING).close()
    except OSError as error:
        raise StudyError(f"no server answers at MLFLOW_TRACKING_URI, {uri}: {error.strerror or error}") from None


if __name__ == "__main__":
    main()
