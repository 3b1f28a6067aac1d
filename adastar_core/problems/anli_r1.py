"""ANLI, round 1: does a passage entail a statement (0), leave it open (1), or contradict it (2)?"""

from typing import Literal

from adastar_core.problems.few_shot import Benchmark
from adastar_core.problems.prompts import Exemplar
from adastar_core.problems.rows import Row
from adastar_core.problems.settings import DataSettings
from adastar_core.problems.sources import HubSource
from adastar_core.records import Choice, Observation, Split

CLASSES = (Choice("0", "entailment"), Choice("1", "neutral"), Choice("2", "contradiction"))
_LETTERS = {"e": "0", "n": "1", "c": "2"}


class ANLIR1Settings(DataSettings):
    """ANLI round 1, from a file or folder or from the hub."""

    type: Literal["anli_r1"] = "anli_r1"


def read(row: Row) -> Observation:
    """Return a row's observation; the first release calls the premise ``context`` and its labels e, n and c."""
    label = row.text("label")
    question = f"{row.first('premise', 'context')} {row.text('hypothesis')}"
    return Observation(row.text("uid"), question, _LETTERS.get(label, label), CLASSES)


EXEMPLARS = Exemplar.all_of(
    """
The Arden Bridge was opened in 1931 and carries a road and a railway across the valley. Trains can cross \
the valley on the Arden Bridge.
A: The passage says that the bridge carries a railway across the valley. A railway is what trains run on, \
so trains can cross there. The statement follows from the passage. #### 0

Maria Holt won the regional swimming title three times before she retired at the age of 26. Maria Holt \
never won a title.
A: The passage says that she won a title three times. The statement says that she never won one. Both \
cannot be true. #### 2

The new wing of the museum holds forty paintings by local artists and is open on weekdays. Most visitors \
come to the museum to see the new wing.
A: The passage says what the new wing holds and when it is open. It says nothing about why visitors come. \
The statement may be true or false. #### 1

The film was shot in Lisbon in the summer of 2004 and released in March 2005. The film came out in the year \
after it was shot.
A: The film was shot in 2004 and released in 2005, and 2005 is the year after 2004. The statement follows \
from the passage. #### 0

Dario Kent is a chef who grew up in Naples and now runs a restaurant in Oslo. The restaurant of Dario Kent \
serves Italian food.
A: The passage says where he grew up and where his restaurant is. A chef from Naples may cook Italian food, \
but he may also cook something else, and the passage does not tell. #### 1

Lake Orrin lies at 1,900 metres and is covered by thick ice from November until April. In January one can \
see the open water of Lake Orrin.
A: January lies between November and April, when thick ice covers the lake. Then there is no open water to \
see, which is the opposite of the statement. #### 2

The Harbour Eight is a rowing race that is held every year. The race of 2010 was won by the team from Kiel. \
The team from Kiel lost the race of 2009.
A: The passage tells who won in 2010. It does not tell who won in 2009, so Kiel may have won or lost then. \
#### 1

The album has twelve songs, all but two of which were written by the drummer of the band. The drummer wrote \
ten songs of the album.
A: All but two of twelve songs are ten songs, and the drummer wrote these. The statement follows from the \
passage. #### 0
""",
    CLASSES,
)

_SPLITS = ((Split.TRAIN, "train_r1"), (Split.VALIDATION, "dev_r1"), (Split.TEST, "test_r1"))
BENCHMARK = Benchmark("anli_r1", read, "label", EXEMPLARS, HubSource("facebook/anli", None, _SPLITS))
