"""Tests of the alarm, with a clock that the test moves."""

from __future__ import annotations

import threading
from datetime import timedelta

from langchain_mem.background.alarm import Alarm
from langchain_mem.testing import FakeClock

MINUTE = timedelta(minutes=1)


def test_it_rings_once_when_its_time_has_come():
    """Not before; and what is set anew rings at the later time only."""
    clock, rung = FakeClock(), list[str]()
    alarm = Alarm(clock)
    alarm.set("a", clock() + MINUTE, lambda: rung.append("a"))
    alarm.set("b", clock() + MINUTE, lambda: rung.append("b"))
    alarm.set("b", clock() + 2 * MINUTE, lambda: rung.append("later b"))
    alarm.look()
    assert rung == []
    for expected in (["a"], ["a", "later b"], ["a", "later b"]):
        clock.advance(MINUTE)
        alarm.look()
        assert rung == expected


def test_what_is_cancelled_or_closed_does_not_ring():
    """Afterwards nothing can be set."""
    clock, rung = FakeClock(), list[str]()
    alarm = Alarm(clock)
    alarm.set("a", clock() + MINUTE, lambda: rung.append("a"))
    alarm.set("b", clock() + MINUTE, lambda: rung.append("b"))
    alarm.cancel("a")
    assert (alarm.at("a"), alarm.at("b")) == (None, clock() + MINUTE)
    alarm.close()
    alarm.set("c", clock(), lambda: rung.append("c"))
    clock.advance(MINUTE)
    alarm.look()
    assert rung == []


def test_its_thread_rings_for_what_is_due_and_one_that_fails_stops_nothing():
    """Both ring, though the first raises."""
    clock, rung = FakeClock(), threading.Event()
    alarm = Alarm(clock)
    alarm.set("a", clock() - MINUTE, lambda: 1 / 0)
    alarm.set("b", clock(), rung.set)
    assert rung.wait(60)
