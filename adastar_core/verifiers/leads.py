"""Whether what precedes a declaration lets it count: it must be said by the response itself, and not denied, asked or assumed.

Before ``answer is X`` the clause must consist of known words. Before a box stands ordinary prose, so there the words
that turn its meaning are looked for, and the formula around it must end with a relation of equality.
"""

import re

_REACH = 300


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEAD_WORDS = _words(
    """so thus therefore hence then now and finally consequently accordingly ultimately overall clearly obviously
    indeed well okay ok the a my our this that which it it's that's is means mean gives give us we i we've get got
    find found conclude concluded see know have can say think believe obtain obtained determine determined derive
    compute computed final correct right best most likely probable appropriate plausible suitable accurate numeric
    numerical exact required desired simplified complete total resulting actual closest possible reasonable
    logical sensible expected in conclusion summary to follows confident am here as result all short together
    putting above step by boxed answer's implies leads us yields summarize sum up letter option choice single
    unique shows makes these steps"""
)
_CLAUSE_START = re.compile(
    r"""[.,;:!?\n—–()]\s*(?=\S)|\b(?:so|therefore|thus|hence|then|because)\b|(?<=\w)\s-+\s""", re.IGNORECASE
)
_SENTENCE_ENDS = (". ", "? ", "! ", "\n", ";", '."', ".*")
_MARKUP = str.maketrans(dict.fromkeys('*_#>`$"“”‘[]{}|~=\\-•✅✔☑👉➡→🔹🔸📌🎯⭐✨🏁💡📝🧮🎉\ufe0f', " "))
_ASSUMED = re.compile(
    r"\s*(?:(?:but|and|so|now|then|only|even)\s+)*(?:if|unless|suppose|supposing|assume|assuming|imagine|had|were|whether|when)\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\W*(?:(?:but|and|so|now|then|we|let|let us|let's|i|must|can|to|first|next)\s+)*"
    r"(?:suppose|assume|imagine|try|trying|check|refuted?|test|guess|pretend|rejected|excluded|false|wrong|incorrect|impossible)\b",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r"\b(?:says|said|claims?|claimed|thinks|thought|believes|believed|guess(?:es|ed)?|wrote|writes|told|suggests?|suggested"
    r"|argues?|argued|insists?|insisted|asks?|asked|wonders?|wondered|pretends?|pretended)\b"
    r"|\baccording to (?!the\b|this\b|these\b|that\b|our\b|all\b|my (?:own )?(?:calcul|comput|analy|reason|work))",
    re.IGNORECASE,
)
_NOT_TRUE = re.compile(
    r"(?:\b(?:not|never|cannot|no|nobody|hardly|wrong|doubt\w*|den(?:y|ies|ied)|false|incorrect|untrue|impossible)\b|n['’]t\b)"
    r"[^.;]{0,40}\b(?:think|believe|say|that|true|sure|certain|case|know|mean|conclude)\b",
    re.IGNORECASE,
)


def _sentence_before(text: str, start: int) -> str:
    """Return what precedes ``start`` in its sentence, at most so many characters."""
    earliest = max(0, start - _REACH)
    ends = [found + len(end) for end in _SENTENCE_ENDS if (found := text.rfind(end, earliest, start)) >= 0]
    return text[max(ends, default=earliest) : start]


_PLAIN_LEAD = re.compile(
    r"""[.!\n]["')*]?\s*(?:(?:So|Thus|Therefore|Hence),?\s)?(?:[Tt]he\s)?(?:(?:final|correct)\s)?$"""
)


def doubt_about_lead(text: str, start: int) -> str:
    """Return why ``answer is X``, whose first word begins at ``start``, may not be meant; empty if it is."""
    if _PLAIN_LEAD.search(text[start - 32 : start] if start > 32 else f"\n{text[:start]}"):
        return ""  # most leads, without the steps below
    line = text.rfind("\n", 0, start) + 1
    if start - line <= 12 and _known(text[line:start]):
        return ""
    sentence = _sentence_before(text, start)
    if _ASSUMED.match(sentence.translate(_MARKUP)):
        return "the declared answer depends on a condition"
    clause = sentence
    for boundary in _CLAUSE_START.finditer(sentence):
        clause = sentence[boundary.end() :]
    if not _known(clause):
        return f"the declaration begins with other words than a conclusion: {' '.join(clause.split())[:60]!r}"
    if _REPORTED.search(sentence):
        return "the declared answer is reported, not concluded"
    return "the declared answer is denied" if _NOT_TRUE.search(sentence) else ""


def _known(clause: str) -> bool:
    return all(word in _LEAD_WORDS for word in clause.translate(_MARKUP).lower().replace("’", "'").split())


_OPERATORS = tuple(
    f"\\{name}"
    for name in sorted(
        _words(
            "cdot times div ne neq le leq ge geq lt gt approx sim pm mp sqrt frac not tfrac dfrac log ln sin cos tan"
        )
    )
)
_SPACING = (
    " ",
    "\t",
    "\n",
    "$",
    "&",
    "**",
    "__",
    "\\[",
    "\\(",
    "\\,",
    "\\;",
    "\\:",
    "\\ ",
    "\\!",
    "\\left",
    "\\displaystyle",
    "\\quad",
)
_ENVIRONMENT = re.compile(r"(?:\\begin\{\w+\*?\}|\\color\{\w+\}|\\(?:large|Large|huge|bf))$")
_RELATIONS = (
    "→",
    "⇒",
    "⟹",
    "∴",
    "\\implies",
    "\\Rightarrow",
    "\\rightarrow",
    "\\to",
    "\\therefore",
    "\\Longrightarrow",
    "\\\\",
)
_TEXT_BRACE = re.compile(r"\\(?:text|mathbf|textbf|mathrm|underline)\{$|(?:^|[\s$])\{$|\\text\{[^{}]*\}$")
_UNEQUAL = "<>!≠≤≥≈~"
_PUNCTUATION = str.maketrans(dict.fromkeys('*_#`$"“”‘[]{}|~\\()!?,;:.', " "))
_TURNING = _words("""not never neither nor no none nobody nothing hardly barely scarcely almost nearly half third quarter twice thrice double
    triple than least most up between beyond under over above below minus plus times negative square squared cube cubed root
    reciprocal inverse opposite negation complement multiple factor either or anything but except instead other rather far
    unless if whether maybe perhaps possibly wrong incorrect false before after less more fewer greater smaller larger divided
    multiplied out opposed unlike versus against avoid excluding exclude excludes reject rejects eliminate
    eliminates contradicts forbids increased decreased percent dozen million thousand hundred cannot without per""")
_SUSPECT = _TURNING | _words("""says said claims claim claimed thinks thought believes believed guess guesses guessed wrote writes told suggests suggest
    suggested argues argued insists insisted asks asked wonders wondered pretends pretended could might may would should doubt
    doubts denied denies untrue impossible according fails fail ceases""")
_NOTHING = _words("nothing none nobody neither nor nowhere no fails fail")
_LINK = re.compile(
    r"\b(?:is|are|was|were|be|being|equals?|gets?|gives?|given|has|have|had|finds?|yields?|makes?|obtain(?:s|ed)?|needs?|costs?|totals?)\b"
    r"|(?:is|are|was|were)n['’]t\b|[=:→⇒]",
    re.IGNORECASE,
)
_NEGATED_LINK = re.compile(
    r"(?:\b(?:not|never|cannot|could|might|may|would|should|hardly|barely|scarcely|(?:fails?|ceases?)\s+to)\b|n['’]t\b)\s*(?:\w+\s){0,2}$",
    re.IGNORECASE,
)


def doubt_about_box(text: str, start: int) -> str:
    """Return why a box (or a number in no declaration) at ``start`` may not be the answer; empty if it may."""
    if _in_a_formula(text[max(0, start - _REACH) : start]):
        return "the declared answer is a part of a larger formula"
    sentence = _sentence_before(text, start)
    if _SUPPOSED.match(sentence):
        return "the declared answer is assumed or tried"
    plain = sentence.replace("n't", " not").replace("n’t", " not")
    said = plain.translate(_PUNCTUATION).lower().split()
    if _SUSPECT.isdisjoint(said) and not any(sign in sentence for sign in "<>≠≤≥≈"):
        return ""
    if _REPORTED.search(plain):
        return "the declared answer is reported, not concluded"
    if _NOT_TRUE.search(plain):
        return "the declared answer is denied"
    return "the declared answer is compared or denied" if _turned(_last_clause(plain)) else ""


def _turned(clause: str) -> bool:
    """Return whether the words between the last verb and the box, or what stands at the verb, turn its meaning."""
    links = list(_LINK.finditer(clause))
    subject = clause[: links[-1].start()] if links else ""
    if not _NOTHING.isdisjoint(subject.translate(_PUNCTUATION).lower().split()):
        return True
    if links and _NEGATED_LINK.search(subject):
        return True
    between = clause[links[-1].end() :] if links else clause
    if any(sign in between for sign in "<>≠≤≥≈"):
        return True
    return not _TURNING.isdisjoint(between.translate(_PUNCTUATION).lower().split())


def _last_clause(sentence: str) -> str:
    begins = 0
    for boundary in _CLAUSE_START.finditer(sentence):
        if sentence[boundary.end() :].strip(" $\\([*_{"):
            begins = boundary.end()
    return sentence[begins:]


def _in_a_formula(before: str) -> bool:
    """Return whether what stands right before a box makes it an operand: an operator, an inequality, a factor, a brace."""
    near = before
    while near.endswith(_SPACING):
        near = near.rstrip(" \t\n$&").removesuffix("**").removesuffix("__")
        near = next((near.removesuffix(space) for space in _SPACING[7:] if near.endswith(space)), near)
    near = _ENVIRONMENT.sub("", near).rstrip() if near.endswith(("}", "e", "f")) else near
    if not near or "\n" in before[len(near) :] or near.endswith(_RELATIONS):
        return False
    last = near[-1]
    if last == "=":
        return near[-2:-1] in tuple(_UNEQUAL)
    if last in "{}":
        return _TEXT_BRACE.search(near) is None
    if last in "-*+•>":  # a bullet, or an operator
        bullet = not near[:-1].rsplit("\n", 1)[-1].strip() and before[len(near) :][:1].isspace()
        return not bullet
    if last.isdigit():
        return before[len(near) :].strip() in ("", "$", "\\(")
    return last in "/^_<≠≤≥≈±×÷·%" or near.endswith(_OPERATORS)
