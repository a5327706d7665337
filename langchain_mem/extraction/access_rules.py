"""What lets somebody in, told without the word "password" right before it.

"log in as admin with Pa55word!"      "the NAS opens with tr0ub4dor&3"     a value that reads unlike a word
"the keypad is 4-4-1-9"                                                   single digits with hyphens
"wifi at the cabin: Lodge / antlers88"                                    a network, and its key
"answer to my security question is Schnitzel"                             a name that ends its sentence
"""

from __future__ import annotations

import re
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.password_rules import is_turned
from langchain_mem.extraction.secret_rule import Rule, TextMatch, always, pattern

_VALUE: Final = r"[\"'`]?(?P<secret>[^\s\"'`,;]{6,64}[^\s\"'`,;.:)])"

SIGN_IN: Final = pattern(
    r"\b(?:log(?:ged|ging|s)?[ -]?in(?:to)?|sign(?:ed|ing|s)?[ -]?in(?:to)?|logged|einloggen|anmelden|iniciar sesión"
    r"|me connecte"
    r"|accedo|entro|inloggen|(?:en|de)crypt(?:s|ed)?|verschlüsselt|cifrado|chiffré|protected|unlock(?:s|ed)?"
    r"|opens?)\b[^\n.;]{0,40}?\b(?:with|using|mit|con|avec|com|met)[ \t]+" + _VALUE
)
GETS_IN: Final = pattern(
    r"\b(?:use|enter|type|try)[ \t]+" + _VALUE + r"[\"'`]?[ \t]+to[ \t]+(?:get|log|sign|unlock|open|access|enter"
    r"|decrypt)\b"
)
QUOTED: Final = pattern(
    r"[\"'`](?P<secret>[^\s\"'`]{6,64})[\"'`][ \t]+(?:is[ \t]+)?(?:for|opens|gets (?:you|me) into)[ \t]+(?:(?:the|my"
    r"|our|your)[ \t]+)?"
    r"(?:[\w-]+[ \t]+){0,2}?(?:login|account|wi-?fi|router|laptop|server|nas|vpn|admin|vault|backup)\b"
)
NAMED_LABEL: Final = pattern(
    r"\b(?:password|passwort|kennwort|contraseña|clave|mot de passe|senha|wachtwoord|pw|pwd|mdp)[ \t]+"
    r"(?:wi-?fi|wlan|router|e-?mail|netflix|spotify|instagram|facebook|google|amazon|paypal|laptop|pc|banco|bank"
    r"|banque)[ \t]+" + _VALUE
)
NETWORK: Final = pattern(
    r"\b(?:wi-?fi|wlan)\b[^\n:]{0,40}:[ \t]*[\w.' -]{2,32}?[ \t]*[/|,][ \t]*(?P<secret>[^\s\"'`,;]{8,63})"
)
KEYPAD: Final = pattern(
    r"\b(?:keypad|door|gate|alarm|lock|safe|garage|tür|tor|tresor|puerta|porte|porta)\b[^\d\n.;]{0,20}?"
    r"(?:\bis\b|=|:|\bist\b|\bes\b|\best\b|\bwith\b|\bmit\b)[ \t]*(?P<secret>\d(?:-\d){3,7})(?![\w-])"
)
ANSWER: Final = regex(
    r"\b(?i:security answer|answer to (?:my|the|our) (?:security|secret) question|antwort auf (?:meine"
    r"|die) sicherheitsfrage"
    r"|respuesta (?:a mi|de) (?:pregunta de )?seguridad|réponse secrète)\b[^\n.]{0,60}?\b(?i:is|was|ist|es|est"
    r"|=)[ \t]+"
    r"[\"'`]?(?P<secret>[A-Z][\w'’-]{2,30})[\"'`]?(?=[.!]?\s*(?:$|\n))"
)
LETTERED_CODE: Final = regex(
    r"\b(?i:steam guard(?:[ -]code)?|(?:guard|verification|log-?in|security|one-time|2fa|backup"
    r"|access)[ -]code)(?i:[ \t]+(?:is|was)|:)[ \t]+"
    r"(?P<secret>(?=[A-Z]*\d)[A-Z\d]{5,8})(?![\w-])"
)


OPENS_WITH: Final = pattern(
    r"\b(?:opens?|unlocks?)[ \t]+with[ \t]+(?P<secret>[*#]?\d{3,8}[*#]?)(?=[.,;!?]?[ \t]*(?:$|\n)|,)"
)
MAIL_AND: Final = regex(
    r"[\w.+-]{1,40}@[\w-]{1,40}(?:\.[\w-]{1,20}){1,3}[ \t]+(?:and|und|y|et|e|with|mit)[ \t]+"
    r"(?P<secret>[^\s\"'`,;]{6,64})"
)
LOCK: Final = pattern(
    r"\b(?:luggage|suitcase|bike|locker|gym)[ \t]+(?:pad)?lock[ \t]+(?:is[ \t]+)?(?P<secret>\d(?:-\d){2,5})(?![\w-])"
)
COMBINATION: Final = pattern(
    r"\b(?:combinación|combinazione|combinaison|combinação|kombination|combination)[ \t]+(?:de|del|della|du|da|do"
    r"|vom|of|for)\b"
    r"[^\d\n.;]{0,40}?(?P<secret>\d{1,2}(?:[ -]\d{1,2}){2,4})(?![\w.,:/-]*\w)"
)
TYPED: Final = pattern(
    r"\b(?:type|enter|press|tippe|gebe|tecleo|tape)[ \t]+(?P<secret>\d{4,8})[ \t]+(?:on|into|at|in|am|auf|en"
    r"|sur)[ \t]+"
    r"(?:(?:my|the|her|his|our|mein\w*|de[nmr]|das|mi|el|mon|le)[ \t]+)?(?:phone|keypad|tablet|ipad|door|lock|handy"
    r"|telefon|móvil|téléphone)"
)
DIGICODE: Final = pattern(
    r"\b(?:code de (?:la porte|l['’]immeuble)|digicode|kod do (?:domofonu|bramy|drzwi)|código (?:de la puerta"
    r"|da porta)|door code|gate code)"
    r"[ \t]{0,2}(?:is|est|es|to|jest|:|=)?[ \t]{0,2}(?P<secret>\d{1,5}[A-Z]\d{1,5}"
    r"|[A-Z]\d{3,5}[A-Z]?|\d{3,5}[A-Z])(?![\w-])"
)
QUOTED_PHRASE: Final = pattern(r"\bpass[ -]?phrase\b[^\n\"'`]{0,30}[\"'`](?P<secret>[^\"'`\n]{8,80})[\"'`]")
LICENSE: Final = regex(
    r"\b(?i:key|serial(?: number)?|licen[cs]e(?: key)?|lizenz(?:schlüssel)?)\b[^\n]{0,20}?"
    r"(?P<secret>(?:[A-Z\d]{4,6}-){2,7}[A-Z\d]{4,6})(?![\w-])"
)


def has_letters_and_digits(match: TextMatch) -> bool:
    """Whether a value mixes letters with digits, as a word, a number or a name does not."""
    value = match["secret"]
    return is_turned(match) and any(map(str.isalpha, value)) and any(map(str.isdigit, value))


def is_chosen(match: TextMatch) -> bool:
    """Whether a value is no product's name either: it has a symbol, or a digit between letters."""
    chosen = re.search(r"[!@#$%^&*?~+=]|[^\W\d_]\d+[^\W\d_]", match["secret"])
    return chosen is not None and has_letters_and_digits(match)


def is_license(match: TextMatch) -> bool:
    """Whether groups of characters have letters and digits."""
    value = match["secret"]
    return any(map(str.isalpha, value)) and any(map(str.isdigit, value))


_SIGNS: Final = "log,sign,einlog,anmeld,sesión,connecte,accedo,entro"

ACCESS: Final = tuple(
    Rule(name=name, hints=tuple(hints.split(",")), find=find, group="secret", accepts=accepts)
    for name, hints, find, accepts in (
        ("password", f"{_SIGNS},crypt,schlüss,cifr,chiffr,protec,unlock,open", SIGN_IN, is_chosen),
        ("password", "use ,enter,type,try", GETS_IN, is_chosen),
        ("password", "' ,\" ,` ", QUOTED, has_letters_and_digits),
        ("password", "passw,kennw,contras,clave,passe,senha,wachtw,pw,mdp", NAMED_LABEL, has_letters_and_digits),
        ("password", "wifi,wi-fi,wlan", NETWORK, has_letters_and_digits),
        ("code", "keypad,door,gate,alarm,lock,safe,garage,tür,tor,tresor,puerta,porte,porta", KEYPAD, always),
        ("answer", "security,secret question,sicherheitsfrage,seguridad,secrète", ANSWER, always),
        ("code", "code,guard", LETTERED_CODE, always),
        ("code", "lock", LOCK, always),
        ("code", "open,unlock", OPENS_WITH, always),
        ("password", "@", MAIL_AND, is_chosen),
        ("code", "combina,kombina", COMBINATION, always),
        ("code", "type,enter,press,tippe,gebe,tecleo,tape", TYPED, always),
        ("code", "code,kod,código,codice", DIGICODE, always),
        ("password", "phrase", QUOTED_PHRASE, always),
        ("token", "key,serial,licen,lizenz,clave", LICENSE, is_license),
    )
)
"""The rules of this file."""
