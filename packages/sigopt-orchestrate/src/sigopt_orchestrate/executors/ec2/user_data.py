"""What an instance starts with: a script that unpacks the agent, runs it, and shuts down."""

import base64
import gzip
import io
import json
import math
import tarfile
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from sigopt_orchestrate.errors import SpecError

LIMIT = 16 << 10
"""The most bytes that EC2 takes, before base64."""

ROOT = "/var/lib/orchestrate"

_AGENTS_SHARE = 0.85  # of the lease: the agent ends the instance before the script has to
_SCRIPT_S = 3  # by whole seconds and a look a second the script may be so late
_AGENT = "sigopt_orchestrate/executors/ec2/instance"
_SCRIPT = """\
#!/bin/sh
# Starts orchestrate's agent. However that ends, the instance ends with it, and it ends as well
# when the agent has heard nothing from orchestrate for its lease, be the agent alive or not.
root={root}
end() {{ shutdown -h now || poweroff -f; }}
trap end EXIT
export HOME="${{HOME:-/root}}"
export PATH="${{PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}}"
umask 077
mkdir -p "$root/code" && cd "$root" || exit 1
cut -d. -f1 /proc/uptime > alive
lease={boot}
( while sleep 1; do
    [ -e heartbeat ] && lease={lease}
    [ $(($(cut -d. -f1 /proc/uptime) - $(cat alive))) -le $lease ] || end
  done ) &
cat > config.json <<'EOF'
{config}
EOF
base64 -d > agent.tar.gz <<'EOF'
{agent}
EOF
python3 -IS -c 'import tarfile; tarfile.open("agent.tar.gz").extractall("code")'
python3 -IS -c 'import sys; sys.path.insert(0, "code")
from sigopt_orchestrate.executors.ec2.instance.agent import main
sys.exit(main("'$root'"))'
"""


@dataclass(frozen=True)
class Calling:
    """How an instance calls orchestrate.

    Attributes:
        url: Where orchestrate listens.
        token: What the instance shows there.
        certificate: In PEM; the only one that it trusts, where the URL is https.
    """

    url: str
    token: str
    certificate: str | None = None


def user_data(
    calling: Calling,
    *,
    lease_s: float,
    boot_s: float,
    source: bool,
    setup: str | None,
    courier: bool = False,
) -> str:
    """Returns the script.

    Args:
        calling: How the instance calls orchestrate.
        lease_s: Ends itself when it has heard nothing for so long.
        boot_s: The same, before it has heard anything.
        source: Whether it is to copy the experiment's folder.
        setup: What it runs before its first trial.
        courier: Whether it is to ask for what carries artifacts.

    Raises:
        SpecError: If it is longer than EC2 takes, which only a long setup can make it.
    """
    config: dict[str, Any] = {
        "url": calling.url,
        "token": calling.token,
        "certificate": calling.certificate,
        "lease_s": _AGENTS_SHARE * lease_s,
        "source": source,
        "setup": setup,
        "courier": courier,
    }
    script = _SCRIPT.format(
        root=ROOT,
        lease=max(round(lease_s) - _SCRIPT_S, math.ceil(_AGENTS_SHARE * lease_s)),
        boot=round(max(boot_s, lease_s)),
        config=json.dumps(config),
        agent=base64.encodebytes(_packed()).decode().strip(),
    )
    size = len(script.encode())
    if size > LIMIT:
        raise SpecError(
            f"backend.ec2.setup: is too long: with orchestrate's agent the user data has {size} "
            f"bytes, and EC2 takes {LIMIT}; put the script into the experiment's folder"
        )
    return script


def _packed() -> bytes:
    """The agent's code as a tar file: the same bytes for the same code."""
    package = files("sigopt_orchestrate")
    sources = {
        f"{_AGENT}/{entry.name}": entry.read_bytes()
        for entry in sorted((package / "executors/ec2/instance").iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".py")
    }
    sources["sigopt_orchestrate/executors/supervisor.py"] = (
        package / "executors/supervisor.py"
    ).read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in sources.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)
