"""Tokens that were leased, to be spent without asking."""

from __future__ import annotations

import itertools
import operator
import threading
from collections import deque
from collections.abc import Callable, Iterator

from .spans import ALWAYS, NEVER


class Lease:
    """Tokens that may be spent until their deadline."""

    __slots__ = ("deadline", "lease_id", "size", "tokens")

    def __init__(self, lease_id: str, size: int, deadline: float) -> None:
        self.lease_id = lease_id
        self.size = size
        self.deadline = deadline
        self.tokens: Iterator[float] = itertools.repeat(deadline, size)

    @property
    def left(self) -> int:
        """How many are left."""
        return operator.length_hint(self.tokens)

    def drain(self) -> int:
        """Take all that is left: nobody else can have one of them afterwards."""
        return len(list(self.tokens))


class Tap:
    """The leased tokens of one limiter.

    ``take()`` gives the instant before which the token that was taken may be used: it has passed if the
    lease is over, however late whoever took it looks, and lies behind everything if there was none.
    """

    __slots__ = ("_lease", "_lock", "_spare", "misses", "name", "spent", "take")

    def __init__(self, name: str) -> None:
        self.name = name
        self.take: Callable[[], float] = _none
        self.misses = 0
        self.spent = 0
        self._lease: Lease | None = None
        self._spare: deque[float] = deque(maxlen=1000)
        self._lock = threading.Lock()

    @property
    def lease(self) -> Lease | None:
        """What is being spent."""
        return self._lease

    def take_one(self) -> float:
        """Like ``take``, first from what was given back."""
        try:
            return self._spare.popleft()
        except IndexError:
            return self.take()

    def give_back(self, token: float) -> None:
        """A token that was taken and will not be used."""
        if token > NEVER:
            self._spare.append(token)

    def turn(self, lease: Lease | None) -> tuple[str, int] | None:
        """Spend another lease, or none; the one before, with what was not spent of it."""
        with self._lock:
            before, self._lease = self._lease, lease
            if lease is None:
                self.take = _none
            else:
                self.take = itertools.chain(lease.tokens, itertools.repeat(NEVER)).__next__
            if before is None:
                return None
            unused = before.drain() + self._take_back(before.deadline)
            self.spent += before.size - unused
            return before.lease_id, unused

    def _take_back(self, deadline: float) -> int:
        """Tokens of that lease that were given back."""
        count = 0
        for _ in range(len(self._spare)):
            try:
                count += self._spare.popleft() == deadline
            except IndexError:
                break
        return count

    def shut(self) -> None:
        """Nothing may be spent, and nothing is given back. Takes no lock: in the child of a fork it may
        be held."""
        self.take = _none
        self._spare.clear()
        self._lease = None

    def used(self) -> int:
        """How many were spent so far."""
        lease = self._lease
        return self.spent + (lease.size - lease.left if lease is not None else 0)


def _none() -> float:
    return NEVER


class _Open(Tap):
    """For calls that no limiter counts."""

    def __init__(self) -> None:
        super().__init__("")
        self.take = itertools.repeat(ALWAYS).__next__


NO_LIMIT = _Open()
SHUT = Tap("")
"""Stands where nothing was leased."""
