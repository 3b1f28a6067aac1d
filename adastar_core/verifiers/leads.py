"""Whether what precedes a declaration lets it count: it must be said by the response itself, and not denied, asked or assumed.

Before ``answer is X`` the clause must consist of known words. Before a box stands ordinary prose, so there the words
that turn its meaning are looked for, and the formula around it must end with a relation of equality.
"""

import re

_REACH = 300
_LEAD_WORDS = frozenset(
    [
        "so",
        "thus",
        "therefore",
        "hence",
        "then",
        "now",
        "and",
        "finally",
        "consequently",
        "accordingly",
        "ultimately",
        "overall",
        "clearly",
        "obviously",
        "indeed",
        "well",
        "okay",
        "ok",
        "the",
        "a",
        "my",
        "our",
        "this",
        "that",
        "which",
        "it",
        "it's",
        "that's",
        "is",
        "means",
        "mean",
        "gives",
        "give",
        "us",
        "we",
        "i",
        "we've",
        "get",
        "got",
        "find",
        "found",
        "conclude",
        "concluded",
        "see",
        "know",
        "have",
        "can",
        "say",
        "think",
        "believe",
        "obtain",
        "obtained",
        "determine",
        "determined",
        "derive",
        "compute",
        "computed",
        "final",
        "correct",
        "right",
        "best",
        "most",
        "likely",
        "probable",
        "appropriate",
        "plausible",
        "suitable",
        "accurate",
        "numeric",
        "numerical",
        "exact",
        "required",
        "desired",
        "simplified",
        "complete",
        "total",
        "resulting",
        "actual",
        "closest",
        "possible",
        "reasonable",
        "logical",
        "sensible",
        "expected",
        "in",
        "conclusion",
        "summary",
        "to",
        "follows",
        "confident",
        "am",
        "here",
        "as",
        "result",
        "all",
        "short",
        "together",
        "putting",
        "above",
        "step",
        "by",
        "boxed",
        "answer's",
        "implies",
        "leads",
        "us",
        "yields",
        "summarize",
        "sum",
        "up",
        "letter",
        "option",
        "choice",
        "single",
        "unique",
        "shows",
        "makes",
        "these",
        "steps",
    ]
)
_CLAUSE_START = re.compile(
    r"""[.,;:!?\n—–()]\s*(?=\S)|\b(?:so|therefore|thus|hence|then|because)\b|(?<=\w)\s-+\s""", re.IGNORECASE
)
_SENTENCE_START = re.compile(r"[.!?](?:[\s*_\"']|$)|\n|;")
_MARKUP = str.maketrans(dict.fromkeys('*_#>`$"“”‘[]{}|~=\\', " "))
_ASSUMED = re.compile(
    r"\s*(?:(?:but|and|so|now|then)\s+)?(?:if|unless|suppose|supposing|assume|assuming|imagine|had|were|whether|when)\b",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r"\b(?:says|said|claims?|claimed|thinks|thought|believes|believed|guess(?:es|ed)?|wrote|writes|told|suggests?|suggested"
    r"|argues?|argued|insists?|insisted|asks?|asked|wonders?|wondered|pretends?|pretended)\b",
    re.IGNORECASE,
)
_NOT_TRUE = re.compile(
    r"(?:\b(?:not|never|cannot|no|nobody|hardly|wrong|doubt\w*|den(?:y|ies|ied)|false|incorrect|untrue|impossible)\b|n['’]t\b)"
    r"[^.;]{0,40}\b(?:think|believe|say|that|true|sure|certain|case|know|mean|conclude)\b",
    re.IGNORECASE,
)


def _sentence_before(text: str, start: int) -> str:
    """Return what precedes ``start`` in its sentence."""
    reach = text[max(0, start - _REACH) : start]
    ends = 0
    for end in _SENTENCE_START.finditer(reach):
        ends = end.end()
    return reach[ends:]


def doubt_about_lead(text: str, start: int) -> str:
    """Return why ``answer is X``, whose first word begins at ``start``, may not be meant; empty if it is."""
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


_DELIMITERS = re.compile(
    r"(?:[\s$&]|\\[(\[,;: ]|\\(?:left|displaystyle|quad|qquad|large|Large|bf|color\{\w+\}|begin\{\w+\*?\})(?![a-z])"
    r"|(?<=[\s*$])[*_]+|^[*_>\-]+)+$"
)
_BEFORE_BOX = re.compile(
    r"(?:^|[\w.,:;!?)\"'%]|(?<![<>!≠≤≥~])=|==|→|⇒|⟹|∴|\\(?:implies|Rightarrow|rightarrow|to|therefore|Longrightarrow|boxed)|\\\\"
    r"|\\text\{[^{}]*\}|\*\*|(?<=\s)[-–—])$"
)
_OPERATOR = re.compile(
    r"(?:[-+*/^_<>≠≤≥±×÷·%!]|\\(?:cdot|times|div|ne|neq|le|leq|ge|geq|lt|gt|pm|mp|sqrt|frac|not))$"
)
_LINK = re.compile(
    r"\b(?:is|are|was|were|be|being|equals?|gets?|gives?|given|has|have|had|finds?|yields?|makes?|obtain(?:s|ed)?|needs?|costs?|total(?:s|ing)?)\b"
    r"|(?:is|are|was|were)n['’]t\b|[=:→⇒]|≈|\\(?:approx|sim)\b",
    re.IGNORECASE,
)
_NEGATED_LINK = re.compile(
    r"(?:\b(?:not|never|cannot|can\s?not|could|might|may|would|should)\b|n['’]t)\s*(?:\w+\s){0,2}$",
    re.IGNORECASE,
)
_TURNING = re.compile(
    r"""\b(?:not|never|neither|nor|no|none|hardly|barely|almost|nearly|roughly\ half|half|third|quarter|twice|thrice|double|triple
    |than|least|most|up\ to|between|beyond|under|over|above|below|minus|plus|times|negative\ of|square|squared|cube|root|reciprocal
    |inverse|opposite|negation|multiple|factor|either|or|anything\ but|but|except|instead|other|rather|far|unless|if|whether|maybe
    |perhaps|possibly|wrong|incorrect|false|before|after|less|more|fewer|greater|smaller|larger|divided|multiplied|increased
    |decreased|percent|dozen|pairs?|million|thousand|hundred)\b|n['’]t\b|[<>≠≤≥]""",
    re.IGNORECASE | re.VERBOSE,
)


def doubt_about_box(text: str, start: int) -> str:
    """Return why a box (or a number in no declaration) at ``start`` may not be the answer; empty if it may."""
    before = text[max(0, start - _REACH) : start]
    near = _DELIMITERS.sub("", before)
    if near and not near.endswith("\n") and _in_a_formula(before, near):
        return "the declared answer is a part of a larger formula"
    sentence = _sentence_before(text, start)
    if _REPORTED.search(sentence):
        return "the declared answer is reported, not concluded"
    if _NOT_TRUE.search(sentence):
        return "the declared answer is denied"
    clause = sentence
    for boundary in _CLAUSE_START.finditer(sentence):
        clause = sentence[boundary.end() :] if sentence[boundary.end() :].strip(" $\\(*") else clause
    links = list(_LINK.finditer(clause))
    if not links:
        return "the declared answer is compared or denied" if _TURNING.search(clause) else ""
    link = links[-1]
    denied = "n't" in link[0].replace("’", "'") or _NEGATED_LINK.search(clause[: link.start()])
    if denied or _TURNING.search(clause[link.end() :]):
        return "the declared answer is compared or denied"
    return ""


def _in_a_formula(before: str, near: str) -> bool:
    """Return whether what stands right before a box is an operator, a relation of inequality, or a factor."""
    if _OPERATOR.search(near):
        bullet = near[-1] in "-*+" and near[:-1].rsplit("\n", 1)[-1].strip() == ""
        return not (bullet or near.endswith("**"))
    if near[-1] == "{":
        return not re.search(
            r"\\(?:text|mathbf|textbf|mathrm|underline|color\{\w+\})\{$|(?<![\w}^_])\{$", near
        )
    return not _BEFORE_BOX.search(near) or (near[-1].isdigit() and before[-1:] in "$( {")
