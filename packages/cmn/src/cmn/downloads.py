"""Downloads: files of named sets, by pooch, checked, into the folder that holds data.

That folder is `$CMN_DATA`, or pooch's cache if that is not set.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmn.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

SUMS = "SHA256SUMS"
CHUNK = 2**16


@dataclass(frozen=True)
class Remote:
    """A file to be had.

    Attributes:
        url: where.
        checksum: `md5:...` or `sha256:...` where one is published; otherwise None, and the first
            download's is recorded and later ones are held to it.
        member: what to take out of a `.zip`, or the name to decompress a `.bz2` to.
    """

    url: str
    checksum: str | None = None
    member: str | None = None

    @property
    def file(self) -> str:
        """The name of the file that is read in the end."""
        return self.member or self.url.rsplit("/", 1)[-1]


def data_folder() -> Path:
    """Returns the folder that holds data: `$CMN_DATA`, or the user's cache."""
    folder = os.environ.get("CMN_DATA")
    if folder:
        return Path(folder)
    import pooch  # noqa: PLC0415  slow to import

    return Path(pooch.os_cache("cmn"))


def download(remote: Remote, folder: Path, report: Callable[[int, int], None]) -> Path:
    """Puts a file into a folder unless it is there; returns its path.

    Args:
        remote: what.
        folder: where to; made if need be.
        report: hears of bytes had and bytes in all (0 where the server does not say).

    Raises:
        DataError: the server cannot be reached, ends early, or sends something else than before.
    """
    import pooch  # noqa: PLC0415  slow to import
    from requests import RequestException  # noqa: PLC0415  comes with pooch

    path = folder / remote.file
    if path.is_file():
        return path
    archive = remote.url.rsplit("/", 1)[-1]
    recorded = _recorded(folder).get(archive)
    known = remote.checksum or (f"sha256:{recorded}" if recorded else None)
    processor: Any = None
    if archive.endswith(".zip"):
        processor = pooch.Unzip(members=[remote.file], extract_dir=".")
    elif archive.endswith(".bz2"):
        processor = pooch.Decompress(name=remote.file)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # the caller shows progress
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(remote.url, known, archive, folder, processor, _Checked(remote.url, report))
    except (RequestException, OSError) as error:
        raise DataError(f"{remote.url} cannot be downloaded: {error}") from error
    except ValueError as error:
        raise DataError(f"{remote.url} is not the file it should be: {error}") from error
    finally:
        logger.setLevel(level)
    if not path.is_file():
        raise DataError(f"{remote.url} holds no {remote.file}")
    if known is None:
        _record(folder, archive)
    return path


class _Checked:
    """A downloader for pooch that notices an end too early, which requests may not."""

    def __init__(self, url: str, report: Callable[[int, int], None]) -> None:
        self._url, self._report = url, report

    def __call__(self, url: str, output_file: str, _pooch: object) -> None:
        import requests  # noqa: PLC0415  slow to import

        with requests.get(url, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            size = int(answer.headers.get("content-length", 0))
            with Path(output_file).open("wb") as file:
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
                    self._report(answer.raw.tell(), size)
            had = answer.raw.tell()
        if had < size:
            raise OSError(f"the connection ended after {had} of {size} bytes; try again")


def _recorded(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}


def _record(folder: Path, archive: str) -> None:
    sums = {**_recorded(folder), archive: sha256((folder / archive).read_bytes()).hexdigest()}
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(sums.items()))
    (folder / SUMS).write_text(text, encoding="utf-8")
