/*
 * For COVERAGE=1 alone, and no part of any program otherwise: counts of what has run are written at
 * exit, so two ways to end would lose them, _exit and a signal to oneself. Calls of these come here first
 * (--wrap). Those before an exec, in a child too, the compiler sees to by itself; but who may write no large
 * file would die of it.
 */
#include <gcov.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);
int __real_raise(int number);
int __wrap_raise(int number);
int __real___gcov_execve(const char *path, char *const argv[], char *const envp[]);
int __wrap___gcov_execve(const char *path, char *const argv[], char *const envp[]);

_Noreturn void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

int __wrap_raise(int number)
{
	__gcov_dump();
	/* It may be one that stops, and more is to be counted then. */
	__gcov_reset();
	return __real_raise(number);
}

int __wrap___gcov_execve(const char *path, char *const argv[], char *const envp[])
{
	struct rlimit size;

	if (getrlimit(RLIMIT_FSIZE, &size) == 0 && size.rlim_cur != RLIM_INFINITY)
		return (int)syscall(SYS_execve, path, argv, envp);
	return __real___gcov_execve(path, argv, envp);
}
