"""What lies between a mirror and the study: transfers that pack and unpack, certificates, proxies, odd addresses."""

import datetime
import gzip
import ipaddress
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, contents, mirrors
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from ruamel.yaml import YAML

from gan.data.download import download
from gan.data.mirrors import contents as given
from gan.errors import StudyError
from gan.images import DataError
from gan.study.fields import OUTPUTS
from gan.study.loading import load_study


def repacked(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content), 3)


# Each with the header that names it, and with what it does to a packed file.
TRANSFERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip named as the transfer's": ("gzip", bytes),
    "x-gzip": ("x-gzip", bytes),
    "packed twice": ("gzip", gzip.compress),
    "unpacked on the way": ("", gzip.decompress),
    "packed anew": ("", repacked),
    "deflate": ("deflate", lambda content: zlib.compress(gzip.decompress(content), 1)),
    "deflate without a header": ("deflate", lambda content: zlib.compress(gzip.decompress(content), 1, -15)),
    "a header that is wrong": ("gzip", gzip.decompress),
}


def place(layout: str, pack: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    """Copies files into a folder; in the layout {} is a file's name without .gz."""

    def copy(source: Path, folder: Path) -> None:
        for file in source.glob("*.gz"):
            target = folder / layout.format(file.stem)
            target = target.with_name(target.name.replace("-idx", ".idx")) if "dotted" in layout else target
            target = Path(str(target).replace("dotted/", ""))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(pack(file.read_bytes()))

    return copy


FOLDERS = {
    "unpacked files": place("{}", gzip.decompress),
    "files packed anew": place("{}.gz", repacked),
    "unpacked files named with a dot": place("dotted/{}", gzip.decompress),
    "torchvision's root": place("MNIST/raw/{}.gz", bytes),
    "torchvision's root, unpacked": place("MNIST/raw/{}", gzip.decompress),
}
FIRST = ["gzip named as the transfer's", "a header that is wrong", "torchvision's root, unpacked"]
ALTERED = [*FIRST, *(name for name in (*TRANSFERS, *FOLDERS) if name not in FIRST)]


class Answer(BaseHTTPRequestHandler):
    """Calls the server's `answer`; a proxy is asked by CONNECT, too."""

    def do_GET(self) -> None:
        self.server.answer(self)  # type: ignore[attr-defined]

    do_CONNECT = do_GET  # noqa: N815

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status, "something\tof its own")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:  # the other side has had enough
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(answer: Callable[[Answer], None], context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Host and port of a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        server.answer = answer  # type: ignore[attr-defined]
        server.handle_error = lambda *args: None  # type: ignore[method-assign]
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "requests_ca_bundle", "curl_ca_bundle")
    for name in names:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.fault(
    f"a mirror's files come otherwise than they were packed: {', '.join(ALTERED)}",
    full=len(ALTERED),
    short=3,
    note="the right content is taken, whatever packed it",
)
def test_the_right_content_is_taken(
    tiny_mnist: Path, tmp_path: Path, injection: int, record_property: Callable
) -> None:
    name = ALTERED[injection]
    asked = []

    def answer(request: Answer) -> None:
        asked.append(request.headers["Accept-Encoding"])
        content = alter((tiny_mnist / request.path.rpartition("/")[2]).read_bytes())
        request.say(200, content, **({"Content_Encoding": encoding} if encoding else {}))

    if name in TRANSFERS:
        encoding, alter = TRANSFERS[name]
        with serving(answer) as server:
            download(*mirrors(f"http://{server}/mnist/"), tmp_path / "data")
        assert asked == 4 * ["identity"]
    else:
        FOLDERS[name](tiny_mnist, tmp_path / "folder")
        download(*mirrors(str(tmp_path / "folder")), tmp_path / "data")
    download(*mirrors(str(tiny_mnist)), tmp_path / "undisturbed")
    assert contents(tmp_path / "data") == contents(tmp_path / "undisturbed")
    record_property("identical", True)


def certificate(folder: Path, host: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    """A server's own certificate, valid for so many days from now or, below zero, up to then; in `own.pem`."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "own.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "own.pem", folder / "key.pem")
    return context


def nobody() -> str:
    """Host and port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def refusing(status: int) -> Callable[[Answer], None]:
    return lambda request: request.say(status)


def leading(to: str) -> Callable[[Answer], None]:
    return lambda request: request.say(302, Location=to)


def saying(line: bytes) -> Callable[[Answer], None]:
    def answer(request: Answer) -> None:
        request.wfile.write(line)
        request.close_connection = True

    return answer


PAGE = b"<!DOCTYPE html><title>Log in to the network</title>"
NO_PROXYS_ADDRESS = "is no proxy's address: it must be like http://host:port"
# Of each: the server's answer, its certificate, the mirror, the environment, and what is told. {0} is the server's host
# and port, {1} an address where nobody listens.
Case = tuple[Callable[[Answer], None], dict[str, Any] | None, str, dict[str, str], str]
CAUSES: dict[str, Case] = {
    "its own certificate": (
        *(refusing(404), {}, "https://{0}/", {}),
        "its certificate is not trusted (self-signed certificate): REQUESTS_CA_BUNDLE may name a file",
    ),
    "expired": (
        *(refusing(404), {"days": -1}, "https://{0}/", {"REQUESTS_CA_BUNDLE": "{folder}/own.pem"}),
        "its certificate is not valid now (certificate has expired): is this machine's clock right?",
    ),
    "another host's": (
        *(refusing(404), {"host": "127.0.0.2"}, "https://{0}/", {"REQUESTS_CA_BUNDLE": "{folder}/own.pem"}),
        "its certificate is of another host",
    ),
    "trusted": (refusing(404), {}, "https://{0}/", {"REQUESTS_CA_BUNDLE": "{folder}/own.pem"}, "404 Not Found"),
    "a bundle that is missing": (
        *(refusing(404), {}, "https://{0}/", {"REQUESTS_CA_BUNDLE": "{folder}/none.pem"}),
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates",
    ),
    "a bundle without certificates": (
        *(refusing(404), {}, "https://{0}/", {"CURL_CA_BUNDLE": "{folder}/empty.pem"}),
        "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates",
    ),
    "https where http is spoken": (
        refusing(404),
        None,
        "https://{0}/",
        {},
        "no TLS connection: it may speak http only",
    ),
    "nobody listens": (refusing(404), None, "http://{1}/", {}, "Connection refused"),
    "no such host": (refusing(404), None, "http://no-such-host.invalid/", {}, "its host name is unknown (DNS)"),
    "no answer at all": (saying(b""), None, "http://{0}/", {}, "it closed the connection without an answer"),
    "no HTTP": (saying(b"SSH-2.0\r\n\r\n"), None, "http://{0}/", {}, "its answer is no HTTP"),
    "redirects without end": (leading("/again"), None, "http://{0}/", {}, "too many redirects"),
    "a redirect to ftp": (
        *(leading("ftp://me:secret@host/"), None, "http://{0}/", {}),
        "leads to an address that is neither http nor https",
    ),
    "a redirect to nowhere": (
        *(leading("http://me:secret@[bad/"), None, "http://{0}/", {}),
        "its address is malformed, or leads to one that is",
    ),
    "a login page": (
        lambda request: request.say(200, PAGE),
        None,
        "http://{0}/",
        {},
        "a web page, such as a network's",
    ),
    "an odd status": (refusing(599), None, "http://{0}/", {}, "status 599"),
    "an unreachable proxy": (
        *(refusing(404), None, "http://host.invalid/", {"HTTP_PROXY": "http://me:secret@{1}"}),
        "the proxy {1} (HTTP_PROXY) fails: Connection refused",
    ),
    "an unreachable proxy for https": (
        *(refusing(404), None, "https://host.invalid/", {"https_proxy": "{1}"}),
        "the proxy {1} (https_proxy) fails: Connection refused",
    ),
    "a proxy of unknown name": (
        *(refusing(404), None, "http://host.invalid/", {"ALL_PROXY": "http://proxy.invalid:3128"}),
        "the proxy proxy.invalid:3128 (ALL_PROXY) fails: its host name is unknown (DNS)",
    ),
    "a proxy that asks for a password": (
        *(refusing(407), None, "http://host.invalid/", {"HTTP_PROXY": "{0}"}),
        "the proxy {0} (HTTP_PROXY) fails: 407 Proxy Authentication Required",
    ),
    "a proxy that asks for a password, for https": (
        *(refusing(407), None, "https://host.invalid/", {"HTTPS_PROXY": "http://{0}"}),
        "the proxy {0} (HTTPS_PROXY) fails: 407 Proxy Authentication Required",
    ),
    "a proxy that forbids": (
        *(refusing(403), None, "http://host.invalid/", {"HTTP_PROXY": "http://{0}"}),
        "403 Forbidden, through the proxy {0} (HTTP_PROXY)",
    ),
    "a SOCKS proxy": (
        *(refusing(404), None, "http://host.invalid/", {"HTTP_PROXY": "socks5://me:secret@{1}"}),
        "the proxy {1} (HTTP_PROXY) fails: SOCKS needs `.venv/bin/pip install pysocks`",
    ),
    "a proxy with a bad port": (
        *(refusing(404), None, "http://host.invalid/", {"HTTP_PROXY": "http://me:p@secret@w0rd:port"}),
        f"HTTP_PROXY {NO_PROXYS_ADDRESS}",
    ),
    "a proxy with / in its password": (
        *(refusing(404), None, "https://host.invalid/", {"HTTPS_PROXY": "http://me:1/secret@{1}"}),
        f"HTTPS_PROXY {NO_PROXYS_ADDRESS}",
    ),
    "a proxy with a password and no scheme": (
        *(refusing(404), None, "https://host.invalid/", {"https_proxy": "me:secret@{1}"}),
        f"https_proxy {NO_PROXYS_ADDRESS}",
    ),
    "a proxy of another scheme": (
        *(refusing(404), None, "http://host.invalid/", {"HTTP_PROXY": "ftp://me:secret@{1}"}),
        f"HTTP_PROXY {NO_PROXYS_ADDRESS}",
    ),
    "a proxy without a host": (
        *(refusing(404), None, "http://host.invalid/", {"HTTP_PROXY": "http://:3128"}),
        f"HTTP_PROXY {NO_PROXYS_ADDRESS}",
    ),
    "a label too long": (
        *(refusing(404), None, f"http://{64 * 'a'}.invalid/", {}),
        "its address is malformed, or leads to one that is",
    ),
}


@pytest.mark.fault(
    "a mirror's certificate, address, answer or proxy is amiss",
    full=len(CAUSES),
    short=len(CAUSES),
    note="one line has the cause and, where there is one, the setting; no password, no token",
)
def test_each_cause_has_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injection: int) -> None:
    answer, issued, mirror, environment, told = list(CAUSES.values())[injection]
    (tmp_path / "empty.pem").touch()
    context = None if issued is None else certificate(tmp_path, **issued)
    with serving(answer, context) as server:
        places = server, nobody()
        for name, value in environment.items():
            monkeypatch.setenv(name, value.format(*places, folder=tmp_path))
        secretive = mirror.format(*places).replace("://", "://me:p@secret@") + "mnist/?token=secret"
        with pytest.raises(DataError) as caught:
            download(*mirrors(secretive), tmp_path / "data")
    message = str(caught.value)
    assert f": {mirror.format(*places)}mnist/: {told.format(*places)}" in message
    assert "secret" not in message
    assert "\n" not in message
    assert "Error" not in message
    assert not (tmp_path / "data").exists()


def test_a_file_is_asked_for_before_the_query() -> None:
    asked = []

    def answer(request: Answer) -> None:
        asked.append(request.path)
        request.say(200, b"content")

    with serving(answer) as server:
        assert list(given(f"HTTP://{server}/mnist?token=a/b", "f.gz", 5.0)) == [b"content"]
    assert asked == ["/mnist/f.gz?token=a/b"]


def linked(folder: Path, name: str) -> str:
    (folder / name / "raw").mkdir(parents=True)
    (folder / "link").symlink_to(folder / name / "raw")
    return "link"


def led_away(folder: Path, name: str) -> str:
    (folder / name).mkdir()
    (folder / "elsewhere").mkdir()
    (folder / name / "raw").symlink_to(folder / "elsewhere")
    return f"{name}/raw"


def far(folder: Path, name: str) -> str:
    """An output folder on another disk."""
    (folder / "disk/raw").mkdir(parents=True)
    (folder / name).symlink_to(folder / "disk")
    return str(folder / "disk/raw")


NAMES: dict[str, Callable[[Path, str], str]] = {
    "as it is": lambda folder, name: f"{name}/raw",
    "the folder itself": lambda folder, name: f" ./{name}/\n",
    "absolute": lambda folder, name: str(folder / name / "raw"),
    "by a detour": lambda folder, name: f"mirror/../{name}/raw",
    "from home": lambda folder, name: f"~/{name}/raw",
    "by a link": linked,
    "a link": led_away,
    "on another disk": far,
}


@pytest.mark.fault(
    f"a mirror inside an output folder, named in {len(NAMES)} ways",
    full=len(NAMES) * len(OUTPUTS),
    short=len(NAMES),
    note="is refused by name while params.yaml is read",
)
def test_a_mirror_that_would_be_emptied_is_refused(
    raw_params: dict[str, Any], write_params: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, injection: int
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    turn, way = divmod(injection, len(NAMES))
    name = OUTPUTS[(turn + way) % len(OUTPUTS)]
    raw_params["data"]["mirrors"]["mnist"] = [list(NAMES.values())[way](tmp_path, name)]
    with pytest.raises(StudyError) as caught:
        load_study(write_params(raw_params))
    told = str(caught.value)
    assert (
        f"data.mirrors.mnist.0: must not lie in {name}/, where the study removes files: put yours into mirror/" in told
    )
    assert "\n" not in told


@pytest.mark.parametrize(
    "mirror", ["mirror", ".", "..", "database", "mnist/data", "/data/raw", "~nobody-has-this-name/data", "loop"]
)
def test_other_folders_are_taken(
    mirror: str, raw_params: dict[str, Any], write_params: Callable, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    raw_params["data"]["mirrors"]["mnist"] = [f" {mirror}\n"]
    assert load_study(write_params(raw_params)).data.mirrors["mnist"] == (mirror,)


def test_all_that_the_commands_empty_is_known() -> None:
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"].values()
    outs = [out for stage in stages for out in stage.get("do", stage).get("outs", [])]
    made = {next(iter(out)) if isinstance(out, dict) else out for out in outs}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    cleaned = makefile.partition("\n\trm -rf ")[2].partition("\n")[0].split()
    assert len(cleaned) > 3
    assert {path.partition("/")[0] for path in (*made, *cleaned)} <= set(OUTPUTS)


@pytest.mark.parametrize(
    "mirror",
    [
        "ftp://me:secret@host/",
        "ftp://me:pa ss/secret@host/",
        "http://me:pa/secret@host/",
        "http://me:1234567/@secret@host:port/",
        "http://me:secret@/",
        "http://me:secret@[bad/",
        "http://me:secret@host/" + 600 * "x",
        {"http://me:secret@host/": 1},
        [["http://me:secret@host/"]],
    ],
)
def test_no_password_of_a_refused_mirror_is_shown(
    mirror: Any, raw_params: dict[str, Any], write_params: Callable
) -> None:
    for broken in ([mirror], mirror, {"mnist": mirror}):
        raw_params["data"]["mirrors"]["mnist"] = broken
        with pytest.raises(StudyError, match="mirrors") as caught:
            load_study(write_params(raw_params))
        assert "secret" not in str(caught.value)
    raw_params["data"]["mirrors"] = mirror
    with pytest.raises(StudyError, match="mirrors") as caught:
        load_study(write_params(raw_params))
    assert "secret" not in str(caught.value)


def test_no_password_in_a_broken_file_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    for text in (
        "a: http://me:secret@host/\na: http://me:secret@host/\n",
        '"http://me:secret@host/": 1\n"http://me:secret@host/": 2\n',
        "a: !!int http://me:secret@host/\n",
        "- http://me:secret@host/\n",
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(StudyError) as caught:
            load_study(path)
        assert "secret" not in str(caught.value), text
