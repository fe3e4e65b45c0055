"""Which of all that a file holds are the weights of a network that is known here.

Trainers wrap a state dict in others, put names before its keys or into them, and save averages or
a teacher beside. What counts is behind which of these names a convention stands complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from shufflenet_deploy.models.weights.conventions import (
    CONVENTIONS,
    Convention,
    keys,
)
from shufflenet_deploy.models.weights.exact import computed
from shufflenet_deploy.models.weights.reading import Placeholder, state_dict_of
from shufflenet_deploy.runtime.errors import ModelsError

MOST_CONTAINERS = 20_000
"""How many dicts and lists of a file are looked into."""

MOST_KEYS = 5000
"""In state dicts of more keys names are not looked for in the middle of them."""

_AVERAGES = ("ema", "averaged", "average", "swa")
"""Parts of names that averaged weights have, which trainers evaluate and so should be taken."""
_OTHERS = ("teacher", "momentum", "target", "encoder_k")
"""Those of networks beside the one that was trained."""

_COUNTERS = (
    "fake_quant_enabled", "max_val", "min_val", "n_averaged", "observer_enabled", "scale",
    "total_ops", "total_params", "zero_point",
)  # fmt: skip
"""Last parts of keys of what tools count and observe in a network."""

WHOLE = 0.97
"""The share of a convention's keys from which on a file is taken for a whole network."""

_SAVED_WHOLE = "a network that was saved whole: its tensors alone are taken"
_SHOWN = 5


@dataclass(frozen=True)
class Candidate:
    """Tensors of a file that are a network's."""

    place: str
    """Where they are: the names of wrappers and the prefix, with dots; empty for the whole file."""
    convention: Convention
    weights: dict[str, object]
    """By the convention's keys, and others that stood among them."""
    complete: float
    """The share of the convention's keys that are there."""
    notes: tuple[str, ...]
    """Lines on what was computed."""

    @property
    def rank(self) -> tuple[bool, int, float, int]:
        """The largest is taken: complete ones, averages, the trained network, those on top."""
        words = set(self.place.replace(".", "_").lower().split("_"))
        other = not words.isdisjoint(_OTHERS) or any(name in self.place for name in _OTHERS)
        kind = 2 if not words.isdisjoint(_AVERAGES) else 0 if other else 1
        depth = self.place.count(".") + bool(self.place)
        return (self.is_whole, kind if self.is_whole else 0, self.complete, -depth)

    @property
    def is_whole(self) -> bool:
        """Whether no more is missing than a classifier of another name."""
        return self.complete > WHOLE


@dataclass(frozen=True)
class Found:
    """The weights that were taken, and what to tell of them."""

    convention: Convention
    weights: dict[str, object]
    remarks: tuple[str, ...]


def find(content: object, key: str | None = None) -> Found | None:
    """The weights in `content`; None where no convention's are there.

    Of several candidates those at the place `key`, else averages before others. Raises
    `ModelsError` where there are none at `key`.
    """
    states = list(_states(content))
    candidates = [found for state in states for found in _candidates(*state)]
    if not candidates:
        return None
    best = max(candidates, key=lambda candidate: candidate.rank)
    if key is not None:
        best = _at(key, candidates)
    others = [one.place for one in candidates if one is not best and one.is_whole]
    return Found(best.convention, best.weights, tuple(_remarks(best, others, content)))


def tensors_of(content: object) -> dict[str, object]:
    """The state dict with the most tensors, where no convention was found in any."""
    states = [state for _, state, _ in _states(content)]
    return max(states, key=len, default={})


def _states(content: object) -> Iterator[tuple[str, dict[str, object], tuple[str, ...]]]:
    """Every dict of tensors in `content`, with its place before it and notes on it behind it.

    Breadth first, each container once.
    """
    waiting: list[tuple[str, object]] = [("", content)]
    seen: set[int] = set()
    for place, container in waiting:  # grows as it is gone through
        if id(container) in seen or len(seen) > MOST_CONTAINERS:
            continue
        seen.add(id(container))
        notes: tuple[str, ...] = ()
        if isinstance(container, Placeholder):
            container = state_dict_of(container)
            notes = (_SAVED_WHOLE,)
        if isinstance(container, Mapping):
            items = [(str(name), value) for name, value in container.items()]
            if any(isinstance(value, Tensor) for _, value in items):
                yield place, dict(items), notes
        elif isinstance(container, list | tuple):
            items = [(str(index), value) for index, value in enumerate(container)]
        else:
            continue
        waiting += [
            (f"{place}.{name}" if place else name, value)
            for name, value in items
            if isinstance(value, Mapping | list | tuple | Placeholder)
        ]


def _candidates(
    place: str, state: dict[str, object], known: tuple[str, ...]
) -> Iterator[Candidate]:
    state, made = computed(state)
    notes = (*known, *made)
    for convention in CONVENTIONS:
        expected = keys(convention)
        for prefix, changed in _prefixes(state, expected):
            behind = {
                name.removeprefix(prefix): value
                for name, value in changed.items()
                if name.startswith(prefix)
            }
            share = len(expected.keys() & behind.keys()) / len(expected)
            if share > 0.5:
                inside = ".".join(part for part in (place, prefix.rstrip(".")) if part)
                yield Candidate(inside, convention, behind, share, notes)
        averages = _averages(state, expected)
        if averages:
            inside = f"{place}.ema" if place else "ema"
            yield Candidate(inside, convention, averages, 1.0, notes)


def _averages(state: Mapping[str, object], expected: Collection[str]) -> dict[str, object] | None:
    """mmcv's averages, buffers of the model whose keys have underscores in place of dots."""
    names = {key: f"ema_{key.replace('.', '_')}" for key in expected}
    if not all(name in state for name in names.values()):
        return None
    return {key: state[name] for key, name in names.items()}


def _prefixes(
    state: dict[str, object], expected: Mapping[str, str]
) -> Iterator[tuple[str, dict[str, object]]]:
    """What stands before the keys of a convention, with the state dict in which it does.

    Names in the middle of keys, as wrappers of parts leave them, are taken out where more keys
    are the convention's without.
    """
    state = _without_middles(state, expected)
    found = {
        name.removesuffix(anchor)
        for anchor in expected
        if anchor.endswith("running_mean")
        for name in state
        if name == anchor or name.endswith(f".{anchor}")
    }
    for prefix in sorted(found):
        yield prefix, state


def _without_middles(state: dict[str, object], expected: Mapping[str, str]) -> dict[str, object]:
    """The state dict without the parts of keys behind which most keys are the convention's."""
    usual = {part for key in expected for part in key.split(".")}
    if len(state) > MOST_KEYS:
        return state
    for _ in range(4):  # so many wrappers in each other are more than anybody has
        inner = {part for key in state for part in key.split(".")[1:-1]} - usual
        best, shared = state, _shared(state, expected)
        for part in sorted(inner)[:64]:
            changed = {_dropped(key, part): value for key, value in state.items()}
            if len(changed) == len(state) and (count := _shared(changed, expected)) > shared:
                best, shared = changed, count
        if best is state:
            break
        state = best
    return state


def _dropped(key: str, part: str) -> str:
    """`key` without a part of its middle."""
    first, *middle, last = key.split(".") if key.count(".") > 1 else (key, "")
    if not last:
        return key
    return ".".join([first, *(name for name in middle if name != part), last])


def _shared(state: Mapping[str, object], expected: Mapping[str, str]) -> int:
    """How many keys end as the convention's do, whatever stands before."""
    endings = {".".join(key.split(".")[-4:]) for key in expected}
    return sum(".".join(key.split(".")[-4:]) in endings for key in state)


def _at(key: str, candidates: list[Candidate]) -> Candidate:
    exact = [one for one in candidates if one.place == key.rstrip(".")]
    last = [one for one in candidates if one.place.rpartition(".")[2] == key.rstrip(".")]
    chosen = max(exact or last, key=lambda candidate: candidate.rank, default=None)
    if chosen is None:
        places = ", ".join(sorted({one.place or "the file itself" for one in candidates}))
        raise ModelsError(f"it has no weights at {key!r}; they are at {places}: name one of these")
    return chosen


def _remarks(best: Candidate, others: list[str], content: object) -> Iterator[str]:
    yield from best.notes
    if best.place:
        yield f"the weights at {best.place!r} are taken"
    if others := sorted({place or "the file itself" for place in others} - {best.place}):
        yield f"others are at {', '.join(map(repr, others))}: --weights-key takes them"
    if isinstance(content, Mapping):
        top = best.place.partition(".")[0]
        known = {name.partition(".")[0] for name in (top, *others)} | {"state_dict"}
        aside = [str(name) for name in content if not isinstance(content[name], Tensor)]
        aside = [name for name in aside if name not in known]
        if aside and best.place:
            more = " ..." if len(aside) > _SHOWN else ""
            yield f"left aside: {', '.join(name[:40] for name in aside[:_SHOWN])}{more}"


def is_bookkeeping(key: str) -> bool:
    """Whether a key is of what tools count and observe, and of no layer."""
    parts = key.split(".")
    return parts[-1] in _COUNTERS or any(
        part.endswith(("_fake_quant", "post_process")) for part in parts
    )
