/* Being process 1: see init.h. */
#include "init.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/log.h"
#include "system.h"

#define INITIAL_PID_NAMESPACE 4026531836u /* PROC_PID_INIT_INO of the kernel */
#define RESTART_PAUSE_MS      500
#define FAREWELL_MS	      1000 /* between TERM and KILL for what is still there at the end */
#define LOOK_MS		      20

/* A machine of our own is powered off in the end; a container is only left. */
static bool is_machine(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == INITIAL_PID_NAMESPACE;
}

static void pause_ms(long ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

/* Takes away all that have ended; whether the daemon is among them, and how it ended. */
static bool reap(pid_t daemon, int *ret_status)
{
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == daemon) {
			*ret_status = status;
			ended = true;
		}
	return ended;
}

/* Blocks until the daemon has ended; returns how, as waitpid() has it. */
static int watch_over(pid_t daemon, const sigset_t *all)
{
	int status;

	for (;;) {
		int number = sigwaitinfo(all, NULL);

		/* The power is failing. */
		if (number == SIGPWR)
			number = SIGTERM;
		if (number == SIGTERM || number == SIGINT || number == SIGHUP)
			kill(daemon, number);
		if (number == SIGCHLD && reap(daemon, &status))
			return status;
	}
}

/* All that is left is asked to end, then made to. */
static void end_everybody(void)
{
	kill(-1, SIGTERM);
	kill(-1, SIGCONT);
	for (int waited = 0; waited < FAREWELL_MS; waited += LOOK_MS) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return;
		pause_ms(LOOK_MS);
	}
	kill(-1, SIGKILL);
}

static void power_off(void)
{
	end_everybody();
	sync();
	/* What is on a disk should not look as if the power had failed. */
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	reboot(RB_POWER_OFF);
	log_error("cannot power off: %s", strerror(errno));
}

bool init_supervise(int *ret_status)
{
	sigset_t all;
	bool machine;

	*ret_status = 2;
	if (getpid() != 1) {
		log_error("--init is for process 1, and this is process %d", getpid());
		return true;
	}
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	init_system_prepare();
	machine = is_machine();
	/* So that Ctrl-Alt-Del is an interrupt for us. */
	if (machine)
		reboot(RB_DISABLE_CAD);
	for (;;) {
		pid_t daemon = fork();
		int status;

		if (daemon == 0) {
			/* A key of the terminal must not reach it twice. */
			setpgid(0, 0);
			return false;
		}
		*ret_status = 1;
		if (daemon < 0) {
			log_error("cannot start the daemon: %s", strerror(errno));
			break;
		}
		status = watch_over(daemon, &all);
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (WIFEXITED(status) || !machine)
			break;
		log_error("the daemon was killed by signal %d; starting it again",
			  WTERMSIG(status));
		pause_ms(RESTART_PAUSE_MS);
	}
	if (machine)
		power_off();
	return true;
}
