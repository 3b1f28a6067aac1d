"""Every method is a named set of the engine's own settings: order of visit, stop, attempts, cut-off, start, control.

A method fills in what a configuration leaves open, so ``method: rest-em`` with ``attempts: 32`` is ReST-EM with 32
attempts. Naming another method with ``--set method=...`` replaces the preset's values by the method's, and what follows
on the command line replaces those. Problem, model, schedule, decoding and optimizer belong to no method.

Sources: AdaSTaR (arXiv 2505.16322) sections 2, 4.1, 4.2 and appendix E, and the works that each method names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adastar_core.config.identity import flatten

MethodName = Literal[
    "adastar", "random-lazy", "sft", "sft-8cot", "sft-5sc", "star", "star-acc", "star-full", "star-acc-full",
    "star-acc-full-k", "rest-em", "b-star", "b-star-k", "adad", "adastar-no-win-rate", "adastar-flipped", "adastar-thin",
    "variance", "thompson", "mopps", "learnability", "learning-progress", "gps", "frontier", "band", "dart-uniform", "dart-prop2diff", "hs-star",
    "custom",
]  # fmt: skip
Values = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its title as the paper writes it, what it does in one sentence, and its nested settings."""

    title: str
    summary: str
    family: Literal["baseline", "adastar", "beyond"]
    """``adastar`` includes its ablations and its control; ``beyond`` is not in the paper."""
    settings: Values


_LAZY: Values = {
    "sampler": {"type": "adastar"},
    "rationales": "model",
    "cut_off": None,
    "schedule": {"visit": "until_beta", "train_on": "accepted"},
    "exploration": {"control": "fixed"},
    "trainer": {"start_from": "accumulate", "thin": 0.0},
    "evaluation": {"shots": 0, "samples": 1},
}


def merge(below: Values, above: Values) -> dict[str, object]:
    """Return both together; ``above`` wins. A group of another type replaces the group below it whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, str) and isinstance(old, Mapping) and "type" in old:
            value = {"type": value}
        merged[key] = value
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            same_type = value.get("type", old.get("type")) == old.get("type")
            merged[key] = merge(old, value) if same_type else value
    return merged


def _lazy(**changes: object) -> Values:
    return merge(_LAZY, changes)


def _full(train_on: str, start_from: str, **changes: object) -> Values:
    """Visit the whole pool in random order."""
    schedule: Values = {"visit": "all", "train_on": train_on}
    settings = _lazy(
        sampler={"type": "random"}, schedule=schedule, trainer={"start_from": start_from, "thin": 0.0}
    )
    return merge(settings, changes)


def _sft(**changes: object) -> Values:
    settings = _full("accepted", "accumulate", rationales="reference", attempts=1, rationalize=False)
    return merge(settings, changes)


OWN: MethodName = "custom"
"""The method of a user's own sampler: the only one that needs more than its name."""

_MANY: Values = {"attempt_mode": "independent", "rationalize": False}

METHODS: Mapping[str, Method] = {
    "adastar": Method("AdaSTaR", "Least recent, then least successful first; curriculum u = ⌊m α²⌋.", "adastar", _lazy(sampler={"type": "adastar", "power": 2.0, "win_rate": True})),
    "random-lazy": Method("Random order, lazy stop", "The control that the paper lacks: AdaSTaR's stop without its order.", "adastar", _lazy(sampler={"type": "random"})),
    "adad": Method("AdaD (no AdaC)", "AdaSTaR that stamps every visit.", "adastar", _lazy(sampler={"type": "adastar", "power": 0.0, "win_rate": True})),
    "adastar-no-win-rate": Method("AdaSTaR without win rate", "Least recent first only.", "adastar", _lazy(sampler={"type": "adastar", "power": 2.0, "win_rate": False})),
    "adastar-flipped": Method("AdaSTaR-PF", "Least successful, then least recent first.", "adastar", _lazy(sampler={"type": "flipped", "power": 2.0})),
    "sft": Method("SFT", "Fine-tuning on questions and reference answers, an epoch per iteration.", "baseline", _sft()),
    "sft-8cot": Method("SFT + 8-CoT", "SFT, evaluated with eight worked examples before the question.", "baseline", _sft(evaluation={"shots": 8, "samples": 1})),
    "sft-5sc": Method("SFT + 5-SC", "SFT, evaluated by the majority of five samples.", "baseline", _sft(evaluation={"shots": 0, "samples": 5})),
    "star": Method("STaR", "Full pass, beta_t of the accepted rationales at random, from the base model.", "baseline", _full("beta", "reset")),
    "star-acc": Method("STaR-Acc", "STaR that continues from the last checkpoint.", "baseline", _full("beta", "accumulate")),
    "star-full": Method("STaR-Full", "STaR on every accepted rationale.", "baseline", _full("accepted", "reset")),
    "star-acc-full": Method("STaR-Acc-Full", "STaR-Acc on every accepted rationale.", "baseline", _full("accepted", "accumulate")),
    "star-acc-full-k": Method("STaR-Acc-Full-K", "STaR-Acc-Full with five attempts and no hints.", "baseline", _full("accepted", "accumulate", attempts=5, **_MANY)),
    "rest-em": Method("ReST-EM", "Eleven attempts, three rationales per observation at most, from the base model (arXiv 2312.06585).", "baseline", _full("accepted", "reset", attempts=11, cut_off=3, **_MANY)),
    "b-star": Method("B-STaR", "Five attempts at the temperature of the best balance score, outcome verification (arXiv 2412.17256).", "baseline", _full("accepted", "accumulate", attempts=5, exploration={"control": "temperature"}, **_MANY)),
    "b-star-k": Method("B-STaR, K chosen too", "B-STaR whose balance score chooses K as well: our own variant.", "beyond", _full("accepted", "accumulate", attempts=5, exploration={"control": "balance"}, **_MANY)),
    "adastar-thin": Method("AdaSTaR, thinned", "AdaSTaR that trains on a tenth of the near-certain rationales: our own.", "beyond", _lazy(sampler={"type": "adastar", "power": 2.0, "win_rate": True}, trainer={"start_from": "accumulate", "thin": 0.9})),
    "variance": Method("p(1−p) with retest", "Least certain first; solved and failed ones are retested.", "beyond", _lazy(sampler={"type": "variance"})),
    "thompson": Method("Thompson sampling", "Nearest to a success rate of one half, drawn from Beta posteriors (arXiv 2507.04632).", "beyond", _lazy(sampler={"type": "thompson"})),
    "mopps": Method("MoPPS", "As Thompson sampling, where only an observation's own visits weaken its posterior (arXiv 2507.04632).", "beyond", _lazy(sampler={"type": "mopps"})),
    "learnability": Method("Learnability", "Highest p(1−p) over all attempts first, half of the places to the least recent (after arXiv 2408.15099).", "beyond", _lazy(sampler={"type": "learnability"})),
    "learning-progress": Method("Learning progress", "Largest change of the win rate first, a fifth of the places to the least recent (after arXiv 1707.00183).", "beyond", _lazy(sampler={"type": "learning-progress"})),
    "gps": Method("GPS", "Nearest to a success rate of one half, predicted from the question (after arXiv 2602.01970).", "beyond", _lazy(sampler={"type": "gps"})),
    "frontier": Method("Frontier", "More of what teaches more per compute, predicted from the question: our own.", "beyond", _lazy(sampler={"type": "frontier"})),
    "band": Method("Band filter", "Pass rates between 0.2 and 0.8 first.", "beyond", _lazy(sampler={"type": "band"})),
    "dart-uniform": Method("DART Uniform", "Attempts until each observation has the same number of right ones (arXiv 2407.13690).", "beyond", _lazy(sampler={"type": "dart", "target": "uniform"}, rationalize=False)),
    "dart-prop2diff": Method("DART Prop2Diff", "Right attempts wanted in proportion to the difficulty.", "beyond", _lazy(sampler={"type": "dart", "target": "prop2diff"}, rationalize=False)),
    "hs-star": Method("HS-STaR, accuracy only", "Observations between easy and hard get the attempts that the others leave of K each (arXiv 2505.19866).", "beyond", _lazy(sampler={"type": "boundary"}, rationalize=False)),
    OWN: Method("Own sampler", "The class that sampler.path names, on AdaSTaR's lazy loop.", "beyond", _lazy(sampler={"type": "custom"})),
}  # fmt: skip
"""Every method by its name in a configuration."""


def settings_of(name: object) -> Values:
    """Return a method's settings; nothing for a name that is none, which the configuration then refuses."""
    method = METHODS.get(name) if isinstance(name, str) else None
    return method.settings if method else {}


def decided() -> frozenset[str]:
    """Return the dotted keys that some method decides; those of the sampler come and go with its type."""
    keys = {key for method in METHODS.values() for key in flatten(dict(method.settings))}
    return frozenset(key for key in keys if not key.startswith("sampler."))
