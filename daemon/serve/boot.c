/* What a host says about commands: see boot.h. */
#include "boot.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/spawn/caps.h"
#include "daemon/spawn/user.h"
#include "shared/wire/rlimit.h"

void boot_init(struct boot *boot, struct spawn_config *config)
{
	*boot = (struct boot){.config = config, .base = *config};
}

void boot_release(struct boot *boot)
{
	free(boot->text);
	free(boot->env);
	free(boot->limits);
	boot->text = NULL;
	boot->env = NULL;
	boot->limits = NULL;
}

/* Copies a text as a C string to *at and moves *at behind it. False: a NUL inside. */
static bool copy(char **at, struct msg_text text)
{
	if (text.len && memchr(text.ptr, '\0', text.len))
		return false;
	if (text.len)
		memcpy(*at, text.ptr, text.len);
	(*at)[text.len] = '\0';
	*at += text.len + 1;
	return true;
}

static bool is_blank(struct msg_text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (!isspace((unsigned char)text.ptr[i]))
			return false;
	return true;
}

static int take_env(struct boot *made, struct msg_list *pairs, char **at,
		    struct spawn_config *config, struct err *err)
{
	struct msg_pair pair;
	int more;

	made->env = reallocarray(NULL, pairs->count + 1, sizeof(char *));
	if (!made->env)
		return err_set(err, ENOMEM, NULL, "cannot keep default_env");
	config->default_env = made->env;
	while ((more = msg_next_pair(pairs, &pair)) > 0) {
		made->env[config->default_env_count++] = *at;
		if (!pair.key.len || memchr(pair.key.ptr, '=', pair.key.len) || !copy(at, pair.key))
			return err_set(err, 0, NULL, "default_env has a key that is no name");
		(*at)[-1] = '=';
		if (!copy(at, pair.value))
			return err_set(err, 0, NULL, "default_env has a NUL byte in a value");
	}
	return more < 0 ? err_set(err, 0, NULL, "default_env is malformed") : 0;
}

static int take_limits(struct boot *made, struct msg_list *limits, struct spawn_config *config,
		       struct err *err)
{
	struct msg_rlimit limit;
	int more;

	if (limits->count > SPAWN_LIMITS_MAX)
		return err_set(err, 0, NULL, "%zu limits, at most %d", limits->count,
			       SPAWN_LIMITS_MAX);
	made->limits = reallocarray(NULL, limits->count + 1, sizeof(*made->limits));
	if (!made->limits)
		return err_set(err, ENOMEM, NULL, "cannot keep rlimits");
	config->limits = made->limits;
	while ((more = msg_next_rlimit(limits, &limit)) > 0) {
		const struct rlimit_name *name =
			rlimit_find(limit.resource.ptr, limit.resource.len);

		if (!name)
			return err_set(err, 0, NULL, "unknown resource limit %.*s",
				       (int)limit.resource.len, limit.resource.ptr);
		made->limits[config->limit_count++] = (struct child_limit){
			name->resource, {.rlim_cur = limit.soft, .rlim_max = limit.hard}};
	}
	return more < 0 ? err_set(err, 0, NULL, "a resource limit is malformed") : 0;
}

static int take_profile(struct msg_text text, struct spawn_config *config, struct err *err)
{
	struct child_caps caps;
	char profile[32];
	int r = -EINVAL;

	if (!text.ptr)
		return 0;
	if (text.len < sizeof(profile) && !memchr(text.ptr, '\0', text.len)) {
		memcpy(profile, text.ptr, text.len);
		profile[text.len] = '\0';
		r = caps_prepare(profile, &caps);
	}
	if (r == -EINVAL)
		return err_set(err, 0, NULL, "unknown security profile %.*s",
			       text.len < 64 ? (int)text.len : 64, text.ptr);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot read our own capabilities");
	if (!config->caps.restricted)
		config->caps = caps;
	return 0;
}

static int take_texts(struct boot *made, const struct msg_bootstrap *bootstrap, char **at,
		      struct spawn_config *config, struct err *err)
{
	/* A pair takes more bytes of CBOR than it needs here with its NUL. */
	made->text = malloc(bootstrap->user.len + bootstrap->default_cwd.len +
			    bootstrap->default_env.cbor.len + 3);
	if (!made->text) {
		err_set(err, ENOMEM, NULL, "cannot keep it");
		return -ENOMEM;
	}
	*at = made->text;
	/* The only user there may be stays so, as the profile is not loosened. */
	if (bootstrap->user.ptr && !is_blank(bootstrap->user) && !config->only_user) {
		config->user = *at;
		if (!copy(at, bootstrap->user))
			return err_set(err, 0, NULL, "a NUL byte in user");
	}
	if (bootstrap->default_cwd.ptr && bootstrap->default_cwd.len) {
		config->cwd = *at;
		if (!copy(at, bootstrap->default_cwd))
			return err_set(err, 0, NULL, "a NUL byte in default_cwd");
	}
	return 0;
}

/* The user that commands run as by default. */
static int default_user(const struct spawn_config *config, struct msg_identity *ret,
			struct err *err)
{
	struct user user = {0};
	int r;

	if (!config->user) {
		*ret = (struct msg_identity){geteuid(), getegid()};
		return 0;
	}
	r = user_resolve(config->user, strlen(config->user), &user, err);
	if (r < 0)
		return r;
	*ret = (struct msg_identity){user.uid, user.gid};
	user_release(&user);
	return 0;
}

int boot_apply(struct boot *boot, struct msg_bootstrap *bootstrap, struct msg_identity *ret_user,
	       struct err *err)
{
	struct spawn_config config = boot->base;
	struct boot made = {.config = boot->config, .base = boot->base};
	char *at = NULL;
	int r;

	r = take_texts(&made, bootstrap, &at, &config, err);
	if (r == 0)
		r = take_env(&made, &bootstrap->default_env, &at, &config, err);
	if (r == 0)
		r = take_limits(&made, &bootstrap->rlimits, &config, err);
	if (r == 0)
		r = take_profile(bootstrap->security_profile, &config, err);
	/* A user that is not there would fail each command; the host should hear it now. */
	if (r == 0)
		r = default_user(&config, ret_user, err);
	if (r < 0) {
		boot_release(&made);
		return r;
	}
	boot_release(boot);
	*boot = made;
	*boot->config = config;
	return 0;
}
