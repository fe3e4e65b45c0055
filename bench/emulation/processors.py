"""The processors that are emulated: what they say of themselves, and their caches."""

from __future__ import annotations

from dataclasses import dataclass

from shufflenet_deploy.bench.counted import Cache, Caches
from shufflenet_deploy.runtime.errors import BenchError

DEFAULT = "cortex-a72"
_ARM = 0x41
_ARMV8_0 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
_ARMV8_2 = (
    "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop "
    "asimddp ssbs"
)


@dataclass(frozen=True)
class Processor:
    """One model of core."""

    name: str
    """The processor's name as QEMU has it."""
    part: int
    """The part number in the register MIDR_EL1, as /proc/cpuinfo shows it."""
    variant: int
    revision: int
    features: str
    """The features as /proc/cpuinfo shows them, separated by blanks."""
    caches: Caches

    @property
    def midr(self) -> int:
        """The register MIDR_EL1: who made it, variant, architecture by its registers, revision."""
        return _ARM << 24 | self.variant << 20 | 0xF << 16 | self.part << 4 | self.revision


def _caches(l1_kib: int, l1_ways: int, l2_kib: int, l2_ways: int, source: str) -> Caches:
    return Caches(
        l1=Cache(size_bytes=l1_kib << 10, ways=l1_ways),
        l2=Cache(size_bytes=l2_kib << 10, ways=l2_ways),
        source=source,
    )


PROCESSORS = {
    processor.name: processor
    for processor in (
        Processor(
            "cortex-a53", 0xD03, 0, 4, _ARMV8_0,
            _caches(32, 4, 512, 16, "Arm DDI 0500 for the ways; BCM2837 for the sizes"),
        ),
        Processor(
            "cortex-a72", 0xD08, 0, 3, _ARMV8_0,
            _caches(32, 2, 1024, 16, "Arm 100095 for the ways; BCM2711 for the sizes"),
        ),
        Processor(
            "cortex-a76", 0xD0B, 4, 1, _ARMV8_2,
            _caches(64, 4, 512, 8, "Arm 100798 for the ways; BCM2712 for the sizes, without L3"),
        ),
        Processor(
            "neoverse-n1", 0xD0C, 4, 1, _ARMV8_2,
            _caches(64, 4, 1024, 8, "Arm 100616; 1 MB as in Graviton2 and Altra, without their L3"),
        ),
    )
}  # fmt: skip
"""The processors of the Raspberry Pi 3, 4 and 5 and of Arm servers, by name."""


def find_processor(name: str | None) -> Processor:
    """The processor of that name, by default that of a Raspberry Pi 4.

    Raises `BenchError` where none has it.
    """
    name = name or DEFAULT
    if name not in PROCESSORS:
        raise BenchError(f"--cpu {name!r}: choose from {', '.join(PROCESSORS)}", usage=True)
    return PROCESSORS[name]
