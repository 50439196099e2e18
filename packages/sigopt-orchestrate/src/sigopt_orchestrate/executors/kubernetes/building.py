"""Builds an experiment's image with whatever builder there is, and pushes it to its registry."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from sigopt_orchestrate.errors import BuildError
from sigopt_orchestrate.spec import Build

_Builder = Callable[[Build, Path], str]


def build_image(build: Build, directory: Path) -> str:
    """Returns the built and pushed image by its digest, so that it stays what it is.

    The builders are tried in this order: buildctl, if `$BUILDKIT_HOST` names a BuildKit (in a
    cluster: `kube-pod://buildkitd`), docker, podman, buildah. They get the context and the
    Dockerfile and nothing else of ours: no token, no secret, no variable.

    Args:
        build: What to build.
        directory: What its paths are relative to: the experiment file's folder.

    Raises:
        BuildError: If there is no builder, no Dockerfile, or the build or the push fails.
    """
    context = directory / build.context
    file = context / build.dockerfile
    if not file.is_file():
        raise BuildError(f"build: there is no {file}")
    digest = _BUILDERS[find_builder()][1](build, context)
    name, colon, tag = build.image.rpartition(":")
    return f"{name if colon and '/' not in tag else build.image}@{digest}"


def find_builder() -> str:
    """Returns the name of the program that would build.

    Raises:
        BuildError: If there is none.
    """
    for name, (usable, _) in _BUILDERS.items():
        if usable():
            return name
    raise BuildError(
        f"build: none of {', '.join(_BUILDERS)} can be used here; install one, or start docker's "
        "daemon, or name a BuildKit by $BUILDKIT_HOST, or give `image:` in place of `build:`"
    )


def _with_buildkit(build: Build, context: Path) -> str:
    with TemporaryDirectory() as folder:
        said = Path(folder) / "metadata"
        sources = ["--local", f"context={context}", "--local", f"dockerfile={context}"]
        what = ["--opt", f"filename={build.dockerfile}", "--metadata-file", str(said)]
        output = ["--output", f"type=image,name={build.image},push=true"]
        _run("buildctl", "build", "--frontend", "dockerfile.v0", *sources, *what, *output)
        return str(json.loads(said.read_text())["containerimage.digest"])


def _with_docker(build: Build, context: Path) -> str:
    _run("docker", "build", "-f", str(context / build.dockerfile), "-t", build.image, str(context))
    _run("docker", "push", build.image)
    line = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", build.image]
    known = json.loads(subprocess.run(line, capture_output=True, text=True, check=True).stdout)
    name = build.image.rpartition(":")[0] if ":" in build.image.rpartition("/")[2] else build.image
    return next(one.rpartition("@")[2] for one in known if one.startswith(f"{name}@"))


def _with_libpod(program: str) -> _Builder:
    def build_and_push(build: Build, context: Path) -> str:
        file = str(context / build.dockerfile)
        _run(program, "build", "-f", file, "-t", build.image, str(context))
        with TemporaryDirectory() as folder:
            said = Path(folder) / "digest"
            _run(program, "push", "--digestfile", str(said), build.image)
            return said.read_text().strip()

    return build_and_push


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    line = ["docker", "version", "--format", "{{.Server.Version}}"]
    return subprocess.run(line, capture_output=True, timeout=20, check=False).returncode == 0


_BUILDERS: Mapping[str, tuple[Callable[[], bool], _Builder]] = {
    "buildctl": (
        lambda: bool(os.environ.get("BUILDKIT_HOST")) and shutil.which("buildctl") is not None,
        _with_buildkit,
    ),
    "docker": (_docker_answers, _with_docker),
    "podman": (lambda: shutil.which("podman") is not None, _with_libpod("podman")),
    "buildah": (lambda: shutil.which("buildah") is not None, _with_libpod("buildah")),
}


def _run(*line: str) -> None:
    """Runs a builder; what it says goes to standard error, as it comes."""
    done = subprocess.run(line, stdout=sys.stderr, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        what = " ".join(line[:2])
        raise BuildError(f"build: {what} ended with status {done.returncode}; see what it said")
