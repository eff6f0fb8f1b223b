"""Decisions that threads and coroutines carry out alike: generators that yield what they need."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator
from typing import TypeVar

from .errors import FuseboardUnavailable
from .transport import Request, Transport
from .wire import Response

T = TypeVar("T")


class Sleep:
    """Wait, in the way that suits the caller."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


Steps = Generator[Request | Sleep, Response | None, T]

LOOK_SECONDS = 0.0005


def until(holds: Callable[[], bool], patience: float) -> Steps[bool]:
    """Look until it holds, or as long as the patience lasts; whether it holds."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() >= end:
            return False
        yield Sleep(LOOK_SECONDS)
    return True


def run(transport: Transport, steps: Steps[T]) -> T:
    """Carry out the steps, blocking."""
    request = transport.request
    try:
        step = next(steps)
        while True:
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
                step = steps.send(None)
                continue
            try:
                response = request(step)
            except FuseboardUnavailable as error:
                step = steps.throw(error)
            else:
                step = steps.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def run_async(transport: Transport, steps: Steps[T]) -> T:
    """Carry out the steps without blocking the event loop."""
    request = transport.request_async
    try:
        step = next(steps)
        while True:
            if isinstance(step, Sleep):
                await asyncio.sleep(step.seconds)
                step = steps.send(None)
                continue
            try:
                response = await request(step)
            except FuseboardUnavailable as error:
                step = steps.throw(error)
            else:
                step = steps.send(response)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        steps.close()
