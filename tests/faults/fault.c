// File operations that fail, or end the process, on purpose. Load it with LD_PRELOAD:
//   FAULT_MATCH  only operations on paths that contain this text count
//   FAULT_AT     the operation that is hit, counted from 1; nothing is hit at 0
//   FAULT_ERRNO  the error that it returns; 0 ends the process by SIGKILL before it
//   FAULT_STAYS  1: all operations after it fail, too, as on a disk that is full
//   FAULT_COUNT  a file that the number of operations is written to at the end
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *match;
static int at, error, stays;
static int count; // the program writes its files from one thread

static int number(const char *name) {
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    match = getenv("FAULT_MATCH");
    at = number("FAULT_AT");
    error = number("FAULT_ERRNO");
    stays = number("FAULT_STAYS");
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("FAULT_COUNT");
    match = NULL;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%d\n", count);
    fclose(file);
}

// Whether this operation on `path` has to fail; errno is set.
static int hit(const char *path) {
    if (!match || !path || !strstr(path, match)) return 0;
    int now = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (at == 0 || now < at || (now > at && !stays)) return 0;
    if (error == 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
    errno = error;
    return 1;
}

// The same for an open file.
static int hit_file(int file) {
    if (!match || file <= 2) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return hit(path);
}

#define REAL(type, name, ...) static type (*real)(__VA_ARGS__); if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)
#define ON_PATH(type, name, parameters, arguments, path, ...) \
    type name parameters { REAL(type, name, __VA_ARGS__); return hit(path) ? -1 : real arguments; }
#define ON_FILE(type, name, parameters, arguments, file, ...) \
    type name parameters { REAL(type, name, __VA_ARGS__); return hit_file(file) ? -1 : real arguments; }
#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        REAL(int, name, const char *, int, ...); return hit(path) ? -1 : real(path, flags, mode); }
#define OPEN_AT(name) \
    int name(int dir, const char *path, int flags, ...) { \
        va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
        REAL(int, name, int, const char *, int, ...); return hit(path) ? -1 : real(dir, path, flags, mode); }

OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)
ON_FILE(ssize_t, read, (int f, void *b, size_t n), (f, b, n), f, int, void *, size_t)
ON_FILE(ssize_t, write, (int f, const void *b, size_t n), (f, b, n), f, int, const void *, size_t)
ON_FILE(ssize_t, writev, (int f, const struct iovec *b, int n), (f, b, n), f, int, const struct iovec *, int)
ON_FILE(int, fsync, (int f), (f), f, int)
ON_FILE(int, fdatasync, (int f), (f), f, int)
ON_FILE(int, ftruncate, (int f, off_t n), (f, n), f, int, off_t)
ON_FILE(int, ftruncate64, (int f, off64_t n), (f, n), f, int, off64_t)
ON_PATH(int, mkdir, (const char *p, mode_t m), (p, m), p, const char *, mode_t)
ON_PATH(int, rmdir, (const char *p), (p), p, const char *)
ON_PATH(int, unlink, (const char *p), (p), p, const char *)
ON_PATH(int, rename, (const char *a, const char *b), (a, b), b, const char *, const char *)
ON_PATH(int, renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f), b, int, const char *,
        int, const char *, unsigned)
