"""Whether the results here are the published ones again: those come from git or from a folder."""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan.errors import StudyError
from gan.files import write_json
from gan.reproduction.comparing import compare_studies
from gan.reproduction.record import Reproduction

REPORTS = "reports"
RECORD = "reproduced.json"


def reproduced(published: Path | None, revision: str, reports: Path) -> Reproduction:
    """Compare the results in `reports` with those in the folder `published`, or with those of a git revision.

    If anything was run again, the record goes to reproduced.json in `reports`.

    Raises:
        StudyError: there are no published results, none here, or there is no git history to take them from.
    """
    if not (reports / "comparison.json").exists():
        raise StudyError(f"{reports} has no comparison.json: run `make study` first")
    if published is not None:
        if published.resolve() == reports.resolve():
            raise StudyError(f"{published} is the folder that is to be compared: name another one")
        record = compare_studies(published, reports, str(published))
    else:
        with _of_revision(revision) as (folder, name):
            record = compare_studies(folder, reports, name)
    if record.run_again:
        write_json(reports / RECORD, record)
    return record


@contextmanager
def _of_revision(revision: str) -> Iterator[tuple[Path, str]]:
    """The results of a revision in a folder that is removed afterwards, and what to call them."""
    commit = _git("rev-parse", "--short", "--verify", "--quiet", f"{revision}^{{commit}}").decode().strip()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "published.tar"
        archive.write_bytes(_git("archive", "--format=tar", revision, REPORTS))
        with tarfile.open(archive) as files:
            files.extractall(folder, filter="data")
        yield Path(folder) / REPORTS, f"{revision} ({commit})"


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise StudyError("git is missing, which has the published results: name a folder that has them") from None
    if done.returncode:
        reason = " ".join(done.stderr.decode(errors="replace").split()) or f"there is no revision {arguments[-1]}"
        raise StudyError(f"git has no published results: {reason}; name another --revision, or a folder that has them")
    return done.stdout
