"""What an inference is on an emulated processor: instructions and cache misses, never a time."""

from __future__ import annotations

import msgspec


class Cache(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A level of data cache: lines of 64 bytes, of which those not used for longest go first."""

    size_bytes: int
    ways: int


class Caches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both levels that are simulated, and the chip whose they are."""

    l1: Cache
    l2: Cache
    source: str


class CacheCounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Data accesses of one inference in simulated caches that the one before has filled."""

    accesses: int
    """Loads and stores of one inference, as QEMU makes them: it splits those of vectors."""
    l1_misses: int
    l2_misses: int
    caches: Caches


class Counted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inference."""

    instructions: int
    """Instructions of all threads together; the median of some inferences in one process."""
    spread: float
    """The largest count of the calling thread less the smallest, as a share of `instructions`."""
    cache: CacheCounts | None = None


def described(caches: Caches) -> str:
    """What was simulated, in one line."""
    sizes = ", ".join(
        f"{name} {cache.size_bytes >> 10} KiB in {cache.ways} ways"
        for name, cache in (("L1", caches.l1), ("L2", caches.l2))
    )
    return f"{sizes} ({caches.source}); filled by the inference before, no prefetching"
