"""Examples in real pods, as they are written: the package's own, and the repository's gang."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cluster import Kube
from rootfs import make_rootfs

REPOSITORY = Path(__file__).parents[4]
GANG = REPOSITORY / "examples" / "gossipgrad"
OWN = REPOSITORY / "packages/sigopt-orchestrate/examples/kubernetes/experiment.yml"
DATA = os.environ.get("GOSSIPGRAD_DATA", os.environ.get("CMN_DATA", ""))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def image(kube: Kube, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the Dockerfiles make, in one: cmn with its demo's data, gossipgrad, MNIST."""
    digits = Path(DATA) / "mnist"
    if not digits.is_dir():
        pytest.skip(f"$CMN_DATA is no folder that holds {digits.name}")
    made = tmp_path_factory.mktemp("image")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    programs = [str(REPOSITORY / "packages" / name) for name in ("cmn", "gossipgrad")]
    subprocess.run([*build, "--wheel-dir", str(made / "wheels"), *programs], check=True)
    wheels = list(made.glob("wheels/*.whl"))
    root = make_rootfs(made / "rootfs", ("cmn[demo]", "gossipgrad[mpich]"), wheels)
    for part in ("torch/include", "torch/test", "pandas/tests", "scipy/*/tests"):
        for folder in root.glob(f"opt/python/lib/python*/site-packages/{part}"):
            shutil.rmtree(folder)  # a sixth of the image, of use to nobody in it
    shutil.copytree(digits, root / "data" / digits.name)
    target = root / "examples" / GANG.name
    target.mkdir(parents=True)
    shutil.copy(GANG / "train.py", target)
    name = "localhost/examples:1"
    kube.do("image", str(root), name, '["python3"]')
    kube.tag(name, "localhost/cmn:1")
    shutil.rmtree(root)
    return name


def _run(file: Path, kube: Kube, home: Path) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "sigopt_orchestrate", "run", str(file), "--json"],
        env=os.environ | {"ORCHESTRATE_HOME": str(home), "KUBECONFIG": str(kube.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.usefixtures("image")
def test_the_packages_own_example_tunes_cmn(kube: Kube, tmp_path: Path) -> None:
    summary = _run(OWN, kube, tmp_path / "home")
    assert summary["observed"] == summary["trials"]["completed"] == summary["budget"] == 2
    assert summary["best"][0]["values"]["ndcg@10"] > 0


def test_gossipgrad_is_tuned_as_a_gang_of_two_pods_of_two_ranks(
    kube: Kube, image: str, tmp_path: Path
) -> None:
    once = tmp_path / "once.yml"
    once.write_text(f"extends: {GANG / 'kubernetes.yml'}\nimage: {image}\nbudget: 1\n")
    (best,) = _run(once, kube, tmp_path / "home")["best"]
    assert best["source"] == "default"
    assert best["values"]["accuracy"] > 0.8
    assert best["values"]["step_us"] > 0
    log = (Path(best["output"]).parent / "log").read_text()
    assert '"ranks": 4' in log
