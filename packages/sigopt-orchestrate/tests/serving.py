"""A real server on a port of this machine, in a thread of this process."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from sigopt_orchestrate.server.application import build_application
from sigopt_orchestrate.server.settings import Settings


@contextlib.contextmanager
def serving(settings: Settings, host: str = "127.0.0.1") -> Iterator[str]:
    """Serves as long as the context lasts; gives the address."""
    application = build_application(settings)
    config = uvicorn.Config(application, host=host, port=0, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://{host}:{server.servers[0].sockets[0].getsockname()[1]}"
    config.app.state.closing.set()  # else the pages' streams of events would go on
    server.should_exit = True
    thread.join()
