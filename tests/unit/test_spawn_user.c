/* As whom a command will run, and in which home: the seed's tests, by their names, and some more.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/prepare.h"

/* WRAP: open */
#include "unit_plan.h"

static void request_user_overrides_config_default(void **state)
{
	const struct spawn_config config = {.user = "0:0"};
	struct planned p = plan(&config, &(struct msg_exec_request){.user = TEXT("1:1")});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_true(p.plan->child.switch_user);
	assert_int_equal(p.plan->child.uid, 1);
	assert_int_equal(p.plan->child.gid, 1);
	forget(&p);
}

static void config_default_user_used_when_request_has_none(void **state)
{
	const struct spawn_config config = {.user = "alice"};
	struct planned p = plan(&config, &(struct msg_exec_request){.cmd = TEXT("x")});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_true(p.plan->child.switch_user);
	assert_int_equal(p.plan->child.uid, 1000);
	assert_int_equal(p.plan->child.gid, 1001);
	assert_int_equal(p.plan->child.group_count, 4);
	assert_int_equal(p.plan->child.groups[0], 1001);
	forget(&p);
	/* An empty text is none, too. */
	p = plan(&config, &(struct msg_exec_request){.user = {"", 0}});
	assert_int_equal(p.plan->child.uid, 1000);
	forget(&p);
}

static void request_without_user_does_not_apply_user_switch(void **state)
{
	struct planned p = plan(NULL, &(struct msg_exec_request){.cmd = TEXT("x")});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_false(p.plan->child.switch_user);
	assert_null(planned_env(&p, "HOME"));
	assert_null(planned_env(&p, "USER"));
	forget(&p);
}

static void default_home_dir_uses_resolved_user_home(void **state)
{
	char *env[] = {(char *)"HOME=/daemons", (char *)"USER=daemon", (char *)"SHELL=/no", NULL};
	const struct spawn_config config = {.env = env, .env_count = 3};
	struct planned p = plan(&config, &(struct msg_exec_request){.user = TEXT("alice")});

	(void)state;
	assert_string_equal(planned_env(&p, "HOME"), "/home/alice");
	assert_string_equal(planned_env(&p, "USER"), "alice");
	assert_string_equal(planned_env(&p, "LOGNAME"), "alice");
	assert_string_equal(planned_env(&p, "SHELL"), "/bin/zsh");
	forget(&p);
	p = plan(&config, &(struct msg_exec_request){.user = TEXT("bare")});
	assert_string_equal(planned_env(&p, "HOME"), "/");
	assert_string_equal(planned_env(&p, "SHELL"), "/bin/sh");
	forget(&p);
}

static void default_home_dir_is_never_the_daemons_for_an_unknown_uid(void **state)
{
	char *env[] = {(char *)"HOME=/daemons", NULL};
	const struct spawn_config config = {.env = env, .env_count = 1};
	struct planned p = plan(&config, &(struct msg_exec_request){.user = TEXT("12345:6")});

	(void)state;
	assert_string_equal(planned_env(&p, "HOME"), "/");
	forget(&p);
}

static void default_home_dir_respects_explicit_home_env(void **state)
{
	char *env[] = {(char *)"HOME=/tmp/custom", (char *)"USER=me"};
	struct planned p = plan(
		NULL, &(struct msg_exec_request){.user = TEXT("alice"),
						 .env = {.count = UNIT_COUNT(env), .strv = env}});

	(void)state;
	assert_string_equal(planned_env(&p, "HOME"), "/tmp/custom");
	assert_string_equal(planned_env(&p, "USER"), "me");
	assert_string_equal(planned_env(&p, "LOGNAME"), "alice");
	forget(&p);
}

/* The daemon sets it for itself, once; commands without a user inherit it. */
static void default_home_dir_uses_root_when_user_absent(void **state)
{
	const struct settings settings = {.profile = "default"};
	struct spawn_config config = {.user = NULL};
	struct rlimit nofile;
	struct planned p;
	struct err err;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &nofile);
	setenv("HOME", "/elsewhere", 1);
	assert_int_equal(prepare_settings(&settings, &config, &err), 0);
	prepare_spawns(&config);
	p = plan(&config, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_string_equal(planned_env(&p, "HOME"), "/root");
	forget(&p);
	free(config.start_cwd);
	/* Without privilege it keeps what it was started with. */
	unit_uid = 1000;
	setenv("HOME", "/elsewhere", 1);
	config = (struct spawn_config){.user = NULL};
	assert_int_equal(prepare_settings(&settings, &config, &err), 0);
	prepare_spawns(&config);
	p = plan(&config, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_string_equal(planned_env(&p, "HOME"), "/elsewhere");
	setrlimit(RLIMIT_NOFILE, &nofile);
	forget(&p);
	free(config.start_cwd);
}

/* Or setgroups(2) would fail where nothing need be done. */
static void switch_to_oneself_is_none_without_privilege(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
		bool switches;
	} rows[] = {{0, 0, true},
		    {0, 1001, true},
		    {1000, 1001, false},
		    {1000, 0, true},
		    {1, 1001, true}};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		struct planned p;

		unit_uid = rows[i].uid;
		unit_gid = rows[i].gid;
		p = plan(NULL, &(struct msg_exec_request){.user = TEXT("alice")});
		assert_int_equal(p.result, 0);
		assert_int_equal(p.plan->child.switch_user, rows[i].switches);
		forget(&p);
	}
}

static void user_that_is_not_known_fails_the_setup(void **state)
{
	(void)state;
	assert_fails(NULL, &(struct msg_exec_request){.cmd = TEXT("x"), .user = TEXT("mallory")},
		     MSG_FAILURE_USER_SETUP_FAILED, "user", "mallory");
	assert_fails(NULL, &(struct msg_exec_request){.cmd = TEXT("x"), .user = TEXT("0:")},
		     MSG_FAILURE_USER_SETUP_FAILED, "user", "group is empty");
}

int main(void)
{
	const struct CMUnitTest spawn_user_tests[] = {
		cmocka_unit_test_setup(request_user_overrides_config_default, unit_set_files),
		cmocka_unit_test_setup(config_default_user_used_when_request_has_none,
				       unit_set_files),
		cmocka_unit_test_setup(request_without_user_does_not_apply_user_switch,
				       unit_set_files),
		cmocka_unit_test_setup(default_home_dir_uses_resolved_user_home, unit_set_files),
		cmocka_unit_test_setup(default_home_dir_is_never_the_daemons_for_an_unknown_uid,
				       unit_set_files),
		cmocka_unit_test_setup(default_home_dir_respects_explicit_home_env, unit_set_files),
		cmocka_unit_test_setup(default_home_dir_uses_root_when_user_absent, unit_set_files),
		cmocka_unit_test_setup(switch_to_oneself_is_none_without_privilege, unit_set_files),
		cmocka_unit_test_setup(user_that_is_not_known_fails_the_setup, unit_set_files),
	};

	return cmocka_run_group_tests(spawn_user_tests, NULL, NULL);
}
