"""What personal data looks like: mail addresses, telephone numbers, cards, bank accounts, national ids.

Check digits and numbering plans are decided by `python-stdnum` and `phonenumbers`. A number that could as well be an
order's counts only after a label ("my SSN is", "call").
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from langchain_mem._regex import regex
from langchain_mem.errors import MissingDependency
from langchain_mem.extraction.key_rules import CARD, is_card
from langchain_mem.extraction.secret_rule import IS, SAID, Rule, TextMatch, pattern

KINDS: Final = ("email", "phone", "card", "iban", "national-id")
"""The kinds of personal data that are recognized."""

REGIONS: Final = tuple("US GB DE FR ES IT BR PL AU NL CH AT PT IN MX CA BE SE DK NO IE".split())
"""Countries whose telephone numbers are recognized without their `+` prefix, as ISO 3166 has them."""

_EMAIL: Final = regex(
    r"(?<![\w.+/@-])(?<!://)(?!git@|ssh@)(?P<secret>[^\W_][\w.+'’-]{0,63}(?:@|%40)(?:[^\W_]"
    r"(?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24})(?![\w@-])"
)

_SPELLED_EMAIL: Final = pattern(
    r"(?<![\w.+-])(?P<secret>[\w.+-]{1,64} ?[\[({<] ?(?:at|ät|arroba|arobase|chiocciola) ?[\])}>] ?[\w-]{1,60}"
    r"(?: ?(?:[\[({](?:dot|punkt|punto|point|ponto)[\])}]|\.) ?[a-z][\w-]{1,20}){1,4})"
)
_PHONE: Final = regex(
    r"(?<![\w.,+#/:-])(?P<secret>(?:\+|00)[1-9](?:[ ()./-]{0,3}\d){6,14}|\(?\d{1,5}\)?"
    r"(?:[ .-]{0,2}\(?\d\)?){5,13}|0\d{2,4}/\d{5,9})(?![\w:@%€$£]|[.,/-]\w)"
)
_LINKED_PHONE: Final = regex(r"(?:wa\.me/|tel:)(?P<secret>\+?\d[\d().-]{6,18}\d)(?!\w)")
_CALLED: Final = pattern(
    r"\b(?:(?:tele|cell|mobile |i|smart|home |work )?phone|cell|mobile|tel|call|ring|text|sms|whatsapp|signal"
    r"|fax|landline|line|dial|reach|number|no"
    r"|telefon\w*|handy\w*|mobil\w*|rufnummer|anrufen|ruf|nummer|durchwahl|m[óo]vil|celular|tel[ée]fono\w*"
    r"|n[úu]mero|ll[áa]ma\w*|cellulare|numero"
    r"|chiama\w*|portable|num[ée]ro|appelle\w*|fixe|telem[óo]vel|telefone|liga|zap|gsm|kom[óo]rka|numer"
    r"|telefoon\w*|bel)\b[^\n\d=]{0,30}$"
)
_RUNG: Final = pattern(
    r"\b(?:(?:tele|cell|mobile |i|smart|home |work )?phone(?: number)?|cell|mobile|tel|call|ring|sms|whatsapp|fax"
    r"|landline"
    r"|telefon\w*|handy\w*|mobil\w*|rufnummer|m[óo]vil|celular|tel[ée]fono|ll[áa]ma\w*|cellulare|portable"
    r"|t[ée]l[ée]phone"
    r"|telem[óo]vel|telefone|gsm|telefoon\w*)\b[^\n\d=]{0,20}$"
)
"""Words after which a number is a telephone's for certain."""

_FICTITIOUS: Final = regex(r"\(?555\)?[ .-]\d{3}[ .-]\d{4}$|(?:\(?\d{3}\)?[ .-])?555[ .-]\d{4}$")
"""Numbers of films and examples, which no plan has."""

_PART_OF_ANOTHER: Final = regex(r"(?<!\w)(?=\w*\d)(?=\w*[A-Z])\w+[ .-]$")
"""Capitals and digits right before, as in "AA1 01 2345 6784", the rest of a tracking number."""

_SPACED: Final = regex(
    r"\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}$|\(?0\d{1,5}\)?[ /.-]\d[\d .-]{4,}$|\(\d{2,5}\) ?\d[\d .-]{5,}$"
    r"|0\d{2,4}/\d{5,9}$"
)
_DATE: Final = regex(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|(?:19|20)\d\d[./-]\d\d?[./-]\d\d?")

_IBAN: Final = regex(r"(?<![\w-])(?P<secret>[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30})(?!\w)")

_ID_LABELS: Final = (
    r"ssn|social security(?: number| no)?|tax[ -]?(?:payer )?id(?:entification)?(?: number| no)?|itin|ein"
    r"|passport(?: number| no| nr)?"
    r"|driver['’]?s licen[cs]e(?: number| no)?|(?:national|citizen|government)[ -](?:id|identity|insurance)"
    r"(?: card)?(?: number| no)?|id[ -]card(?: number| no)?"
    r"|ni(?:no)?(?: number)?|nhs(?: number)?|sin(?: number)?|tfn|medicare(?: number)?|aadhaa?r(?: number)?|pan"
    r"(?: card| number)?"
    r"|steuer-?(?:id|identifikationsnummer|nummer)|sozialversicherungsnummer|(?:reise)?pass(?:nummer|-nr\.?)"
    r"|personalausweis(?:nummer)?|ausweisnummer|ahv(?:-nummer| number)?"
    r"|dni|nie|nif|contribuinte|n[úu]mero de (?:identidad|seguridad social|contribuinte|identifica[cç][aã]o fiscal)"
    r"|curp"
    r"|cuit|rut|pasaporte|c[ée]dula"
    r"|num[ée]ro de s[ée]cu(?:rit[ée] sociale)?|nir|passeport|codice fiscale|passaporto|carta d['’]identit[àa]"
    r"|cpf|rg|cnpj|passaporte|cart[aã]o de cidad[aã]o"
    r"|bsn|burgerservicenummer|rijksregisternummer|pesel|nip|dow[óo]d|personnummer|cpr(?:-nummer)?"
    r"|f[øo]dselsnummer|hetu|henkil[öo]tunnus|(?:south african )?id number|sa id|t\.?c\.?(?: kimlik)?(?: no"
    r"| numaram?)?"
    r"|kimlik (?:no|numaram?)|rijksregister(?:nummer)?|rodn[ée] č[íi]slo|rodn[ée] c[íi]slo|cnp|egn|oib|jmbg|emšo"
    r"|isikukood|asmens kodas|kennitala|taj[ -]?sz[áa]m|amka|afm|ppsn?|nric|mykad|ktp|cccd|cmnd|hkid"
    r"|tax file number|national registration|identity (?:card|number)|(?:my)?kad pengenalan|id card no|паспорт"
    r"|снилс|инн"
    r"|рнокпп|егн|身份证(?:号码?)?|身份證(?:號碼?)?|マイナンバー|주민등록번호|תעודת זהות|ת\.?ז\.?|رقم الهوية"
    r"|الرقم القومي"
)
_LABELED_ID: Final = pattern(
    rf"(?<![\w-])(?:{_ID_LABELS})(?:{SAID}|{IS}|[ \t]+(?:[nN]o\.?|nr\.?|number)[ \t]+|(?:[ \t]+est le"
    rf"|[ \t]+es el|[ \t]+è il)?[ \t]+)"
    r"(?P<secret>(?=(?:[^\d\n]{0,6}\d){5})[A-Z0-9](?:[ ./-]?[A-Z0-9]){5,20})(?![\w-])"
)

_OF_A_COUNTRY: Final = pattern(
    r"\b(?:[A-Z][a-z]{2,12}(?:an|ish|ese|ch|ic|li|ni)|national|citizen|identity|personal)[ -]id(?:entity)?"
    rf"(?:[ -](?:card|number|no\.?|code))*(?:{SAID}|{IS}"
    rf"|[ \t]+)(?P<secret>\d{{2,13}}(?:[ -]\d{{1,8}}){{0,3}})(?![\w-])"
)
"""An id that is told by its country."""

_COUNTRIES: Final = (
    "za.idnr tr.tckimlik cn.ric kr.rrn il.idnr gr.amka cz.rc ro.cnp bg.egn hr.oib lt.asmens lv.pk ee.ik pl.pesel "
    "nl.bsn"
    " de.idnr fr.nir br.cpf in_.aadhaar th.pin my.nric be.nn no.fodselsnummer is_.kennitala"
).split()

_PLAIN_IDS: Final = {
    "es.dni": r"\d{8}-?[A-Z]",
    "es.nie": r"[XYZ]-?\d{7}-?[A-Z]",
    "fr.nir": r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}",
    "in_.pan": r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]",
    "in_.aadhaar": r"[2-9]\d{3} \d{4} \d{4}",
    "mx.rfc": r"[A-ZÑ&]{3,4}\d{6}[A-Z0-9]{3}",
    "se.personnummer": r"\d{6}[-+]\d{4}",
    "dk.cpr": r"\d{6}-\d{4}",
    "fi.hetu": r"\d{6}[-+A]\d{3}[A-Z0-9]",
    "cn.ric": r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]",
    "kr.rrn": r"\d{6}-[1-8]\d{6}",
    "cz.rc": r"\d{6}/\d{3,4}",
    "de.idnr": r"\d{2} \d{3} \d{3} \d{3}",
    "no.fodselsnummer": r"\d{6} \d{5}",
    "pt.cc": r"\d{8} ?\d ?[A-Z0-9]{2}\d",
    "my.nric": r"\d{6}-\d{2}-\d{4}",
    "cl.rut": r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]",
    "ar.cuit": r"(?:20|2[3-7]|30|33)-\d{8}-\d",
    "pk.cnic": r"\d{5}-\d{7}-\d",
    "is_.kennitala": r"\d{6}-\d{4}",
}
"""Ids that look like nothing else, by the module of `stdnum` that checks them."""

_ONLY_SO: Final = regex(
    r"(?<![\w./+-])(?P<secret>(?!000|666)\d{3}-(?!00)\d{2}-(?!0000)\d{4}"  # United States
    r"|[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]"  # Italy
    r"|\d{3}\.\d{3}\.\d{3}-\d{2}"  # Brazil
    r"|756\.\d{4}\.\d{4}\.\d{2}"  # Switzerland
    r"|[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d"  # Mexico
    r"|\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2})(?![\w-])"  # Belgium
)
"""Forms that nothing else has, so check digits are not asked for: people mistype, and some numbers are withdrawn."""

_NINO: Final = regex(
    r"(?<!\w)(?P<secret>(?!BG|GB|KN|NK|NT|TN"
    r"|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D])(?!\w)"
)
"""A British National Insurance number, which has no check digit."""


@functools.cache
def _numbers(name: str) -> Any:
    """A module of `stdnum` or `phonenumbers`, imported when a text first has such a number."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingDependency('Personal data needs two libraries: pip install "langchain-mem[pii]"') from error


def _is_phone(regions: Sequence[str]) -> Callable[[TextMatch], bool]:
    def accepts(match: TextMatch) -> bool:
        number: str = match["secret"]
        if number.startswith(("+", "00")):
            return _fits(re.sub(r"^00", "+", number), None, "is_possible_number")
        digits = sum(map(str.isdigit, number))
        if _DATE.search(number) or digits < 7:
            return False
        before = match.string[max(0, match.start() - 60) : match.start("secret")]
        plain = digits >= 9 and _SPACED.match(number) and not _PART_OF_ANOTHER.search(before)
        if _FICTITIOUS.match(number):
            return bool(plain or _CALLED.search(before))
        if digits >= 9 and _RUNG.search(before):
            return any(_fits(number, region, "is_possible_number") for region in regions)
        return bool(plain or _CALLED.search(before)) and any(
            _fits(number, region, "is_valid_number") for region in regions
        )

    return accepts


def _fits(number: str, region: str | None, test: str) -> bool:
    """Whether a number passes a test of `phonenumbers`: by its length (`possible`) or by its plan (`valid`)."""
    phonenumbers = _numbers("phonenumbers")
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException:
        return False
    return bool(getattr(phonenumbers, test)(parsed))


def _is_iban(match: TextMatch) -> bool:
    return bool(_numbers("stdnum.iban").is_valid(match["secret"], check_country=False))  # banks come and go


def _checked_by(module: str) -> Callable[[TextMatch], bool]:
    return lambda match: bool(_numbers(f"stdnum.{module}").is_valid(match["secret"]))


def _is_some_countrys(match: TextMatch) -> bool:
    return any(_numbers(f"stdnum.{module}").is_valid(match["secret"]) for module in _COUNTRIES)


def _is_told(match: TextMatch) -> bool:
    """Whether a label is somebody's word and no variable's name."""
    return match["said"] not in ("=", "==")


def _ids() -> list[Rule]:
    plain = [
        Rule(
            name="national-id",
            find=regex(rf"(?<![\w./+-])(?P<secret>{shape})(?![\w-])"),
            group="secret",
            accepts=_checked_by(module),
        )
        for module, shape in _PLAIN_IDS.items()
    ]
    labeled = Rule(name="national-id", find=_LABELED_ID, group="secret", accepts=_is_told)
    told = Rule(name="national-id", hints=("id",), find=_OF_A_COUNTRY, group="secret", accepts=_is_some_countrys)
    alone = Rule(name="national-id", find=_ONLY_SO, group="secret")
    return [labeled, told, alone, *plain, Rule(name="national-id", find=_NINO, group="secret")]


def personal_rules(kinds: Sequence[str], regions: Sequence[str]) -> tuple[Rule, ...]:
    """The rules for some kinds of personal data, cards apart; see `CARDS`.

    Args:
        kinds: Some of `KINDS`.
        regions: Countries whose telephone numbers are recognized without their prefix.
    """
    rules = [
        Rule(name="email", hints=("@", "%40"), find=_EMAIL, group="secret"),
        Rule(name="email", hints=("[", "(", "{"), find=_SPELLED_EMAIL, group="secret"),
        Rule(name="iban", find=_IBAN, group="secret", accepts=_is_iban),
        *_ids(),
        Rule(name="phone", hints=("wa.me/", "tel:"), find=_LINKED_PHONE, group="secret"),
        Rule(name="phone", find=_PHONE, group="secret", accepts=_is_phone(regions)),
    ]
    return tuple(rule for rule in rules if rule.name in kinds)


CARDS: Final = (Rule(name="card", find=CARD, accepts=is_card),)
"""The rule for cards. They are secrets too, so this one comes before those."""
