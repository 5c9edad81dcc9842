"""What is still to come, with asyncio's loop and without."""

import asyncio

import pytest
from twisted.internet.defer import CancelledError, Deferred

from txproxy.interfaces.hooks.awaiting import coming


def test_what_is_there_is_none():
    assert coming(3) is None and coming("a") is None


def test_a_deferred_is_itself_and_a_coroutine_becomes_one():
    one = Deferred()
    assert coming(one) is one

    async def waits():
        return await one + 1

    results = []
    coming(waits()).addCallback(results.append)
    assert results == []
    one.callback(1)
    assert results == [2]


def run(play):
    """Within the loop of asyncio, as its reactor has it."""
    return asyncio.run(play())


def test_within_asyncio_both_may_be_awaited():
    async def play():
        one, other = Deferred(), asyncio.get_running_loop().create_future()

        async def waits():
            async with asyncio.timeout(60) if hasattr(asyncio, "timeout") else asyncio.Lock():
                first = await one
                await asyncio.sleep(0)
                second = await other
            try:
                await failing
            except KeyError:
                return first, second
            return None

        failing = Deferred()
        found = coming(waits())
        await asyncio.sleep(0)
        one.callback("a")
        await asyncio.sleep(0)
        other.set_result("b")
        await asyncio.sleep(0)
        failing.errback(KeyError())
        return await found.asFuture(asyncio.get_running_loop())

    assert run(play) == ("a", "b")


def test_one_that_is_cancelled_cancels_what_it_awaits():
    async def play():
        cancelled = []
        one = Deferred(cancelled.append)

        async def waits():
            await one

        found = coming(waits())
        await asyncio.sleep(0)
        failures = []
        found.addErrback(failures.append)
        found.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        return cancelled == [one], failures[0].check(CancelledError, asyncio.CancelledError)

    was, why = run(play)
    assert was and why


def test_a_future_is_waited_for_and_a_fault_is_that_of_the_coroutine():
    async def play():
        future = asyncio.get_running_loop().create_future()
        found = coming(future)
        future.set_result(5)

        async def fails():
            raise KeyError("a")

        failing = coming(fails())
        with pytest.raises(KeyError):
            await failing.asFuture(asyncio.get_running_loop())
        return await found.asFuture(asyncio.get_running_loop())

    assert run(play) == 5
