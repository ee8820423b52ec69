/*
 * A library to preload: fails one call of the libc in one program, the Nth of a function, with an errno or a
 * short count. Which, the page says that FAULTS names, a file that run.py shares with us and may change at
 * any time; it is told how often each function was called, what failed, and how much memory is allocated.
 *
 * FAULTS_PROGRAM names the program. What it starts does not get to see us.
 *
 * Every function that stands in the list is taken for one of at most six words: so do all calling
 * conventions of Linux that pass these in registers, also for those that take what they are given.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FUNCTIONS 128
#define NAME_MAX_ 40
#define RANGES	  8
#define CALLERS	  8

enum whose { WHOSE_PROGRAM, WHOSE_CHILD };

/* Of run.py as well, which knows it as a list of offsets. */
struct page {
	/* What is to fail; an empty name: nothing. */
	char name[NAME_MAX_];
	uint32_t nth;
	int32_t num;	/* an errno, or 0 for a short count */
	uint32_t whose; /* an enum whose */
	/* What did. */
	uint32_t seen; /* calls so far */
	uint32_t met;
	int32_t fd; /* the first argument */
	uint64_t
		where[CALLERS]; /* who called, from the beginning of the program; 0: nobody of it */
	/* Allocated by now. */
	int64_t blocks;
	int64_t bytes;
	uint32_t functions;
	uint32_t started; /* how many programs have been */
	uint32_t pid;	  /* of the last of them */
	uint32_t lasts;	  /* all behind the Nth fail, too */
	struct called {
		char name[NAME_MAX_];
		uint32_t by[2]; /* enum whose */
	} called[FUNCTIONS];
};

enum bad { BAD_MINUS_ONE, BAD_NULL, BAD_ERRNO };

struct function {
	const char *name;
	enum bad bad;
	int len_at; /* which argument is a length, or -1 */
	bool done_nevertheless;
	void *real;
	struct called *called;
};

static struct page *page;
static pid_t program_pid;
static uintptr_t program_base, program_end;
/* What is not ours and gives up by itself when anything fails. */
static struct {
	uintptr_t begin, end;
} foreign[RANGES];
static size_t foreign_count;

/* ---- what libc has ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);
size_t malloc_usable_size(void *block);

static long raw(long number, long a, long b, long c, long d)
{
	static long (*real)(long number, ...);

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a, b, c, d);
}

/* ---- whether this call fails ---- */

static bool is_foreign(uintptr_t where)
{
	for (size_t i = 0; i < foreign_count; i++)
		if (where >= foreign[i].begin && where < foreign[i].end)
			return true;
	return false;
}

static struct called *find(const char *name)
{
	uint32_t count = page->functions;

	for (uint32_t i = 0; i < count; i++)
		if (strcmp(page->called[i].name, name) == 0)
			return &page->called[i];
	if (count == FUNCTIONS)
		abort();
	strncpy(page->called[count].name, name, NAME_MAX_ - 1);
	page->functions = count + 1;
	return &page->called[count];
}

static bool is_terminal(const struct stat *st)
{
	unsigned number = major(st->st_rdev);

	return S_ISCHR(st->st_mode) &&
	       (st->st_rdev == makedev(5, 2) || (number >= 136 && number < 144));
}

/*
 * Who has nothing to write cannot fail at it, nor what is watched already. A pipe cannot fail so, and a
 * terminal only when it is gone, and not as a pipe does.
 */
static bool cannot_be(const struct function *function, long first, long second)
{
	struct stat st;

	if (strcmp(function->name, "epoll_ctl") == 0)
		return second != EPOLL_CTL_ADD;
	if (strcmp(function->name, "fflush") == 0)
		return first && !__fpending((FILE *)first);
	if (function->len_at != 2 ||
	    (page->num != EIO && page->num != ENOSPC && page->num != EPIPE))
		return false;
	return raw(SYS_newfstatat, first, (long)"", (long)&st, AT_EMPTY_PATH) == 0 &&
	       ((S_ISFIFO(st.st_mode) && page->num != EPIPE) || is_terminal(&st));
}

static bool is_ours(uintptr_t where)
{
	return where >= program_base && where < program_end;
}

/* Whether it is for what is not ours that the libc calls itself. backtrace() has allocated before. */
static bool is_for_foreign(void)
{
	void *callers[32];
	int count = foreign_count ? backtrace(callers, 32) : 0, i = 0;

	while (i < count && !is_ours((uintptr_t)callers[i]) && !is_foreign((uintptr_t)callers[i]))
		i++;
	return i < count && is_foreign((uintptr_t)callers[i]);
}

/* Asked for once before: the first time it allocates. */
static void note_callers(void)
{
	void *callers[32];
	int count = backtrace(callers, 32), n = 0;

	memset(page->where, 0, sizeof(page->where));
	for (int i = 0; i < count && n < CALLERS; i++)
		if (is_ours((uintptr_t)callers[i]))
			page->where[n++] = (uintptr_t)callers[i] - program_base;
}

static bool is_its_turn(void)
{
	uint32_t seen = __atomic_add_fetch(&page->seen, 1, __ATOMIC_SEQ_CST);

	return page->lasts ? seen >= page->nth : seen == page->nth;
}

static bool is_the_one(struct function *function, long first, long second)
{
	bool program = raw(SYS_getpid, 0, 0, 0, 0) == program_pid;
	enum whose whose = program ? WHOSE_PROGRAM : WHOSE_CHILD;

	if (!function->called)
		function->called = find(function->name);
	function->called->by[whose]++;
	if (whose != page->whose || strcmp(page->name, function->name) != 0 ||
	    cannot_be(function, first, second) || is_for_foreign() || !is_its_turn())
		return false;
	page->fd = (int32_t)first;
	note_callers();
	page->met++;
	return true;
}

/* Whether it is the one that is to fail; counts it. */
static bool is_due(struct function *function, long first, long second, uintptr_t where)
{
	int saved = errno;
	bool due = page && !is_foreign(where) && is_the_one(function, first, second);

	errno = saved;
	return due;
}

static void *next(struct function *function)
{
	if (!function->real)
		function->real = dlsym(RTLD_NEXT, function->name);
	if (!function->real)
		abort();
	return function->real;
}

typedef long (*six)(long, long, long, long, long, long);

static long failed(const struct function *function)
{
	if (function->bad == BAD_ERRNO)
		return page->num;
	errno = page->num;
	return function->bad == BAD_NULL ? 0 : -1;
}

/* A connection that broke is broken for both, and for whatever else is asked of it. */
static void break_too(const struct function *function, long fd)
{
	bool moves_bytes = function->len_at == 2 || strcmp(function->name, "sendmsg") == 0;

	if ((page->num == EPIPE || page->num == ECONNRESET) && moves_bytes)
		raw(SYS_shutdown, fd, SHUT_RDWR, 0, 0);
}

static long go(struct function *function, long a[6], uintptr_t where)
{
	six real = (six)next(function);

	if (!is_due(function, a[0], a[1], where))
		return real(a[0], a[1], a[2], a[3], a[4], a[5]);
	if (function->done_nevertheless)
		real(a[0], a[1], a[2], a[3], a[4], a[5]);
	break_too(function, a[0]);
	if (page->num)
		return failed(function);
	/* Short: one byte. */
	if (function->len_at >= 0 && a[function->len_at] > 1)
		a[function->len_at] = 1;
	return real(a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define CALLER ((uintptr_t)__builtin_return_address(0))

/* By its name for the linker alone, since headers have its real parameters; ends as a declaration does. */
#define FUNCTION(name_, ...)                                                                \
	long fault_##name_(long a, long b, long c, long d, long e, long f) __asm__(#name_); \
	long fault_##name_(long a, long b, long c, long d, long e, long f)                  \
	{                                                                                   \
		static struct function function = {#name_, __VA_ARGS__};                    \
		long all[6] = {a, b, c, d, e, f};                                           \
                                                                                            \
		return go(&function, all, CALLER);                                          \
	}                                                                                   \
	struct function_of_##name_

#define FAILS(name_)	    FUNCTION(name_, .bad = BAD_MINUS_ONE, .len_at = -1)
#define SHORTENS(name_, at) FUNCTION(name_, .bad = BAD_MINUS_ONE, .len_at = (at))
#define GIVES_NULL(name_)   FUNCTION(name_, .bad = BAD_NULL, .len_at = -1)
#define GIVES_ERRNO(name_)  FUNCTION(name_, .bad = BAD_ERRNO, .len_at = -1)
/* What is closed is closed, whatever is said of it. */
#define IS_DONE(name_) \
	FUNCTION(name_, .bad = BAD_MINUS_ONE, .len_at = -1, .done_nevertheless = true)

/* clang-format off */
SHORTENS(read, 2); SHORTENS(write, 2); SHORTENS(pwrite, 2); SHORTENS(recv, 2); SHORTENS(send, 2);
SHORTENS(sendto, 2); SHORTENS(splice, 4); SHORTENS(getrandom, 1); SHORTENS(writev, 2); /* of parts, one */
IS_DONE(close); IS_DONE(closedir); IS_DONE(fclose);
GIVES_NULL(fopen); GIVES_NULL(fdopen); GIVES_NULL(fmemopen); GIVES_NULL(open_memstream); GIVES_NULL(opendir);
GIVES_NULL(fdopendir); GIVES_NULL(fgets);
GIVES_NULL(readdir); GIVES_NULL(getcwd); GIVES_NULL(getpwuid); GIVES_NULL(fgetpwent); GIVES_NULL(fgetgrent);
GIVES_ERRNO(posix_spawnp); GIVES_ERRNO(posix_spawn_file_actions_init);
GIVES_ERRNO(posix_spawn_file_actions_adddup2); GIVES_ERRNO(posix_spawnattr_init);
FAILS(accept4); FAILS(access); FAILS(bind); FAILS(chdir); FAILS(chmod); FAILS(connect); FAILS(dup2); FAILS(dup3);
FAILS(epoll_create1); FAILS(epoll_ctl); FAILS(epoll_wait); FAILS(execv); FAILS(execve); FAILS(execvp);
FAILS(fchmod); FAILS(fchown); FAILS(fcntl); FAILS(fflush); FAILS(flock); FAILS(fork); FAILS(fstat);
FAILS(ftruncate); FAILS(getpeername); FAILS(getrlimit); FAILS(getsockopt); FAILS(ioctl); FAILS(kill);
FAILS(listen); FAILS(lseek); FAILS(lstat); FAILS(memfd_create); FAILS(mkdir); FAILS(mkdirat); FAILS(open); FAILS(openat);
FAILS(pipe2); FAILS(poll); FAILS(ppoll); FAILS(prctl); FAILS(readlink); FAILS(rename); FAILS(sendmsg); FAILS(setenv); FAILS(setpgid);
FAILS(setrlimit); FAILS(setsid); FAILS(setsockopt); FAILS(signalfd); FAILS(sigtimedwait); FAILS(socket);
FAILS(socketpair); FAILS(stat); FAILS(symlink); FAILS(tcgetattr); FAILS(tcgetpgrp); FAILS(tcsetattr);
FAILS(unlink); FAILS(unlinkat); FAILS(usleep); FAILS(waitid); FAILS(waitpid); FAILS(__open_2);
/* clang-format on */

/* ---- by number ---- */

static const char *name_of(long number)
{
	static const struct {
		long number;
		const char *name;
	} names[] = {
		{SYS_clone3, "syscall:clone3"},
		{SYS_pidfd_open, "syscall:pidfd_open"},
		{SYS_pidfd_send_signal, "syscall:pidfd_send_signal"},
		{SYS_close_range, "syscall:close_range"},
		{SYS_waitid, "syscall:waitid"},
		{SYS_rt_sigaction, "syscall:rt_sigaction"},
		{SYS_setgroups, "syscall:setgroups"},
		{SYS_setresgid, "syscall:setresgid"},
		{SYS_setresuid, "syscall:setresuid"},
		{SYS_capget, "syscall:capget"},
		{SYS_capset, "syscall:capset"},
		{SYS_kcmp, "syscall:kcmp"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].number == number)
			return names[i].name;
	return "syscall:other";
}

/* Those that make a process return twice, here too. */
long fault_syscall(long number, long a, long b, long c, long d, long e) __asm__("syscall");
long fault_syscall(long number, long a, long b, long c, long d, long e)
{
	static struct function functions[FUNCTIONS];
	static size_t count;
	const char *name = name_of(number);
	struct function *function = functions;

	while (function < functions + count && function->name != name)
		function++;
	if (function == functions + count)
		functions[count++] = (struct function){.name = name};
	function->real = dlsym(RTLD_NEXT, "syscall");
	if (!is_due(function, a, b, CALLER))
		return ((six)function->real)(number, a, b, c, d, e);
	return failed(function);
}

/* ---- memory ---- */

static void *taken(void *block)
{
	if (page && block) {
		__atomic_add_fetch(&page->blocks, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&page->bytes, (int64_t)malloc_usable_size(block),
				   __ATOMIC_RELAXED);
	}
	return block;
}

static void given(void *block)
{
	if (page && block) {
		__atomic_sub_fetch(&page->blocks, 1, __ATOMIC_RELAXED);
		__atomic_sub_fetch(&page->bytes, (int64_t)malloc_usable_size(block),
				   __ATOMIC_RELAXED);
	}
}

static bool lacks(struct function *function, size_t size, uintptr_t where)
{
	if (!is_due(function, (long)size, 0, where))
		return false;
	errno = ENOMEM;
	return true;
}

static void *change(void *block, size_t size)
{
	void *changed;

	given(block);
	changed = __libc_realloc(block, size);
	if (changed || !size)
		return taken(changed);
	/* It is as it was. */
	taken(block);
	return NULL;
}

void *malloc(size_t size)
{
	static struct function function = {.name = "malloc"};

	return lacks(&function, size, CALLER) ? NULL : taken(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	static struct function function = {.name = "calloc"};

	return lacks(&function, size, CALLER) ? NULL : taken(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
	static struct function function = {.name = "realloc"};

	return lacks(&function, size, CALLER) ? NULL : change(block, size);
}

void *reallocarray(void *block, size_t count, size_t size)
{
	static struct function function = {.name = "reallocarray"};
	size_t all;

	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return lacks(&function, all, CALLER) ? NULL : change(block, all);
}

void free(void *block)
{
	given(block);
	__libc_free(block);
}

/* ---- the beginning ---- */

static int note_object(struct dl_phdr_info *info, size_t size, void *first)
{
	(void)size;
	if (*(bool *)first) {
		const ElfW(Phdr) *last = &info->dlpi_phdr[info->dlpi_phnum];

		program_base = info->dlpi_addr;
		while (--last > info->dlpi_phdr && last->p_type != PT_LOAD)
			;
		program_end = program_base + last->p_vaddr + last->p_memsz;
	}
	*(bool *)first = false;
	if (!strstr(info->dlpi_name, "libreadline") && !strstr(info->dlpi_name, "libtinfo"))
		return 0;
	for (int i = 0; i < info->dlpi_phnum && foreign_count < RANGES; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD)
			continue;
		foreign[foreign_count].begin = info->dlpi_addr + part->p_vaddr;
		foreign[foreign_count++].end = info->dlpi_addr + part->p_vaddr + part->p_memsz;
	}
	return 0;
}

static void *open_page(const char *path)
{
	int fd = (int)raw(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC, 0);
	void *shared =
		fd < 0 ? MAP_FAILED
		       : mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	raw(SYS_close, fd, 0, 0, 0);
	if (shared == MAP_FAILED)
		abort();
	return shared;
}

__attribute__((constructor)) static void begin(void)
{
	const char *program = getenv("FAULTS_PROGRAM"), *path = getenv("FAULTS");
	bool first = true;
	void *caller;

	if (!program || !path || strcmp(program, program_invocation_short_name) != 0)
		return;
	program_pid = (pid_t)raw(SYS_getpid, 0, 0, 0, 0);
	dl_iterate_phdr(note_object, &first);
	backtrace(&caller, 1);
	page = open_page(path);
	page->blocks = page->bytes = 0;
	page->started++;
	page->pid = (uint32_t)program_pid;
	unsetenv("LD_PRELOAD");
	unsetenv("FAULTS");
	unsetenv("FAULTS_PROGRAM");
}
