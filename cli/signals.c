/* Signals for the program itself: see signals.h. */
#include "signals.h"

#include <signal.h>
#include <unistd.h>

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

_Noreturn void signals_die_of(int number)
{
	sigset_t set;

	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + number);
}
