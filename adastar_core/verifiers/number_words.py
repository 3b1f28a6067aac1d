"""The words that may stand around a number, by what they do to it: the tables of the grammar of numbers.

Function words, number words and words of arithmetic or doubt are closed classes, so every one of them has a role here.
Any other word is a content word, which can only be a unit: ``clips``, ``red marbles``.
"""

import re
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple


def words(text: str) -> list[str]:
    """Return the words of a table that is written as running text."""
    return text.split()


class Role(Enum):
    """What a word does behind a number.

    ``UNIT``: says of what; the phrase may end with it. ``LINK``: must be followed by a unit, as ``per``. ``JOIN``: stands
    between two units. ``TIMES``: a unit unless something is multiplied. ``REASON``: begins a reason, which is no part of the
    phrase. ``SPEAKS``: makes it another number, or no clear one.
    """

    UNIT = 0
    LINK = 1
    JOIN = 2
    TIMES = 3
    REASON = 4
    SPEAKS = 5


class Scale(NamedTuple):
    """What a word multiplies by, and whether the phrase certainly stands for the bare number, and for the product."""

    factor: Fraction
    bare_is_certain: bool = False
    product_is_certain: bool = True


_POWERS = {
    "hundred": 2, "thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12, "quadrillion": 15,
}  # fmt: skip
_SHORT = {
    "k": 3, "K": 3, "grand": 3, "M": 6, "mn": 6, "thou": 3, "mil": 6, "mio": 6, "bil": 9, "bn": 9, "mrd": 9, "tn": 12, "lac": 5, "lacs": 5, "cr": 7,
}  # fmt: skip
_PARTS = {
    2: "half", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 10: "tenth",
    11: "eleventh", 12: "twelfth", 15: "fifteenth", 16: "sixteenth", 20: "twentieth", 100: "hundredth", 1000: "thousandth",
}  # fmt: skip
SCALES = {
    **{word: Scale(Fraction(10**power)) for word, power in (_POWERS | _SHORT).items()},
    **{f"{word}s": Scale(Fraction(10**power)) for word, power in _POWERS.items()},
    **{f"{word}s": Scale(Fraction(1, below)) for below, word in _PARTS.items()},
    "halves": Scale(Fraction(1, 2)),
    **dict.fromkeys(("dozen", "dozens"), Scale(Fraction(12))),
    **dict.fromkeys(
        ("%", "percent", "per cent", "percentage", "pct"), Scale(Fraction(1, 100), bare_is_certain=True)
    ),
    **dict.fromkeys(("cent", "cents", "¢"), Scale(Fraction(1, 100), True, product_is_certain=False)),
    **dict.fromkeys(("pair", "pairs"), Scale(Fraction(2), True, product_is_certain=False)),
    "quarters": Scale(Fraction(1, 4), product_is_certain=False),
}
"""``25%`` is 25 and 1/4; ``2 million`` is 2,000,000, and may be 2 where the question asks for millions."""

IN_MONEY = {"m": Scale(Fraction(10**6)), "b": Scale(Fraction(10**9)), "B": Scale(Fraction(10**9))}
"""Letters that multiply an amount of money alone: ``$12m`` is no length."""

ONE_OF = {word: Scale(Fraction(1, below)) for below, word in _PARTS.items()} | {
    "quarter": Scale(Fraction(1, 4), product_is_certain=False)
}
"""One part: ``1 third``, and ``5 and a third``."""

SYMBOLS = frozenset(
    words("""m cm mm km dm nm ft in yd yds mi g kg kgs kms gms mg lb lbs oz t l L ml mL cl dl gal pt pts qt qts h hr hrs min mins s sec secs ms
    kW kWh Hz kHz MHz GHz kJ kPa mph kph kmh kmph rpm fps cc sq pcs pc px MB GB KB TB wk wks yr yrs mo mos tbsp tsp
    USD EUR GBP INR CAD AUD""")
)
"""Unit symbols: the only letters that may be glued to a number, and the only words without a vowel that are units."""

LENGTHS = (
    "m|cm|mm|km|dm|ft|in|yd|mi|feet|foot|inch|inches|yards?|miles?|units?|(?:centi|kilo|milli)?met(?:er|re)s?"
)
"""Units that have powers: ``12 cm^2`` is 12."""

_WORDS = {
    Role.UNIT: "all each more fewer only them both left now back me us May",
    Role.LINK: "of per in a an the for on at with from during his her their its my our your this these every to into onto along across throughout inside outside toward towards among",
    Role.JOIN: "and",
    Role.TIMES: "times",
    Role.REASON: "because since",
    Role.SPEAKS: """
        or nor but yet so if unless whether although though while whereas than then when where until till after before once as
        by over under above below beyond beneath between within without against upon out off up down
        about around through near minus plus versus vs via except besides despite amid like unlike
        including excluding counting assuming given depending considering ignoring rounding
        i you he she it we they him who whom whose which what how why that those there here myself yourself himself herself itself
        ourselves themselves something somebody anything nothing
        is are was were be been being am do does did has have had having can could will would shall should may might must ought
        cannot let isn aren wasn weren don doesn didn won
        no not none never neither either any some many much few several lots plenty enough another other others further
        too very quite rather really almost nearly somewhat perhaps maybe also even still just again however indeed yes ok okay
        less lesser least most best worst max maximum minimum tops upper lower bound limit limits upwards onwards greater smaller
        larger bigger higher better worse
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
        nineteen twenty thirty forty fifty sixty seventy eighty ninety twice thrice double triple quadruple couple gross score
        ones twos threes fours fives sixes sevens eights nines tens mille first infinity infinite
        factorial choose cubed mod modulo power powers root roots exponent exponential log ln exp sin cos tan cot csc sqrt gcd lcm
        pi base remainder past inverse negative positive squared doubled tripled quadrupled halved increased decreased reduced raised divided
        multiplied subtracted added rounded truncated doubles triples halves increase decrease reduce divide multiply subtract
        wrong incorrect false mistaken impossible invalid untrue inaccurate unclear unknown unsure uncertain undefined wait oops
        sorry hmm correction actually instead otherwise else alternatively mistake error typo nope bit ish odd short approx est guess
        seems seem looks appears sounds fails fail contradicts violates differs equals equal makes means mean
        gives becomes neq leq geq says say said claims thinks thought believes works holds follows yields etc ratio respectively pm""",
}
_ROLES = {word: found for found, text in _WORDS.items() for word in words(text)}
_MULTIPLIES = (
    frozenset(w.lower() for w, scale in (SCALES | ONE_OF).items() if scale.product_is_certain) - SYMBOLS
)
_SPEAKING_FORM = re.compile(
    r"""(?!(?:dai|week|month|year|hour|fami|assemb|bel|jel)ly|supply).*ly | .*n't
    | .*(?:teen|ie|hundred|thousand)th | (?:hundred|thousand).+ | .*illions? | .*fold""",
    re.VERBOSE,
)
_NO_VOWEL = re.compile(r"[^aeiouyà-öø-ÿ]+")
_PARTICIPLE = re.compile(r"[a-z]{2,}[^e]ed(?<!hundred)")

CHANGE = frozenset(words("change counting cent cents pennies rest rising falling"))
"""What after ``and`` adds to the number before it: ``5 dollars and change``."""

COUNTED = frozenset(
    words("a an per each every in on during at total all altogether daily weekly monthly yearly left more")
)
"""What may follow ``times`` where it is a unit: ``5 times a day``, but not ``5 times the price``."""


@lru_cache(maxsize=4096)
def role(word: str) -> Role:
    """Return what a word does behind a number and its scale words."""
    lower = word.lower()
    found = _ROLES.get(word) or _ROLES.get(lower) or _ROLES.get(lower.partition("'")[0])
    if found is not None or word in SYMBOLS:
        return found or Role.UNIT
    unclear = (
        len(word) <= 2
        or lower in _MULTIPLIES
        or _NO_VOWEL.fullmatch(lower)
        or _SPEAKING_FORM.fullmatch(lower)
    )
    return Role.SPEAKS if unclear else Role.UNIT


@lru_cache(maxsize=4096)
def is_participle(word: str) -> bool:
    """Return whether a word may say what was done to the number before it, as ``tripled``."""
    return _PARTICIPLE.fullmatch(word.lower()) is not None
