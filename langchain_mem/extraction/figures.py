"""Whether the numbers, times and dates of a fact are those that were said, written otherwise, or worked out.

34                 was said as "thirty-four"
15:30              was said as "halb vier"
22 August 2023     was said as "tomorrow" on the 21st
since about 2018   was said as "for five years" in 2023
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Final, NamedTuple

from langchain_mem._regex import regex
from langchain_mem.extraction.languages import alike, language_of, root, telling
from langchain_mem.extraction.quantities import Date, Quantities, in_digits, quantities

_RELATIVE: Final = regex(
    r"""\bin\s+\w+\s+(?:tag|woche|monat|jahr|day|week|month|year)\w*|\b(?:today|tonight|tomorrow|yesterday|now|ago
            |this|last|next|coming|past|since|recently|just|weekend|week|month|year
    |years|months|weeks|days|morning|evening|eve|spring|summer|autumn|fall|winter|christmas|easter|monday|tuesday
            |wednesday
    |thursday|friday|saturday|sunday|mon|tue|wed|thu|fri|sat|sun
    |heute|morgen|gestern|vorgestern|übermorgen|nächst\w*|letzt\w*|vor|seit|diese\w*|jetzt|gerade|montag\w*
            |dienstag\w*
    |mittwoch\w*|donnerstag\w*|freitag\w*|samstag\w*|sonntag\w*|wochenende|woche\w*|monat\w*|jahr\w*|jahresende
    |aujourd|demain|hier|depuis|prochain\w*|dernier\w*|dernière|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche
            |semaine\w*
    |mois|ans?|année\w*|hoy|mañana|ayer|desde|próxim\w*|pasad\w*|lunes|martes|miércoles|jueves|viernes|sábado
            |domingo|semana\w*
    |mes|meses|años?|hace|oggi|domani|ieri|scors\w*|prossim\w*|fa|lunedì|martedì|mercoledì|giovedì|venerdì|sabato
            |domenica
    |settimana|mese|mesi|anno|anni|hoje|amanhã|ontem|próximo|passad\w*|segunda|terça|quarta|quinta|sexta|semana|mês
            |ano|anos|há
    |vandaag|morgen|overmorgen|gisteren|volgende?|vorige?|geleden|sinds|maandag|dinsdag|woensdag|donderdag|vrijdag
            |zaterdag
    |zondag|maand\w*|jaar|jaren|dziś|dzisiaj|jutro|wczoraj|temu|od|przyszł\w*|zeszł\w*|tydzień|miesiąc\w*|rok\w*
            |lat)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_EXACT: Final = {
    -2: "vorgestern|eergisteren|anteayer|anteontem|avant-hier|przedwczoraj",
    -1: "yesterday|last night|gestern|hier|ayer|ieri|ontem|gisteren|wczoraj",
    0: "today|tonight|this morning|heute|aujourd|hoy|oggi|hoje|vandaag|dziś|dzisiaj",
    1: "tomorrow|demain|domani|amanhã|jutro",
    2: "day after tomorrow|übermorgen|après-demain|pasado mañana|dopodomani|overmorgen|pojutrze",
}
_EXACTLY: Final = {away: regex(rf"\b(?:{said})\b", re.IGNORECASE) for away, said in _EXACT.items()}
_NEAR: Final = timedelta(days=430)  # what "last", "next" or a weekday may reach
_PAIR: Final = regex(r"(?<![\w.,:])(\d+(?:[.,]\d+)?|one)\s+([^\W\d_]+)", re.IGNORECASE)
_UNITS: Final = frozenset(
    """
    year years month months week weeks day days hour hours minute minutes euro euros dollar dollars pound pounds
    percent
    uhr o'clock heures heure horas hora ore ora uur am pm kilo kilos kg km metres meters litres people times jahre
    jahren monate wochen tage stunden ans mois semaines jours
    años meses semanas días anni mesi settimane giorni anos dias jaar maanden weken dagen lat
    cent cents naira yen yuan won rupee rupees franc francs franken krone kronor kroner koruna złoty zloty złotych
    peso pesos real reais rand baht lira shekel shekels dirham dirhams forint lei shilling shillings
    """.split()
)
_FACTORS: Final = (1.609, 0.6214, 0.3048, 3.281, 2.54, 0.3937, 0.4536, 2.2046, 28.35, 0.0353, 1000, 0.001, 60, 1 / 60)


class Objection(NamedTuple):
    """What is wrong with a fact: it is contradicted, or in doubt; neither where both are `None`."""

    contradiction: str | None = None
    doubt: str | None = None


@dataclass(frozen=True)
class Figures:
    """What was said of numbers and dates.

    Attributes:
        cited: The texts a fact rests on.
        others: The rest of the conversation, and what is known.
        observed: When it was said.
    """

    cited: Sequence[str]
    others: Sequence[str]
    observed: datetime

    def findings(self, fact: str) -> Iterator[Objection]:
        """What is wrong with the figures of a fact."""
        stated = quantities(fact)
        worked_out = any(not self._said(day, self._everything()) for day in stated.dates)
        yield from self._numbers(stated, worked_out)
        yield from self._times(stated)
        yield from (self._date(day, stated) for day in stated.dates)
        yield from self._places(fact)

    def _near(self) -> list[Quantities]:
        return [quantities(text) for text in self.cited]

    def _everything(self) -> list[Quantities]:
        return [quantities(text) for text in (*self.cited, *self.others)]

    def _numbers(self, stated: Quantities, worked_out: bool) -> Iterator[Objection]:
        said = set(chain.from_iterable(number for each in self._everything() for number in _all_numbers(each)))
        new = [number for number in stated.numbers if not number & said]
        taken = set(chain.from_iterable(_all_numbers(stated)))
        left = [number for each in self._near() for number in each.numbers if not number & taken]
        for number in new:
            value = max(number)
            if not left or worked_out or _follows(value, left):
                yield Objection(doubt=f"the number {value:g} was not said")
            else:
                yield Objection(contradiction=f"says {value:g} where {max(left[0]):g} was said")

    def _times(self, stated: Quantities) -> Iterator[Objection]:
        near = [time for each in self._near() for time in each.times]
        said = {time for each in self._everything() for times in each.times for time in times}
        hours = {number for each in self._everything() for numbers in each.numbers for number in numbers}
        for time in stated.times:
            if time & said or any(_is_hour(each, hours) or _is_dotted(each, hours) for each in time):
                continue
            shown = min(time)
            contradicted = any(not each & {t for times in stated.times for t in times} for each in near)
            yield (
                Objection(contradiction=f"says {shown} where another time was said")
                if contradicted
                else Objection(doubt=f"the time {shown} was not said")
            )

    def _date(self, day: Date, stated: Quantities) -> Objection:
        if self._said(day, self._everything()) or day.covers(self.observed.date()):
            return Objection()
        text = " ".join(self.cited)
        if (exact := self._exactly(text)) and not any(day.covers(each) for each in exact):
            return Objection(doubt="its date is not the one that was said")
        if (_RELATIVE.search(text) or self._day_alone(day)) and self._reachable(day, text):
            return Objection()
        others = [each for near in self._near() for each in near.dates if not any(each.agrees(d) for d in stated.dates)]
        if any(_comparable(day, each) for each in others):
            return Objection(contradiction="says another date than was said")
        return Objection(doubt="its date was not said")

    def _said(self, day: Date, texts: Sequence[Quantities]) -> bool:
        """Whether a date was said: each part of it, a year apart that follows from when it was said."""
        return any(self._says(each, day) for text in texts for each in text.dates)

    def _says(self, said: Date, day: Date) -> bool:
        if not said.agrees(day) or (day.day and not said.day) or (day.month and not said.month):
            return False
        return day.year is None or said.year is not None or abs(day.year - self.observed.year) <= 1

    def _exactly(self, text: str) -> list[date]:
        """The days that "yesterday" and its like name in a text; none where weekdays or durations name others, too."""
        named = [away for away, cue in _EXACTLY.items() if cue.search(text)]
        today = self.observed.date()
        return [today + timedelta(days=away) for away in named] if named and 0 not in named else []

    def _day_alone(self, day: Date) -> bool:
        """Whether the day of a date was said without its month: "on the 12th"."""
        return any(day.day in number for each in self._near() for number in each.numbers)

    def _reachable(self, day: Date, text: str) -> bool:
        """Whether a date can follow from what was said relative to the present."""
        year = day.year or self.observed.year
        if abs(year - self.observed.year) * 365 <= _NEAR.days:
            return True
        spans = [max(number) for number in quantities(text).numbers]
        return any(abs(abs(self.observed.year - year) - span) <= 1 for each in spans for span in (each, each / 12))

    def _places(self, fact: str) -> Iterator[Objection]:
        """Numbers that were said of another thing: "two cats and a dog" is not "one cat and two dogs"."""
        said = [(*pair, language_of(text)) for text in self.cited for pair in _pairs(text)]
        stated = _pairs(fact)
        for number, thing in stated:
            same = [other for other, noun, _ in said if alike(root(noun, None), root(thing, None))]
            elsewhere = any(number == other and telling(noun, language or "en") for other, noun, language in said)
            also = any((other, thing) in stated for other in same)  # "20 points, not under 18": both are of it
            if same and number not in same and elsewhere and not also and thing not in _UNITS:
                yield Objection(contradiction=f"says {number} {thing} where {same[0]} was said")


def _pairs(text: str) -> list[tuple[str, str]]:
    found = _PAIR.findall(in_digits(text))
    return [("1" if number.lower() == "one" else number, thing.casefold()) for number, thing in found]


def _all_numbers(each: Quantities) -> list[frozenset[float]]:
    """Numbers, and those that stand in dates and times."""
    dated = [frozenset(float(part) for part in day if part is not None) for day in each.dates]
    clock = [frozenset(float(part) for part in time.split(":")) for times in each.times for time in times]
    return [*each.numbers, *dated, *clock]


def _follows(value: float, said: Sequence[frozenset[float]]) -> bool:
    """Whether a number may be worked out from others: another unit, or a sum."""
    values = [number for each in said for number in each]
    converted = any(abs(number * factor - value) <= 0.03 * value + 0.5 for number in values for factor in _FACTORS)
    return converted or abs(sum(values) - value) < 1e-9


def _is_dotted(time: str, numbers: set[float]) -> bool:
    """Whether a time was written with a point: 10.15 of 10:15."""
    hour, minute = map(int, time.split(":"))
    return any(abs(number - (each + minute / 100)) < 1e-9 for number in numbers for each in (hour, hour - 12))


def _is_hour(time: str, numbers: set[float]) -> bool:
    hour, minute = map(int, time.split(":"))
    return minute == 0 and any(number % 12 == hour % 12 and number <= 24 for number in numbers)


def _comparable(one: Date, other: Date) -> bool:
    """Whether two dates that differ are about the same part of the calendar."""
    return any(a is not None and b is not None and a != b for a, b in zip(one[:3], other[:3], strict=True))
