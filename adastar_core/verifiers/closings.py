"""What may follow a declared answer without speaking about it: a closed list.

Anything else, be it a retraction, another answer or a reason that turns the meaning, leaves the verdict undecided.
"""

import re
from collections.abc import Callable

Harmless = Callable[[str], bool | None]
"""What a verifier knows of a sentence after the answer: true where it agrees, as "The other options are wrong." does, false
where it names another answer, and nothing otherwise."""

_SILENT = re.compile(
    r"(?:[\s*_#>`$|~.,;:!?\"'’”()\[\]{}=\-—–✅✓✔🎉☑️∎■□◻️👍😊🙂]|\\[\[\]()}.,;! ]|\\(?:blacksquare|square|qed|end\{\w+\*?\})"
    r"|</?(?:answer|s|b|i|em|strong|p|div|span|br|response|solution|final|final_answer|output)\s*/?>|<\|[^|<>]{1,30}\|>|```\w*)*"
)
_END = re.compile(r"(?<=[.!?])[\s*_\"')\]]+|\n+")
_CLOSING = re.compile(
    r"""(?:
    (?:i\ )?(?:really\ |sincerely\ )?hope\ (?:this|that|it|you)\b[^\d\n]*
    |(?:please\ )?(?:let\ me\ know|feel\ free|do\ not\ hesitate|don't\ hesitate)\b[^\d\n]*
    |(?:please\ )?(?:ask|reach\ out|tell\ me)\ (?:if|when|for|me)\b[^\d\n]*
    |if\ (?:you|there)\ (?:have|need|want|would|are|is|'d)\b[^\d\n]*(?:ask|let\ me\ know|help|questions?|tell\ me|assist\w*)[^\d\n]*
    |is\ there\ anything\ else\b[^\d\n]* | (?:do\ you\ have|any)\ (?:any\ )?(?:other\ |more\ |further\ )?questions?
    |(?:many\ )?thanks?(?:\ you)?\b[^\d\n]{0,40} | you(?:'re|\ are)\ welcome | (?:good\ luck|have\ a\ (?:nice|great|good)\ \w+|happy\ \w+|cheers|great\ (?:job|work)|well\ done)\b[^\d\n]{0,30}
    |(?:and\ |so\ |therefore,?\ |thus,?\ )?(?:this|that|it|which)\ is\ (?:the|our|my|your)\ (?:final\ |correct\ |right\ |required\ |desired\ )*(?:answer|result|solution)
    |is\ (?:the|our|my|your)\ (?:final\ |correct\ |right\ |required\ |desired\ )*(?:answer|result|solution|one)
    |(?:this|that|it|the\ answer|everything)\ (?:is\ (?:correct|right|final)|checks\ out)
    |(?:i'm|i\ am|we're|we\ are)\ (?:very\ |quite\ |fully\ |absolutely\ )*(?:confident|sure|certain|done|finished)\b[^\d\n]{0,40}
    |(?:confidence|certainty)(?:\ (?:level|score))?\s*(?::|is)?\s*(?:\d{1,3}(?:\.\d+)?\s?%?|high|medium|low|very\ high)
    |(?:as|exactly\ as)\ (?:required|desired|requested|asked|needed|expected|stated|shown\ above|before|above)
    |q\.?\s?e\.?\s?d | the\ end | end(?:\ of\ (?:the\ )?(?:answer|solution|response|proof|explanation))? | done | finished | stop
    |that(?:'s|\ is)\ (?:it|all|the\ end) | to\ (?:do|achieve|get|reach|make)\ (?:so|this|that|it) | problem\ solved | solved | conclusion | final\ answer | (?:in\ total|altogether|overall|total|in\ all)
    |(?:rounded\ )?to\ the\ nearest\ \w+ | \(?(?:rounded|exactly|approximately|in\ total|total)\)?
    )""",
    re.IGNORECASE | re.VERBOSE,
)
_CONTRASTS = re.compile(
    r"\b(?:but|however|although|though|yet|wrong|incorrect|false|actually|wait|rather|instead|oops|nope|maybe|perhaps|mistake\w*)\b",
    re.IGNORECASE,
)
"""A closing with one of these speaks about the answer after all: "I hope this is right, but it may be six.\""""
_REASON = re.compile(
    r"(?:this\ is\ |that\ is\ |it\ is\ |and\ this\ is\ )?(?:because|since|due\ to|as(?!\ (?:well|opposed|long|far|if|soon|much|many|an?)\b)"
    r"|for\ (?:the\ reasons?|th(?:is|ese)\ reasons?|it|they|we|he|she|sure|certain))\b",
    re.IGNORECASE,
)
_EXPLANATION = re.compile(
    r"(?:\d\.\s*)?(?:(?:(?:short|brief|detailed|step[- ]by[- ]step)\ )?(?:explanation|reason(?:ing|s)?|rationale|justification|proof"
    r"|solution|verification|check|steps|note)(?:\s*(?:[:.*_\-–—]|$)|\ (?:of|for|behind)\ [\w ]{1,40}:)"
    r"|note\ that\b|here(?:'s|\ is)\ (?:why|how|the\ (?:explanation|reasoning))\b)",
    re.IGNORECASE,
)
_TURNS = re.compile(
    r"""\b(?:wait|actually|oops|sorry|correction|hmm+|however|but|although|though|unless|otherwise|instead|rather|except|maybe
    |perhaps|alternatively|or|if|whether|either|mistake\w*|scratch|recheck|reconsider\w*|rethink\w*|revis\w+|second\ thoughts?
    |on\ reflection|in\ fact|in\ reality|i\ mean|meant|should\ (?:have\ )?be(?:en)?|could\ (?:have\ )?be(?:en)?|would\ be|not\ sure
    |unsure|uncertain|guess\w*|no\s*[,:]|nope|typo|misread\w*|miscount\w*|error)\b
    |\b(?:this|that|it|which|answer|result|above|previous|former)\b[^.\n]{0,24}\b(?:wrong|incorrect|false|impossible|mistaken|untrue|bad
    |too\ (?:high|low|big|small|much|many|few|large))\b
    |\b(?:is|was|are)\s*(?:not|n['’]t)\s+(?:right|correct|true|the\ (?:right|correct|final)?\s?answer)\b""",
    re.IGNORECASE | re.VERBOSE,
)


def what_speaks(tail: str, harmless: Harmless | None = None) -> str:
    """Return the first sentence of what follows an answer that is not known to be harmless; empty if all of it is."""
    if is_silent(tail):
        return ""
    explained, first = False, True
    for sentence in _END.split(tail):
        if is_silent(sentence) or _closes(sentence):
            continue
        bare = _bare(sentence)
        heading = _EXPLANATION.match(bare)
        explained = explained or heading is not None
        reason = first and _REASON.match(bare) is not None
        said = (bare[heading.end() :] if heading else sentence).lstrip(" \t\n.,;:*_#>—–-")
        agrees = harmless(said) if harmless else None
        known = agrees or (agrees is None and (explained or reason))
        if not known or _TURNS.search(bare):
            return " ".join(sentence.split())[:80]
        first = False
    return ""


def without_closings(text: str) -> str:
    """Return the text without sentences such as "I hope this helps."."""
    return " ".join(sentence for sentence in _END.split(text) if not _closes(sentence))


def _closes(sentence: str) -> bool:
    bare = _bare(sentence)
    closing = _CLOSING.match(bare)
    return closing is not None and is_silent(bare[closing.end() :]) and not _CONTRASTS.search(bare)


def _bare(sentence: str) -> str:
    begins = _SILENT.match(sentence)
    return (sentence[begins.end() :] if begins else sentence).rstrip()


def is_silent(text: str) -> bool:
    """Return whether a text is white space, punctuation and markup alone."""
    return not text or _SILENT.fullmatch(text) is not None
