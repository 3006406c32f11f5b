"""How does a request wait for its commit? On a future of its own loop, which a client that goes away cannot cancel."""

import asyncio
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def answered(pending: Future[T]) -> T:
    """The result of work that another thread does, once it is there.

    Where it is handed over on this loop already (the writer answers a whole group by one call), nothing more is
    scheduled; cancelling the wait leaves the work alone.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[T] = loop.create_future()

    def settle(done: Future[T]) -> None:
        if waiter.done():
            return
        error = done.exception()
        if error is None:
            waiter.set_result(done.result())
        else:
            waiter.set_exception(error)

    def arrived(done: Future[T]) -> None:
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            settle(done)
        elif not loop.is_closed():
            loop.call_soon_threadsafe(settle, done)

    pending.add_done_callback(arrived)
    return await waiter
