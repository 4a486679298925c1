/* A disk that fails when a test says so. The test's process is started with this library loaded before libc,
   so that every call of SQLite to the operating system passes here. In C, because `unsafe` is forbidden in the
   workspace's Rust, and a virtual file system of SQLite's would be nothing else. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum fault { NONE, IO_ERROR, FULL, SHORT_WRITE, SYNC_ERROR, BUSY };
enum call { READ = 1, WRITE = 2, SYNC = 4, RESIZE = 8, LOCK = 16 };

/* As in disk.rs. */
struct control {
    int fault;
    /* How many calls are left until the one that fails. */
    int left;
    int hit;
    int unused;
    /* What the paths of the files begin with. */
    char watched[1024];
};

static struct control *control;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("TASKER_TEST_DISK");
    int file = path ? open(path, O_RDWR) : -1;
    if (file >= 0) {
        void *memory = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        control = memory == MAP_FAILED ? NULL : memory;
        close(file);
    }
}

static int is_watched(int file) {
    char link[64], path[PATH_MAX];
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length <= 0) return 0;
    path[length] = 0;
    return strncmp(path, control->watched, strlen(control->watched)) == 0;
}

/* Whether this call fails. */
static int fails(int file, int call) {
    static const int calls[] = {
        [NONE] = 0,
        [IO_ERROR] = READ | WRITE | SYNC | RESIZE,
        [FULL] = WRITE,
        [SHORT_WRITE] = WRITE,
        [SYNC_ERROR] = SYNC,
        [BUSY] = LOCK,
    };
    int fault = control ? __atomic_load_n(&control->fault, __ATOMIC_SEQ_CST) : NONE;
    if (!(calls[fault] & call) || !is_watched(file)) return 0;
    int left = __atomic_sub_fetch(&control->left, 1, __ATOMIC_SEQ_CST);
    /* A full disk and a lock last; of a short write, the rest fails as well. */
    int lasts = fault == FULL || fault == BUSY || (fault == SHORT_WRITE && left == -1);
    if (left > 0 || (left < 0 && !lasts)) return 0;
    __atomic_store_n(&control->hit, 1, __ATOMIC_SEQ_CST);
    return 1;
}

static int is_first_half(void) {
    return control->fault == SHORT_WRITE && control->left == 0;
}

static int refused(void) {
    errno = control->fault == FULL ? ENOSPC : EIO;
    return -1;
}

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define WRITES(name, last, argument)                                                    \
    ssize_t name(int file, const void *bytes, size_t count last) {                      \
        REAL(name);                                                                     \
        if (fails(file, WRITE)) {                                                       \
            if (!is_first_half()) return refused();                                     \
            count /= 2;                                                                 \
        }                                                                               \
        return real(file, bytes, count argument);                                       \
    }
#define COMMA ,
WRITES(write, , )
WRITES(pwrite, COMMA off_t place, COMMA place)
WRITES(pwrite64, COMMA off64_t place, COMMA place)

#define READS(name, last, argument)                                                     \
    ssize_t name(int file, void *bytes, size_t count last) {                            \
        REAL(name);                                                                     \
        return fails(file, READ) ? refused() : real(file, bytes, count argument);       \
    }
READS(read, , )
READS(pread, COMMA off_t place, COMMA place)
READS(pread64, COMMA off64_t place, COMMA place)

int fsync(int file) {
    REAL(fsync);
    return fails(file, SYNC) ? refused() : real(file);
}

int fdatasync(int file) {
    REAL(fdatasync);
    return fails(file, SYNC) ? refused() : real(file);
}

int ftruncate(int file, off_t length) {
    REAL(ftruncate);
    return fails(file, RESIZE) ? refused() : real(file, length);
}

int ftruncate64(int file, off64_t length) {
    REAL(ftruncate64);
    return fails(file, RESIZE) ? refused() : real(file, length);
}

/* The locks of a writer, of a checkpoint and of a recovery, among those on the log's index. */
static int is_exclusive(int command, const struct flock *lock) {
    return command == F_SETLK && lock->l_type == F_WRLCK && lock->l_start >= 120 && lock->l_start <= 122;
}

#define LOCKS(name)                                                                     \
    int name(int file, int command, ...) {                                              \
        REAL(name);                                                                     \
        va_list arguments;                                                              \
        va_start(arguments, command);                                                   \
        void *argument = va_arg(arguments, void *);                                     \
        va_end(arguments);                                                              \
        if (is_exclusive(command, argument) && fails(file, LOCK)) {                     \
            errno = EAGAIN;                                                             \
            return -1;                                                                  \
        }                                                                               \
        return real(file, command, argument);                                           \
    }
LOCKS(fcntl)
LOCKS(fcntl64)
