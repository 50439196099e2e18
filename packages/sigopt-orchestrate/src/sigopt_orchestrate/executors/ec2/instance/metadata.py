"""What the instance metadata service (IMDSv2) says about this instance."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

_BASE = "http://169.254.169.254/latest/"
_TTL_S = 21600
_TIMEOUT_S = 2.0


class Metadata:
    """Asks with a session token, which is renewed when the service no longer takes it."""

    def __init__(self) -> None:
        self._token: str | None = None
        # No proxy: the address is this instance's own.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str) -> str | None:
        """Returns what is at `path`, or None where there is nothing.

        Raises:
            OSError: If the service does not answer.
        """
        for fresh in (False, True):
            if fresh or self._token is None:
                self._token = self._ask(
                    "PUT", "api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(_TTL_S)}
                )
            try:
                return self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
            except urllib.error.HTTPError as error:
                if error.code == 404:
                    return None
                if error.code != 401 or fresh:
                    raise
        return None

    def describe(self) -> dict[str, str]:
        """Returns who this instance is: `instance`, `type`, `zone` and `ip`."""
        found = {
            "instance": self.get("meta-data/instance-id"),
            "type": self.get("meta-data/instance-type"),
            "zone": self.get("meta-data/placement/availability-zone"),
            "ip": self.get("meta-data/local-ipv4"),
        }
        return {key: value or "" for key, value in found.items()}

    def notice(self) -> str | None:
        """Returns what is to become of this spot instance and when, once that is decided."""
        try:
            said = self.get("meta-data/spot/instance-action")
        except OSError:
            return None
        if said is None:
            return None
        try:
            action = json.loads(said)
            return f"{action['action']} at {action['time']}"
        except (ValueError, KeyError, TypeError):
            return said[:100]

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> str:
        request = urllib.request.Request(_BASE + path, method=method, headers=headers)
        with self._opener.open(request, timeout=_TIMEOUT_S) as response:
            return str(response.read().decode())
