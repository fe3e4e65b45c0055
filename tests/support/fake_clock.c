/* Preloaded (LD_PRELOAD, ld.so(8)): the wall clock is off by the seconds in the file $FAKE_CLOCK.
 *
 * Monotonic clocks are right. Times of files are the kernel's, and right. No header is included, so
 * that a cross compiler without a C library makes it too: Linux's 64-bit systems only.
 */

struct timespec { long tv_sec; long tv_nsec; };
struct timeval { long tv_sec; long tv_usec; };

long syscall(long number, ...);
char *getenv(const char *name);
int open(const char *path, int flags, ...);
long read(int file, void *buffer, unsigned long size);
int close(int file);
long strtol(const char *text, char **end, int base);

#ifdef __aarch64__
enum { CLOCK_GETTIME = 113 };
#else
enum { CLOCK_GETTIME = 228 };
#endif
enum { REALTIME = 0, REALTIME_COARSE = 5 };

static long offset(void)
{
    const char *path = getenv("FAKE_CLOCK");
    char text[32] = "";
    int file = path ? open(path, 0) : -1;
    if (file < 0)
        return 0;
    if (read(file, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(file);
    return strtol(text, 0, 10);
}

int clock_gettime(int clock, struct timespec *now)
{
    long failed = syscall(CLOCK_GETTIME, clock, now);
    if (!failed && (clock == REALTIME || clock == REALTIME_COARSE))
        now->tv_sec += offset();
    return (int)failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec precise;
    (void)zone;
    clock_gettime(REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}

long time(long *now)
{
    struct timespec precise;
    clock_gettime(REALTIME, &precise);
    if (now)
        *now = precise.tv_sec;
    return precise.tv_sec;
}
