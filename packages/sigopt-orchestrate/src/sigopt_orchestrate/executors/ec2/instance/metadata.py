"""What the instance metadata service (IMDSv2) says about this instance."""

from __future__ import annotations

import http.client
import json

_HOST = "169.254.169.254"
_TTL_S = 21600
_TIMEOUT_S = 2.0


class Metadata:
    """Asks with a session token, which is renewed when the service no longer takes it."""

    def __init__(self) -> None:
        self._token: str | None = None

    def get(self, path: str) -> str | None:
        """Returns what is at `path`, or None where there is nothing.

        Raises:
            OSError: If the service does not answer.
        """
        for fresh in (False, True):
            if fresh or self._token is None:
                ttl = {"X-aws-ec2-metadata-token-ttl-seconds": str(_TTL_S)}
                status, self._token = self._ask("PUT", "api/token", ttl)
                if status != 200:
                    raise OSError(f"the metadata service gives no token: {status}")
            status, said = self._ask("GET", path, {"X-aws-ec2-metadata-token": self._token})
            if status == 200:
                return said
            if status == 404:
                return None
            if status != 401 or fresh:
                break
        raise OSError(f"the metadata service answers {status} to {path}")

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

    def _ask(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection(_HOST, timeout=_TIMEOUT_S)
        try:
            connection.request(method, f"/latest/{path}", headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"the metadata service does not answer: {error}") from None
        finally:
            connection.close()
