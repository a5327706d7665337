"""How a clause says what it says, by the words and endings of its language: as a wish, a request, or something over.

`cues` lists single words that mean one thing in every language. Here stand phrases and verb endings, which need to
know
the language they are in: "will" is a wish in German and a future in English, "-ría" a conditional in Spanish alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from langchain_mem._regex import regex


def _patterns(parts: Mapping[str, str]) -> dict[str, re.Pattern[str]]:
    return {code: regex(rf"(?<![\w'’])(?:{part})(?!\w)", re.IGNORECASE | re.VERBOSE) for code, part in parts.items()}


_WISHED: Final = _patterns(
    {
        "en": r"""(?:i|we)['’]d\s+(?!better|been|already|never|just|had|said|told|\w+e[dn]\b)\w+|wish(?:es|ed)?
            |toying|tempted
            |contemplat\w+|the\ idea\ of|thinking\ (?:of|about)|(?:almost|nearly)\ (?:\w+ed|bought|got|took|went
            |made|had|sold|left|won)
            |applied|applying|supposed\ to|allegedly|rumou?red|one\ day|some\ day|in\ theory|ideally|we['’]ll\ see
            |believe\ it\ when
            |up\ in\ the\ air|fingers\ crossed|bucket\ list|dream(?:s|ing|t|ed)?\ of|(?:trying|try|tried)\ (?:to|for)
            |on\ the\ fence|not\ sure|torn\ between|if\ (?:i|we|it|they|all)|keen\ to|a\ chance|talk(?:ed|ing
            |s)?\ (?:about|of)|offer(?:ed|s)?|waiting\ to\ hear|apparently|possib\w+|potential\w*|(?:a\ )?myth
            |not\ true|untrue|looking\ (?:at|for|to)|fancy\ \w+ing|want(?:s|ed)?\ to|hope\ to""",
        "de": r"""kann\ (?:gut\ )?sein|könnte(?:n|st)?|würde(?:n|st)?|wäre(?:n|st)?|hätte(?:n|st)?|möchte(?:n|st)?
            |will|wollen|wollte(?:n)?
            |sollte(?:n)?|überleg\w*|gedanken|träum\w*|wünsch\w*|hoff\w*|evtl|beinahe|fast\ (?:ge|ver|be)\w+
            |beworben|bewerb\w*|versuch\w*
            |irgendwann|angeblich|anscheinend|reden\ (?:dar)?über|schauen\ uns|wenn\ alles|angebot\w*|mal\ sehen
            |unsicher|wohl""",
        "es": r"""puede\ (?:que|ser)|me\ gustaría|pens(?:ando|amos)|pienso|plante\w+|dud(?:o|amos|ando)|espero
            |esperamos|casi|soñ\w+|sueño
            |algún\ día|supuestamente|solicit\w+|postul\w+|intent\w+|ganas\ de|hablamos\ de|mirando|buscando
            |ofreci\w+|si\ todo|quiero|queremos|querría|(?!maría|sería|batería)\w{3,}ría(?:n|s|mos)?""",
        "fr": r"""sans\ doute|envisag\w*|hésit\w*|(?:pense|pensons|songe|rêve|tenté|envie)\ (?:à|d['’e])|rêv\w+
            |espér\w*|il\ se\ peut|si\ jamais
            |un\ jour|failli|postul\w*|candidat\w*|essa[iy]\w*|on\ verra|parl(?:e|ons)\ de|cherch\w+|propos\w+
            |si\ tout|veux|veut|voulons|souhait\w*|(?:j['’])?(?!frais|vrais|marais)\w{2,}(?:rais|rait|raient|rions
            |riez)""",
        "it": r"""può\ darsi|pens(?:ando|iamo|o)|spero|speriamo|sogn\w+|un\ giorno|quasi|parlando\ di|cercando
            |offert\w+|se\ tutto|candidat\w*|prov(?:o|are)\ a|vogli(?:o|amo)
            |\w{3,}(?:rei|rebbe|rebbero|remmo)""",
        "pt": r"""se\ calhar|pode\ ser|gostava|queria|quero|queremos|(?:a\ )?pens(?:ar|ando|o|amos)|ponder\w+
            |hesit\w+|espero|sonh\w+
            |um\ dia|quase|candidat\w*|tent\w+|oxalá|a\ falar\ (?:de|em)|à\ procura|ofere\w+|se\ tudo|(?!maria
            |padaria|livraria)\w{3,}ria(?:m|s|mos)?""",
        "nl": r"""zou(?:den)?|wil|willen|overweeg\w*|overwegen|twijfel\w*|denk\w*\ er(?:over|aan)|hoop|hopen|ooit
            |bijna|gesolliciteerd|solliciteer\w*
            |droom\w*|graag|praten\ over|aangeboden|op\ zoek|als\ alles""",
        "pl": r"""chciał\w*|chcę|chcemy|\w+(?:bym|byś|byśmy)|zastanawiam\w*|myśl(?:ę|imy)\ o|marz\w+|prawie"
        r"|nadziej\w+|być\ może|aplikował\w*""",
        "sv": r"""vill|funderar|hoppas|nästan|drömmer|sökt""",
    }
)
_ENDED: Final = _patterns(
    {
        "en": r"""sold|gave\ up|giv(?:e|en|ing)\ up|quit|stopped|dropped\ out|ditched|got\ rid\ of|br(?:oke|oken|eak
            |eaking)\ up|divorced|split\ up|cancell?ed|pass(?:ed|es)\ away|died|put\ down|ran\ away|stolen|laid\ off
            |fired|shut\ down|closed\ down|ruled\ out|haven['’]t|hasn['’]t|sent\ back
            |turned\ (?:\w+\ ){0,3}down|rejected|declined|failed|back\ when|back\ in\ the\ day|gone\ off|retired
            |(?:until|till)\ .*\b(?:was|were|had|lived|\w+ed|did)
            |when\ i\ was|as\ a\ (?:kid|child|teen\w*|student|boy|girl)|in\ my\ (?:twenties|youth|teens|\d0s)
            |before\ (?:that|we|i)|no\ more""",
        "de": r"""aufgehört|verkauft|gekündigt|abgelehnt|getrennt|abgesagt|aufgegeben|geschieden|gestorben
            |verstorben|gestohlen|entlassen|gegen\ (?:das|den|die|ein\w*)\ \w+\ entschieden|durchgefallen
            |bis\ (?:letzte\w*|vor|zum|zur|20\d\d)
            |als\ (?:kind|student|studentin|ich)""",
        "es": r"""dej(?:é|amos|ado)|vend(?:í|imos|ido)|renunci\w+|suspend\w+|rechac\w+|muri\w+|falleci\w+|robaron"
        r"|despidi\w+|cancel\w+|de\ (?:joven|niño|niña|pequeñ[oa])|hasta\ (?:hace|el\ año|20\d\d)|ya\ no""",
        "fr": r"""arrêté|quitté|vendu|refusé|raté|annulé|rompu|divorcé|mort|morte|décéd\w+|volé\w*|licenci\w+"
        r"|abandonné|quand\ j['’]étais|enfant|jusqu['’](?:en|à|au)|ne\ \w+\ plus""",
        "it": r"""smesso|lasciato|venduto|rifiutato|mort[oa]|rubat\w+|licenziat\w+|bocciat\w+|annullat\w+"
        r"|da\ (?:bambin[oa]|piccol[oa]|giovane|ragazz[oa])|fino\ a|non\ \w+\ più""",
        "pt": r"""deix(?:ei|ámos|amos|ado)|vend(?:i|emos|ido)|recus\w+|chumb\w+|cancel\w+|larguei|morreu|faleceu"
        r"|roubaram|despedi\w+|em\ (?:criança|pequen[oa]|jovem)|quando\ era|até\ (?:há|ao|20\d\d)|já\ não""",
        "nl": r"""gestopt|verkocht|opgezegd|afgewezen|gezakt|afgezegd|gescheiden|overleden|gestolen|ontslagen"
        r"|als\ kind|toen\ ik|tot\ (?:vorig|20\d\d)|niet\ meer""",
        "pl": r"""sprzedał\w*|rzuci\w+|zrezygnował\w*|odrzuci\w+|oblał\w*|odwoł\w+|jako\ dziecko|już\ nie""",
        "sv": r"""slutat|sålt|slutade|sålde|som\ barn|inte\ längre""",
    }
)
_REQUESTED: Final = _patterns(
    {
        "en": r"""(?:should|shall|can|could|would|do|does|did|is|are|am|have|has|will)\ (?:i|we|you|it|there|they|he
            |she|this|that)|any\ (?:tips?|ideas?|advice|recommendations?|thoughts?|chance|suggestions?)
            |(?:how|what|which|where|why|who|when)(?:['’]s|\ (?:is|are|do|does|did|can|could|should|would|to|about
            |if|kind|sort))
            |(?:please\ )?(?:tell\ me|explain|show\ me|recommend|suggest|look\ up|compare|find\ me|give\ me\ (?:some
            |a\ list|tips|ideas)|list\ (?:some|the)|help\ me)|tips\ (?:for|on)|thoughts\ on
            |(?:please\ )?(?:write|draft|translate|summari[sz]e|rewrite|create|generate|compose|proofread
            |correct)\ ?(?::|an?\b|the\b|this\b|that\b|me\b|some\b)""",
        "de": r"""soll(?:en|te)?\ (?:ich|wir|man)|(?:kann|können|könnte|darf|muss|ist|gibt|lohnt|hast|habt|kennst
            |weißt)\ (?:ich|man|wir|du|es|sich|das|ihr)
            |erklär\w*|zeig\ mir|nenn\w*\ mir|empfiehl\w*|sag\ mir|(?:schreib\w*|übersetz\w*|formulier\w*
            |erstell\w*)\ (?:mir|bitte|ein\w*|d\w+)|tipps\ (?:für|zum|zur)""",
        "es": r"""(?:vale|merece)\ la\ pena|debería|explíca\w*|dime|(?:escribe|traduce|redacta|crea|resume)\w*"
        r"|recomiénda\w*|consejos|cómo\ puedo|qué\ tal""",
        "fr": r"""est-ce\ qu\w*|(?:dois|devrais)-je|explique\w*|dis-moi|(?:écris|traduis|rédige|crée|résume)\w*"
        r"|recommande\w*|conseils?|comment\ (?:faire|on|je)""",
        "it": r"""vale\ la\ pena|dovrei|spiegami|dimmi|(?:scrivi|traduci|crea|riassumi)\w*|consigliami"
        r"|consigli\ (?:per|su)|come\ (?:si|posso|faccio)""",
        "pt": r"""vale\ a\ pena|(?:devo|deveria)|explica\w*|diz-me|(?:escreve|traduz|cria|resume)\w*|recomenda\w*"
        r"|dicas|como\ (?:posso|faço|se)""",
        "nl": r"""(?:moet|zal|kan)\ ik|leg\ \w*\ ?uit|vertel|tips\ voor|hoe\ (?:kan|moet)""",
        "pl": r"""czy\ warto|powinien\w*|powinnam|wyjaśnij|polec|jak\ (?:mogę|zacząć)""",
        "sv": r"""ska\ jag|borde\ jag|förklara|tips""",
    }
)
# what was so for a while and may be over: "I was a vegetarian"; an event ("I was born", "I had moved") is not meant
_WAS: Final = _patterns(
    {
        "en": r"(?:i|we)\ (?:was|were|had)(?!\ (?:\w+ed|\w+ing|been|born|told|to|given|left|sent|made|put|taken))",
        "de": r"(?:ich|wir)\ (?:war(?:en)?|hatten?)|(?:waren?|hatten?)\ (?:ich|wir)",
        "es": r"era|éramos|tenía(?:mos)?",
        "fr": r"j['’](?:étais|avais)|(?:nous\ |on\ )(?:étions|avions|était|avait)",
        "it": r"ero|eravamo|avevo|avevamo",
        "pt": r"era|éramos|tinha|tínhamos",
        "nl": r"(?:ik|we)\ (?:was|waren|had(?:den)?)",
        "pl": r"był[ae]m|byliśmy|miał[ae]m",
        "sv": r"(?:jag|vi)\ (?:var|hade)",
    }
)
# the endings of verbs that tell what was so for a while
_LASTING: Final = {
    code: regex(part, re.IGNORECASE)
    for code, part in {
        "en": r"\w{3,}ed",
        "de": r"(?!\w*(?:hal|arbei|war|bie|lei|mie|stal|wal|schal|rei|ra|tre|hei|kos)te[nst]*$)\w{3,}te(?:n|st)?",
        "es": r"\w{2,}(?:aba|ábamos|aban|ía|íamos|ían)",
        "fr": r"(?:j['’])?\w{2,}(?:ais|ait|ions|aient)",
        "it": r"\w{2,}(?:[aei]vo|[aei]vamo|[aei]va)",
        "pt": r"\w{2,}(?:ava|ávamos|avam|ia|íamos|iam)",
        "nl": r"\w{3,}(?:te|de|ten|den)",
        "pl": r"\w{2,}(?:łem|łam|liśmy|łyśmy)",
        "sv": r"\w{2,}de",
    }.items()
}


_X: Final = (
    r"(?:(?:my|the|our|an?|mein\w*|de[nmr]|die|das|el|la|mi|le|mon|ma|il|lo|o|a|meu|minha|mijn|de"
    r"|het)\s+)?(?P<left>[^\W_]+)"
)
# what is given up for something else: "switched from X to Y", "X for Y", "after three years in X"
_LEFT: Final = {
    code: [regex(rf"\b{part}".replace("@", _X), re.IGNORECASE) for part in parts]
    for code, parts in {
        "en": (
            r"(?:switch|mov|chang|convert|migrat|transition)\w*\s+(?:\w+\s+){0,3}?from\s+@",
            r"(?:traded|swapped|replaced|exchanged)\s+(?:in\s+)?@",
            r"(?:instead of|rather than)\s+@",
            r"after\s+[\w-]+\s+(?:years?|months?|weeks?)\s+(?:in|at|with|of)\s+@",
        ),
        "de": (
            r"von\s+@\s+(?:auf|zu|zum|zur|nach)\b",
            r"statt\s+@",
            r"nach\s+\w+\s+(?:jahren|monaten)\s+(?:in|bei)\s+@",
        ),
        "fr": (
            r"pass\w+\s+de\s+@",
            r"(?:remplac|échang)\w+\s+@",
            r"au lieu d[e'’]\s*@",
            r"après\s+\w+\s+(?:ans|mois)\s+(?:à|en|chez)\s+@",
        ),
        "es": (
            r"(?:pas|cambi|mud)\w+\s+(?:\w+\s+)?de\s+@",
            r"cambi\w+\s+@\s+por",
            r"en vez de\s+@",
            r"después de\s+\w+\s+(?:años|meses)\s+en\s+@",
        ),
        "it": (
            r"pass\w+\s+da\s+@",
            r"(?:cambi|sostitui)\w+\s+@",
            r"invece di\s+@",
            r"dopo\s+\w+\s+(?:anni|mesi)\s+(?:a|in)\s+@",
        ),
        "pt": (
            r"(?:mud|pass)\w+\s+de\s+@",
            r"troqu?\w+\s+@\s+por",
            r"em vez de\s+@",
            r"depois de\s+\w+\s+(?:anos|meses)\s+em\s+@",
        ),
        "nl": (
            r"van\s+@\s+(?:naar|op)\b",
            r"in plaats van\s+@",
            r"(?:ingeruild|vervangen)\s+@",
            r"na\s+\w+\s+jaar\s+in\s+@",
        ),
    }.items()
}


def left_behind(text: str, language: str | None) -> str | None:
    """What a text tells that its speaker gave up for something else, case folded.

    >>> left_behind("I switched from Android to iPhone", "en"), left_behind("Troquei o Renault por um Toyota", "pt")
    ('android', 'renault')
    """
    for pattern in _LEFT.get(language or "en", ()):
        if (found := pattern.search(text)) is not None:
            return found["left"].casefold()
    return None


def wishes(text: str, language: str | None) -> bool:
    """Whether a text wishes, tries or expects rather than states.

    >>> wishes("Ich will nach Wien", "de"), wishes("I will call at nine", "en"), wishes("Me gustaría aprender", "es")
    (True, False, True)
    """
    return _found(_WISHED, text, language)


def ends(text: str, language: str | None) -> bool:
    """Whether a text tells that something ended, or when it was so.

    >>> ends("We sold the boat", "en"), ends("Da bambino suonavo il violino", "it"), ends("We bought a boat", "en")
    (True, True, False)
    """
    return _found(_ENDED, text, language)


def requests(text: str, language: str | None) -> bool:
    """Whether a text begins as a request or a question, with a question mark or without.

    >>> requests("any tips for learning Greek", "en"), requests("I like Greek", "en")
    (True, False)
    """
    pattern = _REQUESTED.get(language or "en")
    return bool(pattern and pattern.match(text.lstrip(" ¿¡\"'")))


def was(text: str, language: str | None) -> bool:
    """Whether a speaker tells what they were or had.

    >>> was("I was a vegetarian", "en"), was("I was born in Leeds", "en"), was("Antes tenía un perro", "es")
    (True, False, True)
    """
    return _found(_WAS, text, language)


def lasted(word: str, language: str | None) -> bool:
    """Whether a word may be a verb that tells what was so for a while.

    >>> lasted("habitais", "fr"), lasted("habite", "fr"), lasted("worked", "en")
    (True, False, True)
    """
    pattern = _LASTING.get(language or "en")
    return bool(pattern and pattern.fullmatch(word))


def _found(patterns: Mapping[str, re.Pattern[str]], text: str, language: str | None) -> bool:
    if language is None:  # too few words to tell
        return any(pattern.search(text) for pattern in patterns.values())
    pattern = patterns.get(language)
    return bool(pattern and pattern.search(text))
