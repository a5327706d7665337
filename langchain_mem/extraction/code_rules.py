"""Numbers that let somebody in: PINs, card codes, one-time codes, door codes, recovery codes, seed phrases.

Each is recognized by its label, in the languages most used, and by how many digits such a code has.
"""

from __future__ import annotations

import re
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.password_rules import GRAMMAR
from langchain_mem.extraction.secret_rule import FOR, IS, SAID, VERBS, Rule, TextMatch, always, pattern

_LINK: Final = rf"(?:{FOR}?{SAID}|{IS}|{FOR}?[ \t]+)"
_DIGITS: Final = r"(?P<secret>\d{2,4}[ -]\d{2,4}(?:[ -]\d{2,4})?|\d{3,8})(?![\w.,:/-]*\w)"

PIN: Final = pattern(
    r"(?<!\w)(?:PIN|PUK|geheimzahl|code pin|пин|الرقم السري|رمز الدخول)(?:[ -]?(?:code|number|nummer|zahl))?"
    rf"(?:{FOR}?{SAID.replace('said', 'pin_said')}|{IS})(?P<secret>\d{{4,8}})(?![\w.,:/-]*\w)"
)
SPOKEN_PIN: Final = pattern(
    r"(?<![\w-])(?:PIN|PUK|geheimzahl)(?:[ -]?(?:code|number|nummer))?(?:[ \t]+(?:for|of|to|on|für|de|del|della"
    r"|do|da|du|van)"
    rf"(?:[ \t]+[\w'’-]+){{1,5}}?)?(?:[ \t]+(?:{VERBS}))?[ \t]+(?P<secret>\d{{4}})(?![\w.,:/-]*\w)"
)
TURNED_CODE: Final = pattern(
    r"(?<![\w.,:/-])(?:g-)?(?P<secret>\d{3}[ -]\d{3}|\d{4,8})[ \t]+(?:is|was|ist|es|est|è|é|as|als)[ \t]+"
    r"(?:(?:the|my|our|your|his|her|mein\w*|dein\w*|ihr\w*|der|die|mi|tu|su|mon|votre|ton|il|mio|tuo|meu|seu"
    r"|o)[ \t]+)"
    r"(?:(?!postal|zip|area|dress|error|country|discount|post)[\w'’-]+[ \t]+){0,3}?(?:pin|puk|code|passcode|otp"
    r"|tan|código|codice)(?!\w)"
)
YOUR_CODE: Final = pattern(
    r"\b(?:your|ihr|dein|votre|ton|tu|su|seu|tuo|uw|twój|der|le|el|il|o)[ \t]+"
    r"(?:(?!postal|zip|area|dress|error|country|discount|promo|voucher|post|source|status"
    r"|product)[\w'’-]+[ \t]+){0,3}?"
    rf"(?:code|passcode|código|codice|kod)(?:{SAID}|{IS})(?:g-)?{_DIGITS}"
)
BACK_OF_CARD: Final = pattern(
    r"\b(?:three|3|four|4|last|drei|tres|trois|tre|três)[ -](?:digits?|numbers?|ziffern|cifras|chiffres|cifre"
    r"|dígitos)"
    r"[ \t]+(?:on|at|auf|en|au|sul|no|hinten|del|do)\b[^\n\d]{0,30}?(?P<secret>\d{3,4})(?![\w.,:/-]*\w)"
)
NEAR_PIN: Final = regex(
    r"\b(?:PIN|PUK)\b[^\d\n.;]{1,40}?(?P<secret>(?!19\d\d|20\d\d)\d{4}|\d(?:[ -]\d){3})(?![\w.,:/-]*\w)"
)
NEAR_CVV: Final = pattern(
    r"\b(?:cvv2?|cvc2?|card verification (?:value|code|number)|back of (?:the|my) (?:credit |debit |bank )?card|"
    r"(?:code|number) on the back)\b[^\d\n]{1,25}?(?P<secret>\d{3,4})(?![\w.,:/-]*\w)"
)
NEAR_CODE: Final = pattern(
    r"(?<!postal )(?<!zip )(?<!area )(?<!error )(?<!status )(?<!source )(?<!promo )(?<!discount )(?<!voucher )"
    r"(?<!country )(?<!product )(?<!pin )"
    r"\b(?:code|otp|tan|2fa|mfa|authenticator|authy|one-time (?:password|pass|pin)|einmal(?:code|passwort)"
    r"|código|codice|kod)\b[^\d\n.;]{1,40}?"
    r"(?P<secret>\d{6}|\d{3}[ -]\d{3})(?![\w.,:/-]*\w)"
)
USED_CODE: Final = pattern(
    r"\b(?:enter|use|type|gib|introduce|entrez|saisissez|inserisci|digite)[ \t]+(?:g-)?(?P<secret>\d{4,8}"
    r"|\d{3}[ -]\d{3})[ \t]+"
    r"(?:to|as|for|zum|als|para|pour|per|come|como)[ \t]+(?:(?:your|the|my|ihr\w*|tu|votre|il|seu)[ \t]+)?"
    r"(?:sign|log|verif|confirm|code|pin|access|unlock|anmeld|bestätig|acced|entrar|inici|valid)"
)
NEAR_DOOR: Final = pattern(
    r"\b(?:door|gate|alarm|lock|garage|safe|locker|building|entry|entrance|keypad|lockbox|cabin|airbnb|bike|tür"
    r"|tor|haustür)\b[^\d\n.;]{0,40}?"
    r"\b(?:code|combination|combo|pin)\b[^\d\n.;]{0,25}?(?P<secret>[*#]?\d{3,8}[*#]?|\d{1,2}(?:-\d{1,2}){2,4})"
    r"(?![\w.,:/-]*\w)"
)
CODE_OF_DOOR: Final = pattern(
    r"\b(?:code|combination|combo)[ \t]+(?P<secret>[*#]?\d{3,8}[*#]?)[ \t]+(?:opens|for|to|on|at|für|de|del|per"
    r"|para)\b[^\n.;]{0,20}?"
    r"\b(?:door|gate|alarm|lock|garage|safe|locker|building|entry|entrance|house|flat|tür|tor|haustür|puerta"
    r"|porte|porta)"
)
"""Near: between a label and its digits there are other words, but no end of a sentence and no other number."""

CARD_CODE: Final = pattern(
    rf"\b(?:cvv2?|cvc2?|cid|csc|card security code|security code|prüf(?:nummer|ziffer|zahl)|kartenprüfnummer"
    rf"|sicherheitscode"
    rf"|código de seguridad|code de sécurité|cryptogramme|codice di sicurezza|código de segurança)"
    rf"(?:[ \t]+(?:hinten|vorne|auf|on|at|en|au|sur|sul|no)(?:[ \t]+\w+){{1,4}}?)?{_LINK}"
    r"(?P<secret>\d{3,8})(?![\w.,:/-]*\w)"
)
ONE_TIME: Final = pattern(
    r"\b(?:(?:verification|one-?time|otp|2fa|mfa|login|log-in|security|auth|authentication|authenticator"
    r"|confirmation|sms|tan"
    r"|two-factor|sign-in|access|google|whatsapp|bank|signal|telegram|paypal|apple)[ -]code|otp|totp|passcode|"
    r"(?:sms-?)?tan|bestätigungscode|verifizierungscode|einmalcode"
    r"|anmeldecode|sicherheitscode|código (?:de (?:verificación|acceso|verificação|acesso|confirmação)|sms)"
    r"|code (?:de (?:vérification|confirmation|connexion)|sms)|codice (?:di (?:verifica|accesso|conferma)|otp)"
    r"|verificatiecode"
    rf"|kod (?:weryfikacyjny|sms)){_LINK}(?:g-)?{_DIGITS}"
)
DOOR: Final = pattern(
    r"\b(?:(?:door|gate|alarm|lock|locker|padlock|safe|garage|entry|entrance|keypad|building|lockbox"
    r"|key[ -]?safe|suitcase|bike|vault"
    r"|front[ -]door|elevator|lift|house|flat|apartment|office|airbnb|intercom|key[ -]?box)(?:['’]s)?"
    r"(?:[ -]lock)?[ -](?:code|combination|combo|pin|number)"
    r"|combination|(?:tür|tor|alarm|haustür|garagen|schloss|tresor|safe|zahlenschloss|schlüsselsafe|zugangs"
    r"|eingangs)-?code"
    r"|code (?:de (?:la )?(?:porte|portail|alarme|immeuble)|d['’](?:entrée|alarme|accès)|du (?:portail|coffre"
    r"|cadenas|digicode))|digicode|(?<!zip )(?<!postal )(?<!area )(?<!country )(?<!dress )code (?:for|to|of|on|at"
    r"|für|vom|von|zum|zur)(?: (?:the|my|our|die|das|den|der"
    r"|unser\w*|mein\w*))?(?: \w+)?"
    r" (?:door|gate|alarm|lock|locker|safe|garage|building|entrance|house|flat|office|haustür|tür|tor"
    r"|alarmanlage|tresor|eingang|spind)"
    r"|(?:door|gate|alarm|garage|safe|locker|lockbox|keypad|padlock|haustür|tor|tresor)(?=:|[ \t]+(?:opens with"
    r"|code\b))(?:[ \t]+opens with)?"
    r"|(?:unlock|screen|lock|sim|phone|atm|card|device|tablet|entsperr|sperr)[ -]?(?:code|passcode)|passcode|combo"
    r"|(?:lockbox|keypad|padlock|key[ -]?safe)(?=[ \t]+\d)"
    r"|código (?:de la (?:puerta|alarma|caja)|del (?:portal|garaje|candado)|da (?:porta|portaria)|do (?:portão"
    r"|alarme|cofre))"
    r"|codice (?:del (?:cancello|portone|lucchetto)|della (?:porta|cassaforte)|dell['’]allarme)"
    r"|(?:deur|poort|alarm|kluis)code|kod (?:do (?:drzwi|bramy|domofonu)))"
    rf"{_LINK}"
    r"(?P<secret>[*#]?\d{1,4}(?:[ -]\d{1,4}){1,5}[*#]?|[*#]?[A-Z]?\d{3,10}[A-Z]?[*#]?)(?![\w.,:/-]*\w)"
)
RECOVERY: Final = pattern(
    r"\b(?:(?:recovery|backup|rescue|restore|emergency|2fa|reset)[ -](?:codes?|keys?)|(?:wiederherstellungs"
    r"|backup|ersatz|notfall)-?(?:codes?|schlüssel)"
    r"|códigos? de (?:recuperación|respaldo|recuperação|reserva)|codes? de (?:récupération|secours)"
    r"|codic[ei] di (?:recupero|backup)|herstelcodes?)"
    rf"{_LINK}[\"'`]?(?P<secret>(?:(?=[\w-]{{0,40}}\d)[\w-]{{4,60}}(?:[ ]\d[\w-]{{3,60}})*(?:[ ,;|/\n]{{1,3}}"
    rf"(?:and |und |y |et |e )?(?=[\w-]{{4}}))?){{1,20}})"
)
SEED_PHRASE: Final = pattern(
    r"\b(?:(?:seed|recovery|backup|secret)[ _-]?(?:phrase|words)|mnemonic(?: phrase)?|wallet (?:seed|words|phrase)"
    r"|(?:12|24|twelve|twenty-four)[ -]words?|seed|wallet|metamask|ledger|trezor|wiederherstellungs(?:phrase"
    r"|wörter)|frase (?:semilla|de recuperación|de recuperação|di recupero)"
    r"|phrase (?:de récupération|secrète)|zwölf wörter|herstelzin)"
    rf"(?:{_LINK}|[^\n]{{0,40}}?:[ \t]*)[\"'`]?(?P<secret>(?:"
    rf"(?:\d{{1,2}}[.)][ ]?)?[a-z]{{3,8}}[ ,\n]{{1,3}}){{11,23}}(?:\d{{1,2}}[.)][ ]?)?[a-z]{{3,8}})\b"
)


def is_seed(match: TextMatch) -> bool:
    """Whether words are of a wallet's list, which has a few words of sentences in it, such as "again"."""
    words = re.findall(r"[a-z]+", match["secret"].lower())
    return sum(word in GRAMMAR for word in words) * 4 <= len(words)


def is_pin(match: TextMatch) -> bool:
    """Whether the digits are as many as a PIN has; six after a mere `PIN:` would be a postal code in India."""
    return len(match["secret"]) in (4, 5, 8) or match["pin_said"] is None


def is_card_code(match: TextMatch) -> bool:
    """Whether the digits are as many as such a code has: three or four on a card, more in a message."""
    of_card = re.match(r"cv|ci|cs|card|prüf|karten|crypt", match[0], re.IGNORECASE)
    return len(match["secret"]) in (3, 4) or not of_card


def is_one_time(match: TextMatch) -> bool:
    """Whether there are four digits or more: a lesser number counts something."""
    return sum(map(str.isdigit, match["secret"])) >= 4


def is_door_code(match: TextMatch) -> bool:
    """Whether there are three digits or more, and no year after "changed"."""
    return sum(map(str.isdigit, match["secret"])) >= 3


def has_codes(match: TextMatch) -> bool:
    """Whether every part of a list of recovery codes has a digit."""
    return sum(map(str.isdigit, match["secret"])) >= 2 and len(match["secret"]) >= 6


def _codes() -> tuple[Rule, ...]:
    """What is told to few, by its label."""
    door = tuple("code combination combo kod pin safe lock door gate alarm garage keypad tor".split())
    return tuple(
        Rule(name=name, hints=hints, find=find, group="secret", accepts=accepts)
        for name, hints, find, accepts in (
            ("code", ("pin", "puk", "geheimzahl", "пин", "الرقم", "رمز"), PIN, is_pin),
            ("code", ("pin", "puk", "geheimzahl"), SPOKEN_PIN, always),
            (
                "code",
                ("cv", "cid", "csc", "code", "código", "codice", "prüf", "crypt"),
                CARD_CODE,
                is_card_code,
            ),
            ("code", ("code", "otp", "tan", "código", "codice", "kod"), ONE_TIME, is_one_time),
            ("code", (*door, "código", "codice"), DOOR, is_door_code),
            ("code", ("pin", "puk", "code", "otp", "tan", "código", "codice"), TURNED_CODE, always),
            ("code", ("code", "código", "codice", "kod"), YOUR_CODE, is_one_time),
            ("code", ("digit", "number", "ziffern", "cifr", "chiffres", "dígitos"), BACK_OF_CARD, always),
            ("code", ("pin", "puk"), NEAR_PIN, always),
            ("code", ("cvv", "cvc", "card verif", "back"), NEAR_CVV, always),
            (
                "code",
                ("code", "otp", "tan", "2fa", "mfa", "auth", "one-time", "código", "codice", "kod"),
                NEAR_CODE,
                always,
            ),
            (
                "code",
                ("enter", "use", "type", "gib", "introd", "entrez", "saisis", "inseri", "digite"),
                USED_CODE,
                always,
            ),
            ("code", door, NEAR_DOOR, always),
            ("code", door, CODE_OF_DOOR, always),
            ("recovery-code", ("code", "schlüssel", "key", "código", "codic"), RECOVERY, has_codes),
            (
                "seed-phrase",
                ("phrase", "words", "mnemonic", "seed", "frase", "wörter", "wallet", "ledger", "trezor", "metamask"),
                SEED_PHRASE,
                is_seed,
            ),
        )
    )


CODES: Final = _codes()
"""The rules of this file."""
