"""The example, as it is written: cmn is tuned in real pods, from an image made of wheels."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cluster import Kube
from rootfs import make_rootfs

PACKAGES = Path(__file__).parents[3]
EXAMPLE = PACKAGES / "sigopt-orchestrate/examples/kubernetes"


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_example_tunes_cmn_in_pods(kube: Kube, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(wheels), str(PACKAGES / "cmn")], check=True)
    pins = PACKAGES.parent / "constraints.txt"
    (wheel,) = wheels.glob("cmn-*.whl")  # by its path: an index has another package of this name
    wanted = ("--constraint", str(pins), f"cmn[demo] @ {wheel.as_uri()}")
    root = make_rootfs(tmp_path / "rootfs", wanted)
    for part in ("include", "test"):  # an eighth of the image, for compilers and torch's own tests
        for folder in root.glob(f"opt/python/lib/python*/site-packages/torch/{part}"):
            shutil.rmtree(folder)
    kube.do("image", str(root), "localhost/cmn:1", '["python3"]')
    done = subprocess.run(
        [sys.executable, "-m", "sigopt_orchestrate", "run", "experiment.yml", "--json"],
        cwd=EXAMPLE,
        env=os.environ
        | {"ORCHESTRATE_HOME": str(tmp_path / "home"), "KUBECONFIG": str(kube.kubeconfig)},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["observed"] == summary["trials"]["completed"] == summary["budget"] == 2
    assert summary["best"][0]["values"]["ndcg@10"] > 0
