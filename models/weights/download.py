"""pytorchcv's published ShuffleNets, trained on ImageNet: fetched once, checked and kept.

This is the only module that reaches for a network, and only when it is called.
"""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from shufflenet_deploy.models.weights.progress import progress_bar
from shufflenet_deploy.runtime.errors import ModelsError

if TYPE_CHECKING:
    import requests

BASE_URL = "https://github.com/osmr/imgclsmob"
SIZE_LIMIT_BYTES = 64 * 2**20
"""The most bytes that an unpacked file may have; the largest that is published has 10 MB."""
_CHUNK_BYTES = 2**16
_FINAL = set(range(400, 500)) - {408, 429}
"""The status codes by which a server says that asking again is of no use."""
_ELSEWHERE = "download it elsewhere and pass --weights FILE"


@dataclass(frozen=True)
class Published:
    """A row of `PUBLISHED`: one trained variant as pytorchcv's own table has it."""

    name: str
    error: str
    """Top-1 error on ImageNet in hundredths of a percent, as the file's name has it."""
    sha1: str
    """The SHA-1 of the unpacked file."""
    release: str

    @property
    def file_name(self) -> str:
        """The name of the unpacked file."""
        return f"{self.name}-{self.error}-{self.sha1[:8]}.pth"

    def url(self, base_url: str) -> str:
        """The address of the zipped file."""
        return f"{base_url}/releases/download/{self.release}/{self.file_name}.zip"


def _row(name: str, error: str, sha1: str, release: str) -> Published:
    return Published(f"shufflenet_{name}", error, sha1, release)


PUBLISHED: Mapping[tuple[int, float], Published] = {
    (1, 0.25): _row("g1_wd4", "3729", "47dbd0f279da6d3056079bb79ad39cabbb3b9415", "v0.0.134"),
    (3, 0.25): _row("g3_wd4", "3653", "6abdd65e087e71f80345415cdf7ada6ed2762d60", "v0.0.135"),
    (1, 0.5): _row("g1_wd2", "2261", "dae4bdadd7d48bee791dff2a08cd697cff0e9320", "v0.0.174"),
    (3, 0.5): _row("g3_wd2", "2080", "ccaacfc8d9ac112c6143269df6e258fd55b662a7", "v0.0.167"),
    (1, 0.75): _row("g1_w3d4", "1711", "161cd24aa0b2e2afadafa69b44a28af222f2ec7a", "v0.0.218"),
    (3, 0.75): _row("g3_w3d4", "1650", "3f3b0aef0ce3174c78ff42cf6910c6e34540fc41", "v0.0.219"),
    (1, 1.0): _row("g1_w1", "1389", "4cfb65a30761fe548e0b5afbb5d89793ec41e4e9", "v0.0.223"),
    (2, 1.0): _row("g2_w1", "1363", "07256203e217a7b31f1c69a5bd38a6674bce75bc", "v0.0.241"),
    (3, 1.0): _row("g3_w1", "1348", "ce54f64ecff87556a4303380f46abaaf649eb308", "v0.0.244"),
    (4, 1.0): _row("g4_w1", "1335", "e2415f8270a4b6cbfe7dc97044d497edbc898577", "v0.0.245"),
    (8, 1.0): _row("g8_w1", "1342", "9a979b365424addba75c559a61a77ac7154b26eb", "v0.0.250"),
}
"""All the published files, by groups and scale."""


def fetch(
    groups: int,
    scale: float,
    *,
    base_url: str = BASE_URL,
    cache: Path | None = None,
    published: Mapping[tuple[int, float], Published] = PUBLISHED,
    timeout_s: float = 30.0,
    pauses_s: Sequence[float] = (0.5, 2.0),
) -> Path:
    """The published file of a variant, from `cache` or else downloaded into it.

    Args:
        groups: g of table 1.
        scale: s of "ShuffleNet sx".
        base_url: of the repository whose releases have the files.
        cache: a folder; None takes the platform's for this program.
        published: what exists.
        timeout_s: without an answer, or without anything further of one.
        pauses_s: before each further attempt at a transfer that failed.

    A file is in the cache under its own name only whole and with the right SHA-1; one that was
    altered there is fetched again.

    Raises `ModelsError` for a variant that nobody published, where it cannot be downloaded, and
    where what came is not the file.
    """
    row = published.get((groups, scale))
    if row is None:
        known = ", ".join(f"g={g} {s}x" for g, s in sorted(published))
        raise ModelsError(
            f"nobody published weights of groups {groups} at {scale}x: choose from {known}, or "
            "pass --weights FILE"
        )
    folder = _platform_cache() if cache is None else cache
    path = folder / row.file_name
    try:
        if not path.is_file() or _sha1(path.read_bytes()) != row.sha1:
            folder.mkdir(parents=True, exist_ok=True)
            _fetch(row, row.url(base_url), path, timeout_s, pauses_s)
    except OSError as error:
        raise ModelsError(
            f"cannot keep {row.file_name} in {folder}: {error.strerror or error}; make room "
            f"there, or {_ELSEWHERE}"
        ) from None
    return path


def _fetch(
    row: Published, url: str, path: Path, timeout_s: float, pauses_s: Sequence[float]
) -> None:
    """Make `path` what `row` says, or leave it as it is."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    archive = path.with_name(f"{temporary.name}.zip")
    try:
        archive.unlink(missing_ok=True)  # one of a process that was killed
        _download(url, archive, timeout_s, pauses_s)
        weights = _unpacked(archive, path.name, url)
        if (sha1 := _sha1(weights)) != row.sha1:
            raise ModelsError(
                f"what {url} has is not the published file: its SHA-1 is {sha1}, not "
                f"{row.sha1}; it was altered on the way: {_ELSEWHERE}"
            )
        temporary.write_bytes(weights)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)


def _platform_cache() -> Path:
    import pooch  # type: ignore[import-untyped]

    return Path(pooch.os_cache("shufflenet-deploy"))


def _download(url: str, to: Path, timeout_s: float, pauses_s: Sequence[float]) -> None:
    """Bring `url` to `to`, whole or not at all, in as many attempts as there are pauses and one."""
    import pooch
    import requests

    pooch.get_logger().setLevel("ERROR")  # what it does is said here
    for pause_s in (*pauses_s, None):
        try:
            with progress_bar(url.rpartition("/")[2]) as bar:
                downloader = pooch.HTTPDownloader(
                    progressbar=bar, chunk_size=_CHUNK_BYTES, timeout=timeout_s
                )
                pooch.retrieve(url, None, fname=to.name, path=to.parent, downloader=downloader)
        except requests.RequestException as error:
            # Asking again does not bring what is not there.
            if _status(error) in _FINAL or pause_s is None:
                raise ModelsError(
                    f"cannot download {url}: {_reason(error, timeout_s)}; {_ELSEWHERE}"
                ) from None
            time.sleep(pause_s)
        else:
            return


def _status(error: requests.RequestException) -> int | None:
    if error.response is None:
        return None
    error.response.close()  # pooch leaves it open
    return error.response.status_code


def _reason(error: Exception, timeout_s: float) -> str:
    import requests
    from requests import exceptions

    match error:
        case exceptions.HTTPError(response=requests.Response() as answer):
            return f"the server says {answer.status_code} {answer.reason}"
        case exceptions.Timeout():
            return f"no answer within {timeout_s:g} s"
        case exceptions.ProxyError():
            return "the proxy that HTTP_PROXY or HTTPS_PROXY names does not answer or refuses"
        case exceptions.SSLError():
            return "its certificate is not trusted"
        case exceptions.ChunkedEncodingError():
            return "the transfer broke off"
        case exceptions.ConnectionError() if "timed out" in str(error):
            return f"nothing further came within {timeout_s:g} s"
        case exceptions.ConnectionError():
            return "no connection (offline, or a proxy is needed: HTTPS_PROXY)"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _unpacked(archive: Path, name: str, url: str) -> bytes:
    """The one file of an archive that has to be called `name`; nothing is written by its names."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = zipped.namelist()
            if members != [name]:
                raise ModelsError(
                    f"what {url} has is an archive of {', '.join(map(repr, members[:3]))}, not of "
                    f"{name!r} alone; {_ELSEWHERE}"
                )
            with zipped.open(name) as file:
                data = file.read(SIZE_LIMIT_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise ModelsError(
            f"what {url} has is no archive that can be read (a proxy's page, perhaps); try again, "
            f"or {_ELSEWHERE}"
        ) from None
    if len(data) > SIZE_LIMIT_BYTES:
        raise ModelsError(
            f"what {url} has is over {SIZE_LIMIT_BYTES // 2**20} MB when unpacked, which is no "
            f"ShuffleNet; {_ELSEWHERE}"
        )
    return data


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
