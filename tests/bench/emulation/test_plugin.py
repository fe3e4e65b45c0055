"""The simulated caches against a model in Python, and what else of the plugin needs no emulator."""

from __future__ import annotations

import ctypes
import re
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shufflenet_deploy.bench.emulation.processors import PROCESSORS, Processor
from shufflenet_deploy.bench.emulation.qemu import compile_plugin
from shufflenet_deploy.runtime.worker.counting import MARKER

SOURCE = files("shufflenet_deploy.bench.emulation").joinpath("plugin.c").read_text()
# All that QEMU has for a plugin, and a way in for ctypes.
HARNESS = """
void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id id, void (*call)(plugin_id id, struct qemu_plugin_tb *block))
{ (void)id, (void)call; }
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*call)(unsigned int thread, void *data),
    enum callback_flags flags, void *data)
{ (void)block, (void)call, (void)flags, (void)data; }
void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *instruction,
    void (*call)(unsigned int thread, memory_info info, uint64_t address, void *data),
    enum callback_flags flags, enum memory_access access, void *data)
{ (void)instruction, (void)call, (void)flags, (void)access, (void)data; }
void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id id,
    void (*call)(plugin_id id, unsigned int thread, int64_t number, uint64_t a1, uint64_t a2,
                 uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8))
{ (void)id, (void)call; }
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block) { (void)block; return 0; }
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index)
{ (void)block, (void)index; return NULL; }
unsigned int qemu_plugin_mem_size_shift(memory_info info) { return info; }

EXPORTED bool begin(const char *argument)
{
    accesses = 0;
    free(levels[0].tags), free(levels[1].tags);
    levels[0].tags = levels[1].tags = NULL;
    return take(argument);
}
EXPORTED void use(uint64_t address, unsigned int shift) { on_memory(0, shift, address, NULL); }
EXPORTED uint64_t accesses_of(void) { return accesses; }
EXPORTED uint64_t misses(int level) { return levels[level].misses; }
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("needs a C compiler (Debian's gcc and libc6-dev)")
    built = tmp_path_factory.mktemp("plugin") / "harness.so"
    compile_plugin(SOURCE + HARNESS, built, "-DQEMU_PLUGIN_VERSION=1", "-Werror")
    loaded = ctypes.CDLL(str(built))
    loaded.begin.restype = ctypes.c_bool
    loaded.use.argtypes = [ctypes.c_uint64, ctypes.c_uint]
    loaded.accesses_of.restype = loaded.misses.restype = ctypes.c_uint64
    return loaded


class Model:
    """A cache as a textbook has it: each set a list of lines, the oldest first."""

    def __init__(self, size: int, ways: int) -> None:
        self.sets: list[OrderedDict[int, None]] = [OrderedDict() for _ in range(size // 64 // ways)]
        self.ways = ways
        self.misses = 0

    def hits(self, line: int) -> bool:
        own = self.sets[line % len(self.sets)]
        hit = line in own
        if hit:
            own.move_to_end(line)
        else:
            self.misses += 1
            own[line] = None
            if len(own) > self.ways:
                own.popitem(last=False)
        return hit


# Few lines and many that share a set: else nothing is ever displaced, or nothing ever found.
ADDRESSES = st.one_of(
    st.integers(0, 4096),
    st.integers(0, 64).map(lambda number: number * 512),
    st.integers(0, 2**64 - 17),
)


@given(
    st.lists(st.tuples(ADDRESSES, st.integers(0, 4)), max_size=400),
    st.sampled_from([(256, 1, 512, 2), (512, 2, 2048, 4), (512, 8, 1024, 16), (384, 2, 768, 3)]),
)
def test_both_levels_miss_as_the_model_does(
    library: ctypes.CDLL, uses: Sequence[tuple[int, int]], shape: tuple[int, int, int, int]
) -> None:
    assert library.begin(f"cache={':'.join(map(str, shape))}".encode())
    first, second = Model(*shape[:2]), Model(*shape[2:])
    for address, shift in uses:
        library.use(address, shift)
        for line in range(address // 64, (address + 2**shift - 1) // 64 + 1):
            if not first.hits(line):
                second.hits(line)
    assert library.accesses_of() == len(uses)
    assert [library.misses(level) for level in (0, 1)] == [first.misses, second.misses]


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=list(PROCESSORS))
def test_a_working_set_that_fits_misses_once(library: ctypes.CDLL, processor: Processor) -> None:
    caches = processor.caches
    effects = (caches.l1, caches.l2)
    words = ":".join(f"{one.size_bytes}:{one.ways}" for one in effects)
    assert library.begin(f"cache={words}".encode())
    for size, first, second in ((caches.l1.size_bytes, 1, 1), (caches.l2.size_bytes, 4, 1)):
        assert library.begin(f"cache={words}".encode())
        for _ in range(4):
            for address in range(0, size, 64):
                library.use(address, 3)
        lines = size // 64
        # Four rounds over twice what fits, in order, find nothing again: the oldest goes first.
        assert library.misses(0) == first * lines
        assert library.misses(1) == second * lines


@pytest.mark.parametrize(
    "argument",
    ["cache=", "cache=100", "cache=0:1:64:1", "cache=64:0:64:1", "cache=192:2:64:1", "more=1", ""],
)
def test_an_argument_that_it_cannot_use_is_refused(library: ctypes.CDLL, argument: str) -> None:
    assert not library.begin(argument.encode())


def test_both_sides_mean_the_same_mark() -> None:
    match = re.search(r"#define MARKER \((-\d+)\)", SOURCE)
    assert match
    assert int(match[1]) == MARKER
    assert -(2**31) <= MARKER < 0  # an int that is no file's number


def test_it_compiles_for_both_interfaces_without_a_warning(tmp_path: Path) -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("needs a C compiler (Debian's gcc and libc6-dev)")
    for interface in (1, 2):
        compile_plugin(SOURCE, tmp_path / "p.so", f"-DQEMU_PLUGIN_VERSION={interface}", "-Werror")
