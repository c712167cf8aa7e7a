"""What an English question asks for."""

# ruff: noqa: E501 - tables of patterns read better in long lines

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Final

from inference.pocket.answering.questions import Kind, Question, Subject
from inference.pocket.concepts import COLOURS
from inference.pocket.seeing.places import BOTTOM, LEFT, MIDDLE, RIGHT, TOP
from inference.pocket.seeing.vocabulary import Vocabulary, plural

_PICTURE: Final = r"(?:pictures?|images?|photos?|photographs?|pics?|shots?|screenshots?|scene)"
_SPELLINGS: Final = (
    (r"[’‘`]", "'"), (r"\bcolor", "colour"), (r"\bgray\b", "grey"), (r"\bcenter\b", "middle"),
    (r"\bcentre\b", "middle"), (r"\b(what|where|who|when|how|there|that|it)'s\b(?! (?:shape|colour|name|kind))", r"\1 is"),
    (r"\b(is|are|do|does|can|was)(?:n't|nt)\b", r"\1 not"),
    (r"\bwhats\b", "what is"), (r"\bu\b", "you"), (r"\br\b", "are"),
    (r"\b(?:on earth|in the world|the hell)\b", ""), (r"\s+", " "),
)  # fmt: skip
_FILLERS: Final = re.compile(
    r"^(?:please|pls|and|so|ok(?:ay)?|now|well|hey|um+|but|also|then|just|alright|hmm+|or|"
    r"(?:can|could|would|will) you(?: please)?(?= (?:tell|describe|name|identify|count|say|read|"
    r"list|explain|point|find|locate|show|guess|summari|give|caption|help|translate|be more))|"
    r"i (?:want|would like|need) to know|i wonder|do you know(?= (?:what|how|which|where|if))|"
    r"tell me(?! (?:about|more|everything|something|a bit))|say)[,:]?\s+"
)
_TAIL: Final = re.compile(
    rf"(?:,? (?:please|pls|then|too|also|exactly|again|right now|now|or not|"
    rf"(?:in|on|from|of|at) (?:the|this|that|my|your) {_PICTURE}(?: here)?|in it|here|"
    r"do you see|can you see|that you (?:can )?see|are there|is there|you see|there|visible|"
    r"shown|present|at all|anywhere|by any chance))+$"
)
_DETERMINER: Final = re.compile(
    r"^(?:(?:a|an|the|any|some|this|that|these|those|one|another|only one|more than one|"
    r"at least one|all|all the|of|kind of|sort of|type of|both|every|each) )+"
)
_PRONOUNS: Final = frozenset(
    ["", "it", "this", "that", "these", "those", "they", "them", "he", "she", "him", "her", "this one", "that one", "one", "thing", "object", "things", "objects", "main thing", "main object", "subject", "main subject", "item"]
)  # fmt: skip
_PEOPLE: Final = frozenset(
    ["anybody", "anyone", "somebody", "someone", "people", "human", "humans", "human being", "human beings", "man", "men", "woman", "women", "guy", "child", "children", "kid", "kids", "boy", "girl", "persons", "lady", "adult"]
)  # fmt: skip
_NOT_DOING: Final = frozenset(
    ["thing", "anything", "something", "nothing", "everything", "painting", "drawing", "building", "ring", "king", "wing", "string", "clothing", "ceiling", "lightning", "pudding", "swing", "earring", "missing", "awning", "duckling", "engraving", "clothing", "interesting", "during", "evening", "morning", "sibling", "spring", "boring", "amazing", "disgusting", "frightening", "railing"]
)  # fmt: skip
_NO_KINDS: Final = frozenset(["material", "substance", "brand", "size", "product", "covering"])
_NUMBERS: Final = {
    "first": 1, "1st": 1, "second": 2, "2nd": 2, "third": 3, "3rd": 3, "fourth": 4, "4th": 4,
    "fifth": 5, "5th": 5, "last": -1, "one": 1, "two": 2, "three": 3, "four": 4,
}  # fmt: skip
_SEES: Final = re.compile(
    rf"\b(?:this|that|these|those|it|its|they|them|their|he|she|his|her|him|here|there|see|show|"
    rf"shows|shown|looking|visible|background|{_PICTURE}|say|says|describe|identify|caption)\b"
)
_FOREIGN: Final = {
    "de": "was ist das auf dem bild der die ein eine wie viele sind welche welches farbe hat es wo und siehst du beschreibe bitte kannst mir sagen wer wann warum gibt im sieht zeigt",
    "fr": "qu'est que c'est ce quoi quelle quel couleur est la le les une un sur dans l'image photo vois tu tu que décris combien où qui il y a-t-il des peux-tu moi pourquoi cette montre",
    "es": "qué que es esto hay en la el imagen foto de color cuántos cuantos dónde donde ves describe quién quien cómo puedes decirme los las una un por muestra cuál",
    "it": "che cosa cos'è cosa vedi è questo questa immagine nell'immagine descrivi l'immagine di colore dove quanti quante ci sono chi puoi dirmi il la una un foto mostra",
    "pt": "o que é isto isso há na no imagem foto qual cor descreva quantos onde quem vê você pode me dizer uma um da do mostra",
    "nl": "wat is dit dat zie je op de het een foto afbeelding welke kleur hoeveel waar beschrijf wie er staat",
    "tr": "bu nedir ne var resimde kaç hangi renk nerede kim bir görüyorsun",
    "pl": "co to jest na zdjęciu obrazku jaki kolor ile gdzie kto widzisz opisz",
    "sv": "vad är det här detta på bilden vilken färg hur många var vem ser du beskriv hvad er dette billedet hva bildet",
    "fi": "mikä tämä on mitä kuvassa väri kuinka monta missä kuka näet",
    "ro": "ce este asta aceasta în imagine poza culoare câte unde cine vezi",
    "id": "apa ini itu gambar warna berapa di mana siapa yang ada đây là gì cái này",
    "cs": "co je to na obrázku fotce jaká barva kolik kde kdo vidíš mi ez mi van a képen",
}  # fmt: skip
_FOREIGN_WORDS: Final = {code: frozenset(words.split()) for code, words in _FOREIGN.items()}
_ENGLISH: Final = frozenset(
    ["what", "is", "this", "that", "the", "a", "an", "in", "on", "of", "it", "how", "many", "are", "there", "where", "who", "when", "why", "do", "you", "see", "does", "can", "could", "and", "or", "to", "for", "which", "colour", "color", "picture", "image", "photo", "me", "tell", "describe", "please", "show", "read", "name", "some", "any", "with", "here", "i", "was", "his", "her", "hi", "no", "not", "yes", "there's", "something", "say", "says", "sure", "help", "thanks", "hello"]
)  # fmt: skip
_PLACES: Final = (
    (r"\b(?:top|upper|above)\b", TOP), (r"\b(?:bottom|lower|below)\b", BOTTOM),
    (r"\bleft\b", LEFT), (r"\bright\b", RIGHT), (r"\bmiddle\b", MIDDLE),
)  # fmt: skip
_AT: Final = (
    r"(?:on|at|in|to)(?: the)? (?:(?:top|upper|bottom|lower|left|right|middle|far)[ -]?)+"
    rf"(?:side|part|half|corner|hand|edge|third)*(?: side)?(?: of (?:the |this )?{_PICTURE})?"
)


def is_foreign(text: str) -> bool:
    """Whether a text in Latin letters is in a language that is not English."""
    words = [w.strip('.,!?¿¡:;"()') for w in re.split(r"[\s-]+", text.lower().replace("’", "'"))]
    words = [word for word in words if word]
    english = sum(word in _ENGLISH for word in words)
    other = max(sum(word in known for word in words) for known in _FOREIGN_WORDS.values())
    odd = sum(not word.isascii() for word in words)
    return bool(words) and (other + odd > english) and (other >= 2 or odd > 0 or len(words) < 3)


class EnglishReader:
    """Tells what English questions ask for."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @cached_property
    def _plurals(self) -> dict[str, str]:
        """The singular of each known name's plural."""
        words = {
            word
            for i in range(len(self._vocabulary.names))
            for word in self._vocabulary.words_for(i)
        }
        return {plural(word): word for word in words if plural(word) != word}

    @cached_property
    def _by_word(self) -> dict[str, frozenset[int]]:
        found: dict[str, set[int]] = {}
        for index, name in enumerate(self._vocabulary.names):
            words = self._vocabulary.words_for(index)
            if index < len(self._vocabulary.classes):  # an apple, of a green apple
                words = words | {name.name.lower().rpartition(" ")[2]}
            for word in words:
                found.setdefault(word, set()).add(index)
        return {word: frozenset(indices) for word, indices in found.items()}

    def read(self, text: str) -> list[Question]:
        """Return what a text asks for, in order; usually one."""
        parts = re.split(
            r"(?<=[?!.])\s+|,?\s+and\s+(?=(?:what|how many|where|which|who|why|when|is it|are they|is there)\b)",
            text.strip(),
        )
        found = [self._read_one(part) for part in parts[:3] if re.search(r"\w", part)]
        real = [q for q in found if q.kind not in (Kind.HELLO, Kind.THANKS)]
        return real or found[:1] or [self._read_one(text)]

    def subject_of(self, words: str) -> Subject | None:
        """Look up what a question speaks of; None for "it"."""
        words = _DETERMINER.sub("", _TAIL.sub("", words.strip()).strip() + " ").strip()
        one = re.fullmatch(rf"(?:{'|'.join(_NUMBERS)}) (?:one|{_PICTURE})", words)
        if words in _PRONOUNS or one or re.fullmatch(_PICTURE, words):
            return None
        if words in _PEOPLE:
            words = "person"
        colour, _, rest = words.partition(" ")
        if rest and colour in COLOURS:
            words = _DETERMINER.sub("", rest + " ").strip()
        for word in (
            words,
            self._plurals.get(words, ""),
            words.removesuffix("es"),
            words.removesuffix("s"),
        ):
            if word in self._by_word:
                return Subject(word, self._by_word[word])
        return Subject(words, frozenset())

    def _read_one(self, text: str) -> Question:
        spoken = text.strip()
        words = _normalised(spoken)
        question = self._matched(words, spoken)
        colours = tuple(i for i, colour in enumerate(COLOURS) if re.search(rf"\b{colour}\b", words))
        return replace(
            question,
            colours=question.colours or colours,
            picture=_picture_number(words),
            shows=_SEES.search(words) is not None
            or question.kind in (Kind.DESCRIBE, Kind.DRAWN, Kind.TEXT, Kind.BACKGROUND),
        )

    def _matched(self, words: str, spoken: str) -> Question:
        for pattern, make in self._rules:
            match = pattern.search(words)
            if match is not None:
                question = make(match)
                if question is not None:
                    return question
        if re.search(r"\b(?:is|are) (?:this|that|it|he|she)(?: called)? [A-Z]\w+ [A-Z]\w+", spoken):
            return Question(kind=Kind.WHO)
        if not re.search(r"\w", words):
            return Question(kind=Kind.WHAT)
        return Question(kind=Kind.UNKNOWN if _SEES.search(words) else Kind.TALK)

    # What rules make of a match.

    def _coloured(self, whole: str, words: str) -> Question:
        """ "What colour is the cup?", but not "her hair": parts are not found."""
        words = re.sub(r"^(?:is|are|does|do|has|have|was|of)\b", "", words.strip()).strip()
        words = re.sub(r"\b(?:have|has|is|are|'s)$", "", words).strip()
        if (
            re.search(r"(?:\b(?:its|his|her|their)|'s) (?!(?:main )?colou?rs?\b)[a-z]+", whole)
            or " of the " in words
        ):
            return Question(kind=Kind.PART)
        return Question(kind=Kind.COLOUR, subject=self.subject_of(words))

    def _count(self, said: str) -> Question:
        words = _DETERMINER.sub("", _TAIL.sub("", said.strip()) + " ").strip()
        words = re.sub(r"\b(?:are|is|do|does|can|did|have|has)\b.*$", "", words).strip()
        if re.fullmatch(r"(?:different )?(?:things?|objects?|items?)", words):
            return Question(kind=Kind.COUNT_ALL)
        if re.fullmatch(r"(?:different )?colou?rs?", words):
            return Question(kind=Kind.COLOUR)
        if re.search(r"\b(?:does|did|has) (?:it|this|that|he|she|the)\b", said):
            return Question(kind=Kind.QUALITY)  # "how many legs does it have"
        return Question(kind=Kind.COUNT, subject=self.subject_of(words))

    def _presence(self, said: str) -> Question | None:
        words = _TAIL.sub("", said.strip())
        if re.fullmatch(r"(?:any|some|no)?(?:thing|body|one)? ?else.*", words):
            return Question(kind=Kind.ELSE)
        if " or " in words:
            return self._either(words)
        place = re.search(_AT, words)
        words = words[: place.start()].strip() if place else words
        subject = self.subject_of(words)
        if subject is None or subject.word in ("anything", "something"):
            return Question(
                kind=Kind.AT if place else Kind.WHAT, place=_places(place[0]) if place else ()
            )
        return Question(
            kind=Kind.PRESENCE, subject=subject, place=_places(place[0]) if place else ()
        )

    def _either(self, words: str) -> Question:
        parts = [part for part in re.split(r",\s*|\s+or\s+", words) if part.strip()]
        options = tuple(option for part in parts if (option := self.subject_of(part)) is not None)
        if options and all(option.word in COLOURS for option in options):
            return Question(kind=Kind.COLOUR)
        if len(options) < 2 or not any(option.names for option in options):
            return Question(kind=Kind.QUALITY)
        return Question(kind=Kind.EITHER, options=options)

    def _is_it(self, said: str, of: str = "") -> Question | None:
        """ "Is it X?", where X is a colour, a place, a thing, or a quality."""
        words = _TAIL.sub("", said.strip())
        about = self.subject_of(of)
        if about is not None and not about.names:
            return Question(kind=Kind.UNKNOWN)
        if re.search(r"\bor\b", words):
            return self._either(words)
        if re.fullmatch(_AT, words):
            return Question(kind=Kind.IS_AT, subject=about, place=_places(words))
        if words and all(w in (*COLOURS, "and", "mostly", "really", "all") for w in words.split()):
            return Question(kind=Kind.IS_COLOURED, subject=about)
        last = words.rpartition(" ")[2]
        if last.endswith("ing") and last not in _NOT_DOING and last not in self._by_word:
            return Question(kind=Kind.DOING)
        subject = self.subject_of(words)
        if subject is None:
            return None
        if subject.names:
            return Question(kind=Kind.IS_IT, subject=about, options=(subject,))
        with_article = re.match(r"(?:a|an|the|some|any|kind of)\b", words)
        return Question(kind=Kind.UNKNOWN if with_article else Kind.QUALITY)

    def _which_picture(self, words: str) -> Question | None:
        subject = self.subject_of(words)
        return Question(kind=Kind.WHICH_PICTURE, subject=subject) if subject else None

    def _named_kind(self, words: str) -> Question | None:
        """ "What animal is this?": a question for the name where the word is a thing's."""
        subject = self.subject_of(words)
        if subject is None or not subject.names or subject.word in _NO_KINDS:
            return None
        return Question(kind=Kind.WHICH_KIND, options=(subject,))

    def _bare(self, words: str) -> Question | None:
        """ "And squares?"."""
        subject = self.subject_of(words)
        known = subject is not None and subject.names
        return Question(kind=Kind.SAME, subject=subject) if known else None

    def _kinded(self, words: str) -> Question:
        subject = self.subject_of(words)
        return Question(kind=Kind.WHICH_KIND, options=(subject,) if subject else ())

    @cached_property
    def _rules(self) -> list[tuple[re.Pattern[str], Callable[[re.Match[str]], Question | None]]]:
        def plain(kind: Kind) -> Callable[[re.Match[str]], Question | None]:
            return lambda _match: Question(kind=kind)

        def at(match: re.Match[str]) -> Question:
            return Question(kind=Kind.AT, place=_places(match[0]))

        this = r"(?:it|this|that|these|those|they|there|he|she)"
        rules: list[tuple[str, Callable[[re.Match[str]], Question | None]]] = [
            (r"^(?:thanks?|thank you|thx|ty|cheers|great|nice|cool|awesome|perfect|wow|lol|good job|well done|i see|got it|ok(?:ay)?|yes|no|yep|nope)\b(?: (?:you|so|very|much|a lot|lot|all|that is|job|work|bot|thanks?|great|good|cool|nice))*$", plain(Kind.THANKS)),
            (r"^(?:hello|hi|hey|good (?:morning|evening|afternoon|day|night)|yo|greetings|bye|goodbye|hallo|hiya|sup|how are you(?: doing)?(?: today)?)(?: there| bot| again| everyone| all)*$", plain(Kind.HELLO)),
            (r"^help$|^(?:who|what) are you\b|what is your name|(?:can|do|could)(?: not|'t)? you (?:not )?do$|what can you (?:tell|answer|recogni)|how do you work|who (?:made|built|trained|created) you|are you (?:an? )?(?:robot|bot|human|ai|chatgpt|real|gpt|person|machine|model)\b|(?:which|what) model|what can i ask|your (?:limits|name|limitations)|introduce yourself|how does this work", plain(Kind.SELF)),
            (r"^what is (?:the )?\d|\d+ ?(?:[-+*/x×÷^]|plus|minus|times|divided by) ?\d+|square root|\bcalculate\b", plain(Kind.MATHS)),
            (r"\b(?:number|licen[cs]e) plate|\b(?:read|(?<!alt )text|texts|written|writing|transcribe|ocr|title|headline|subtitles?|inscription|lettering|letters?|words?|sentence|handwriting|spell(?:s|ed)?)\b|\bsays?$|\bwhat (?:does|do|did) .*\bsay\b|\bwhat (?:number|digits?)\b|\b(?:phone|serial|house) number|\btranslate\b|\bsays? (?:on|at|in)\b", plain(Kind.TEXT)),
            (r"^how come\b|\bwhy\b|\bwhat (?:is|was) the (?:reason|purpose|meaning|point|story|message|idea)\b|\bwhat (?:does|do) (?:it|this|that|these) mean|\bwhat is .* for$|^what for$|\bwhat caused\b", plain(Kind.WHY)),
            (r"^are you (?:\w+ )?(?:sure|certain|confident|positive)|\bhow (?:sure|certain|confident)\b|^really$|^is (?:that|this|it) (?:really )?(?:right|correct|true|so)$|^(?:you )?(?:sure|certain|positive)$|^seriously$|\bi (?:do not|don't|dont) (?:think|believe)\b|(?:that is|you are|it is) (?:wrong|not (?:right|correct|true)|mistaken|incorrect)", plain(Kind.SURE)),
            (r"\belse (?:could|might|may|can|would) (?:it|this|that) be|\b(?:could|might|may) (?:it|this|that) be (?:something|anything) else|\b(?:second|other|another|next|alternative) guess|^what else is (?:it|this)$|what are the alternatives|any other (?:ideas?|guess(?:es)?)", plain(Kind.GUESS)),
            (r"\b(?:weather|rain(?:ing|y)?|sunny|snowing|snowy|windy|cloudy|clouds?|temperature|foggy|storm(?:y|ing)?|forecast|(?:cold|warm|hot) (?:outside|out|there))\b", plain(Kind.WEATHER)),
            (r"^when\b|\b(?:what|which) (?:time|year|date|day|month|season|decade|century|era|age)\b|\bhow (?:old|long ago|late|early|recent) is (?:the|this|that) (?:picture|photo|image)|\bis (?:it|this|that) (?:the )?(?:at )?(?:day|night|morning|evening|noon|midnight|summer|winter|spring|autumn|daytime|night ?time|christmas)\b|\btime of (?:day|year)\b", plain(Kind.WHEN)),
            (r"(?<!for )(?<!somebody )(?<!someone )\bwho\b|\bwhose\b|\bwhom\b|\b(?:his|her|their|persons?'?s?|man's|woman's) name|\bname of (?:the|this|that) (?:person|man|woman|guy|girl|boy|actor|player)|\b(?:do you know|recogni[sz]e) (?:this|that|the|him|her|these)(?: (?:person|man|woman|guy|girl|boy|people|face))?$|\bfamous\b|\bcelebrit|^is (?:this|that|it) (?:me|him|her|you|my \w+)$|\bphotographer\b", plain(Kind.WHO)),
            (r"\bwhere (?:was|were|am|did|does|do (?!you see)|could|should|would)\b|\bwhere can i (?:buy|get|order|eat|visit)|\b(?:what|which) (?:city|country|place|town|state|street|continent|location|beach|museum|restaurant|part of the world|village|room|landmark)\b|^where (?:is|are) (?:this|that|these|we|they)(?: (?:place|picture|photo|image|from))?$|\bis (?:this|it|that|the picture|the photo) (?:taken |made |shot )?(?:in|from|near) [a-z]+$|\b(?:indoors?|outdoors?|inside or outside)\b|\bwhere .* (?:taken|shot|made|from)$|what is this place", plain(Kind.WHERE_TAKEN)),
            (rf"\b(?:photo(?:graph)?|picture|drawing|painting|cartoon|graphic|illustration|sketch|render(?:ing)?)s? or (?:an? )?(?:photo(?:graph)?|real|drawing|painting|cartoon|graphic|illustration|sketch|render(?:ing)?)|^is {this} (?:just )?(?:an? )?(?:real )?(?:photo(?:graph)?|picture|drawing|painting|cartoon|graphic|sketch|illustration|render)$|\bai[- ]generated|\breal photo", plain(Kind.DRAWN)),
            (r"\bbackground\b|^what is behind (?:it|this|that|them)$", plain(Kind.BACKGROUND)),
            (r"\b(?:bigger|larger|smaller|taller|shorter|longer|higher|heavier|biggest|largest|smallest|in front of|on top of|underneath|beneath|next to|between|beside|closer|closest|nearest|farther|further|how far|touching|holding|carrying|wearing|sitting|standing|lying|facing|inside|overlap|compare|difference|relationship|same)\b|\b(?:left|right) of (?!(?:the |this )?(?:picture|image|photo))\w+|\b(?:under|above|below|behind) (?:the|a|an|it|them|this)\b", lambda m: _related(m.string)),
            (r"\bshapes?\b", plain(Kind.SHAPE)),
            (r"^(?:what |which |show |list )?(?:is |are )?(?:the )?(?:other|2nd|second) (?:one|thing|object)s?$|(?:what|how) about (?:the )?other(?: (?:one|thing|object))?s?$|^what is the other\b.*$", plain(Kind.OTHER)),
            (r"^(?:what|anything|something|everything) else\b|\bwhat other (?:things|objects|items)|\b(?:see|is there|notice|spot|are there|find) (?:any|some)thing else|\banything else\b|^else$|^what more\b|^(?:is|are) there more(?: things| objects)?$", plain(Kind.ELSE)),
            (rf"^(?:what|who|which|anything|something|is there (?:any|some)thing|(?:what|how) about)\b.*\b{_AT}$|^{_AT}$|^(?:what|how) about the (?:left|right|top|bottom|middle)(?: side| part| half)?$|^(?:the )?(?:left|right|top|bottom|middle)$", at),
            (r"\b(?:how many|number of|amount of|how much of)\b(?P<x>.*)$|^count\b(?P<y>.*)$", lambda m: self._count(_x(m))),
            (r"^is there (?:just |only )?(?:one|more than one|a single|two|three|four|several|many)(?P<x> .+)?$|^are there (?:two|three|four|five|several|many|more)(?P<y> .+)?$", lambda m: self._count(_x(m))),
            (r"\bcolou?r(?:s|ed)? of (?:(?:the|this|that|a|an) )?(?P<x>.*)$|^(?:what|which) colou?rs?\b(?P<y>.*)$|^(?:what is |what are )?(?:the |its |his |her |their )?(?:main )?colou?rs?(?P<z>.*)$|^(?:what is |what's )(?P<w>.+?)(?:'s)? colou?rs?$|\bcolou?rs? (?:does|do|is|are)(?P<v>.*)$", lambda m: self._coloured(m[0], _x(m))),
            (r"^(?:what|which|and what|of what) (?:kind|type|sort|breed|species|variety|model|race|category)s?(?: exactly)?(?: of (?P<x>[a-z ]+?))?(?: (?:is|are|do|does|can) .*)?$|\bwhat (?:breed|species)\b|^be more specific", lambda m: self._kinded(m["x"] or "")),
            (rf"^(?:what|which) (?P<x>[a-z -]+?) (?:is|are) {this}$|^(?:what|which) (?P<y>[a-z -]+?) (?:is|are|do you see|can you see)(?: shown| there| here| in .*| on .*)?$", lambda m: self._named_kind(_x(m))),
            (r"^which is it[,:]? (?P<x>.+)$|^(?P<y>(?:an? )?[a-z ]+ or (?:an? )?[a-z ]+)$", lambda m: self._either(_x(m))),
            (r"^which (?:one|picture|image|photo|of (?:them|these|the pictures?|the photos?|the two))?s? ?(?:is|are|shows?|has|have|contains?|depicts?)(?: an?| the| some)? (?P<x>.+)$|^(?:in )?which (?:one |picture |image |photo )(?:do you see|is there|has)(?: an?)? (?P<y>.+)$", lambda m: self._which_picture(_x(m))),
            (r"^(?:where (?:is|are|do you see|can you see|can i see|can i find)|where)(?P<x>.*)$|^(?:on|in|at) (?:which|what) (?:side|part|half|corner)(?: of .*?)? (?:is|are)(?P<y>.*)$|^(?:on|in) (?:which|what) (?:side|part)(?P<z>)$|^(?:point (?:to|at)|locate|find|show me|show)(?P<w> .*)$|\bposition of(?P<v>.*)$", lambda m: Question(kind=Kind.WHERE, subject=self.subject_of(_x(m)))),
            (rf"^(?:is|are) there (?P<x>.+)$|^(?:do you |can you |can i |could you )?(?:see|spot|find|notice|recogni[sz]e|detect) (?P<y>.+)$|^(?:does|do) (?:the|this|that|it|my)(?: {_PICTURE})? (?:show|contain|have|include|depict|feature)s? (?P<z>.+)$|^(?:is|are) (?P<w>.+?) (?:(?:in|on|visible in|present in|shown in) (?:the|this|that) {_PICTURE}|visible|present|there|shown|here)$|^any (?P<v>.+)$|^(?:contains?|shows?|got|has) (?P<u>.+)$", lambda m: self._presence(_x(m))),
            (r"\b(?:what|which) (?:sport|game|activity|dance)\b|\bdoing\b|\bhappen(?:s|ed|ing)?\b|\bgoing (?:on|to)\b|^what (?:is|are) (?:he|she|they|the \w+|this \w+) (?!thing)[a-z]+ing\b|\bstory\b", plain(Kind.DOING)),
            (r"\bhow (?:much|big|heavy|tall|long|far|deep|fast|good|expensive|old|wide|large|small|high|hot|cold|does|do|is|are|would|can|should|do i|to)\b|\b(?:brand|made of|made from|material|price|cost|calorie|ingredient|taste|smell|sound|worth|feel|feeling|emotion|mood|edible|safe|opinion|like it|think of)s?\b|^(?:does|do|did|will|would|should|has|have|can|could|may) (?!you see|you tell|(?:it|this|that|these|those|they) be)", plain(Kind.QUALITY)),
            (r"^(?:is|are) (?:any|some|every|no)(?:one|body) (?P<x>.+)$", lambda m: Question(kind=Kind.DOING if m["x"].endswith("ing") else Kind.QUALITY)),
            (rf"^(?:is|are|was|were)(?: not)? {this}(?: things?| objects?)? (?P<x>.+)$|^(?:could|might|may|can|must) {this} be (?P<y>.+)$|^{this} (?:is|are|must be|looks like) (?P<z>.+)$|^am i looking at (?P<w>.+)$|^(?:not |maybe |perhaps )(?P<v>an? .+)$", lambda m: self._is_it(_x(m))),
            (r"^(?:is|are) (?P<of>(?:the|this|that|these|those|my) [a-z-]+(?: [a-z-]+)??) (?P<x>.+)$", lambda m: self._is_it(m["x"], m["of"])),
            (rf"^describe\b|\bdescri(?:be|ption)\b|\bcaption\b|\bsummar|^(?:tell me |say )?(?:something |more |everything |a bit )?(?:more )?about (?:the |this |that |my )?(?:{_PICTURE}|it)$|^tell me (?:more|everything|what you see)|^explain (?:this|the|it)\b|^more(?: details?)?$|\bin detail\b|\balt[- ]text\b|^details?$|^analy[sz]e\b", plain(Kind.DESCRIBE)),
            (rf"^what(?: exactly)? (?:is|are) (?:the )?(?:{this}|(?:this|that) (?:thing|object|item|stuff)|(?:main )?(?:thing|object|subject)(?: of)?)?(?: called| exactly| supposed to be)?$|^what (?:is|are) (?:in|on|shown|depicted|visible|pictured|displayed|there)\b|^what (?:do|can|does|did) (?:you|we|i|it|the|this|that)\b.* ?(?:see|show|depict|contain|spot|recogni[sz]e|find|notice|have|represent|call|make out)\b|^(?:what|which) (?:things?|objects?|items?|stuff|subjects?) (?:is|are)\b|^what can be seen|^what have we\b|^what you (?:can )?see|^what (?:is|are) (?:the )?(?:main |central )?(?:thing|object|subject|item|topic|motif)s?(?: (?:of|in|on|here)\b.*)?$|^what is {this} (?:an? |the )?{_PICTURE} (?:of|about|showing)$|^wat is|^(?:name|identify|recogni[sz]e|guess)(?: {this}| (?:the|this) (?:thing|object|{_PICTURE}|main.*))?\b.*$|^what am i looking at|^what would you call|^what {this}(?: (?:thing|object))?(?: is| are)?$|^what$|^{this}$|^list (?:the |all |everything|what)|^what (?:things|objects|items)\b|^what is {this} {_PICTURE}(?: (?:of|about|showing))?$|^what does (?:the|this) {_PICTURE}", plain(Kind.WHAT)),
            (r"^what is (?:the |that |this )(?P<x>[a-z]+(?: [a-z]+)?)$", plain(Kind.UNKNOWN)),
            (r"^(?:what|how) about (?P<x>.+)$|^the (?P<y>[a-z]+(?: [a-z]+)?)$", lambda m: Question(kind=Kind.SAME, subject=self.subject_of(_x(m)))),
            (r"^(?P<x>[a-z]+(?: [a-z]+)?)$", lambda m: self._bare(_x(m))),
        ]  # fmt: skip
        return [(re.compile(pattern), make) for pattern, make in rules]


def _related(words: str) -> Question:
    doing = re.search(r"\b(?:holding|carrying|wearing|sitting|standing|lying|facing)\b", words)
    return Question(kind=Kind.DOING if doing else Kind.RELATION)


def _x(match: re.Match[str]) -> str:
    """The text of the one named group that took part."""
    return next((text for text in match.groupdict().values() if text is not None), "")


def _normalised(text: str) -> str:
    words = text.lower().strip()
    for pattern, put in _SPELLINGS:
        words = re.sub(pattern, put, words)
    words = re.sub(r"^[\s,.:;!?\"'(@]+|[\s,.:;!?\"')…]+$", "", words)
    while (shorter := _FILLERS.sub("", words)) != words:
        words = shorter
    return re.sub(r",? (?:please|pls)$", "", words)


def _places(words: str) -> tuple[int, ...]:
    return tuple(place for pattern, place in _PLACES if re.search(pattern, words))


def _picture_number(words: str) -> int | None:
    match = re.search(
        rf"\b(?P<a>first|second|third|fourth|fifth|last|1st|2nd|3rd|4th|5th) (?:one|{_PICTURE})\b|"
        rf"\b{_PICTURE} (?:number |no\.? |#)?(?P<b>\d|one|two|three|four)\b",
        words,
    )
    if match is None:
        return None
    said = match["a"] or match["b"]
    return int(said) if said.isdigit() else _NUMBERS[said]
