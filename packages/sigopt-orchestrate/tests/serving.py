"""A real server on a loopback port, in a thread of this process."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from sigopt_orchestrate.server.application import build_application
from sigopt_orchestrate.server.settings import Settings


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """Serves as long as the context lasts; gives the address."""
    config = uvicorn.Config(build_application(settings), port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    config.app.state.closing.set()  # else the pages' streams of events would go on
    server.should_exit = True
    thread.join()
