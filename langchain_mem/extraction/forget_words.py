"""How people ask to forget, language by language.

Each language says the same seven things; what they mean together is in `user_intent`. The patterns are read in small
letters, one sentence at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Tongue:
    """One language's ways; every attribute is a regular expression.

    Attributes:
        forget: Requests to forget, in the form in which one asks: "forget".
        unkept: Requests not to remember or keep: "stop remembering", "don't keep".
        delete: Requests to delete, which may be about a file as well.
        deleted: The same as a participle: "is to be deleted".
        remembered: What only a memory can be: "your notes", "what I told you".
        denied: Where the words above mean the opposite or somebody else: "don't forget", "I always forget".
        asked: How a question begins that wants an answer and nothing done: "how do I".
    """

    forget: str
    unkept: str
    delete: str
    deleted: str
    remembered: str
    denied: str
    asked: str = r"(?!)"


_PERSONAL: Final = (
    r"(?:home |email |e-mail |postal |phone |cell |mobile |dietary |food |seat |travel |personal |work |medical "
    r"|health )?"
    r"(?:address|(?:phone |telephone )?number|birthday|birth date|age|salary|income|employer|diet|allerg\w+"
    r"|preferences?|location|religion"
    r"|weight|health|illness|diagnosis|details|data|information|info|profile)"
)

ENGLISH: Final = Tongue(
    forget=(
        r"\b(?:forget|unlearn|unremember)\b(?=\s+(?:about\s+)?(?:my|our|that|what|whatever|everything|all"
        r"|anything|any|this|these|those|i\b|me\b|every"
        r"|where|how|who|the (?:thing|stuff|bit|part|fact|note|info\w*|memory|memories|detail)s?)\b(?! ?[,;:])"
        r"|\s+it\b|\W*$|(?:\s+[^\s,;:]+){1,4}\W*$)|\bright to be forgotten\b"
    ),
    unkept=(
        r"\b(?:do not|don['’]?t|stop|no longer|never|not|without|quit|cease|no need to|no reason to)\s+"
        r"(?:ever\s+|please\s+|have to\s+|need to\s+|you\s+)?(?:remember|memori[sz]|retain)(?:e|ing)?\b"
        r"|\b(?:do not|don['’]?t|stop|no longer|never|not|quit|no need to)\s+(?:ever\s+|please\s+|you\s+)?"
        r"(?:keep|know|stor|sav|record|hold on to|hang on to)(?:e|ing)?\s+(?:\w+\s+){0,3}?(?:my|our|me|i|i['’]m"
        r"|them|this|that|it|any of (?:it|this|that))\b(?! yet)"
        r"(?!\s+(?:waiting|awake|busy|up\b|\w+ing\b))(?<!ing me)"
        r"|\b(?:not|isn['’]?t|no longer|shouldn['’]?t|aren['’]?t)\b[^.;]{0,60}\b(?:in|on|part of)\s+(?:your"
        r"|the)\s+(?:memory|notes|records|database)\b"
        r"|\b(?:don['’]?t|do not|never|no longer|wouldn['’]?t|would not|rather not|prefer not)\s+"
        r"(?:\w+\s+){0,2}?(?:want|like|wish)\s+you\s+"
        r"(?:to\s+)?(?:remember|keep|know|stor|sav|retain|record|track|memori[sz])\w*"
        r"|\byou\s+(?:didn['’]?t|did not|shouldn['’]?t|should not|needn['’]?t|must not|mustn['’]?t|not"
        r"|don['’]?t need to|no longer need to)\s+"
        r"(?:to\s+)?(?:remember|keep|know|stor|sav|retain|record|track|memori[sz])\w*"
    ),
    delete=(
        r"\b(?:delete|remove|erase|wipe|clear|discard|drop|scrap|scratch|strike|purge|disregard|withdraw"
        r"|reset|lose|revoke|unsave|get rid of|throw away|throw out|take|cross out|leave out)\b"
    ),
    deleted=r"\b(?:deleted|removed|erased|wiped|cleared|discarded|dropped|forgotten|purged|struck|gone|(?:should"
    r"|must|has to|have to|needs? to) go)\b",
    remembered=(
        r"\b(?:your|the|that|this|a|any|all|those|these|every|each|from)\s+(?:\w+\s+){0,2}?memor(?:y|ies)\b"
        r"|\b(?:erase|delete|remove|wipe) me\b|\bconsent to (?:stor|keep|sav|remember)\w*|\bthat about my\b|\b"
        r"(?:part|bit|thing) with my\b"
        r"|\byour\s+(?:\w+\s+)?(?:database|system|notes?|records?|storage|files? (?:on|about) me|profile of me"
        r"|data about me|knowledge)\b"
        r"|\b(?:what|everything|anything|whatever|all|things?|stuff|bit|part|that|info\w*|facts?|the \w+)\s+"
        r"(?:that\s+)?"
        r"(?:i|you|we)(?:['’]ve|\s+have|\s+had)?\s+(?:just\s+|ever\s+|once\s+|still\s+)?"
        r"(?:said|told|mentioned|shared|know|knew|remember(?:ed)?|stored|saved|learned|learnt|noted|kept|keep"
        r"|recorded|wrote"
        r"|have (?:on|about) (?:me|my)|gave|got on me|discussed|talked)\b"
        r"|\b(?:saved|stored|remembered|recorded)\s+(?:\w+\s+)?(?:info\w*|facts?|data|details?|things?|notes?"
        r"|preferences?)\b"
        r"|\b(?:note|notes|fact|facts|thing|things|stuff|bit|part|info|information|entry|entries|detail|details"
        r"|record)\s+"
        r"(?:you have\s+)?(?:about|on|that i|where i|regarding|concerning)\b(?!\s+(?:page|line|the page|top))"
        r"|\b(?:all|everything|anything)\s+(?:there is\s+)?about\s+(?:me|my|us|our)\b"
        r"|\bmy\s+personal\s+(?:data|details|information|info)\b|\bmy\s+data\b"
        r"|\b(?:our|my)\s+(?:whole\s+|entire\s+|chat\s+|full\s+|complete\s+)*(?:history|conversations?)\b"
        rf"|\b(?:all (?:of )?)?my\s+{_PERSONAL}\b(?!\s+(?:from|in|on|field|column|section|line|line)\b"
        r"(?!\s+(?:your|the) (?:memory|memories|notes|records?)))"
    ),
    denied=(
        r"\b(?:do not|don['’]?t|never|not|won['’]?t|can['’]?t|cannot|couldn['’]?t|let me not|lest \w+)\s+"
        r"(?:you\s+|to\s+|ever\s+|please\s+|dare\s+|want you to\s+|let me\s+|just\s+)?"
        r"(?:forget|delete|remove|erase|wipe|clear|discard|drop|scratch|purge|ignore|disregard|unlearn)\w*"
        r"|\b(?:i|we|he|she|they|who|people|everyone|everybody|one|my \w+|the \w+|her \w+|his \w+)(?:['’](?:ll|d"
        r"|m|ve))?\s+"
        r"(?:\w+\s+){0,2}?(?:forget|forgets|forgot|forgotten|forgetting)\b"
        r"|\bdid\s+(?:you|i|we|he|she|they)\s+\w*\s*forget\b|\b(?:have|had|has)\s+(?:you|i)\s+forgotten\b"
        r"|\b(?:i|we|he|she|they|who|people|nobody|everyone)\s+(?:\w+\s+)?(?:do not|don['’]?t|does not"
        r"|doesn['’]?t|did not|didn['’]?t"
        r"|no longer|never|can['’]?t|cannot|could not|couldn['’]?t)\s+(?:\w+\s+)?(?:remember|know|keep|store"
        r"|save|retain|memori[sz]e|record)\b"
        r"|\bforget(?: about)? it\b(?! now| please| all| forever| completely)|\bforget me not\b"
        r"|\bforget-me-nots?\b|\bforget to\b|\bforget (?:my|your|his|her) (?:manners|place)\b"
        r"|\bi (?:always |often |just |already |have |had )?(?:delet|remov|eras|wip|clear|dropp|scratch)(?:e|ed"
        r"|s|ped|ing)?\b"
    ),
    asked=(
        r"^\W*(?:(?:so|and|but|ok|hey|hi|well)\W+)?(?:how|why|what|when|where|who|which|should i|shall i|do i"
        r"|does|did|is|are|was|were|has"
        r"|have (?:i|you)|am i|must i|can i|could i|may i|will (?:it|they|he|she)|would (?:it|they|he|she))\b"
    ),
)

GERMAN: Final = Tongue(
    forget=(
        r"\b(?:vergiss|vergesst|vergessen sie)\b|\bdu\b[^,;:]*\bvergisst\b|\b(?:kannst|könntest|sollst|sollten"
        r"|darfst|können|könnten|magst|bitte)\b[^,;:]*\bvergessen\b"
    ),
    unkept=(
        r"(?:^|[,;:]\s*|\bbitte\s+|\bund\s+)(?:merke?|behalte?|speicher[en]?|notiere?)\b[^.;]{0,60}\b(?:nicht"
        r"|nichts|keine?n?|nie)\b"
        r"|\b(?:nicht|keine?n?|nie|auf)\b,?[^.;]{0,60}\b(?:dass du|du|dir|sie sich)\b[^.;]{0,60}\b(?:merkst"
        r"|merken|behältst|behalten|speicherst|speichern|weißt|notierst)\b"
        r"|\b(?:du|dir|sie sich)\b[^.;]{0,40}\b(?:nicht|keine?n?|nie)\b[^.;]{0,40}\b(?:merken|merkst|behalten"
        r"|behältst|speichern|speicherst|notieren)\b"
    ),
    delete=(
        r"\b(?:lösche?|lösch|löscht|löschen|entfern(?:e|en|t)?|streich(?:e|en|t)?|tilg(?:e|en)|verwirf|nimm"
        r"|nehmen sie|wirf|radier(?:e|en)?)\b"
    ),
    deleted=r"\b(?:gelöscht|entfernt|gestrichen|vergessen|getilgt|raus|weg)\b",
    remembered=(
        r"\b(?:deine[mnrs]?|ihre[mnrs]?|eure[mnrs]?|im|aus dem)\s+(?:\w+\s+)?(?:gedächtnis\w*|speicher"
        r"|erinnerung\w*|notiz\w*|aufzeichnung\w*|unterlagen)\b"
        r"|\b(?:das|was|alles|alles,? was|dinge|sachen|infos?|informationen|daten)\b,?\s*(?:was|die|das)?\s*"
        r"(?:\w+\s+){0,6}?(?:gesagt|erzählt|erwähnt|weißt|wissen|gespeichert|gemerkt|notiert|gelernt|mitgeteilt)\b"
        r"|\b(?:erinnerung|erinnerungen|gespeicherte\w*|gemerkte\w*)\b|\b(?:alles|alle daten|infos?"
        r"|informationen|notiz\w*|eintrag|einträge|sache|teil|fakt\w*)\s+(?:über|zu|von|mit)\s+(?:mich|mir"
        r"|mein\w*|uns\w*|der|dem|den|die|das)\b"
        r"|\bdas mit (?:mein\w*|dem|der|den|uns\w*)\b|\bmein\w*\s+(?:persönlichen\s+)?(?:daten|adresse"
        r"|telefonnummer|handynummer|nummer|angaben|vorlieben|gehalt|allergie\w*|diät|gesundheitsdaten"
        r"|geburtstag|privatadresse)\b"
        r"|\b(?:unser\w*|mein\w*)\s+(?:\w+\s+)?(?:verlauf|gespräch\w*|unterhaltung\w*)\b"
    ),
    denied=(
        r"\b(?:vergiss|vergesst|vergessen sie|vergisst|lösch\w*|entfern\w*)\s+(?:\w+\s+){0,3}?(?:nicht|nie"
        r"|niemals)\b|\b(?:nicht|nie|niemals)\s+(?:\w+\s+){0,2}?(?:vergessen|löschen|vergisst|entfernen)\b"
        r"|\bich\s+(?:\w+\s+){0,3}?(?:vergess\w*|vergaß|lösch\w*|entfern\w*)\b|\b(?:habe?|hab|hast|hat|haben"
        r"|hatte)\s+(?:\w+\s+){0,8}?(?:vergessen|gelöscht|entfernt)\b"
        r"|\bvergiss (?:es|das mal)\b|\bvergiss (?:den|die|das|dem) \w+,|\b(?:er|sie|man|wer)\s+"
        r"(?:\w+\s+)?vergisst\b|\bvergiss[- ]?mein[- ]?nicht\b"
    ),
    asked=r"^\W*(?:wie|warum|wieso|weshalb|was|wann|wo|wer|welche\w*|soll ich|sollte ich|kann ich|darf ich"
    r"|muss ich|hast du|habe ich)\b",
)

SPANISH: Final = Tongue(
    forget=r"\b(?:olvida|olvide|olvidad|olvídate|olvídese|olvides|olvidar(?:as?|te|se)?|olvidaras)\b",
    unkept=(
        r"\bno\s+(?:(?:quiero|quisiera|querría|deseo|me gusta|hace falta|necesito|prefiero)\s+que\s+)?"
        r"(?:\w+\s+){0,2}?(?:recuerdes|recuerde|guardes|guarde|sepas|sepa|memorices|memorice|almacenes|almacene"
        r"|conserves|conserve|registres|retengas|tengas guardad\w+)\b"
        r"|\b(?:deja|deje|para|pare) de\s+(?:recordar|guardar|memorizar|almacenar|conservar)\b"
        r"|\bprefiero que no\s+(?:\w+\s+){0,2}?(?:recuerdes|guardes|sepas|conserves|almacenes|tengas)\b"
    ),
    delete=r"\b(?:borra|borre|borrad|borrar|bórra\w*|elimina|elimine|eliminar|elimína\w*|quita|quite|quitar"
    r"|suprime|suprima|tacha|descarta|limpia)\b",
    deleted=r"\b(?:borrad[oa]s?|eliminad[oa]s?|olvidad[oa]s?|suprimid[oa]s?)\b",
    remembered=(
        r"\b(?:tu|su|la|de)\s+memoria\b|\brecuerdos?\b|\btus\s+(?:notas|registros|apuntes|datos)\b"
        r"|\b(?:lo|todo lo|eso|cosas?|todo)\s+(?:que|de que)\s+(?:\w+\s+){0,3}?(?:dije|conté|he dicho|he contado"
        r"|comenté|mencioné|sabes|sabe|guardaste|has guardado|recuerdas|tienes|tengas|guardado|aprendiste|dicho"
        r"|contado)\b"
        r"|\b(?:todo|información|info|datos|cosas?|dato|nota|parte)\s+(?:\w+\s+){0,2}?(?:sobre|acerca de)\s+"
        r"(?:m[íi]|mis?|nosotros|nuestr\w+)\b"
        r"|\bmis\s+(?:datos|preferencias|alergias)\b|\bmi\s+(?:dirección|teléfono|número|cumpleaños|salario"
        r"|sueldo|historial|información|dieta|alergia|edad|correo)\b(?!\s+(?:de la|del|en el|en la)\s+"
        r"(?:formulario|documento|lista|carta|texto))"
        r"|\b(?:nuestr[oa]|todo el)\s+(?:\w+\s+)?(?:historial|conversación)\b|\bdato\s+de\s+mi\b|\blo de mis?\b"
        r"|\bb[óo]rrame\b|\btu (?:base de datos|sistema)\b"
    ),
    denied=(
        r"\bno\s+(?:te\s+|se\s+|lo\s+|la\s+|me\s+|os\s+|vayas a\s+)?(?:olvides?|olvidéis|olvidar\w*|borres?"
        r"|elimines?|quites?)\b|\bnunca\s+(?:te\s+)?olvid\w+|\b(?:me|se me|se te|nos)\s+(?:\w+\s+)?olvid\w+"
        r"|\b(?:he|has|ha)\s+olvidado\b|\byo\s+olvid\w+|\bsiempre\s+(?:me\s+)?olvid\w+|\bolvid[ée]\b(?!\s+lo)"
        r"|\bolvídalo\b|\bolvida (?:el|la|los|las) \w+,|\b(?:él|ella|mi \w+|que)\s+(?:siempre\s+|nunca\s+)?olvida\b"
    ),
    asked=r"^\W*(?:cómo|por qué|qué|cuándo|dónde|quién|cuál|debo|debería|puedo|podría yo|es)\b",
)

FRENCH: Final = Tongue(
    forget=r"\b(?:oublie|oubliez|oublies|oublier)\b",
    unkept=(
        r"(?<!je )(?<!il )(?<!elle )(?<!on )(?<!nous )(?<!ils )\b(?:ne|n['’])\s*(?:te\s+|le\s+|la\s+|les\s+"
        r"|pas\s+|plus\s+)*(?:retien\w*|gard\w*|mémoris\w*|enregistr\w*|conserv\w*|souvien\w*|stock\w*"
        r"|note[rzs]?)\b|\barr[êe]te(?:z|r)?\s+de\s+(?:retenir|garder|mémoriser|enregistrer|te souvenir"
        r"|conserver|stocker)\b"
        r"|\b(?:veux|voudrais|souhaite|préfère|aimerais)\s+(?:pas\s+|plus\s+)?que\s+(?:tu|vous)\s+(?:ne\s+)?"
        r"(?:\w+\s+){0,1}?(?:retien\w*|gard\w*|mémoris\w*|enregistr\w*|conserv\w*|souvien\w*|stock\w*|sach\w*)\b"
    ),
    delete=r"\b(?:supprime|supprimez|supprimer|efface|effacez|effacer|enlève|enlevez|enlever|retire|retirez"
    r"|retirer|raye|rayez|ôte)\b",
    deleted=r"\b(?:supprimée?s?|effacée?s?|oubliée?s?|retirée?s?)\b",
    remembered=(
        r"\b(?:ta|votre|la|de)\s+mémoire\b|\bsouvenirs?\b|\b(?:tes|vos)\s+(?:notes|données|registres)\b"
        r"|\b(?:ce|tout ce|cela|ça|tout|truc|choses?)\s+(?:que|qu['’]|dont)\s*(?:\w+['’]?\s*){0,4}?(?:dit"
        r"|raconté|mentionné|sais|savez|retenu|enregistré|gardé|parlé|appris|confié|noté|as|avez)\b"
        r"|\b(?:tout|infos?|informations?|données|notes?|chose|truc|partie|détails?)\s+(?:\w+\s+){0,2}?(?:sur"
        r"|concernant|à propos de|au sujet de)\s+(?:moi|m[aes]s?|mon|nous|notre|nos)\b"
        r"|\bmes\s+(?:données|préférences|informations|allergies|coordonnées)\b|\bm(?:on|a)\s+(?:adresse|numéro"
        r"|téléphone|anniversaire|salaire|historique|régime|âge|allergie)\b(?!\s+(?:du|de la|dans le|dans la)\s+"
        r"(?:formulaire|document|liste|lettre|texte|mail))"
        r"|\b(?:notre|tout l['’])\s*(?:\w+\s+)?(?:historique|conversation)\b"
    ),
    denied=(
        r"\bn['’]\s*(?:\w+\s+)?oubli\w*\s+(?:pas|jamais|surtout pas)\b|\bne\s+(?:\w+\s+){0,3}?(?:pas|jamais)\s+"
        r"(?:\w+\s+)?(?:oublier|supprimer|effacer)\b|\bne\s+(?:supprime|efface|retire|enlève)\w*\s+(?:pas|rien"
        r"|jamais)\b"
        r"|\bj['’](?:ai\s+(?:\w+\s+)?)?oubli\w*|\b(?:as|a|avez|ont|avons)\s+(?:\w+\s+)?oublié\w*|\b(?:il|elle|on"
        r"|tout le monde|qui|ma \w+|mon \w+)\s+(?:m['’]|s['’])?oublie\b|\bje\s+(?:m['’]|l['’]|les\s+)?oublie\b"
        r"|\boublie (?:ça|(?:le|la|les) \w+),|\bpour oublier\b"
    ),
    asked=r"^\W*(?:comment|pourquoi|quand|où|qui|quel\w*|qu['’]est-ce|que faire|est-ce que je|dois-je|puis-je"
    r"|faut-il)\b",
)

ITALIAN: Final = Tongue(
    forget=r"\b(?:dimentica|dimentichi|dimenticate|dimenticati|dimenticar(?:e|ti|lo|la)?|scorda|scordati|scordi)\b",
    unkept=(
        r"\bnon\s+(?:voglio|vorrei|desidero|mi va|serve)\s+che\s+(?:\w+\s+){0,2}?(?:ricord\w+|tenga|tu tenga"
        r"|salv\w+|memorizz\w+|conserv\w+|registr\w+|sappia)\b|\bnon\s+(?:ricordar\w+|tener(?:e|lo|la)?"
        r"|salvar\w+|memorizzar\w+|conservar\w+|registrar\w+)\b|\b(?:smetti|smetta|smettila) di\s+(?:ricordare"
        r"|salvare|memorizzare|conservare|tenere)\b"
        r"|\bpreferi(?:sco|rei) che\s+(?:tu\s+)?non\s+(?:\w+\s+)?(?:ricord\w+|tenga|tenessi|salv\w+|conserv\w+"
        r"|sapessi)\b"
    ),
    delete=r"\b(?:cancella|cancelli|cancellate|cancellare|elimina|elimini|eliminare|togli|tolga|togliere|rimuovi"
    r"|rimuova|rimuovere|scarta|depenna)\b",
    deleted=r"\b(?:cancellat[oaie]|eliminat[oaie]|dimenticat[oaie]|rimoss[oaie]|tolt[oaie])\b",
    remembered=(
        r"\b(?:tua|sua|dalla|la)\s+memoria\b|\bricord[io]\b(?!\s+che)|\b(?:tue|tuoi|vostre)\s+(?:note|appunti|dati)\b"
        r"|\b(?:quello|ciò|tutto quello|tutto ciò|cosa|cose|quel|tutto)\s+che\s+(?:\w+\s+){0,3}?(?:detto"
        r"|raccontato|menzionato|sai|sa|salvato|memorizzato|ricordi|confidato|accennato|imparato|hai)\b"
        r"|\b(?:tutto|informazion[ei]|info|dati|note?|cosa|parte|dettagli\w*)\s+(?:\w+\s+){0,2}?(?:su|sul|sulla"
        r"|sui|riguardo a)\s*(?:di\s+)?(?:me|mi[oaei]+|noi|nostr\w+)\b"
        r"|\b(?:i miei|le mie)\s+(?:dati|preferenze|informazioni|allergie)\b|\b(?:il mio|la mia|l['’]|mio"
        r"|mia)\s*(?:indirizzo|numero|telefono|compleanno|stipendio|dieta|allergia|età|cronologia)\b(?!\s+(?:dal"
        r"|dalla|nel|nella)\s+(?:modulo|documento|lista|lettera|testo))"
        r"|\bnostr[ao]\s+(?:\w+\s+)?(?:cronologia|conversazione|storia)\b"
    ),
    denied=(
        r"\bnon\s+(?:\w+\s+){0,2}?(?:dimentic\w*|scord\w*|cancell\w*|elimin\w*|togli\w*)\b|\b(?:ho|hai|ha"
        r"|abbiamo|avevo)\s+(?:\w+\s+)?(?:dimenticato|scordato|cancellato)\b|\bmi\s+(?:\w+\s+)?(?:dimentico"
        r"|scordo|sono dimenticat\w)\b"
        r"|\b(?:lui|lei|chi|mio \w+|mia \w+)\s+(?:\w+\s+)?dimentica\b|\bdimenticalo\b|\bdimentica (?:il|lo|la|i"
        r"|gli|le) \w+,|\blascia perdere\b"
    ),
    asked=r"^\W*(?:come|perché|quando|dove|chi|quale|che cosa|cosa|devo|dovrei|posso|potrei)\b",
)

PORTUGUESE: Final = Tongue(
    forget=r"\b(?:esquece|esqueça|esqueçam|esqueças|esquecer|esquecesse)\b",
    unkept=(
        r"\bnão\s+(?:(?:quero|queria|gostaria|desejo|preciso|prefiro)\s+que\s+)?(?:\w+\s+){0,2}?(?:lembr(?:e|es"
        r"|ar)|guard(?:e|es|ar)|memoriz(?:e|es|ar)|saib(?:a|as)|armazen(?:e|es|ar)|regist(?:e|es)|registr(?:e"
        r"|es)|salv(?:e|es|ar)|conserv(?:e|es))\b"
        r"|\b(?:para|pare|deixa|deixe) de\s+(?:te\s+|se\s+)?(?:lembrar|guardar|memorizar|armazenar|salvar)\b|\b"
        r"(?:preferia|prefiro) que\s+(?:\w+\s+)?não\s+(?:\w+\s+)?(?:lembr\w+|guard\w+|soubess\w+|armazen\w+"
        r"|salv\w+)\b"
    ),
    delete=r"\b(?:apaga|apague|apagar|elimina|elimine|eliminar|remove|remova|remover|tira|tire|tirar|exclui"
    r"|exclua|excluir|risca|risque|deleta|delete)\b",
    deleted=r"\b(?:apagad[oa]s?|eliminad[oa]s?|removid[oa]s?|esquecid[oa]s?|excluíd[oa]s?)\b",
    remembered=(
        r"\b(?:tua|sua|da|a)\s+memória\b|\b(?:lembranças?|recordações)\b|\b(?:tuas|suas|teus|seus)\s+(?:notas"
        r"|registos|registros|dados|anotações)\b"
        r"|\b(?:o|tudo o|tudo|aquilo|isso|coisas?)\s+que\s+(?:\w+\s+){0,4}?(?:disse|contei|falei|mencionei|sabe"
        r"|sabes|guardou|guardaste|lembra|lembras|dito|tens|tem|aprendeu|aprendeste|salvou)\b"
        r"|\b(?:tudo|informaç\w+|dados|notas?|coisa|parte|detalhes?)\s+(?:\w+\s+){0,2}?(?:sobre"
        r"|acerca d[eao]s?)\s+(?:mim|a minha|o meu|minha|meu|meus|minhas|nós)\b"
        r"|\b(?:os\s+)?meus\s+dados\b|\b(?:as\s+)?minhas\s+(?:preferências|informações|alergias)\b|\b(?:meu"
        r"|minha)\s+(?:endereço|morada|telefone|número|aniversário|salário|histórico|dieta|alergia|idade)\b"
        r"(?!\s+(?:do|da|no|na)\s+(?:formulário|documento|lista|carta|texto))"
        r"|\bnoss[oa]\s+(?:\w+\s+)?(?:histórico|conversa)\b"
    ),
    denied=(
        r"\bnão\s+(?:te\s+|se\s+|me\s+|vás\s+|vai\s+|o\s+|a\s+)?(?:esque[cç]\w+|apagu?\w+|elimin\w+|remov\w+)\b"
        r"|\bnunca\s+(?:te\s+|se\s+|me\s+)?esque[cç]\w+|\b(?:me|eu|já)\s+(?:\w+\s+)?esque[cç]\w+|\besqueci\b"
        r"|\besqueci-me\b|\besquece lá\b|\besquece (?:o|a|os|as) \w+,"
        r"|\b(?:ele|ela|quem|minha \w+|meu \w+)\s+(?:\w+\s+)?esquece\b"
    ),
    asked=r"^\W*(?:como|por que|porque|porquê|quando|onde|quem|qual|devo|deveria|posso|poderia eu)\b",
)

OTHERS: Final = Tongue(
    forget=(
        r"\bvergeet\b|\bzapomnij\b|\bglöm\b|\bglem\b|\bunohda\b|\bzapomeň\b|\bunut\b|\bзабуд(?:ь|ьте)\b|忘れて"
        r"(?!しまっ|い|た)|忘记|忘掉|忘記|잊어\s?(?:줘|주세요|버려)?|انس|भूल जा"
    ),
    unkept=r"\bonthoud\b[^.;]*\bniet\b|\bnie\s+zapamiętuj\b|\bsluta komma ihåg\b|\bне\s+(?:запоминай|храни"
    r"|помни)\w*|覚えないで|不要记|别记|기억하지\s?마",
    delete=r"\bverwijder\b|\bwis\b|\busuń\b|\bskasuj\b|\bradera\b|\bslett\b|\bta bort\b|\bудали(?:те)?\b|\bсотри"
    r"(?:те)?\b|削除して|消して|删除|刪除|삭제해|지워|احذف|हटा",
    deleted=r"(?!)",
    remembered=(
        r"\bgeheugen\b|\bherinnering\w*|\bpamię\w*|\bwspomnie\w*|\bminne\w*|\bпамят\w*|\bвоспоминани\w*|\b(?:wat"
        r"|alles wat)\b[^.;]*\b(?:gezegd|verteld|weet)\b|\bmijn\s+(?:gegevens|adres|nummer)\b|\bmoje\s+dane\b"
        r"|\bмо[йияеё]\w*\s+(?:данны\w*|адрес\w*|номер\w*)|всё"
        r"|все обо мне|記憶|思い出|记忆|記憶|기억|关于我|について|ذاكر|याद"
    ),
    denied=(
        r"\bvergeet\s+(?:\w+\s+){0,2}?niet\b|\b(?:ik|hij|zij)\s+(?:\w+\s+)?vergeet\b|\bnie\s+zapomn\w+|\bglöm\s+"
        r"(?:\w+\s+)?inte\b|\bglem\s+(?:\w+\s+)?ikke\b|\bне\s+забуд\w*|\bя\s+(?:\w+\s+)?забуд\w*|忘れない|忘れました|忘れた"
        r"|别忘|不要忘|別忘|我(?:总是|常|又)?忘|忘记了|잊지\s?마"
    ),
)

TONGUES: Final = (ENGLISH, GERMAN, SPANISH, FRENCH, ITALIAN, PORTUGUESE, OTHERS)
"""Every language; in another one, the application offers a way of its own to forget."""
