"""CLadder: yes-or-no questions about cause and effect in small made-up worlds."""

from typing import Literal

from adastar_core.problems.few_shot import Benchmark
from adastar_core.problems.prompts import Exemplar
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource
from adastar_core.records import Observation, Split

_WORLD = (
    "Imagine a self-contained, hypothetical world with only the following conditions, and without any unmentioned factors or causal "
    "relationships: "
)


class CLadderSettings(DataSettings):
    """CLadder, from a file or folder or from the hub."""

    type: Literal["cladder"] = "cladder"


def read(row: Row) -> Observation:
    """Return a row's observation: the hub's ``prompt`` and ``label``, or the authors' ``question`` and ``answer``.

    Its difficulty is the rung of the ladder of causation: association, intervention, counterfactual.
    """
    fields = ("prompt",) if row.has("prompt") else ("background", "given_info", "question")
    rung = f"rung {row.text('rung')}" if row.has("rung") else None
    return Observation(
        row.first("id", "question_id"),
        " ".join(row.text(field) for field in fields if row.has(field)) or row.text("question"),
        row.first("label", "answer").lower(),
        difficulty=rung,
    )


EXEMPLARS = Exemplar.all_of(
    f"""
{_WORLD}Watering has a direct effect on growth. The overall probability of watering is 60%. For plants that \
are not watered, the probability of growth is 30%. For plants that are watered, the probability of growth \
is 80%. Is growth more likely than no growth overall?
A: Let X = watering; Y = growth.\nX->Y\nP(Y=1) = P(Y=1|X=1)*P(X=1) + P(Y=1|X=0)*P(X=0)\n0.80*0.60 + \
0.30*0.40 = 0.60\n0.60 > 0.50\nGrowth is more likely than not. #### yes

{_WORLD}Age has a direct effect on exercise and health. Exercise has a direct effect on health. The overall \
probability of old age is 50%. For young people who do not exercise, the probability of good health is 60%. \
For young people who exercise, the probability of good health is 80%. For old people who do not exercise, \
the probability of good health is 30%. For old people who exercise, the probability of good health is 40%. \
Will exercise decrease the chance of good health?
A: Let V = age; X = exercise; Y = health.\nV->X,V->Y,X->Y\nE[Y|do(X=1)] - E[Y|do(X=0)]\nsum_v \
P(V=v)*[P(Y=1|V=v,X=1) - P(Y=1|V=v,X=0)]\n0.50*(0.80 - 0.60) + 0.50*(0.40 - 0.30) = 0.15\n0.15 > \
0\nExercise increases the chance of good health. #### no

{_WORLD}Altitude has a direct effect on rainfall and harvest. Rainfall has a direct effect on harvest. \
Method 1: We look at how rainfall correlates with harvest case by case according to altitude. Method 2: We \
look directly at how rainfall correlates with harvest in general. To understand how rainfall affects \
harvest, is it more correct to use the Method 1 than Method 2?
A: Let V = altitude; X = rainfall; Y = harvest.\nV->X,V->Y,X->Y\nThe path X<-V->Y runs through the common \
cause V and is not causal.\nLooking case by case according to V closes it, which Method 1 does. #### yes

{_WORLD}Talent has a direct effect on fame. Luck has a direct effect on fame. Suppose that among famous \
people, talent and luck are negatively correlated. Does it mean that talent affects luck?
A: Let X = talent; V = luck; Y = fame.\nX->Y,V->Y\nX and V share no cause and neither affects the \
other.\nLooking at famous people alone fixes their common effect Y, and that makes independent causes \
correlate. #### no

{_WORLD}Burglary has a direct effect on the alarm. The overall probability of burglary is 20%. For houses \
without burglary, the probability of the alarm ringing is 10%. For houses with burglary, the probability of \
the alarm ringing is 70%. Given that the alarm rings, is burglary less likely than no burglary?
A: Let X = burglary; Y = alarm.\nX->Y\nP(X=1|Y=1) = P(Y=1|X=1)*P(X=1) / P(Y=1)\nP(Y=1) = 0.70*0.20 + \
0.10*0.80 = 0.22\n0.14/0.22 = 0.64\n0.64 > 0.50\nBurglary is more likely than not. #### no

{_WORLD}The button has a direct effect on the bell and the siren. The bell has a direct effect on the dog \
waking up. The siren has a direct effect on the dog waking up. We know that pressing the button makes the \
bell ring and the siren sound, that without it both are silent, and that the bell or the siren wakes the \
dog up. Would the dog stay asleep if the button were not pressed?
A: Let X = button; V2 = bell; V3 = siren; Y = dog wakes up.\nX->V2,X->V3,V2->Y,V3->Y\nV2 = X, V3 = X, Y = \
V2 or V3\nSet X = 0: V2 = 0, V3 = 0, Y = 0 or 0 = 0\nThe dog does not wake up. #### yes

{_WORLD}Fertilizer has a direct effect on algae. Algae have a direct effect on clear water. For lakes \
without fertilizer, the probability of algae is 20%. For lakes with fertilizer, the probability of algae is \
70%. For lakes without algae, the probability of clear water is 90%. For lakes with algae, the probability \
of clear water is 40%. Will fertilizer decrease the chance of clear water?
A: Let X = fertilizer; V = algae; Y = clear water.\nX->V,V->Y\nE[Y|do(X=1)] - E[Y|do(X=0)]\n[P(V=1|X=1) - \
P(V=1|X=0)]*[P(Y=1|V=1) - P(Y=1|V=0)]\n(0.70 - 0.20)*(0.40 - 0.90) = -0.25\n-0.25 < 0\nFertilizer decreases \
the chance of clear water. #### yes

{_WORLD}Reading has a direct effect on sleep. For people who do not read, the probability of good sleep is \
45%. For people who read, the probability of good sleep is 35%. Is the chance of good sleep larger when \
observing reading?
A: Let X = reading; Y = sleep.\nX->Y\nP(Y=1|X=1) - P(Y=1|X=0)\n0.35 - 0.45 = -0.10\n-0.10 < 0\nThe chance \
of good sleep is smaller. #### no
"""
)

_HUB = HubSource("causal-nlp/CLadder", None, ((Split.TRAIN, "full_v1.5_default"),))
BENCHMARK = Benchmark("cladder", read, "yes_no", EXEMPLARS, _HUB)
