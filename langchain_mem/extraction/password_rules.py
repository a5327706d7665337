"""Passwords, as people tell them.

A password is recognized by its label and by what stands between the two:

    given       `pw: x`, `pwd -> x`, `PASSWORD=x`      any value that is no placeholder, no path, no variable
    said        "my password for the NAS is x"         a value that does not read like a word
    beside      "the actual password x", "pw x"        likewise
    turned      "x as my password"                     likewise

A value reads unlike a word where it mixes letters with digits or has a symbol inside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.secret_rule import (
    FOR,
    IS,
    PROSE,
    SAID,
    VALUE,
    VERBS,
    Rule,
    TextMatch,
    always,
    any_of,
    pattern,
    reads_unlike_a_word,
)

_LABEL: Final = any_of(
    "password passwords passwd pass_word pswd psw passwrd pass_code passkey pass_phrase passcode pwd pw passwort "
    "passwörter kennwort losungswort zugangscode "
    "contraseña contrasenya contraseñas mot_de_passe mots_de_passe mdp parola_d'ordine parola senha palavra_passe "
    "wachtwoord hasło hasłem hasła lösenord lösenordet adgangskode kodeord passord passordet salasana salasanani "
    "heslo "
    "şifre şifrem "
    "jelszó jelszavam пароль пароля парола лозинка lozinka geslo slaptažodis parool κωδικός κωδικός_πρόσβασης "
    "كلمة_المرور "
    "كلمة_السر الرقم_السري رمز_عبور پسورد סיסמה הסיסמה पासवर्ड mật_khẩu kata_sandi kata_sandi_saya clave "
    "secret_word code_word codeword safe_word losung"
)
_GIVEN_LABEL: Final = rf"(?:{_LABEL}|pass|ww|psk|(?<=[_-])pass)(?:_[a-z]{{1,20}})?"
_THINGS: Final = (
    r"(?![ \t-]+(?:manager|polic|hash|length|reset|field|generator|prompt|page|form\b|strength|rule|requirement"
    r"|vault|app\b"
    r"|column|table|type\b|box\b|input|variable|function|encrypt|protect|concept|spray|leak|breach|recover"
    r"|changer|hint))"
)
"""After "password" these name another thing, which is no secret."""

PASSWORD: Final = pattern(rf"(?<!\w)(?!1)(?:\w{{0,30}}_|[a-z]{{1,20}}(?=pass))?(?:{_GIVEN_LABEL}){FOR}?{SAID}{VALUE}")
SPOKEN_PASSWORD: Final = pattern(
    rf"(?<![1\w])(?:\w{{0,30}}_)?(?:{_LABEL}|pass(?=[ \t]+(?:is|was)\b))(?!\w){_THINGS}(?:{PROSE}|{FOR}?[ \t]+"
    rf"|[ \t]*\n[ \t]*){VALUE}"
)
XML: Final = regex(
    r"<(?:\w{0,20}(?:password|passwd|pwd|passphrase|secret|token"
    r"|apikey))>(?P<secret>[^<>\s$]{3,200})</",
    re.IGNORECASE,
)
PLAIN_PASSWORD: Final = pattern(
    rf"\b(?:my|our|the|her|his|mein|unser|das|mi|mon|mia|minha)[ \t]+(?:[\w'’-]+[ \t]+){{0,3}}?(?:{_LABEL}){IS}"
    r"(?P<secret>[^\W\d_]{6,20})(?=[\"'`.!]*(?:$|\n|,|\. ))"
)
"""A plain word that ends its clause."""

MIXED_PASSWORD: Final = pattern(
    rf"(?<![1\w])(?:{_LABEL})(?!\w){_THINGS}[^\n]{{0,60}}?(?<![^\s\"'`(,;])(?P<secret>"
    rf"(?=\S{{0,30}}[!@#$%^&*?~+])(?=\S{{0,30}}\d)[^\s\"'`(),;/:<>=]{{7,64}})"
)
"""What mixes letters, digits and symbols, anywhere in the same breath."""

LATER_PASSWORD: Final = pattern(
    rf"(?<![1\w])(?:{_LABEL})(?!\w){_THINGS}[^\n]{{0,60}}?\b(?:but|and|now|aber|jetzt|pero|ahora|mais|ma|mas)\b"
    rf"(?:[ \t]+\w+){{0,2}}?(?:[ \t]+(?:{VERBS}|it['’]s))[ \t]+{VALUE}"
)
OTHER_PASSWORD: Final = pattern(
    rf"(?<![1\w])(?:{_LABEL})(?!\w){_THINGS}{PROSE}(?:either[ \t]+)?[^\s\"'`]{{4,64}}[ \t]+(?:or|and|oder|und|o"
    rf"|y|ou|et|e)[ \t]+{VALUE}"
)
"""The second of two: "either x or y"."""

BESIDE_NAME: Final = pattern(
    r"\b(?:user|username|login|name|nutzer|usuario|wi-?fi|wlan|network|ssid"
    r"|netz)\b[^\n]{1,40}?\bpass[ \t]+(?P<secret>[^\s\"'`,;]{6,64})"
)
"""A `pass` beside a name."""

TURNED_PASSWORD: Final = pattern(
    r"(?<![^\s\"'`(])(?P<secret>[^\s\"'`]{6,64})[\"'`]?[ \t]+(?:as|is|for|als|ist|como|es|comme|est|come|è|é|je"
    r"|jest|to|är|er|on)[ \t]+"
    rf"(?:[\w'’-]+[ \t]+){{0,3}}?(?:{_LABEL})(?!\w)"
)
BESIDE_LABEL: Final = pattern(
    rf"(?<![1\w])(?:my|our|the|mein|mi|mon|mia|minha)[ \t]+(?:[\w'’-]+[ \t]+){{0,2}}?(?:{_LABEL})[ \t]+"
    r"(?P<secret>[^\s\"'`,;:]{6,64})"
)
"""A value right after the word, whatever follows: "typed my password Falcon77 into the chat"."""

QUOTED_BEFORE: Final = pattern(
    rf"(?<![^\s(])[\"'`“„](?P<secret>[^\s\"'`“”]{{6,64}})[\"'`”“][^\n.;]{{0,30}}?(?<!\w)(?:{_LABEL})(?!\w){_THINGS}"
)
AFTER_MAIL: Final = pattern(
    rf"(?<!\w)(?:{_LABEL}|pass|login)\b[^\n]{{0,40}}?:[ \t]*[\w.+-]{{1,40}}@[\w-]{{1,40}}(?:\.[\w-]{{1,20}})"
    r"{1,3}[ \t]+(?P<secret>[^\s\"'`,;]{6,64})"
)
FLAG: Final = regex(
    r"(?<![\w-])--?(?:password|passwd|pass|pwd|passphrase)(?:=|[ \t]+)[\"']?(?P<secret>[^\s\"'-][^\s\"']{2,99})"
    r"|(?<![\w-])(?:-u|--user)[ \t]+[\"']?[^\s:\"']{1,60}:(?P<pair>[^\s\"']{3,99})"
    r"|\bopenssl\b[^\n|;]{0,80}?[ \t](?:-k[ \t]+|-pass(?:in"
    r"|out)?[ \t]+pass:)[\"']?(?P<phrase>[^\s\"'-][^\s\"']{3,99})"
    r"|\b(?:sshpass|mysql|mysqladmin|mysqldump|docker|podman|helm|redis-cli|smbclient|zip|7z|login"
    r"|mongo\w{0,7})\b[^\n|;]{0,80}?[ \t]-[pPa]"
    r"(?![ \t]?\d+:)[ \t]?[\"']?(?P<short>[^\s\"'-][^\s\"']{3,99})"
)
"""On a command line: `--password x`, `curl -u name:x`, `mysql -px`."""

PAIR: Final = pattern(
    r"(?<![\w/@.:-])(?:log(?:[ -]?in|[ -]?on|[ -]?ging)?|sign[ -]?in|credentials?|creds|account|access"
    r"|zugangsdaten|zugang"
    r"|anmeldung|usuario|identifiants?|credenziali|acesso|inloggen|user(?:name)?)(?![\w@.-])[^\n/|]{0,40}?"
    r"(?:(?:[:=]|\b(?:with|mit|con|avec|com|met|is))[ \t]+[\w@+-]{2,60}/|[ \t][\w.@+-]{2,60}(?:[ \t][/|][ \t]|:"
    r"(?=\S))|[\w.+-]{1,40}@[\w-]{1,40}(?:\.[\w-]{1,20}){1,3}[ \t]*[ ,/|][ \t]*)"
    r"(?P<secret>[^\s\"'`,;]{6,64})"
)
SHORT_PAIR: Final = pattern(
    r"(?:[\w.+-]{1,40}@[\w-]{1,40}(?:\.[\w-]{1,20}){1,3}(?:[ \t]+[/|][ \t]+|:[ \t]+)"
    r"|\b(?:ssh|s?ftps?|rsync|curl|psql|telnet|rdp)[ \t]+[\w.-]{1,40}:(?=[^\s@]{4,60}@))"
    r"(?P<secret>[^\s\"'`,;@]{6,64})"
)
"""A name and a password in one breath: "log in with name / x"."""

WIFI: Final = pattern(
    r"\b(?:wi-?fi|wlan|ssid|hotspot|router|wpa\d?|guest network|gästenetz)\b(?:[ \t]+[\w'’/.-]+){0,7}?"
    rf"(?:['’]s[ \t]+|[ \t,/|;-]{{1,4}}(?:(?P<key>key|pass(?:word)?|code|schlüssel|clave|clé|chiave|chave|psk)"
    rf"(?:{SAID}|[ \t]+(?:{VERBS})[ \t]+|[ \t]+)"
    rf"|(?:{VERBS})[ \t]+)|:[ \t]+){VALUE}"
)
"""A network's key: WPA asks for eight characters or more."""

NETWORK_CODE: Final = regex(r"\bWIFI:[^\n]{0,80}?\bP:(?P<secret>[^;\n]{4,63})")
"""What a network's QR code says."""

NETWORK_NUMBER: Final = pattern(
    r"\b(?:wi-?fi|wlan|netzwerk|network)[ -]?(?:key|password|passwort|code|schlüssel|kennwort|clave)"
    rf"(?:{SAID}|{IS}|[ \t]+)(?P<secret>\d{{4}}(?:[ -]\d{{4}}){{1,5}}|\d{{8,24}})(?!\w)"
)

IDEOGRAPHIC: Final = regex(
    r"(?:パスワード|暗証番号|密码|密碼|口令|비밀번호|비번|암호"
    r"|รหัสผ่าน)[^!-~\n]{0,6}[ :=]{0,3}(?P<secret>[!-9;-~]{4,64})"
)
"""Where words are not set apart by blanks, the value is what is written in Latin letters."""

PASSPHRASE: Final = pattern(
    r"\b(?:pass[ -]?phrase|passwortsatz|phrase de passe|frase de contraseña|frase segreta)"
    rf"(?:{FOR}?{SAID}[\"'`]?(?P<secret>[^\n\"'`,.;]{{1,30}}(?:[ -][^\s\"'`,.;]{{1,20}}){{2,11}}))"
)
"""Several words after `passphrase:`, to the end of the clause."""

PLAIN_PHRASE: Final = pattern(
    rf"(?<![1\w])(?:{_LABEL})(?:['’]s[ \t]+|{IS}|{SAID})[\"'`]?"
    r"(?P<secret>[^\W\d_]{3,12}(?:[ -][^\W\d_]{3,12}){3,7})(?=[\"'`.!]*(?:$|\n|,|\. ))"
)
"""Four words or more to the end of a clause, "correct horse battery staple"."""

NUMBERED_PHRASE: Final = pattern(
    rf"(?<![1\w])(?:{_LABEL})(?:['’]s|{IS}|{SAID})[\"'`]?(?P<secret>(?:[^\W\d_]{{3,16}}[ -]){{2,6}}\d{{1,6}})"
    rf"(?=[\s\"'`,.;!?)]|$)"
)
"""Words and then a number, "purple monkey dishwasher 42"."""

_NO_VALUE: Final = regex(
    r"[$<{%\[(/]|~/|\w+://|\.{1,2}/|[A-Za-z]:\\"  # a variable, a placeholder, a path, an address
    r"|\w[\w.]*[(\[]|(?:[a-z_]\w*\.)+[a-z_]\w*$"  # a call, an index, an attribute
    r"|(?:\w*_)?(?:password|passwd|passphrase|pwd|secret|token)$"  # a variable of that name
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+$"  # an email address
    r"|(.)\1*$"  # dots, stars
    r"|(?:change|replace)[-_]?(?:me|this)|your[-_]|<|x{4}|placeholder|dummy|todo\b"  # a form to fill in
    r"|\d+-[a-z]+$|\d+(?:st|nd|rd|th|s|x|h|m|min|am|pm|%|€|\+)$"  # 12-character, 2nd, 30s
    r"|[!=<>]=",  # a comparison
    re.ASCII | re.IGNORECASE,
)

_TERM: Final = regex(
    r"(?:1password|keepass|lastpass|bitwarden|sha|md|aes|rsa|oauth|utf|iso|ipv|wpa|https?|base|rfc|argon|scrypt"
    r"|win|windows"
    r"|office|python|php|sql|web|v|ver|fido|x|mp|h|ps|usb|ed)[-_.]?\d*(?:[-_.]?\d+)*[a-z]{0,4}(?:-\w{2,4})?$"
    r"|\d{1,4}(?:[.:/-]\d{1,4}){1,3}[a-z]{0,2}$"  # a date, a time, a version
    r"|(?:[^\W\d_]+['’])?[^\W\d_]+(?:['’-][^\W\d_]+)*$"  # words with hyphens
    r"|[^\W\d_]+/[^\W\d_/]+$",  # either/or
    re.IGNORECASE,
)
"""What mixes letters and digits and is no secret: names of products, standards and versions."""

_STATES: Final = frozenset(
    """true false none null nil undefined string str text bytes secretstr optional required missing empty unknown "
    "hidden
    masked redacted removed forgotten expired wrong incorrect invalid valid changed unchanged updated reset rotated weak
    strong safe secure here below above same incoming input yes done okay today tomorrow monthly yearly never vergessen
    falsch abgelaufen geändert olvidada incorrecta oublié perdu dimenticata scaduta errata esquecida verlopen""".split()
)
"""Words that say how a password is, not what it is."""


GRAMMAR: Final = frozenset(
    """the and for with that this not too very only also just more most than then when while until before after from
    into over under about your their his her our its you they she him them are was were been being has have had
    does did will would can could should must may might required missing please enter choose field expired wrong
    changed longer probably always never still already again here there what which who how why where because but
    und der die das ist nicht mit ein eine für auf von que con los las una por para pas les des une est dans sur
    non che della una não uma dos das com something someone anything somewhere safe secure weak strong stored
    saved kept written sent used easy hard difficult simple short long""".split()
)
"""Words of a sentence, which nobody puts into a list of words to remember."""


def is_given(match: TextMatch) -> bool:
    """Whether what follows `password:` is a value: quoted, unlike a word, or a word that ends its line or clause."""
    value = match["secret"]
    if _is_none(value):
        return False
    if match["quote"]:
        return True
    return len(value) >= 4 and (reads_unlike_a_word(value) or _stands_alone(match))


def is_said(match: TextMatch) -> bool:
    """Whether what follows "password is" is a value: six characters or more that read unlike a word, or quoted."""
    value = match["secret"]
    if _is_none(value) or _TERM.match(value):
        return bool(match.groupdict().get("quote")) and not _is_none(value)
    return bool(match.groupdict().get("quote")) or (len(value) >= 6 and reads_unlike_a_word(value))


_QUALITIES: Final = regex(
    r"(?:ed|ing|ous|ble|ive|ful|less|al|ic|en|ly|ary|ory|ent|ant|id|est|er|ish|some|upid|ette|able|ieren|iert|ig"
    r"|lich|ido|ada|ado)$",
    re.IGNORECASE,
)
"""How words end that say how something is."""


def is_plain_password(match: TextMatch) -> bool:
    """Whether a word after "my password is" is one: no state, no quality, no word of a sentence."""
    value: str = match["secret"].lower()
    return value not in _STATES and value not in GRAMMAR and not _QUALITIES.search(value)


def is_mixed(match: TextMatch) -> bool:
    """Whether a value has letters, digits and symbols."""
    value = match["secret"]
    return not _is_none(value) and not _TERM.match(value) and any(map(str.isalpha, value))


def is_phrase(match: TextMatch) -> bool:
    """Whether several words are a phrase to type and no sentence: a sentence has words such as "the" in it."""
    return not GRAMMAR.intersection(re.findall(r"[^\W\d_]+", match["secret"].lower()))


def is_turned(match: TextMatch) -> bool:
    """Whether what is used "as password" is a value: it mixes letters with digits or symbols."""
    value = match["secret"]
    return not (_is_none(value) or _TERM.match(value)) and reads_unlike_a_word(value) and not value.isdecimal()


def is_network_key(match: TextMatch) -> bool:
    """Whether a network's key is one: long enough for WPA, with a digit or a symbol in it, and no model's name."""
    value = match["secret"]
    long_enough = len(value) >= (6 if match["key"] else 8)
    return long_enough and is_turned(match) and not re.match(r"\d+(?:\.\d+)*\w{0,2}$", value)


def is_given_plainly(value: str) -> bool:
    """Whether what a variable called a secret is set to is a value at all."""
    return len(value) >= 6 and not _is_none(value)


def is_unlike_a_word(value: str) -> bool:
    """Whether what a variable is set to reads as a key: no placeholder, no name, letters and digits mixed."""
    return len(value) >= 8 and not _is_none(value) and not _TERM.match(value) and reads_unlike_a_word(value)


def _is_none(value: str) -> bool:
    return _NO_VALUE.match(value) is not None or value.lower() in _STATES


def _stands_alone(match: TextMatch) -> bool:
    """Whether a plain word after `:` ends its line or clause, or one after `=` has no blank before it."""
    spaced = match.string[: match.start("secret")].endswith(" ")
    return match["last"] is not None if match["said"] in (":", "：", "->", "→") else not spaced


def has(group: str) -> Callable[[TextMatch], bool]:
    """Whether a pattern with several alternatives found this one, and no variable or placeholder."""
    return lambda match: match[group] is not None and match[group][0] not in "$<{"


def _rules(
    hints: str, *found: tuple[re.Pattern[str], Callable[[TextMatch], bool]], group: str = "secret"
) -> list[Rule]:
    """Rules for passwords that have the same hints: words, blanks between them."""
    told = tuple(hints.split())
    return [Rule(name="password", hints=told, find=find, group=group, accepts=accepts) for find, accepts in found]


_LABELED: Final = _rules(
    "pass pw ww psk clave kennwort losung zugangs contras mdp parola senha palavra wachtwoord hasł lösen kodeord "
    "adgang"
    " salasana heslo şifre jelsz пароль парола лозин lozin geslo slapta parool κωδ كلمة الرقم رمز پسورد סיסמ पासव "
    "khẩu sandi phrase secret code",
    (PASSWORD, is_given),
    (SPOKEN_PASSWORD, is_said),
    (LATER_PASSWORD, is_said),
    (TURNED_PASSWORD, is_turned),
    (NUMBERED_PHRASE, always),
    (PASSPHRASE, always),
    (PLAIN_PHRASE, is_phrase),
    (XML, always),
    (PLAIN_PASSWORD, is_plain_password),
    (MIXED_PASSWORD, is_mixed),
    (OTHER_PASSWORD, is_said),
    (BESIDE_NAME, is_turned),
    (BESIDE_LABEL, is_turned),
    (QUOTED_BEFORE, is_turned),
    (AFTER_MAIL, is_turned),
)
_LOGINS: Final = _rules("log sign cred account access zugang anmeld usuario user ident acesso", (PAIR, is_turned))
_NETWORKS: Final = [
    *_rules("wifi wi-fi wlan ssid hotspot router wpa guest gäste", (WIFI, is_network_key)),
    *_rules("WIFI:", (NETWORK_CODE, always)),
    *_rules("wifi wi-fi wlan netz network", (NETWORK_NUMBER, always)),
]
_FLAGS: Final = [
    Rule(
        name="password",
        hints=("-p", "-P", "-a ", "-u ", "-k ", "--user", "sshpass"),
        find=FLAG,
        group=part,
        accepts=has(part),
    )
    for part in ("secret", "pair", "short", "phrase")
]

PASSWORDS: Final = (
    *_LABELED,
    *_LOGINS,
    *_rules("@", (SHORT_PAIR, is_turned)),
    *_rules("パスワード 暗証番号 密码 密碼 口令 비밀번호 비번 암호 รหัสผ่าน", (IDEOGRAPHIC, always)),
    *_NETWORKS,
    *_FLAGS,
)
"""What people choose, by the words around it."""
