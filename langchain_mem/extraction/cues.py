"""Words that tell how something was said: denied, supposed, asked, over, or of somebody else.

Each set is one idea, written in the languages that `langchain_mem.extraction.languages` knows. A cue that a language
lacks costs a doubt that could have been raised, and no fact.
"""

from __future__ import annotations

from typing import Final

NEGATIONS: Final = frozenset(
    """
    not no never none nothing nobody neither nor without cannot can't cant don't dont doesn't doesnt didn't didnt
    isn't
    isnt aren't wasn't wasnt weren't won't wont wouldn't hasn't haven't havent hadn't couldn't shouldn't ain't hardly
    nicht kein keine keinen keinem keiner nie niemals nichts ohne weder
    pas jamais rien aucun aucune sans ni n'ai n'est n'a
    nunca jamás nada ningún ninguna sin tampoco ni
    non mai niente nessun nessuna nessuno senza né
    não nunca jamais nada nenhum nenhuma sem nem
    niet geen nooit niets zonder noch
    nie nigdy nic żaden żadna bez ani
    inte aldrig inget ingen utan ej
    не нет никогда ничего без ни
    """.split()
)
"""Words that deny."""

AVERSIONS: Final = frozenset(
    """
    dislike dislikes disliked hate hates hated avoid avoids refuse refuses stopped stop quit quits gave left resigned
    longer anymore unable lacks lack except declined cancelled canceled dropped ended split broke sold lost fails
    failed
    unlike unhappy against free former formerly ex used
    mag hasse hasst meidet aufgehört gekündigt verkauft mehr ehemals
    déteste arrêté quitté plus vendu ancien
    odia odio dejó dejé ya vendí vendió evita
    odia smesso lasciato venduto più evita
    odeia deixou parei vendi mais evita
    haat gestopt verkocht meer ontslag vermijdt
    już rzucił sprzedał
    """.split()
)
"""Words with which a fact may deny without a negation, or end what was."""

HEDGES: Final = frozenset(
    """
    might maybe perhaps probably possibly if would could should thinking considering wonder wondering guess hope
    hopefully hoping unsure undecided someday supposedly apparently suppose whether imagine dream likely unless
    vielleicht eventuell wahrscheinlich womöglich könnte könnten würde würden falls überlege hoffe ob vermutlich
    peut-être probablement pourrais pourrait aimerais hésite espère éventuellement
    quizá quizás podría probablemente ojalá quisiera
    forse magari potrei probabilmente vorrei spero chissà
    talvez poderia provavelmente gostaria tomara
    misschien wellicht zou waarschijnlijk hopelijk mogelijk
    może chyba gdyby jeśli prawdopodobnie pewnie
    kanske möjligen om skulle
    может возможно если бы наверное
    """.split()
)
"""Words that make a statement a possibility."""

INTENTIONS: Final = frozenset(
    """
    considers consider plans plan planned wants want wanted hopes intends intend wishes wish would-like interested
    thinks thought looking considering goal aims dreams undecided offer offered will going applied asked asks might
    may
    could would suggests suggested suggest advises advised recommends recommended proposes proposed wonders eyeing
    erwägt plant möchte will überlegt hofft
    envisage prévoit veut souhaite espère
    considera planea quiere desea espera
    considera pianifica vuole desidera spera
    considera planeja quer deseja espera
    overweegt plant wil hoopt
    rozważa planuje chce
    """.split()
)
"""Words with which a fact says itself that it is no more than a possibility."""

FICTION: Final = frozenset(
    """
    fictional character story novel plot scene protagonist pretend imaginary roleplay example
    erfunden figur geschichte roman beispiel personnage histoire exemple personaje historia ejemplo
    personaggio storia esempio personagem história exemplo personage verhaal voorbeeld postać przykład
    """.split()
)
"""Words of what is made up, or told of a book."""

PAST: Final = frozenset(
    """
    formerly previously former ex once originally anymore
    früher damals ehemals ehemalige ehemaliger einst
    avant autrefois ancien ancienne jadis
    antes antiguamente solía solían
    prima
    antes antigamente tinha costumava
    vroeger voorheen
    kiedyś dawniej wcześniej
    """.split()
)
"""Words that tell of what is over."""

PAST_FACT: Final = PAST | frozenset(
    """
    was were had used did since from ago lived worked went moved left ended died war waren hatte hatten était avait
    était étaient era eran tenía había aveva erano teve foram had waren byl był była miał been
    """.split()
)
"""Words with which a fact says itself that it is over, or when it began and ended."""

CORRECTIONS: Final = (
    "actually",
    "sorry",
    "no wait",
    "wait",
    "i mean",
    "scratch that",
    "correction",
    "rather",
    "changed my mind",
    "eigentlich",
    "doch nicht",
    "moment",
    "quatsch",
    "en fait",
    "pardon",
    "finalement",
    "en realidad",
    "perdón",
    "mejor dicho",
    "anzi",
    "in realtà",
    "na verdade",
    "aliás",
    "eigenlijk",
    "toch niet",
    "właściwie",
    "jednak",
)
"""How people take something back."""

AFFIRMATIONS: Final = frozenset(
    """
    yes yeah yep yup right exactly correct sure indeed definitely absolutely true ok okay please perfect great
    ja genau stimmt richtig klar gern doch
    oui exactement voilà exact bien d'accord
    sí claro exacto correcto vale eso
    sì esatto certo giusto va
    sim isso exato claro certo
    klopt precies zeker inderdaad graag
    tak dokładnie zgadza jasne
    da да tack japp
    """.split()
)
"""How people say that something is so."""

QUESTION_WORDS: Final = frozenset(
    """
    is are am was were do does did can could will would should shall may might has have who what when where why how
    which whose any
    ist sind bin war kann können könntest soll sollte wer was wann wo warum wie welche welcher welches wieso gibt
    est-ce qui que quoi quand où pourquoi comment quel quelle quels
    qué quién cuándo dónde cómo cuál cuánto puedes
    chi che cosa quando dove perché come quale puoi c'è
    quem quê quando onde porquê como qual podes pode
    wie wat wanneer waar waarom hoe welke kan kun kunt zal is zijn
    kto co kiedy gdzie dlaczego jak czy który
    vem vad när var varför hur kan
    """.split()
)
"""Words that a question begins with."""

PEOPLE: Final = frozenset(
    """
    sister brother sibling mother mum mom mummy father dad daddy parent parents wife husband spouse partner girlfriend
    boyfriend gf bf fiancé fiancée friend friends mate neighbour neighbor boss manager colleague coworker cousin uncle
    aunt auntie grandma grandpa gran nan grandmother grandfather grandson granddaughter nephew niece roommate flatmate
    housemate landlord landlady guy girl man woman somebody someone daughter son kid kids child children baby teacher
    doctor client customer character team people ex mother-in-law father-in-law sister-in-law brother-in-law stepson
    schwester bruder mutter mama mutti vater papa eltern frau mann freund freundin nachbar nachbarin chef chefin
    kollege
    kollegin cousin cousine onkel tante oma opa mitbewohner mitbewohnerin vermieter vermieterin tochter sohn kind
    kinder
    großeltern schwiegermutter
    sœur soeur frère mère maman père femme mari copain copine ami amie voisin voisine patron patronne collègue oncle
    grand-mère grand-père coloc fille fils enfants
    hermana hermano madre padre mujer marido novia novio amiga amigo vecina vecino jefa jefe compañera compañero prima
    primo tía tío abuela abuelo suegra suegro hija hijo
    sorella fratello moglie amico amica vicino vicina capo collega cugino cugina zia zio nonna nonno figlio figlia
    irmã irmão mãe pai mulher namorada namorado vizinha vizinho chefe tia tio avó avô filha filho
    zus broer moeder vader vrouw vriend vriendin buurman buurvrouw baas neef nicht oom dochter zoon
    siostra brat matka tata ojciec żona mąż przyjaciel sąsiad szef kolega kuzyn ciocia wujek córka syn
    hero heroine author stepmother stepfather stepdaughter stepbrother stepsister godmother godfather groom bride
    schwager schwägerin schwiegervater schwiegereltern enkel enkelin neffe nichte ehemann ehefrau partnerin lehrer
    lehrerin
    beau-frère belle-sœur beau-père belle-mère neveu nièce meilleure meilleur époux épouse prof
    cuñado cuñada sobrino sobrina nieto nieta esposo esposa pareja profesor profesora
    cognato cognata suocero suocera nipote compagno compagna marito madre padre ragazzo ragazza professore
    professoressa
    cunhado cunhada sogro sogra sobrinho sobrinha neto neta esposo esposa marido colega professor professora
    schoonzus zwager schoonmoeder schoonvader kleinzoon kleindochter man partner leraar collega
    szwagier szwagierka teściowa teść bratanek wnuk wnuczka
    syster bror mamma pappa fru vän chef granne
    """.split()
)
"""Persons whom somebody may tell of."""

POSSESSIVES: Final = frozenset(
    """
    my our his her their the a an this that
    mein meine meinen meiner meinem unser unsere der die das
    mon ma mes notre le la les un une
    mi mis nuestro nuestra el la un una
    mio mia miei il lo
    meu minha o a os as
    mijn onze de het
    mój moja moje
    """.split()
)
"""What stands before a person somebody tells of."""

SAME: Final = (
    "mother mum mom mummy mama mutti",
    "father dad daddy papa",
    "girlfriend gf",
    "boyfriend bf",
    "grandmother gran grandma nan nana granny",
    "grandfather grandpa granddad",
    "child children kid kids",
    "television tv telly",
    "bicycle bike",
    "telephone phone mobile",
    "apartment flat",
    "car auto automobile",
    "vacation holiday holidays",
    "photo photograph picture pic",
    "kilogram kilo kg kilos",
    "kilometer kilometre km kilometres kilometers",
    "pound quid",
    "dollar buck bucks",
    "work job working works",
    "begin start starting started starts",
    "move moving moved",
    "buy bought purchase purchased",
    "wed wedding married marry marries marriage",
    "learn study studying learning",
    "birth born birthday",
    "die died dead death",
    "doctor dr physician gp",
    "company firm employer",
    "enjoy love like adore",
)
"""Words that stand for one another, one group a line."""

CALENDAR: Final = frozenset(
    """
    january february march april june july august september october november december monday tuesday wednesday
    thursday
    friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays sundays jan feb mar apr jun jul
    aug sep
    oct nov dec st nd rd th am pm
    """.split()
)
"""Words of dates and times, which are compared as figures, not as names."""
