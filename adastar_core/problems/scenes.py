"""The wordings of :mod:`adastar_core.problems.stories`: what a story is about, and how its number of things changes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scene:
    """What a story is about. Its texts have the fields ``{name}`` and ``{n}``.

    Attributes:
        opening: Says how many there are at first.
        more: Ways in which ``{n}`` are added.
        fewer: Ways in which ``{n}`` are taken away.
        times: How they become ``{n}`` times as many; empty where they cannot.
        asked: Asks how many there are in the end.
    """

    opening: str
    more: tuple[str, ...]
    fewer: tuple[str, ...]
    times: str
    asked: str

    @classmethod
    def all_of(cls, text: str) -> "tuple[Scene, ...]":
        """Return the scenes of a text, a paragraph each, whose lines begin with what they are."""
        found = []
        for paragraph in text.strip().split("\n\n"):
            said: dict[str, list[str]] = {"opening": [], "more": [], "fewer": [], "times": [], "asked": []}
            for line in paragraph.splitlines():
                kind, _, wording = line.partition(": ")
                said[kind].append(wording)
            times = "".join(said["times"])
            found.append(
                cls(said["opening"][0], tuple(said["more"]), tuple(said["fewer"]), times, said["asked"][0])
            )
        return tuple(found)


NAMES = (
    "Ada", "Ben", "Carla", "Dmitri", "Elif", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kemal", "Lucia", "Maya", "Noor",
    "Oskar", "Priya", "Quentin", "Rosa", "Samir", "Tara", "Umar", "Vera", "Wanda", "Yusuf",
)  # fmt: skip

KNOWN = Scene.all_of(
    """
opening: {name} has {n} stickers in an album.
more: A cousin gives {name} {n} more stickers.
more: {name} finds another {n} stickers in a drawer.
fewer: {name} trades {n} of the stickers for a comic.
fewer: Then {n} stickers fall out of the album and are lost.
times: Over the summer the album grows to {n} times as many stickers.
asked: How many stickers does {name} have now?

opening: A bus leaves the station with {n} passengers.
more: At the hospital {n} people get on.
more: Then {n} pupils get on at the school.
fewer: At the market {n} people get off.
fewer: At the next stop {n} passengers leave the bus.
asked: How many passengers are on the bus now?

opening: {name} has saved {n} dollars.
more: An aunt sends {name} {n} dollars.
more: {name} earns {n} dollars by washing cars.
fewer: {name} spends {n} dollars on a jacket.
fewer: A bicycle repair costs {name} {n} dollars.
times: A year later the savings have become {n} times as much.
asked: How many dollars does {name} have in the end?

opening: A shelf in the library holds {n} books.
more: The librarian adds {n} new books.
more: Readers bring back {n} books, which go on this shelf.
fewer: Readers borrow {n} books from it.
fewer: {name} takes {n} worn books off the shelf.
times: When the shelf is rebuilt, it is filled with {n} times as many books.
asked: How many books are on the shelf now?

opening: {name} picks {n} apples in the morning.
more: In the afternoon {name} picks {n} more.
more: A neighbour leaves {n} apples at the door.
fewer: The family eats {n} of the apples.
fewer: {name} sells {n} apples at the gate.
times: The next week the harvest is {n} times what {name} has left.
asked: How many apples is that?

opening: A bakery has {n} rolls ready at six in the morning.
more: The baker takes {n} more rolls out of the oven.
more: At eight another {n} rolls are baked.
fewer: Customers buy {n} rolls.
fewer: A hotel fetches {n} rolls.
times: For the festival the baker makes the number of rolls {n} times as large.
asked: How many rolls does the bakery have then?

opening: There are {n} fish in a pond.
more: A farmer puts {n} young fish into it.
more: After the flood {n} more fish live there.
fewer: A heron catches {n} of them.
fewer: {name} moves {n} fish to another pond.
times: By the next spring there are {n} times as many fish.
asked: How many fish are in the pond now?

opening: {n} boxes stand in a warehouse.
more: A truck brings {n} boxes.
more: {name} carries in {n} boxes from the yard.
fewer: The workers ship {n} boxes.
fewer: {n} damaged boxes are thrown away.
times: Before the holidays the stock is raised to {n} times as many boxes.
asked: How many boxes stand there now?

opening: {name}'s hens have laid {n} eggs.
more: The next day there are {n} more eggs.
more: A friend adds {n} eggs from another farm.
fewer: {name} uses {n} eggs for cakes.
fewer: A fox steals {n} eggs.
times: With new hens {name} gets {n} times as many eggs.
asked: How many eggs does {name} have?
"""
)
"""Scenes of every split."""

UNSEEN = Scene.all_of(
    """
opening: {name} keeps {n} photos on a phone.
more: On a trip {name} takes {n} more photos.
more: Friends send {name} {n} photos.
fewer: {name} deletes {n} blurred photos.
fewer: {name} moves {n} photos to a computer.
times: After the wedding there are {n} times as many photos.
asked: How many photos are on the phone now?

opening: A museum counts {n} visitors by noon.
more: After lunch {n} more people come in.
more: Two school classes with {n} children arrive.
fewer: {n} visitors go home early.
fewer: {n} people leave because of the rain.
times: In the evening the museum holds {n} times as many visitors.
asked: How many visitors are in the museum now?

opening: {name} has strung {n} beads on a necklace.
more: {name} adds {n} glass beads.
more: A sister gives {name} {n} beads, which go on the necklace too.
fewer: The string breaks and {n} beads roll away.
fewer: {name} takes off {n} beads of the wrong colour.
times: A longer necklace has {n} times as many beads.
asked: How many beads does the necklace have?
"""
)
"""Scenes that no training question has: half of the test questions do, tagged ``new story``."""
