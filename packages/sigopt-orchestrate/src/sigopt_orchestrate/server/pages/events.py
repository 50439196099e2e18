"""A stream of server-sent events: says when an experiment has moved, and little more."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

_LOOK_S = 0.5
_SIGN_OF_LIFE_S = 15.0
_LONGEST_S = 600.0  # the browser connects again by itself


async def moves(look: Callable[[], Awaitable[str]], closing: asyncio.Event) -> AsyncIterator[str]:
    """Yields an event for each change of what `look` returns, at most two a second.

    Args:
        look: Returns what changes whenever something has moved.
        closing: Set when the server ends.
    """
    loop = asyncio.get_running_loop()
    began = told = loop.time()
    last: str | None = None
    yield "retry: 2000\n\n"
    while not closing.is_set() and loop.time() - began < _LONGEST_S:
        now = await look()
        if now != last:
            last, told = now, loop.time()
            yield f"event: moved\ndata: {json.dumps({'version': now})}\n\n"
        elif loop.time() - told > _SIGN_OF_LIFE_S:
            told = loop.time()
            yield ": still here\n\n"
        try:
            await asyncio.wait_for(closing.wait(), _LOOK_S)
        except TimeoutError:
            continue
