"""CommonsenseQA: everyday questions with five options, labelled A to E."""

from typing import Literal

from adastar_core.problems.choices import read_choices
from adastar_core.problems.few_shot import Benchmark
from adastar_core.problems.prompts import Exemplar
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource
from adastar_core.records import Observation, Split


class CommonsenseQASettings(DataSettings):
    """CommonsenseQA, from a file or folder or from the hub."""

    type: Literal["commonsense_qa"] = "commonsense_qa"


def read(row: Row) -> Observation:
    """Return a row's observation: the authors' nested schema, or the hub's flat one."""
    nested = isinstance(row.value("question"), dict)
    question = row.text("question.stem" if nested else "question")
    choices = read_choices(row, "question.choices" if nested else "choices")
    return Observation(row.text("id"), question, row.text("answerKey"), choices)


EXEMPLARS = Exemplar.all_of(
    """
Where might you leave a spare key so that a neighbor can let himself in? | ocean | under the doormat | bank \
vault | lock | piano
A: The neighbor has to reach the key without you, so it must lie near the door. Under the doormat is near \
the door and out of sight. A bank vault or an ocean is out of reach, and a key left in the lock would let \
in anyone. #### B

What does a person usually want after working all day without a break? | argue | commute | run faster | \
hire | rest
A: Working all day makes a person tired. Someone who is tired wants to recover, which means to rest. \
Arguing, commuting, running and hiring all take more effort. #### E

What do you need to read a book in a dark room? | lamp | curtain | pillow | shelf | ink
A: Reading needs light, and a dark room has none. A lamp gives light. A curtain takes light away, and a \
pillow, a shelf and ink give none. #### A

Where do passengers wait together just before their flight? | cockpit | runway | hangar | departure gate | \
control tower
A: Passengers board from the departure gate, so that is where they wait. The cockpit and the control tower \
are for staff, and people do not wait on a runway or in a hangar. #### D

If a child is thirsty, what will the child most likely ask for? | sandwich | blanket | water | toy | story
A: Thirst is the need to drink. Of the options only water is something to drink. A sandwich helps against \
hunger, and the others are no food at all. #### C

The gardener wanted her seedlings to grow, so what did she do each morning? | cut them down | water them | \
paint them | sell the pots | sweep the path
A: Seedlings need water and light to grow. Watering them each morning gives them what they need. Cutting or \
painting them would harm them, and selling pots or sweeping does not help them. #### B

What would you use to fasten two sheets of paper to each other? | scissors | ruler | eraser | envelope | \
stapler
A: To fasten sheets something must go through them or around them and hold. A stapler drives a staple \
through both. Scissors cut, a ruler measures, an eraser removes, and sheets in an envelope stay loose. #### \
E
"""
)

# The hub's test split has no answers, so its validation split is tested on and validation is carved from train.
_HUB = HubSource("tau/commonsense_qa", None, ((Split.TRAIN, "train"), (Split.TEST, "validation")))
BENCHMARK = Benchmark("commonsense_qa", read, "choice", EXEMPLARS, _HUB)
