/* Signals for the program itself: see signals.h. */
#include "signals.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

void signals_begin(void)
{
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow is as a full disk: the write fails, and is told. */
	signal(SIGXFSZ, SIG_IGN);
	/* Or the kernel would reap in our place, and we would not hear how a program ended. */
	signal(SIGCHLD, SIG_DFL);
}

int signals_watch(struct loop *loop, const int *numbers, size_t count,
		  void (*on_signal)(struct loop *loop, const struct loop_signal *info))
{
	struct sigaction action;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < count; i++)
		if (sigaction(numbers[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&set, numbers[i]);
	return loop_signals(loop, &set, on_signal);
}

bool signals_insist(struct signals_insist *insist, uint64_t now_ms)
{
	insist->at_ms[insist->count++ % SIGNALS_INSIST] = now_ms;
	/* The one that is overwritten next is the oldest of the last three. */
	return insist->count >= SIGNALS_INSIST &&
	       now_ms - insist->at_ms[insist->count % SIGNALS_INSIST] <= SIGNALS_INSIST_MS;
}

_Noreturn void signals_die_of(int number)
{
	struct rlimit no_core = {0};
	sigset_t set;

	/* It is the command that was to dump core, if anybody, and it has its own limit. */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + number);
}
