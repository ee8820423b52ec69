/* What commands start with: see prepare.h. */
#include "prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/spawn/caps.h"
#include "daemon/spawn/user.h"
#include "shared/fd.h"

/* Many sessions need many descriptors; commands get back what we had. */
static void raise_nofile(struct spawn_config *config)
{
	struct rlimit raised;

	if (getrlimit(RLIMIT_NOFILE, &config->nofile) < 0)
		return;
	raised = config->nofile;
	raised.rlim_cur = raised.rlim_max;
	if (raised.rlim_cur != config->nofile.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
		config->restore_nofile = true;
}

/*
 * Out of memory, the kernel should take the command that ate it, not the one who tells. Who may not open
 * the file, which is root's (guard_memory), could not have a child put it back.
 */
static void lower_oom_score(struct spawn_config *config)
{
	cleanup_fd int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	char text[sizeof(config->oom_score_adj)];
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return;
	text[n] = '\0';
	if (atoi(text) > -900 && pwrite(fd, "-900", 4, 0) == 4)
		strcpy(config->oom_score_adj, text);
}

/* Commands that nobody switches users for get the home of whoever we are. */
static void set_home(void)
{
	struct user self;
	struct err err;

	if (geteuid() != 0 && getenv("HOME"))
		return;
	if (user_by_uid(geteuid(), &self, &err) == 0 && self.home && self.home[0])
		setenv("HOME", self.home, 1);
	user_release(&self);
}

/* One that does not resolve would fail each command. Nothing but blanks is none, as in a request. */
static int check_user(const char *spec, const char **ret, struct err *err)
{
	struct user user;
	bool needs_root;

	*ret = NULL;
	if (!spec || !spec[strspn(spec, " \t\n\v\f\r")])
		return 0;
	*ret = spec;
	if (user_resolve(spec, strlen(spec), &user, err) < 0)
		return err_about(err, "--user");
	needs_root = geteuid() != 0 && (user.uid != geteuid() || user.gid != getegid());
	user_release(&user);
	if (needs_root)
		return err_set(err, 0, NULL, "--user: only root's daemon can run commands as %s",
			       spec);
	return 0;
}

/* The same of a folder. Whether the user of a command may enter it is known when there is one. */
static int check_cwd(const char *cwd, struct err *err)
{
	struct stat st;

	if (!cwd)
		return 0;
	if (stat(cwd, &st) < 0)
		return err_set(err, errno, NULL, "--cwd: %s", cwd);
	return S_ISDIR(st.st_mode) ? 0 : err_set(err, ENOTDIR, NULL, "--cwd: %s", cwd);
}

bool prepare_is_usage(const struct err *err)
{
	return err->num == 0 || err->num == ENOENT || err->num == ENOTDIR;
}

int prepare_settings(const struct settings *settings, struct spawn_config *ret, struct err *err)
{
	const char *user = settings->user;
	int r = caps_prepare(settings->profile, &ret->caps);

	if (r == -EINVAL)
		return err_set(err, 0, NULL, "--security-profile: %s is not default or restricted",
			       settings->profile);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot read our own capabilities");
	ret->only_user = user && user[0] == '=';
	if (check_user(user ? user + ret->only_user : NULL, &ret->user, err) < 0)
		return -EINVAL;
	if (ret->only_user && !ret->user)
		return err_set(err, 0, NULL, "--user: there is no user behind the =");
	ret->cwd = settings->cwd;
	/* What process 1 starts may be what makes it. */
	return settings->init ? 0 : check_cwd(settings->cwd, err);
}

void prepare_spawns(struct spawn_config *ret)
{
	ret->start_cwd = getcwd(NULL, 0);
	ret->umask = umask(022);
	umask(ret->umask);
	raise_nofile(ret);
	lower_oom_score(ret);
	set_home();
	ret->env = environ;
	while (ret->env[ret->env_count])
		ret->env_count++;
}
