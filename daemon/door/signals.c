/* The signals of a daemon: see signals.h. */
#include "signals.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int signals_set(struct loop *loop,
		void (*on_signal)(struct loop *loop, const struct loop_signal *info))
{
	/* The kernel's struct sigaction, whose every field is zero for SIG_DFL. */
	static const unsigned long dfl[8];
	struct sigaction hangup = {0};
	sigset_t set;

	/* nohup(1) means it. */
	sigaction(SIGHUP, NULL, &hangup);
	/*
	 * What we were started with must not become what commands start with. Raw: the library refuses its
	 * own two. KILL and STOP fail, as they must. What we ignore, child.c undoes.
	 */
	for (int i = 1; i < NSIG; i++)
		syscall(SYS_rt_sigaction, i, dfl, NULL, NSIG / 8);
	signal(SIGPIPE, SIG_IGN);
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
