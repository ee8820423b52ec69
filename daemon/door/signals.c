/* The signals of a daemon: see signals.h. */
#include "signals.h"

#include <signal.h>

int signals_set(struct loop *loop,
		void (*on_signal)(struct loop *loop, const struct loop_signal *info))
{
	struct sigaction hangup = {0};
	sigset_t set;

	/* nohup(1) means it. */
	sigaction(SIGHUP, NULL, &hangup);
	/* What we were started with must not become what commands start with. */
	for (int i = 1; i < NSIG; i++)
		signal(i, i == SIGPIPE ? SIG_IGN : SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (hangup.sa_handler == SIG_IGN)
		signal(SIGHUP, SIG_IGN);
	else
		sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return loop_signals(loop, &set, on_signal);
}
