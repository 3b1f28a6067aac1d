"""ARC-Challenge: school science questions with three to five options, labelled A to E or 1 to 5."""

from typing import Literal

from adastar_core.problems.choices import read_choices
from adastar_core.problems.few_shot import Benchmark
from adastar_core.problems.prompts import Exemplar
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource
from adastar_core.records import Observation


class ARCChallengeSettings(DataSettings):
    """ARC-Challenge, from a file or folder or from the hub."""

    type: Literal["arc_challenge"] = "arc_challenge"


def read(row: Row) -> Observation:
    choices = read_choices(row, "choices")
    return Observation(row.text("id"), row.text("question"), row.text("answerKey"), choices)


EXEMPLARS = Exemplar.all_of(
    """
A metal spoon and a wooden spoon stand in a pot of hot soup. After two minutes the handle of the metal \
spoon is much hotter than that of the wooden one. Which property explains the difference? | density | color \
| thermal conductivity | magnetism
A: Heat travels from the soup through each spoon to its handle. Metal passes heat on much better than wood \
does, and how well a material passes heat on is its thermal conductivity. Density, color and magnetism do \
not decide how fast a handle warms up. #### C

Which change would most likely reduce the number of rabbits in a meadow? | Foxes move into the meadow. | \
More grass grows in the meadow. | Hawks leave the meadow. | Rain fills a dry pond.
A: Rabbits become fewer when more of them die or fewer are born. Foxes hunt rabbits, so more rabbits would \
be eaten. More grass, fewer hawks and more water would all help rabbits instead. #### A

What causes day and night on Earth? | the tilt of Earth's axis | the orbit of the Moon | the orbit of Earth \
around the Sun | the rotation of Earth on its axis
A: Day and night follow each other every 24 hours, so their cause must repeat every 24 hours. Earth turns \
once on its axis in that time, which carries each place into sunlight and out of it. The orbits take a \
month or a year, and the tilt causes seasons. #### D

Which of these is a chemical change? | Ice melts. | Iron rusts. | Sugar dissolves in tea. | A glass breaks.
A: In a chemical change a new substance forms. When iron rusts, it combines with oxygen into iron oxide, \
which is a new substance. Melted ice is still water, dissolved sugar is still sugar, and broken glass is \
still glass. #### B

A cyclist stops pedaling on a flat road and slows down. Which force mainly slows the bicycle? | magnetism | \
buoyancy | nuclear force | friction
A: The force must act against the motion of the wheels along the road. Friction in the tires and the axles, \
with the drag of the air, acts against the motion. Magnetism, buoyancy and nuclear forces do not oppose a \
bicycle on a road. #### D

Which part of a plant cell captures the energy of sunlight? | nucleus | chloroplast | mitochondrion | cell \
wall
A: Plants capture sunlight in photosynthesis, which needs chlorophyll. Chlorophyll is found in the \
chloroplasts. The nucleus holds genetic information, mitochondria release energy from sugar, and the cell \
wall gives support. #### B
"""
)

_HUB = HubSource("allenai/ai2_arc", "ARC-Challenge")
BENCHMARK = Benchmark("arc_challenge", read, "choice", EXEMPLARS, _HUB)
