"""Mirrors: folders and URLs that have the files of a data set, and in words why one does not give a file."""

import gzip
import os
import re
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPException, IncompleteRead, RemoteDisconnected, responses
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.utils import get_environ_proxies, prepend_scheme_if_needed, select_proxy
from urllib3 import exceptions as urllib3
from urllib3.util import parse_url

MOST_BYTES = 100_000_000  # of a file, packed or not: twice the largest
MOST_TIMEOUTS = 10  # how many times `timeout_seconds` a mirror may take for one file
_PART = 65_536  # bytes
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_ERRORS = (OSError, ValueError, RuntimeError, urllib3.HTTPError)  # of folders, requests and the reading of a body
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_IP = 9, 10, 62, 64  # OpenSSL's X509_V_ERR codes
_NO_BUNDLE = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file of certificates"

# What stands before the host of an address: up to the last @, because a password may hold @ and /, unless a port and a
# path come first. An address may lack its scheme; urllib3 shows a path alone.
_USER = re.compile(r"""((?:\b[a-z][a-z0-9+.-]*:)?//)(?:[^\s/?#]*:(?!\d+[/?#])\S*@|[^\s/?#]*@)""", re.IGNORECASE)
_USER_ALONE = re.compile(r"""(?<![^\s'"(])[^\s/:@'"(]+:(?!//)[^\s/]*@""")
_QUERY = re.compile(
    r"""((?:\b[a-z][a-z0-9+.-]*://|with url: /)[^\s?#'"]*)[?#][^\s'"]*?(?=[:;,.)]*(?:[\s'"]|$))""", re.I
)


class MirrorError(Exception):
    """A mirror does not give a file; the message says why, in one line without credentials."""


def is_url(mirror: str) -> bool:
    """Whether a mirror is a URL; every other is a folder, whatever its name looks like."""
    return mirror.lower().startswith(("http://", "https://"))


def folder(mirror: str) -> Path:
    """The folder that a mirror names, `~` and `~user` expanded; RuntimeError if there is no such home."""
    # For a path ./~x is ~x, too.
    return Path(mirror).expanduser() if mirror.startswith("~") else Path(mirror)


def elsewhere(mirror: str) -> str:
    """The mirror by a name that holds in any working directory."""
    with suppress(OSError, RuntimeError):  # a home that nobody has, a loop of links
        return mirror if is_url(mirror) else str(folder(mirror).resolve())
    return mirror


def address(mirror: str, name: str) -> str:
    """The URL of a file on a mirror: its name goes into the path, before a query."""
    parts = urlsplit(mirror)
    return parts._replace(path=f"{parts.path.rstrip('/')}/{name}", fragment="").geturl()


def shown(mirror: str) -> str:
    """A mirror as messages show it: on one line, a URL without credentials and tokens."""
    return without_credentials("%20".join(mirror.split())) if is_url(mirror) else " ".join(mirror.split())


def without_credentials(text: str) -> str:
    """`text`, for a message or log, whose addresses have lost user, password and query, where tokens are."""
    for pattern, kept in ((_USER, r"\1"), (_USER_ALONE, ""), (_QUERY, r"\1")):
        text = pattern.sub(kept, text)
    return text


def contents(mirror: str, name: str, timeout_seconds: float) -> Iterator[bytes]:
    """What the mirror has that may be the file `name`, which ends in .gz; MirrorError if it has nothing."""
    try:
        yield from [_answer(mirror, name, timeout_seconds)] if is_url(mirror) else _files(folder(mirror), name)
    except _ERRORS as error:
        raise MirrorError(_words(error, mirror, timeout_seconds)) from None


def unpacked(content: bytes) -> bytes | None:
    """`content` without its outer compression, gzip or deflate; None if it has none that can be undone in bounds."""
    try:
        if content[:2] == b"\x1f\x8b":
            inner = gzip.GzipFile(fileobj=BytesIO(content)).read(MOST_BYTES + 1)
        else:
            # HTTP's deflate is with zlib's header, and without it from servers that are wrong.
            stream = zlib.decompressobj(zlib.MAX_WBITS if content[:1] == b"\x78" else -zlib.MAX_WBITS)
            inner = stream.decompress(content, MOST_BYTES + 1)
            if not stream.eof or stream.unused_data:
                return None
    except (OSError, EOFError, zlib.error):
        return None
    return inner if len(inner) <= MOST_BYTES else None


def _files(place: Path, name: str) -> Iterator[bytes]:
    """The candidates in a folder: packed or not, in both usual spellings, also as torchvision lays them out."""
    if not place.is_dir():
        raise MirrorError("is a file, not the folder of the files" if place.exists() else "there is no such folder")
    stem = name.removesuffix(".gz")
    spellings = (stem, stem.replace("-idx", ".idx"))
    found = [
        file
        for below in ("", "raw", "MNIST/raw", "FashionMNIST/raw")
        for spelling in spellings
        for file in (place / below / f"{spelling}.gz", place / below / spelling)
        if file.is_file()
    ]
    if not found:
        raise MirrorError(f"the folder has no {name}, nor {stem}")
    for file in found:
        if file.stat().st_size > MOST_BYTES:
            raise MirrorError(f"{file.name} is larger than {MOST_BYTES:,} bytes")
        yield file.read_bytes()


def _answer(mirror: str, name: str, timeout_seconds: float) -> bytes:
    most_seconds, content = MOST_TIMEOUTS * timeout_seconds, bytearray()
    deadline, url = time.monotonic() + most_seconds, address(mirror, name)
    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, timeout=timeout_seconds, stream=True, headers=headers) as response:
        response.raise_for_status()
        # As it arrives, since a mirror that sends a byte a second never times out; and as it was sent, since some send
        # the packed file as if the packing were the transfer's.
        while part := response.raw.read1(_PART, decode_content=False):
            content += part
            if len(content) > MOST_BYTES:
                raise MirrorError(f"sends more than {MOST_BYTES:,} bytes")
            if time.monotonic() > deadline:
                raise MirrorError(f"too slow: not done within {most_seconds:g} s (data.timeout_seconds)")
    return bytes(content)


def _proxy(url: str) -> str:
    """A URL's proxy, host and port, with the variable that names it; empty without one. MirrorError if malformed."""
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return ""
    scheme = urlsplit(url).scheme.lower()
    known = [form for name in (f"{scheme}_proxy", "all_proxy") for form in (name, name.upper())]
    variable = next((name for name in known if os.environ.get(name)), f"{scheme.upper()}_PROXY")
    try:
        parts = parse_url(prepend_scheme_if_needed(proxy, "http"))
    except ValueError:
        parts = parse_url("")
    if not parts.host or parts.scheme not in _PROXY_SCHEMES or ("@" in proxy and not parts.auth):
        raise MirrorError(
            f"{variable} is no proxy's address: it must be like http://host:port, and special characters of a "
            "password like %40 for @"
        )
    return f"{parts.netloc} ({variable})"


def _words(error: Exception, mirror: str, timeout_seconds: float) -> str:
    """Why a folder or URL can't be read, never in the library's words, which show addresses."""
    chain = list(_chain(error))
    causes = [words for each in chain if (words := _cause(each, timeout_seconds))]
    cause = causes[-1] if causes else f"can't be read ({type(error).__name__})"  # the innermost says most
    # After a redirect it is another URL than the mirror's.
    url = getattr(getattr(error, "request", None), "url", None) or mirror
    try:
        proxy = _proxy(url) if is_url(url) else ""
    except MirrorError as malformed:
        return str(malformed)
    if not proxy:
        return cause
    kinds = requests.exceptions.ProxyError | requests.ConnectTimeout
    at_proxy = any(isinstance(each, kinds) for each in chain) or cause.startswith(("407", "SOCKS"))
    return f"the proxy {proxy} fails: {cause}" if at_proxy else f"{cause}, through the proxy {proxy}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those in it: libraries wrap the one that says most."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            inner = (*each.args, getattr(each, "reason", None), each.__cause__, each.__context__)
            waiting += [other for other in inner if isinstance(other, BaseException)]


def _cause(error: BaseException, timeout_seconds: float) -> str:
    """What one error of a chain says; empty if another says more."""
    match error:
        case requests.HTTPError():
            return _status(error.response.status_code)
        case requests.TooManyRedirects():
            return "too many redirects"
        case requests.exceptions.InvalidSchema() if "SOCKS" in str(error):
            return "SOCKS needs `.venv/bin/pip install pysocks`"
        case requests.exceptions.InvalidSchema():
            return "leads to an address that is neither http nor https"
        case ssl.SSLCertVerificationError():
            return _certificate(error)
        case ssl.SSLError(library="X509" | "PEM"):
            return _NO_BUNDLE
        case ssl.SSLError():
            return "no TLS connection: it may speak http only, not https, or another version of TLS"
        case TimeoutError() | requests.Timeout() | urllib3.TimeoutError():
            return f"no answer within {timeout_seconds:g} s (data.timeout_seconds)"
        case socket.gaierror():
            return "its host name is unknown (DNS)"
        case RemoteDisconnected():
            return "it closed the connection without an answer"
        case IncompleteRead():
            return "cut short"
        case HTTPException():
            return "its answer is no HTTP"
        case ValueError():
            return "its address is malformed, or leads to one that is"
        case RuntimeError():
            return "there is no such home folder"
        case OSError(strerror=str(strerror)):
            return strerror
    text = str(error)
    if tunnel := re.match(r"Tunnel connection failed: (\d+)", text):
        return _status(int(tunnel[1]))
    return _NO_BUNDLE if text.startswith("Could not find a suitable TLS CA certificate bundle") else ""


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return f"its certificate is not valid now ({error.verify_message}): is this machine's clock right?"
    if error.verify_code in (_OTHER_HOST, _OTHER_IP):
        return "its certificate is of another host"
    return (
        f"its certificate is not trusted ({error.verify_message}): REQUESTS_CA_BUNDLE may name a file of the "
        "certificates that are"
    )


def _status(code: int) -> str:
    """With the standard's phrase, since a server's own may be anything."""
    return f"{code} {responses[code]}" if code in responses else f"status {code}"
