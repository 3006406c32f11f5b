"""Waiting on another thread's work: the result arrives, and going away leaves the work alone."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

import pytest

from m2s.entry.api.waiting import answered


def test_a_result_of_another_thread_arrives() -> None:
    async def wait() -> int:
        work: Future[int] = Future()
        asyncio.get_running_loop().run_in_executor(None, work.set_result, 7)
        return await answered(work)

    assert asyncio.run(wait()) == 7


def test_an_error_handed_over_on_the_loop_itself_arrives() -> None:
    async def wait() -> None:
        work: Future[int] = Future()
        asyncio.get_running_loop().call_soon(work.set_exception, KeyError("lost"))
        await answered(work)

    with pytest.raises(KeyError, match="lost"):
        asyncio.run(wait())


def test_who_goes_away_does_not_cancel_the_work() -> None:
    async def wait() -> Future[int]:
        work: Future[int] = Future()
        waiting = asyncio.ensure_future(answered(work))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not work.cancelled()
        work.set_result(1)
        return work

    assert asyncio.run(wait()).result() == 1
