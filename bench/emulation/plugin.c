/*
 * A plugin for QEMU's user mode that counts what the emulated program executes, and with `cache`
 * how its data accesses fare in a first-level and a second-level cache.
 *
 * The program asks for a reading by a system call that nothing else makes: close() of MARKER,
 * a negative number, which fails and does no more. Each reading is a line of five numbers: the
 * instructions of the thread that asked, those of all other threads, data accesses, and of these
 * the misses of the first level and of the second.
 *
 * Arguments: out=FILE, and for caches cache=SIZE:WAYS:SIZE:WAYS of both levels, sizes in bytes.
 *
 * Not all distributions ship qemu-plugin.h. What is declared here is the part of it that has had
 * these signatures since QEMU 4.2; QEMU_PLUGIN_VERSION is what the QEMU at hand wants to hear.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE 57 /* in Linux's table of system calls for AArch64 */
#define MARKER (-1600085855)
#define LINE_SHIFT 6 /* 64 bytes, as in all of these processors */
#define THREADS 256  /* more than that share the last counter */

typedef uint64_t plugin_id;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint32_t memory_info;
enum callback_flags { NO_REGISTERS = 0 };
enum memory_access { READS_AND_WRITES = 3 };

extern void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id id, void (*call)(plugin_id id, struct qemu_plugin_tb *block));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*call)(unsigned int thread, void *data),
    enum callback_flags flags, void *data);
extern void qemu_plugin_register_vcpu_mem_cb(
    struct qemu_plugin_insn *instruction,
    void (*call)(unsigned int thread, memory_info info, uint64_t address, void *data),
    enum callback_flags flags, enum memory_access access, void *data);
extern void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id id,
    void (*call)(plugin_id id, unsigned int thread, int64_t number, uint64_t a1, uint64_t a2,
                 uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block,
                                                        size_t index);
extern unsigned int qemu_plugin_mem_size_shift(memory_info info);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* One level: `tags` has `ways` lines of each set, the one used last in front. */
struct cache {
    uint64_t sets;
    uint64_t ways;
    uint64_t *tags;
    uint64_t misses;
};

static uint64_t instructions[THREADS];
static struct cache levels[2];
static uint64_t accesses;
static bool has_cache;
static FILE *out;

/* A line that is never accessed: addresses have 64 bits, and lines therefore fewer. */
#define NO_LINE UINT64_MAX

static bool make_cache(struct cache *cache, uint64_t size, uint64_t ways)
{
    uint64_t lines = size >> LINE_SHIFT;
    if (ways == 0 || lines == 0 || lines % ways != 0) {
        return false;
    }
    cache->sets = lines / ways;
    cache->ways = ways;
    cache->misses = 0;
    cache->tags = malloc(lines * sizeof *cache->tags);
    if (!cache->tags) {
        return false;
    }
    for (uint64_t index = 0; index < lines; index++) {
        cache->tags[index] = NO_LINE;
    }
    return true;
}

/* Use `line`, which displaces the one of its set that was not used for longest. */
static bool hits(struct cache *cache, uint64_t line)
{
    uint64_t *set = cache->tags + (line % cache->sets) * cache->ways;
    uint64_t way = 0;
    while (way < cache->ways - 1 && set[way] != line) {
        way++;
    }
    bool found = set[way] == line;
    memmove(set + 1, set, way * sizeof *set);
    set[0] = line;
    cache->misses += !found;
    return found;
}

/* A load or a store, which are treated alike: a line that is written is fetched first. */
static void access_memory(uint64_t address, uint64_t size)
{
    accesses++;
    uint64_t last = (address + size - 1) >> LINE_SHIFT;
    for (uint64_t line = address >> LINE_SHIFT; line <= last; line++) {
        if (!hits(&levels[0], line)) {
            hits(&levels[1], line);
        }
    }
}

static unsigned int slot(unsigned int thread)
{
    return thread < THREADS ? thread : THREADS - 1;
}

static void on_block(unsigned int thread, void *count)
{
    instructions[slot(thread)] += (uintptr_t)count;
}

static void on_memory(unsigned int thread, memory_info info, uint64_t address, void *data)
{
    (void)thread;
    (void)data;
    access_memory(address, UINT64_C(1) << qemu_plugin_mem_size_shift(info));
}

static void on_translation(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, NO_REGISTERS, (void *)(uintptr_t)count);
    for (size_t index = 0; has_cache && index < count; index++) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, index), on_memory,
                                         NO_REGISTERS, READS_AND_WRITES, NULL);
    }
}

static void on_syscall(plugin_id id, unsigned int thread, int64_t number, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7,
                       uint64_t a8)
{
    (void)id, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != CLOSE || (int32_t)(uint32_t)a1 != MARKER) {
        return;
    }
    uint64_t own = instructions[slot(thread)];
    uint64_t all = 0;
    for (size_t index = 0; index < THREADS; index++) {
        all += instructions[index];
    }
    fprintf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", own, all - own,
            accesses, levels[0].misses, levels[1].misses);
    fflush(out);
}

static bool take(const char *argument)
{
    uint64_t size[2], ways[2];
    if (strncmp(argument, "out=", 4) == 0) {
        out = fopen(argument + 4, "w");
        return out != NULL;
    }
    if (sscanf(argument, "cache=%" SCNu64 ":%" SCNu64 ":%" SCNu64 ":%" SCNu64, &size[0], &ways[0],
               &size[1], &ways[1]) != 4) {
        return false;
    }
    has_cache = make_cache(&levels[0], size[0], ways[0]) && make_cache(&levels[1], size[1], ways[1]);
    return has_cache;
}

EXPORTED int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int index = 0; index < argc; index++) {
        if (!take(argv[index])) {
            fprintf(stderr, "error: the counting plugin does not take %s\n", argv[index]);
            return 1;
        }
    }
    if (!out) {
        fprintf(stderr, "error: the counting plugin wants out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
