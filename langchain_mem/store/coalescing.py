"""What one tick of an event loop asks of a store is done as one batch, as LangGraph's own stores do it.

A thousand `aput` that are awaited together are then one write and one call to the embedder. An operation that cannot be
done fails alone: where a batch fails, what each caller asked is done by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

from langgraph.store.base import GetOp, Item, ListNamespacesOp, Op, Result, SearchItem, SearchOp

from langchain_mem.model.json_values import copied


class _Asked(NamedTuple):
    """What one caller waits for."""

    ops: Sequence[Op]
    answer: asyncio.Future[list[Result]]


class Coalescer:
    """Gathers what callers ask for in one tick.

    Args:
        do: Does a batch.
    """

    def __init__(self, do: Callable[[Sequence[Op]], Awaitable[list[Result]]]) -> None:
        self._do = do
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Asked]] = WeakKeyDictionary()
        self._running: set[asyncio.Task[None]] = set()  # a loop alone would let go of them

    def ask(self, ops: Sequence[Op]) -> asyncio.Future[list[Result]]:
        """Does operations, with whatever else is asked for in this tick. It is no coroutine, which costs more."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(loop, [])
        answer: asyncio.Future[list[Result]] = loop.create_future()
        waiting.append(_Asked(ops, answer))
        if len(waiting) == 1:
            task = loop.create_task(self._drain(loop))  # runs after all that is ready to run now
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return answer

    async def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        several = [asked for asked in self._waiting.pop(loop, ()) if not asked.answer.done()]
        if len(several) > 1 and await self._together(several):
            return
        await asyncio.gather(*(self._alone(asked) for asked in several))

    async def _together(self, several: Sequence[_Asked]) -> bool:
        """Whether all of it could be done at once."""
        distinct, places = _distinct([op for asked in several for op in asked.ops])
        try:
            results = await self._do(distinct)
        except Exception:  # noqa: BLE001 - whose fault it was shows when each is done by itself
            return False
        answers = iter(_handed_out(results, places))
        for asked in several:
            _tell(asked, [next(answers) for _ in asked.ops])
        return True

    async def _alone(self, asked: _Asked) -> None:
        try:
            _tell(asked, await self._do(asked.ops))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            if not asked.answer.done():
                asked.answer.set_exception(error)


def _tell(asked: _Asked, results: list[Result]) -> None:
    if not asked.answer.done():  # a caller may have been canceled
        asked.answer.set_result(results)


def _distinct(ops: Sequence[Op]) -> tuple[list[Op], list[int]]:
    """Operations without reads that are asked twice, and for each of those given which of them answers it."""
    distinct: list[Op] = []
    known: dict[Hashable, int] = {}
    places = []
    for op in ops:
        name = _name(op)
        place = len(distinct) if name is None else known.setdefault(name, len(distinct))
        if place == len(distinct):
            distinct.append(op)
        places.append(place)
    return distinct, places


def _name(op: Op) -> Hashable | None:
    """What a read is the same by; `None` for a write, of which each is done, and for a read with a filter."""
    if isinstance(op, SearchOp):
        return None if op.filter else op._replace(filter=None, namespace_prefix=tuple(op.namespace_prefix))
    if isinstance(op, GetOp):
        return op._replace(namespace=tuple(op.namespace))
    if isinstance(op, ListNamespacesOp):
        return op._replace(match_conditions=tuple(op.match_conditions or ()))
    return None


def _handed_out(results: Sequence[Result], places: Sequence[int]) -> list[Result]:
    """Each caller's own results: what several asked for is copied for all but the first."""
    given: set[int] = set()
    answers = []
    for place in places:
        answers.append(_own(results[place]) if place in given else results[place])
        given.add(place)
    return answers


def _own(result: Result) -> Result:
    """A copy of a result for one caller: items with their values; namespaces are tuples, which nobody changes."""
    if isinstance(result, list):
        return [_own_item(each) if isinstance(each, Item) else each for each in result]  # type: ignore[return-value]
    return _own_item(result) if isinstance(result, Item) else result


def _own_item(item: Item) -> Item:
    """A copy of an item. It is made without `__init__`, which looks at every field once more."""
    own = object.__new__(type(item))
    own.namespace, own.key, own.value = item.namespace, item.key, copied(item.value)
    own.created_at, own.updated_at = item.created_at, item.updated_at
    if isinstance(own, SearchItem) and isinstance(item, SearchItem):
        own.score = item.score
    return own
