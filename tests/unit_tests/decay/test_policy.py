"""The decay formula, its bands and its laws."""

import copy
import dataclasses
import math
import pickle
import timeit
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_mem.decay.policy import ANCHORS, CLOCK_SKEW, Decay, Used, with_touch
from langchain_mem.errors import InvalidRequest
from langchain_mem.model.instants import iso

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=365)
ROUNDING = 1e-12  # the order in which floats are added up

# Time between two touches: none, milliseconds, seconds, and everything up to five years.
gaps = st.one_of(
    st.just(timedelta(0)),
    st.timedeltas(timedelta(0), timedelta(seconds=2)),
    st.floats(0, math.log(5 * YEAR.total_seconds())).map(lambda x: timedelta(seconds=math.exp(x))),
)
instants = st.datetimes(datetime(2000, 1, 1), datetime(2025, 5, 31), timezones=st.just(UTC))
at_any_time = st.datetimes(datetime(2000, 1, 1), datetime(2026, 5, 31), timezones=st.just(UTC))  # also yet to come


def between(low: timedelta, high: timedelta) -> st.SearchStrategy[timedelta]:
    return st.timedeltas(low, high)


def history(idle: timedelta, older: list[timedelta]) -> list[datetime]:
    """Touches whose newest is idle for so long, the others each a gap before the next."""
    touches = [NOW - idle]
    for gap in older:
        touches.append(touches[-1] - gap)
    return touches


def daily(idle: timedelta, count: int) -> list[datetime]:
    return history(idle, [DAY] * (count - 1))


BANDS = [
    ("just accessed", timedelta(0), MINUTE, 1.5, 1.5),
    ("on a recent search", timedelta(0), DAY, 1.2, 1.5),
    ("today", HOUR, DAY, 1.2, 1.4),
    ("idle a few days", 2 * DAY, 6 * DAY, 0.6, 1.0),
    ("idle weeks", 10 * DAY, 35 * DAY, 0.4, 0.6),
    ("many months", 182 * DAY, YEAR, 0.3, 0.32),
    ("years", 2 * YEAR, 20 * YEAR, 0.3, 0.3),
]


@pytest.mark.parametrize(
    ("low_age", "high_age", "low", "high"), [band[1:] for band in BANDS], ids=[b[0] for b in BANDS]
)
@given(data=st.data(), older=st.lists(gaps, max_size=19))
def test_every_history_of_one_to_twenty_touches_meets_its_band(data, older, low_age, high_age, low, high):
    """Whatever came before the newest touch, its idle time decides the band."""
    idle = data.draw(between(low_age, high_age))
    assert low - ROUNDING <= Decay().factor(history(idle, older), NOW) <= high + ROUNDING


@pytest.mark.parametrize(
    ("idle", "once", "twenty"),
    [
        # Touched once, the effective age is the idle time. Between two anchors the factor is linear in ln age:
        (MINUTE, 1.500, 1.500),  # the first anchor
        # 1.40 - 0.18 · ln(1 h / 40 min) / ln(24 h / 40 min) = 1.40 - 0.18 · 0.4055 / 3.5835
        (HOUR, 1.380, 1.384),
        # 1.40 - 0.18 · ln(6 h / 40 min) / 3.5835 = 1.40 - 0.18 · 2.1972 / 3.5835
        (6 * HOUR, 1.290, 1.297),
        # Twenty daily touches: Σ (1/j)^0.5 over j = 1..20 is 7.595, so the age is 24 h · 7.595^-0.1 = 19.60 h,
        # and 1.40 - 0.18 · ln(19.60 h / 40 min) / 3.5835 = 1.40 - 0.18 · 3.3808 / 3.5835 = 1.230
        (DAY, 1.220, 1.230),
        # 0.98 - 0.38 · ln(48 / 36) / ln(168 / 36) = 0.98 - 0.38 · 0.2877 / 1.5404
        (2 * DAY, 0.909, 0.965),
        # 0.98 - 0.38 · ln(72 / 36) / 1.5404 = 0.98 - 0.38 · 0.6931 / 1.5404
        (3 * DAY, 0.809, 0.868),
        (7 * DAY, 0.600, 0.665),  # an anchor
        # 0.60 - 0.19 · ln(14 / 7) / ln(35 / 7) = 0.60 - 0.19 · 0.6931 / 1.6094
        (14 * DAY, 0.518, 0.551),
        # 0.60 - 0.19 · ln(30 / 7) / 1.6094 = 0.60 - 0.19 · 1.4553 / 1.6094
        (30 * DAY, 0.428, 0.462),
        # 0.41 - 0.09 · ln(90 / 35) / ln(120 / 35) = 0.41 - 0.09 · 0.9445 / 1.2321
        (90 * DAY, 0.341, 0.363),
        # Twenty: Σ (365 / (365 + j))^0.5 over j = 0..19 is 19.75, so the age is 365 d · 19.75^-0.1 = 270.9 d,
        # and 0.32 - 0.02 · ln(270.9 / 120) / ln(365 / 120) = 0.32 - 0.02 · 0.8142 / 1.1124 = 0.305
        (YEAR, 0.300, 0.305),
    ],
)
def test_documented_table(idle, once, twenty):
    """The documented factors come out for one touch and for twenty a day apart."""
    assert round(Decay().factor(daily(idle, 1), NOW), 3) == once
    assert round(Decay().factor(daily(idle, 20), NOW), 3) == twenty


@pytest.mark.parametrize(("age", "factor"), ANCHORS)
def test_the_curve_passes_through_its_anchors(age, factor):
    """One touch as old as an anchor gets the anchor's factor."""
    assert Decay().factor([NOW - age], NOW) == pytest.approx(factor, abs=ROUNDING)


policies = st.sampled_from(
    [
        Decay(),
        Decay(strength=2.5),
        Decay(max_touches=3),
        Decay(time_scale=0.1),
        Decay(floor=0.05, ceiling=3.0, strength=2),
    ]
)


@given(decay=policies, idle=gaps, older=st.lists(gaps, max_size=24), longer=gaps)
def test_never_rises_while_idle(decay, idle, older, longer):
    """As time passes without a touch, no factor rises."""
    touches = history(idle, older)
    assert decay.factor(touches, NOW + longer) <= decay.factor(touches, NOW) + ROUNDING


@given(decay=policies, idle=gaps, older=st.lists(gaps, max_size=24), one_more=gaps)
def test_never_falls_by_one_more_touch(decay, idle, older, one_more):
    """A touch more, wherever it lies in the past and however full the record is, lowers no factor."""
    touches = history(idle, older)
    before = decay.factor(touches, NOW)
    assert decay.factor([*touches, NOW - one_more], NOW) >= before - ROUNDING
    assert decay.factor(with_touch(touches, NOW - one_more, decay.max_touches), NOW) >= before - ROUNDING


@given(idle=gaps, older=st.lists(gaps, max_size=24), seed=st.randoms(use_true_random=False))
def test_order_does_not_matter(idle, older, seed):
    """Touches are a collection: shuffled, they give the same factor."""
    touches = history(idle, older)
    shuffled = seed.sample(touches, len(touches))
    assert Decay().factor(shuffled, NOW) == Decay().factor(touches, NOW)


def test_only_the_newest_twenty_count():
    """A twenty-first touch, older than twenty others, changes nothing."""
    twenty = daily(3 * DAY, 20)
    assert Decay().factor([*twenty, NOW - YEAR], NOW) == Decay().factor(twenty, NOW)


def test_equal_touches_count_each():
    """Two touches in one instant make a memory younger than one: 1 h · 2^-0.1."""
    assert Decay().effective_age([NOW - HOUR] * 2, NOW) == pytest.approx(3600 * 2**-0.1)


@pytest.mark.parametrize("age", [timedelta(0), timedelta(milliseconds=1), timedelta(seconds=1)])
def test_no_age_is_below_a_second(age):
    """An age of zero is a second, so its logarithm exists."""
    assert Decay().effective_age([NOW - age], NOW) == 1.0


@given(ahead=between(timedelta(microseconds=1), CLOCK_SKEW))
@settings(max_examples=30)
def test_a_touch_slightly_ahead_is_now(ahead):
    """Up to five minutes, inclusive, is another machine's clock."""
    assert Decay().explain([NOW + ahead], NOW) == Decay().explain([NOW], NOW)


@given(ahead=between(CLOCK_SKEW + timedelta(microseconds=1), 50 * YEAR), older=st.lists(gaps, min_size=1, max_size=19))
def test_a_touch_far_ahead_is_ignored(ahead, older):
    """A corrupt timestamp adds nothing and takes no other touch's place."""
    touches = history(DAY, older)
    assert Decay().explain([*touches, *[NOW + ahead] * 20], NOW) == Decay().explain(touches, NOW)


def test_legacy_memory_stands_at_its_event_date():
    """Without touches, the event date goes before the last update, on the same curve."""
    assert Decay().explain([], NOW, event_date=NOW - 7 * DAY, updated_at=NOW - DAY) == {
        "factor": 0.6,
        "effective_age_seconds": 7 * 86_400.0,
        "touches": 0,
    }


def test_legacy_memory_without_event_date_stands_at_its_update():
    """Without touches and event date, the last update is the one past touch."""
    assert Decay().factor([], NOW, updated_at=NOW - 35 * DAY) == pytest.approx(0.41)


@given(age=gaps, decay=st.sampled_from([Decay(), Decay(strength=3), Decay(time_scale=50), Decay(ceiling=1.0)]))
def test_legacy_memory_never_exceeds_one(age, decay):
    """A memory nobody used gets the curve, but no boost."""
    with_use = decay.factor([NOW - age], NOW)
    assert decay.factor([], NOW, updated_at=NOW - age) == min(with_use, 1.0)


@pytest.mark.parametrize(
    ("touches", "dates"),
    [
        ([], {}),
        ([NOW + DAY], {}),
        ([], {"event_date": NOW + DAY}),
        ([NOW + DAY], {"event_date": NOW + DAY, "updated_at": NOW + DAY}),
    ],
)
def test_nothing_believable_is_neutral(touches, dates):
    """With no believable instant at all, relevance stays as it is."""
    assert Decay().explain(touches, NOW, **dates) == {"factor": 1.0, "effective_age_seconds": None, "touches": 0}


def test_an_event_still_to_come_falls_back_to_the_update():
    """An event date ahead of us says nothing about use, the last update does."""
    assert Decay().factor([], NOW, event_date=NOW + DAY, updated_at=NOW - 7 * DAY) == 0.6


@given(idle=gaps, strength=st.floats(0, 8))
def test_strength_is_an_exponent(idle, strength):
    """Strength w gives factor^w, within floor and ceiling."""
    plain = Decay().factor([NOW - idle], NOW)
    expected = min(max(plain**strength, 0.3), 1.5)
    assert Decay(strength=strength).factor([NOW - idle], NOW) == pytest.approx(expected)


def test_floor_and_ceiling_bound_the_curve():
    """A narrower band cuts the curve at both ends."""
    narrow = Decay(floor=0.8, ceiling=1.1)
    assert narrow.factor([NOW], NOW) == 1.1
    assert narrow.factor([NOW - YEAR], NOW) == 0.8


# Idle for at least 8 s, so that no age is near the second none is below, at any weight.
@given(
    idle=between(timedelta(seconds=8), 5 * YEAR),
    older=st.lists(gaps, max_size=19),
    weight=st.sampled_from([0.25, 0.5, 2.0]),
)
def test_category_weight_sets_the_pace(idle, older, weight):
    """A weight w makes every age w times what it is."""
    touches = history(idle, older)
    decay = Decay(categories={"it": weight})
    paced = decay.effective_age(touches, NOW, categories=["it"])
    assert paced == pytest.approx(weight * Decay().effective_age(touches, NOW))


@pytest.mark.parametrize(
    ("categories", "same_as"),
    [
        (["health", "misc"], 0.25),  # the slowest of 0.25 and 2
        (["misc"], 2.0),
        (["misc", "other"], 1.0),  # one not listed runs at 1, slower than 2
        (["other"], 1.0),
        ([], 1.0),
    ],
)
def test_the_slowest_category_wins(categories, same_as):
    """A memory of several categories ages as slowly as the slowest of them."""
    decay = Decay(categories={"health": 0.25, "misc": 2.0})
    age = decay.effective_age([NOW - 4 * DAY], NOW, categories=categories)
    assert age == 4 * 86_400 * same_as


def test_a_weight_of_zero_never_ages():
    """A category of weight 0 keeps its memories at the ceiling."""
    assert Decay(categories={"pinned": 0}).factor([NOW - 9 * YEAR], NOW, categories=["pinned"]) == 1.5


@given(scale=st.floats(0.1, 10), days=st.floats(0.01, 400))
def test_time_scale_stretches_the_curve(scale, days):
    """What happens after a day by default happens after `time_scale` days."""
    idle = timedelta(days=days)
    assert Decay(time_scale=scale).factor([NOW - scale * idle], NOW) == pytest.approx(Decay().factor([NOW - idle], NOW))


def test_time_zones_are_converted():
    """The same instants in other zones give the same factor, through a change to summer time too."""
    berlin = ZoneInfo("Europe/Berlin")
    # 26 h by the wall clock around the night of 30 March 2025, 25 h in truth.
    now, touch = datetime(2025, 3, 30, 14, tzinfo=berlin), datetime(2025, 3, 29, 12, tzinfo=berlin)
    assert Decay().effective_age([touch], now) == 25 * 3600
    assert Decay().effective_age([NOW.astimezone(timezone(-8 * HOUR))], NOW + HOUR) == 3600


@pytest.mark.parametrize("naive", ["touch", "now", "updated_at"])
def test_naive_datetimes_are_refused(naive):
    """A datetime without a zone could mean any; the error says what is allowed."""
    wall = NOW.replace(tzinfo=None)
    touches = [wall] if naive == "touch" else []
    with pytest.raises(InvalidRequest, match="allowed: an aware datetime"):
        Decay().factor(touches, wall if naive == "now" else NOW, updated_at=wall if naive == "updated_at" else None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"floor": 0},
        {"floor": -1},
        {"floor": 1.1},
        {"ceiling": 0.9},
        {"ceiling": math.inf},
        {"strength": -1},
        {"strength": math.nan},
        {"time_scale": 0},
        {"time_scale": math.inf},
        {"max_touches": 0},
        {"max_touches": 2.5},
        {"max_touches": True},
        {"categories": {"health": -0.1}},
        {"categories": {"health": math.nan}},
        {"anchors": ()},
        {"anchors": ((DAY, 1.0),)},
        {"anchors": ((timedelta(0), 1.5), (DAY, 1.0))},
        {"anchors": ((DAY, 1.5), (DAY, 1.0))},
        {"anchors": ((DAY, 1.0), (HOUR, 1.5))},
        {"anchors": ((HOUR, 1.0), (DAY, 1.5))},
        {"anchors": ((HOUR, 1.0), (DAY, 0.0))},
        {"anchors": ((HOUR, math.inf), (DAY, 1.0))},
    ],
    ids=str,
)
def test_wrong_settings_are_refused(wrong):
    """A policy that could filter, reward idleness or compute nothing cannot be made."""
    with pytest.raises(InvalidRequest, match="allowed: "):
        Decay(**wrong)


def test_a_policy_is_a_value():
    """Equal settings make equal policies; one can be hashed, copied, pickled, replaced, and not changed."""
    weights = {"health": 0.25}
    decay = Decay(categories=weights)
    weights["health"] = 9.0
    assert decay.categories == {"health": 0.25}
    assert decay == Decay(categories={"health": 0.25}) != Decay()
    assert {decay: 1}[Decay(categories={"health": 0.25})] == 1
    assert copy.deepcopy(decay) == pickle.loads(pickle.dumps(decay)) == decay
    assert dataclasses.replace(decay, time_scale=2).factor([NOW - 2 * DAY], NOW) == pytest.approx(1.22)
    with pytest.raises(dataclasses.FrozenInstanceError):
        decay.floor = 0.5


def test_factor_is_cheap():
    """Twenty touches cost some microseconds, for a search asks for every candidate in its pool."""
    decay, touches = Decay(), daily(3 * DAY, 20)
    seconds = min(timeit.repeat(lambda: decay.factor(touches, NOW), number=1000, repeat=5)) / 1000
    assert seconds < 50e-6  # about 8e-6 on a quiet machine; the rest is room for a busy one


@given(touches=st.lists(instants, min_size=1, max_size=30), limit=st.integers(1, 20), seed=st.randoms())
def test_touches_merge_in_any_order(touches, limit, seed):
    """However concurrent touches arrive, the newest are on record, each as often as it came."""
    arriving = seed.sample(touches, len(touches))
    record: tuple[datetime, ...] = ()
    for touch in arriving:
        record = with_touch(record, touch, limit)
    assert record == tuple(sorted(touches)[-limit:])


def test_equal_touches_stay_distinct():
    """Two searches in one instant are two touches."""
    assert with_touch([NOW], NOW) == (NOW, NOW)


def test_an_unbelievable_touch_holds_no_place():
    """Told what time it is, the merge drops a corrupt timestamp rather than a real touch."""
    corrupt = [NOW + YEAR] * 20
    assert with_touch(corrupt, NOW, 20, now=NOW) == (NOW,)
    assert with_touch([NOW + CLOCK_SKEW], NOW, 20, now=NOW) == (NOW, NOW + CLOCK_SKEW)


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_a_record_keeps_at_least_one_touch(limit):
    """A limit below 1 is refused."""
    with pytest.raises(InvalidRequest, match="allowed: 1 or more"):
        with_touch([], NOW, limit)


@given(
    st.lists(st.tuples(st.lists(at_any_time, max_size=25), st.none() | at_any_time, at_any_time), max_size=4),
    st.sampled_from([Decay(), Decay(max_touches=3, time_scale=2.0, strength=2.0), Decay(categories={"a": 0.0})]),
)
def test_many_at_once_are_explained_as_one_by_one(memories, policy: Decay):
    """Arithmetic on arrays gives what the formula gives for each memory."""
    used = [
        Used(touches, event and iso(event), iso(updated), ["a"][: len(touches) % 2])
        for touches, event, updated in memories
    ]
    together = policy.explain_all(used, NOW)
    alone = [
        policy.explain(touches, NOW, updated_at=updated, event_date=event, categories=each.categories)
        for each, (touches, event, updated) in zip(used, memories, strict=True)
    ]
    numbers, expected = (
        [tuple(-1 if x is None else x for x in each.values()) for each in all_] for all_ in (together, alone)
    )
    assert [each.keys() for each in together] == [each.keys() for each in alone]
    assert numbers == [pytest.approx(each, rel=1e-9) for each in expected]
