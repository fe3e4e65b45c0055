"""Ask all boards at once whether they are there."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from shufflenet_deploy.bench.devices import kind_of
from shufflenet_deploy.bench.devices.board import Board, matches
from shufflenet_deploy.runtime.errors import BenchError


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking one board."""

    answers: bool
    says: str
    """What the board calls itself; where it does not answer, why, and what to do."""


def probe_all(boards: Sequence[Board]) -> dict[str, Probed]:
    """By the boards' names, in their order. None waits for another that is switched off."""
    with ThreadPoolExecutor(max_workers=max(len(boards), 1)) as threads:
        return dict(zip((board.name for board in boards), threads.map(_probe, boards), strict=True))


def _probe(board: Board) -> Probed:
    try:
        says = kind_of(board).probe(board)
    except BenchError as error:
        return Probed(answers=False, says=str(error))
    if matches(board, says) is False:
        return Probed(
            answers=True, says=f"it calls itself {says!r}, which is no {board.title}: --any-board"
        )
    return Probed(answers=True, says=says)
