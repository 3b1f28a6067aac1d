"""The bookkeeping of the authors' code, transcribed from what it does, as an oracle for ``tiebreak: official``.

One process, no hints: a heap of (iteration, win / total, id); every iteration pops a copy of it in order, tries each
observation until it succeeds or has had its attempts, and stops once enough are right. Then the first
``round(m * alpha ** 2)`` are popped from the heap itself and pushed back with new numbers.
"""

import copy
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Official:
    """Statistics and heap, under the string ids by which the heap breaks ties."""

    ids: list[str]
    heap: list[tuple[int, float, str]] = field(default_factory=list)
    win_lose: dict[str, dict[str, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.ids:
            self.win_lose[name] = {"iter": 0, "win": 0, "total": 0}
            heapq.heappush(self.heap, (0, 0, name))

    def iterate(
        self, iteration: int, required: int, attempts: int, right: Callable[[str, int], bool]
    ) -> tuple[list[str], list[str]]:
        """Run one iteration; return the ids visited and those whose numbers were updated, in order."""
        queue = copy.deepcopy(self.heap)
        visited: list[str] = []
        seen: dict[str, tuple[int, int]] = {}
        correct = 0
        while queue and correct < required:
            name = heapq.heappop(queue)[2]
            visited.append(name)
            win = total = 0
            while total < attempts and not win:
                total += 1
                win = int(right(name, total))
            seen[name] = (win, total)
            correct += win
        alpha = correct / len(visited)
        updated = []
        for _ in range(round(len(visited) * alpha**2)):
            name = heapq.heappop(self.heap)[2]
            win, total = seen[name]
            self.win_lose[name] = {"iter": iteration, "win": win, "total": total}
            heapq.heappush(self.heap, (iteration, win / total, name))
            updated.append(name)
        return visited, updated
