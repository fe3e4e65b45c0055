"""Fetching published files, from a server on this machine that misbehaves as told."""

from __future__ import annotations

import hashlib
import io
import re
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from pytorchcv.models import shufflenet as pytorchcv
from pytorchcv.models.common import model_store

from shufflenet_deploy.models.weights.checkpoint import load
from shufflenet_deploy.models.weights.download import BASE_URL, PUBLISHED, Published, fetch
from shufflenet_deploy.runtime.errors import ModelsError
from waiting import HANG_SECONDS, wait_until

RELEASE = "v1"
Get = Callable[..., Path]


class Server:
    """Answers each request with the next of `answers`, and the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[Callable[[BaseHTTPRequestHandler], None]] = []
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                left = server.answers
                (left.pop(0) if len(left) > 1 else left[0])(self)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def whole(data: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    return cut(data, len(data))


def cut(data: bytes, at: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Promises all of `data` and sends `at` bytes of it."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[:at])

    return answer


def status(code: int) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda request: request.send_error(code)


def silent(request: BaseHTTPRequestHandler) -> None:
    request.connection.recv(1)  # until the other end has given up


def stalling(request: BaseHTTPRequestHandler) -> None:
    cut(b"x" * 100, 50)(request)
    silent(request)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module")
def weights() -> bytes:
    """A file as pytorchcv's author would publish it, of random weights."""
    buffer = io.BytesIO()
    torch.save(pytorchcv.shufflenet_g3_wd4().state_dict(), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def row(weights: bytes) -> Published:
    return Published("shufflenet_g3_wd4", "3653", hashlib.sha1(weights).hexdigest(), RELEASE)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def archive(row: Published, weights: bytes) -> bytes:
    return zipped({row.file_name: weights})


@pytest.fixture
def get(server: Server, row: Published, tmp_path: Path) -> Get:
    """Fetch from the server without pauses; one that answers has all the time that it needs."""

    def get(timeout_s: float = HANG_SECONDS) -> Path:
        return fetch(
            3,
            0.25,
            base_url=server.url,
            cache=tmp_path / "cache",
            published={(3, 0.25): row},
            timeout_s=timeout_s,
            pauses_s=(0.0, 0.0),
        )

    return get


def _refusal(get: Get, tmp_path: Path, **options: float) -> str:
    """What is said, in one line with the remedy; nothing may be left behind."""
    with pytest.raises(ModelsError) as caught:
        get(**options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith("download it elsewhere and pass --weights FILE")
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
    return message


# The table.


def test_the_table_is_pytorchcvs() -> None:
    scales = {"w1": 1.0, "w3d4": 0.75, "wd2": 0.5, "wd4": 0.25}
    theirs = {}
    for name, (_, error, sha1, release) in model_store.get_model_metainfo_dict().items():
        if match := re.fullmatch(r"shufflenet_g(\d)_(\w+)", name):
            variant = int(match[1]), scales[match[2]]
            theirs[variant] = Published(name, error, sha1, release)
    assert theirs == PUBLISHED
    assert len(theirs) == 11
    assert model_store.imgclsmob_repo_url == BASE_URL


def test_the_address_is_that_of_a_release() -> None:
    assert PUBLISHED[3, 1.0].url(BASE_URL) == (
        "https://github.com/osmr/imgclsmob/releases/download/v0.0.244/"
        "shufflenet_g3_w1-1348-ce54f64e.pth.zip"
    )


@pytest.mark.parametrize("variant", [(8, 0.5), (2, 2.0), (5, 1.0)])
def test_what_nobody_published_is_refused_with_the_list(variant: tuple[int, float]) -> None:
    with pytest.raises(ModelsError, match=f"groups {variant[0]} at {variant[1]}x") as caught:
        fetch(*variant)
    assert str(caught.value).count("g=") == 11
    assert "g=1 0.25x, g=1 0.5x" in str(caught.value)


# What works.


def test_a_file_is_fetched_unpacked_and_kept(
    get: Get,
    server: Server,
    archive: bytes,
    weights: bytes,
    row: Published,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    server.answers = [whole(archive)]
    path = get()
    assert path == tmp_path / "cache" / row.file_name
    assert path.read_bytes() == weights
    assert server.requests == [f"/releases/download/{RELEASE}/{row.file_name}.zip"]
    assert list(path.parent.iterdir()) == [path]
    checkpoint = load(path)
    assert (checkpoint.groups, checkpoint.scale, checkpoint.stem_channels) == (3, 0.25, 6)
    assert checkpoint.sha256 == hashlib.sha256(weights).hexdigest()

    assert get() == path
    assert len(server.requests) == 1  # the second time no one was asked
    assert capfd.readouterr() == ("", "")


def test_an_altered_file_in_the_cache_is_fetched_again(
    get: Get, server: Server, archive: bytes, weights: bytes
) -> None:
    server.answers = [whole(archive)]
    path = get()
    path.write_bytes(weights[:-1] + b"?")
    assert get().read_bytes() == weights
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("first", "timeout_s"),
    # So long that one of the next two attempts is answered in time.
    [(silent, 2.0), (stalling, 2.0), (status(503), HANG_SECONDS), (status(429), HANG_SECONDS)],
)
def test_a_passing_fault_is_passed_over(
    first: Callable[[BaseHTTPRequestHandler], None],
    timeout_s: float,
    get: Get,
    server: Server,
    archive: bytes,
    weights: bytes,
) -> None:
    server.answers = [first, whole(archive)]
    assert get(timeout_s).read_bytes() == weights


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_a_transfer_cut_short_is_begun_again(
    part: float, get: Get, server: Server, archive: bytes, weights: bytes
) -> None:
    server.answers = [cut(archive, int(part * len(archive))), whole(archive)]
    assert get().read_bytes() == weights
    assert len(server.requests) == 2


def test_pauses_grow_between_attempts(
    row: Published, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("shufflenet_deploy.models.weights.download.time.sleep", slept.append)
    server.answers = [status(500)]
    with pytest.raises(ModelsError):
        fetch(3, 0.25, base_url=server.url, cache=tmp_path, published={(3, 0.25): row})
    assert slept == [0.5, 2.0]
    assert len(server.requests) == 3


def test_a_proxy_is_asked_where_one_is_set(
    row: Published,
    server: Server,
    archive: bytes,
    weights: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    server.answers = [whole(archive)]
    path = fetch(
        3, 0.25, base_url="http://host.invalid", cache=tmp_path, published={(3, 0.25): row}
    )
    assert path.read_bytes() == weights
    assert server.requests[0].startswith("http://host.invalid/")


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_progress_bar(
    get: Get,
    server: Server,
    archive: bytes,
    row: Published,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    server.answers = [cut(archive, 10), whole(archive)]
    get()
    assert row.file_name in terminal.getvalue()


def test_the_platforms_cache_is_the_default(
    row: Published,
    server: Server,
    archive: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    server.answers = [whole(archive)]
    path = fetch(3, 0.25, base_url=server.url, published={(3, 0.25): row})
    assert path.parent == tmp_path / "shufflenet-deploy"


# What fails.


def test_what_is_not_there_is_asked_for_once(get: Get, server: Server, tmp_path: Path) -> None:
    server.answers = [status(404)]
    assert "404 Not Found" in _refusal(get, tmp_path)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answer", "timeout_s", "message"),
    [
        (cut(b"x" * 100, 50), HANG_SECONDS, "the transfer broke off"),
        (status(500), HANG_SECONDS, "the server says 500"),
        (silent, 0.5, "no answer within 0.5 s"),
        # So long that half of the answer is there by then.
        (stalling, 2.0, "nothing further came within 2 s"),
    ],
)
def test_a_lasting_fault_is_named(
    answer: Callable[[BaseHTTPRequestHandler], None],
    timeout_s: float,
    message: str,
    get: Get,
    server: Server,
    tmp_path: Path,
) -> None:
    server.answers = [answer]
    assert message in _refusal(get, tmp_path, timeout_s=timeout_s)
    wait_until(lambda: len(server.requests) >= 3)  # the last may have been given up unread
    assert len(server.requests) == 3


@pytest.fixture
def closed_port() -> Iterator[int]:
    """One that is taken, lest another test's server gets it, and that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize("where", ["http://127.0.0.1:{port}", "http://host.invalid"])
@pytest.mark.usefixtures("server")  # without proxies
def test_no_connection_is_named(
    where: str, row: Published, tmp_path: Path, closed_port: int
) -> None:
    base_url = where.format(port=closed_port)

    def get() -> Path:
        return fetch(
            3,
            0.25,
            base_url=base_url,
            cache=tmp_path,
            published={(3, 0.25): row},
            timeout_s=HANG_SECONDS,
            pauses_s=(),
        )

    assert "no connection (offline, or a proxy is needed" in _refusal(get, tmp_path)


def test_a_proxy_that_is_not_there_is_named(
    get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("no_proxy", "")
    assert "the proxy that HTTP_PROXY" in _refusal(get, tmp_path)


def test_another_file_of_the_right_name_is_refused(
    get: Get, server: Server, row: Published, weights: bytes, tmp_path: Path
) -> None:
    server.answers = [whole(zipped({row.file_name: weights + b"!"}))]
    message = _refusal(get, tmp_path)
    assert f"not {row.sha1}" in message
    assert hashlib.sha1(weights + b"!").hexdigest() in message


@pytest.mark.parametrize(
    "names",
    [
        ["../{}"],
        ["/tmp/{}"],
        ["sub/{}"],
        ["..\\{}"],
        ["{}", "another.pth"],
        ["../../evil", "{}"],
        ["{}/"],
        ["other.pth"],
        [],
    ],
)
def test_an_archive_of_anything_else_is_refused(
    names: list[str],
    get: Get,
    server: Server,
    row: Published,
    weights: bytes,
    tmp_path: Path,
) -> None:
    members = {name.format(row.file_name): weights for name in names}
    server.answers = [whole(zipped(members))]
    assert f"not of '{row.file_name}' alone" in _refusal(get, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_the_same_name_twice_is_refused(
    get: Get, server: Server, row: Published, weights: bytes, tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(row.file_name, weights)
        archive.writestr(row.file_name, b"another")
    server.answers = [whole(buffer.getvalue())]
    assert "alone" in _refusal(get, tmp_path)


def test_what_unpacks_to_too_much_is_refused(
    get: Get,
    server: Server,
    row: Published,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shufflenet_deploy.models.weights.download.SIZE_LIMIT_BYTES", 2**20)
    server.answers = [whole(zipped({row.file_name: bytes(2**20 + 1)}))]
    assert "over 1 MB when unpacked" in _refusal(get, tmp_path)


@pytest.mark.parametrize("spoil", [0, 40, 1000, -1000, -30])
def test_a_spoiled_archive_is_refused(
    spoil: int,
    get: Get,
    server: Server,
    archive: bytes,
    tmp_path: Path,
) -> None:
    data = bytearray(archive)
    data[spoil] ^= 0xFF
    server.answers = [whole(bytes(data))]
    _refusal(get, tmp_path)


def test_a_page_instead_of_an_archive_is_refused(get: Get, server: Server, tmp_path: Path) -> None:
    server.answers = [whole(b"<html>Please log in</html>")]
    assert "no archive that can be read" in _refusal(get, tmp_path)


def test_a_cache_that_cannot_be_written_is_named(
    server: Server, row: Published, tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ModelsError, match=r"cannot keep .* in .*/cache: File exists"):
        fetch(3, 0.25, base_url=server.url, cache=tmp_path / "cache", published={(3, 0.25): row})
    assert server.requests == []


def test_nothing_heavy_is_imported_until_it_is_needed() -> None:
    import subprocess

    code = (
        "import sys, shufflenet_deploy.models.weights.download;"
        "sys.exit(bool({'torch', 'pooch', 'requests', 'rich'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
