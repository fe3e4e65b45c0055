"""What a block still wants: another process or none, and how many rounds of it."""

from __future__ import annotations

from shufflenet_deploy.bench.analysis.estimates import is_known
from shufflenet_deploy.bench.paper.claims import Paper
from shufflenet_deploy.bench.results import Block, Results, Timed


def present(results: Results, block: Block) -> list[int]:
    """The models of `block` that fit the device's memory."""
    return [member for member in block.members if not results.models[member].skipped]


def is_open(results: Results, block: Block, paper: Paper, patient: bool = True) -> bool:
    """Whether `block` wants another process; if not `patient`, only up to the least number."""
    parameters = results.parameters
    if block.skipped or not present(results, block):
        return False
    done = sum(run.block == block.id for run in results.runs)
    if not results.target.latency:
        return not done  # what is checked once is checked
    if not _rounds_left(results, block) or done >= parameters.max_processes:
        return False
    minimum = parameters.processes
    if not patient:
        minimum = min(minimum, parameters.hasty_processes)
    return done < minimum or (patient and not is_known(results, block, paper))


def next_rounds(results: Results, block: Block) -> int:
    """How many rounds the next process of `block` may do.

    Few rounds in all are shared by its processes: only the spread between those is an interval.
    """
    parameters = results.parameters
    share = max(parameters.rounds // parameters.processes, 1)
    return min(parameters.rounds_per_process, share, _rounds_left(results, block))


def _rounds_left(results: Results, block: Block) -> int:
    done = sum(
        max((len(model.bursts) for model in run.models), default=0)
        for run in results.runs
        if isinstance(run, Timed) and run.block == block.id
    )
    return max(results.parameters.rounds - done, 0)
