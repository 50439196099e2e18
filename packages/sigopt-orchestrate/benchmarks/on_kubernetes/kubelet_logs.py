"""Serves containers' logs over HTTPS as a kubelet does: followed until the container is over."""

import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

Find = Callable[[str], tuple[str, threading.Event] | None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Says nothing: a follower that was killed does not say good-bye."""


def serve_logs(find: Find) -> int:
    """Begins to serve; returns the port.

    Args:
        find: Given a pod's address, returns its log and what is set once the log is whole.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, _, namespace, pod, _ = self.path.partition("?")[0].split("/")
            found = find(f"/api/v1/namespaces/{namespace}/pods/{pod}")
            self.send_response(200 if found else 404)
            self.end_headers()
            if found:
                said, over = found
                self.wfile.write(said.encode())
                self.wfile.flush()
                over.wait()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        key, certificate = Path(folder) / "key", Path(folder) / "certificate"
        line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        files = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=kubelet-double"]
        subprocess.run([*line, *files], check=True, capture_output=True)
        context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port
