"""Which turns are worth keeping as they are, where no model says so.

A message becomes a memory if something is left of it once this is taken away, sentence by sentence:

    a question          "What do you know about my daughter?"  It would be the nearest memory to itself.
    a greeting, thanks  "Good morning!", "Thank you so much"
    an acknowledgment   "ok", "Great, do that."
    a request to forget "Forget that I live in Hamburg."

and a reply of the assistant, unless it says what a person did not: what answers a question comes from memory or from
general knowledge. What matters in a statement is not judged; for that a model is needed. English, German, French,
Spanish, Italian, Portuguese, Dutch, Polish, Russian, Chinese and Japanese are read; in other languages questions are
known by their mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from langchain_mem._regex import regex
from langchain_mem.extraction.messages import Turn
from langchain_mem.extraction.user_intent import wishes_to_forget
from langchain_mem.ranking.tokens import tokenize

_SENTENCE: Final = regex(r"[^.!?…;\n。！？؟]+[.!?…;\n。！？؟]*")
_ASKS: Final = regex(
    r"[?？؟]\W*$"
    r"|^\W*(?:(?:and|so|but|then|und|et|y|e)\s+)?"
    r"(?:(?:what|who|whose|whom|where|when|why|how|which)(?:['’]s|['’]re)?\b(?!ever)"
    r"|(?:do|does|did|can|could|would|will|is|are|was|were|have|has|should|may)\s+"
    r"(?:you|i|we|he|she|it|they|my|your|his|her|our|their|the|there|this|that|any)\b"
    r"|(?:tell me|remind me) (?:what|who|where|when|why|how|which|about)\b"
    r"|(?:was|wer|wo|wann|warum|wieso|wie|welche[rsnm]?|weißt du|kannst du|kennst du|hast du|habe ich|bin ich)\b"
    r"|(?:qu['’]est-ce|est-ce que|que sais-tu|quel(?:le)?s?\b|comment\b|pourquoi\b|où\b|quand\b|qui\b)"
    r"|(?:¿|qué\b|quién\b|dónde\b|cuándo\b|cómo\b|por qué\b|cuál)"
    r"|(?:che cosa\b|cosa sai\b|dove\b|quando\b|perché\b|come si\b|o que\b|onde\b|quem\b|wat\b|waar\b|wanneer\b)"
    r"|(?:что|кто|где|когда|почему|как|какой|какая)\b)",
    re.IGNORECASE,
)
_TELLS_BY_ORDER: Final = regex(  # "What I like", "How my sister met him": asking would put a verb before them
    r"^\W*(?:(?:and|so|but|then|und|et)\s+)?(?:"
    r"(?:what|who|where|when|why|how)\s+(?:i|we|he|she|they|my|our|his|her|their|the)\b(?!\s+(?:hell|heck)\b)"
    r"|(?:what|who)\s+\w+s\b.{3,}\b(?:is|are)\b.*\.\s*$"
    r"|(?:was|wer|wo|wann|warum|wieso|wie)\s+(?:ich|wir|er|es|man|mich|mir|uns|mein\w*|unser\w*)\b"
    r"|(?:quand|où|comment)\s+(?:j['’]|(?:je|nous|il|elle|on|mon|ma|mes)\b).*\.\s*$)",
    re.IGNORECASE,
)
_MARKED: Final = regex(r"[?？؟]\W*$")
_POLITE: Final = regex(
    r"^\W*(?:(?:hi|hello|hey|hiya|howdy|yo|good (?:morning|afternoon|evening|night|day)|morning|evening|greetings"
    r"|bye|goodbye|see you(?: later| soon| tomorrow)?|take care|have a (?:nice|good|great) (?:day|evening|weekend|one)"
    r"|(?:talk|speak|chat|write)(?: to you)? (?:later|soon|tomorrow|then)|catch you later|until (?:then|next time)|ttyl"
    r"|(?:i(?:['’]ve)? )?(?:got to|gotta|have to|need to|must) (?:go|run|dash)|good luck|have fun|same to you|you too"
    r"|bis (?:bald|dann|später|morgen|gleich)|mach['’]?s gut|schönen (?:tag|abend)(?: noch)?|schönes wochenende"
    r"|à (?:bientôt|demain|plus)|bonne (?:journée|soirée)|hasta (?:luego|mañana|pronto)|a (?:presto|domani)"
    r"|até (?:logo|amanhã)|nice to meet you|welcome|you['’]re welcome|my pleasure|no problem|anytime"
    r"|thanks|thank you|thx|ty|cheers|much appreciated|(?:i )?(?:really )?appreciate (?:it|that)|sorry|please|pls"
    r"|ok|okay|k|yes|yeah|yep|yup|no|nope|nah|sure|right|exactly|correct|true|agreed|indeed|of course|absolutely"
    r"|great|good|nice|cool|fine|perfect|awesome|wonderful|excellent|lovely|super|amazing|wow|oh|ah|aha|hm+|haha|lol"
    r"|got it|i see|i understand|understood|makes sense|sounds (?:good|great|perfect|fine)|that works|works for me"
    r"|do (?:that|it|so)|go ahead|let['’]s do (?:it|that)|that['’]s (?:all|it|fine|great|right|perfect|nice|good)"
    r"|will do|done|never mind|so much|very much|a lot|again|then|there|now|for (?:your help|that|everything|now)"
    r"|everyone|all|friend|mate|buddy|so|and|well|too|it"
    r"|hallo|guten (?:morgen|tag|abend)|moin|servus|tschüss|danke(?: schön| sehr)?|vielen dank|bitte|gern(?:e)?|ja"
    r"|nein|genau|alles klar|gut|prima|toll|klar|mach das"
    r"|bonjour|bonsoir|salut|merci(?: beaucoup)?|s['’]il (?:te|vous) plaît|oui|non|d['’]accord|très bien|parfait"
    r"|hola|buen[oa]s (?:días|tardes|noches)|gracias|muchas gracias|por favor|sí|si|vale|claro|perfecto|adiós"
    r"|ciao|buongiorno|buonasera|grazie(?: mille)?|prego|va bene|certo|perfetto"
    r"|olá|oi|bom dia|boa (?:tarde|noite)|obrigad[oa]|sim|não|hoi|goedemorgen|dank je(?: wel)?|bedankt|nee|prima"
    r"|cześć|dzień dobry|dziękuję|tak|nie|привет|здравствуйте|спасибо|пожалуйста|да|нет|хорошо"
    r"|你好|您好|早上好|谢谢|好的?|是的?|再见|こんにちは|おはよう(?:ございます)?|ありがとう(?:ございます)?|はい|いいえ)\b\W*)+"
    r"(?-i:[A-ZÀ-Ý][\w'’-]*\W*)?$",
    re.IGNORECASE,
)
_CJK_END: Final = regex(r"^[你好您早上谢谢的是再见こんにちはおようございますありがとうはい]+\W*$")
_ECHO: Final = 0.8  # of a reply's words that were said before: it says them again
_REMEMBERING: Final = frozenset(
    tokenize("according already based earlier know mentioned notes remember remembered recall said told saved user")
)


def worth_keeping(turns: Sequence[Turn]) -> list[bool]:
    """Which turns of a conversation are worth keeping as they are.

    Args:
        turns: Oldest first.
    """
    kept: list[bool] = []
    for place, turn in enumerate(turns):
        kept.append(_tells(turn.text) and not (turn.role == "assistant" and _repeats(place, turns, kept)))
    return kept


def _repeats(place: int, turns: Sequence[Turn], kept: Sequence[bool]) -> bool:
    """Whether a reply answers what is not worth keeping, or says again what was said."""
    before = place - 1
    if before >= 0 and turns[before].role == "user" and not kept[before] and _asks(turns[before].text):
        return True
    return says_again(turns[place].text, [turn.text for turn in turns[:place]])


def says_again(reply: str, said: Iterable[str]) -> bool:
    """Whether a reply has hardly a word of its own beside what was said.

    >>> says_again("I remember that you live in Berlin.", ["I live in Berlin"])
    True
    >>> says_again("Berlin has three opera houses.", ["I live in Berlin"])
    False
    """
    words = {*tokenize(reply)} - _REMEMBERING or {*tokenize(reply)}
    return len(words & {word for text in said for word in tokenize(text)}) >= _ECHO * len(words)


def _tells(text: str) -> bool:
    """Whether a message says something, beside asking, greeting, thanking and agreeing.

    >>> _tells("Good morning! I live in Berlin. Where can I swim?"), _tells("Great, do that."), _tells("What is it")
    (True, False, False)
    """
    if wishes_to_forget(text):
        return False
    return any(_is_statement(sentence) for sentence in _SENTENCE.findall(text))


def _is_statement(sentence: str) -> bool:
    said = sentence.strip()
    if not re.search(r"\w", said) or _asks(said):
        return False
    return not (_POLITE.match(said) or _CJK_END.match(said))


def _asks(sentence: str) -> bool:
    """Whether a sentence asks: by its mark, or by its first words, for marks are often left out.

    >>> _asks("What I like most is sailing."), _asks("What do I like most"), _asks("When I was six we moved, you know?")
    (False, True, True)
    """
    if _MARKED.search(sentence):
        return True
    return _ASKS.search(sentence) is not None and not _TELLS_BY_ORDER.match(sentence)


def stands_alone(text: str) -> bool:
    """Whether a message can be searched for without those before it: it names something.

    >>> stands_alone("Where does my sister live?"), stands_alone("And when is it?"), stands_alone("yes")
    (True, False, False)
    """
    named = [word for word in tokenize(text) if word not in _POINTING]
    return bool(named) and not _POLITE.match(text.strip()) and not _CJK_END.match(text.strip())


_POINTING: Final = frozenset(
    tokenize(
        "ok okay yes yeah sure great please thanks thank do that it this them one ones thing things there then else "
        "tell show give go ahead another again also even why maybe much many long far often old good bad best better "
        "work cost happen mean sound say said want need get make take let und wann wo wie warum ist das dann noch mehr "
        "auch denn et quand où combien c'est ça alors y cuándo dónde cuánto es eso ese entonces e quando dove quanto è"
    )
)
"""Words that point at what was said before and name nothing themselves."""
