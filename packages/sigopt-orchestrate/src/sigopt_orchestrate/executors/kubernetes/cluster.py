"""A namespace of a cluster, reached over HTTP with plain JSON in and out.

The official client finds the cluster and signs the requests, with whatever plug-in the kubeconfig
names; its object models would cost a reconcile pass seconds and are not used.
"""

import contextlib
import importlib.metadata
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from urllib3.exceptions import HTTPError
from urllib3.util import Timeout

from sigopt_orchestrate.errors import ClusterError, MissingDependencyError
from sigopt_orchestrate.executors.kubernetes.contexts import context
from sigopt_orchestrate.spec import Kubernetes

_SERVICE_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_CALL_TIMEOUT = (5.0, 30.0)
_CONNECTIONS = 128
JOBS_FROM = (1, 29)  # podReplacementPolicy and podFailurePolicy are on by default
_AGENT = f"orchestrate/{importlib.metadata.version('sigopt-orchestrate')}"

Json = dict[str, Any]


class ApiError(Exception):
    """The cluster's refusal.

    Attributes:
        status: The HTTP status; 0 where there was no answer.
        reason: Kubernetes' word for it, for example `AlreadyExists`.
        message: In the cluster's own words.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status in {0, 429} or self.status >= 500


@dataclass
class Cluster:
    """One namespace of one cluster.

    Attributes:
        name: For people: the context, or that it is the cluster we run in.
        namespace: Where everything lies.
        kubeconfig: Its path; None inside a pod.
        version: The server's, as `(1, 20)`; read on first use.
    """

    name: str
    namespace: str
    kubeconfig: str | None
    _client: Any
    _version: tuple[int, int] | None = field(default=None, init=False)

    def path(self, kind: str, name: str = "", *, group: str = "") -> str:
        """Returns the address of a kind in the namespace, or of one object of it."""
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> Json:
        """Returns the cluster's answer.

        Raises:
            ApiError: If it refuses, or does not answer.
        """
        with _translated(), self._request(method, path, body, query, _CALL_TIMEOUT) as answer:
            found: Json = json.loads(answer.data or b"{}")
            return found

    @contextlib.contextmanager
    def stream(
        self, path: str, query: Mapping[str, Any], idle_s: float
    ) -> Iterator[Iterator[bytes]]:
        """Gives the chunks of a long answer as they come.

        Args:
            path: The address.
            query: Its parameters.
            idle_s: After so long a silence the answer counts as broken.

        Raises:
            ApiError: If the cluster refuses, or the answer breaks off.
        """
        with _translated(), self._request("GET", path, None, query, (5.0, idle_s)) as answer:
            yield answer.stream(1 << 16, decode_content=True)

    @contextlib.contextmanager
    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any] | None,
        timeout: tuple[float, float],
    ) -> Iterator[Any]:
        """Gives an answer that is not an error; what is left of it at the end is never read."""
        headers = {"Accept": "application/json", "User-Agent": _AGENT}
        given = list((query or {}).items())
        self._client.update_params_for_auth(headers, given, ["BearerToken"])
        if body is not None:
            kind = "merge-patch+json" if method == "PATCH" else "json"
            headers["Content-Type"] = f"application/{kind}"
        answer = self._client.rest_client.pool_manager.request(
            method,
            f"{self._client.configuration.host}{path}" + (f"?{urlencode(given)}" if given else ""),
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
            timeout=Timeout(*timeout),
            preload_content=False,
            retries=False,
        )
        try:
            if answer.status >= 400:
                raise _refusal(answer.status, answer.reason, answer.data)
            yield answer
        finally:
            if not answer.isclosed():
                answer.close()
            answer.release_conn()

    @property
    def version(self) -> tuple[int, int]:
        """The server's version.

        Raises:
            ApiError: If the cluster does not say.
        """
        if self._version is None:
            said = self.call("GET", "/version")
            minor = "".join(c for c in said["minor"] if c.isdigit())
            self._version = int(said["major"]), int(minor)
        return self._version

    def group_version(self, group: str) -> str | None:
        """Returns the preferred version of an API group, as `kueue.x-k8s.io/v1beta1`, if known.

        Raises:
            ApiError: If the cluster does not say.
        """
        for found in self.call("GET", "/apis")["groups"]:
            if found["name"] == group:
                return str(found["preferredVersion"]["groupVersion"])
        return None

    def serves(self, api: str, plural: str) -> bool:
        """Whether it knows a kind in this version of an API group, as `batch/v1` and `jobs`.

        Raises:
            ApiError: If the cluster does not say.
        """
        try:
            known = self.call("GET", f"/apis/{api}")["resources"]
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return any(one["name"] == plural for one in known)

    @property
    def has_jobs(self) -> bool:
        """Whether attempts are Jobs here, and not pods of our own.

        Raises:
            ApiError: If the cluster does not say its version.
        """
        return self.version >= JOBS_FROM


def _refusal(status: int, reason: str, body: bytes) -> ApiError:
    try:
        said = json.loads(body)
        return ApiError(status, said["reason"], said["message"])
    except (TypeError, ValueError, KeyError):
        return ApiError(status, reason or "Unknown", body.decode(errors="replace")[:200] or reason)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Makes `ApiError` of whatever the network raises."""
    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        raise ApiError(0, "Unreachable", str(error)) from None


def open_cluster(backend: Kubernetes, kubeconfig: Path | None = None) -> Cluster:
    """Returns the namespace that the experiment file means; asks the cluster nothing yet.

    Args:
        backend: Names the context and the namespace.
        kubeconfig: Its path; otherwise `$KUBECONFIG` or `~/.kube/config`, or inside a pod the
            service account.

    Raises:
        ClusterError: If there is no such context, or nothing says where a cluster is.
        MissingDependencyError: If the package `kubernetes` is not installed.
    """
    try:
        from kubernetes import client, config  # noqa: PLC0415 - half a second, and an extra
    except ImportError:
        raise MissingDependencyError("backend kubernetes", "kubernetes", "kubernetes") from None
    if backend.cluster is not None:
        named = context(backend.cluster)
        backend = Kubernetes(context=named.context, namespace=named.namespace)
        kubeconfig = kubeconfig or (Path(named.kubeconfig) if named.kubeconfig else None)
    settings = client.Configuration()
    path = str(kubeconfig or os.environ.get("KUBECONFIG") or Path("~/.kube/config").expanduser())
    known: Json = {}
    if not any(Path(part).exists() for part in path.split(os.pathsep)):
        if not _SERVICE_NAMESPACE.exists():
            raise ClusterError(f"there is no kubeconfig at {path}, and this is no pod of a cluster")
        config.load_incluster_config(client_configuration=settings)
        name, namespace = "the cluster that orchestrate runs in", _SERVICE_NAMESPACE.read_text()
    else:
        try:
            contexts, current = config.list_kube_config_contexts(config_file=path)
            known = {found["name"]: found["context"] for found in contexts}
            name = backend.context or (current or {}).get("name", "")
            if name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise ClusterError(f"context {name!r} is not in {path}; there: {names}")
            config.load_kube_config(config_file=path, context=name, client_configuration=settings)
        except config.ConfigException as error:
            raise ClusterError(f"{path}: {error}") from None
        namespace = known[name].get("namespace") or "default"
    settings.connection_pool_maxsize = _CONNECTIONS
    namespace = backend.namespace or namespace.strip()
    return Cluster(name, namespace, path if known else None, client.ApiClient(settings))
