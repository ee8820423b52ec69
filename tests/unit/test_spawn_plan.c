/* What a command will start with: environment, limits, folder, program and arguments. */
#include <sys/resource.h>

/* WRAP: open */
#include "unit_plan.h"

/* ---- with what ---- */

static void request_wins_over_the_daemons_environment(void **state)
{
	char *own[] = {(char *)"A=own", (char *)"B=own", (char *)"LISTEN_FDS=3", NULL};
	char *asked[] = {(char *)"A=1", (char *)"C", (char *)"A=2", (char *)"PATH=/x"};
	const struct spawn_config config = {.env = own, .env_count = 3};
	struct planned p = plan(
		&config,
		&(struct msg_exec_request){.env = {.count = UNIT_COUNT(asked), .strv = asked}});

	(void)state;
	assert_string_equal(planned_env(&p, "A"), "2");
	assert_string_equal(planned_env(&p, "B"), "own");
	assert_null(planned_env(&p, "LISTEN_FDS"));
	assert_string_equal(planned_env(&p, "PATH"), "/x");
	assert_null(p.plan->child.envp[3]);
	forget(&p);
	p = plan(&config, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_string_equal(planned_env(&p, "PATH"), ENVIRON_DEFAULT_PATH);
	assert_null(p.plan->child.envp[3]);
	forget(&p);
}

static void daemons_own_limit_and_score_are_given_back(void **state)
{
	const struct spawn_config changed = {
		.nofile = {5, 6}, .restore_nofile = true, .oom_score_adj = "7", .umask = 027};
	struct planned p = plan(&changed, &(struct msg_exec_request){.tty = true});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_int_equal(p.plan->child.nofile->rlim_cur, 5);
	assert_string_equal(p.plan->child.oom_score_adj, "7");
	assert_int_equal(p.plan->child.umask, 027);
	assert_true(p.plan->child.tty);
	assert_int_equal(p.plan->child.parent, getpid());
	forget(&p);
	p = plan(NULL, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_null(p.plan->child.nofile);
	assert_null(p.plan->child.oom_score_adj);
	assert_false(p.plan->child.tty);
	forget(&p);
}

static void one_pipe_is_for_a_command_without_a_terminal(void **state)
{
	struct planned p = plan(NULL, &(struct msg_exec_request){.merge_output = true});

	(void)state;
	assert_true(p.plan->merges);
	forget(&p);
	p = plan(NULL, &(struct msg_exec_request){.merge_output = true, .tty = true});
	assert_false(p.plan->merges);
	forget(&p);
	p = plan(NULL, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_false(p.plan->merges);
	forget(&p);
}

static void nul_bytes_are_refused_by_name(void **state)
{
	/* By hand: our encoder takes C strings. */
	static const struct {
		const char *payload;
		enum msg_failure kind;
		const char *stage;
	} rows[] = {
		{"a1 63'cmd'63'a'00'b'", MSG_FAILURE_BAD_ARGS, "cmd"},
		{"a2 63'cmd'61'x' 64'args'8261'a'6100", MSG_FAILURE_BAD_ARGS, "args"},
		{"a2 63'cmd'61'x' 63'env'8164'A='00'b'", MSG_FAILURE_BAD_ARGS, "env"},
		{"a2 63'cmd'61'x' 63'cwd'62'/'00", MSG_FAILURE_BAD_CWD, "cwd"},
	};
	char *none[] = {NULL};
	const struct spawn_config config = {.env = none};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
		unit_held struct msg_bytes payload = unit_hex(rows[i].payload);
		struct msg_exec_request request;
		struct spawn_failure failure;

		assert_int_equal(msg_decode(MSG_EXEC_REQUEST, payload, &request), 0);
		assert_null(spawn_plan_new(&config, &request, &failure));
		assert_int_equal(failure.kind, rows[i].kind);
		assert_string_equal(failure.stage, rows[i].stage);
		assert_int_equal(failure.num, EINVAL);
	}
}

static void limits_are_found_by_name_in_any_case(void **state)
{
	const struct msg_rlimit limits[] = {{TEXT("nofile"), 64, 128},
					    {TEXT("CPU"), 5, UINT64_MAX}};
	struct planned p =
		plan(NULL, &(struct msg_exec_request){.rlimits = {.count = 2, .limits = limits}});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_int_equal(p.plan->child.limit_count, 2);
	assert_int_equal(p.plan->child.limits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p.plan->child.limits[0].value.rlim_cur, 64);
	assert_int_equal(p.plan->child.limits[0].value.rlim_max, 128);
	assert_int_equal(p.plan->child.limits[1].resource, RLIMIT_CPU);
	assert_true(p.plan->child.limits[1].value.rlim_max == RLIM_INFINITY);
	forget(&p);
}

static void limit_that_is_not_known_fails(void **state)
{
	const struct msg_rlimit bogus[] = {{TEXT("nofile"), 1, 1}, {TEXT("bogus"), 1, 1}};
	struct msg_rlimit many[65];

	(void)state;
	assert_fails(NULL, &(struct msg_exec_request){.rlimits = {.count = 2, .limits = bogus}},
		     MSG_FAILURE_RESOURCE_LIMIT, "setrlimit", "bogus");
	for (size_t i = 0; i < UNIT_COUNT(many); i++)
		many[i] = bogus[0];
	assert_fails(NULL, &(struct msg_exec_request){.rlimits = {.count = 65, .limits = many}},
		     MSG_FAILURE_RESOURCE_LIMIT, "setrlimit", "65 limits");
}

static void folder_is_the_requests_else_the_daemons(void **state)
{
	const struct spawn_config config = {.cwd = "/default"};
	struct planned p = plan(&config, &(struct msg_exec_request){.cwd = TEXT("/asked")});

	(void)state;
	assert_string_equal(p.plan->child.cwd, "/asked");
	forget(&p);
	p = plan(&config, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_string_equal(p.plan->child.cwd, "/default");
	assert_false(p.plan->child.cwd_optional);
	forget(&p);
	p = plan(NULL, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_null(p.plan->child.cwd);
	forget(&p);
}

static void assert_folder(const struct spawn_config *config, const char *asked, const char *cwd,
			  const char *pwd)
{
	struct planned p =
		plan(config, &(struct msg_exec_request){.cmd = TEXT("x"),
							.cwd = {asked, asked ? strlen(asked) : 0}});
	const char *told = environ_get(p.plan->envp, "PWD");

	assert_int_equal(p.result, 0);
	assert_true(!cwd == !p.plan->child.cwd);
	if (cwd)
		assert_string_equal(p.plan->child.cwd, cwd);
	assert_true(!pwd == !told);
	if (pwd)
		assert_string_equal(told, pwd);
	forget(&p);
}

static void command_is_told_its_own_folder_and_not_the_daemons(void **state)
{
	char *env[] = {(char *)"PWD=/daemon", (char *)"OLDPWD=/old", (char *)"_=/usr/bin/x",
		       (char *)"KEEP=1", NULL};
	struct spawn_config config = {.env = env, .env_count = 4, .start_cwd = (char *)"/start"};
	char *own[] = {(char *)"PWD=/said", (char *)"_=said"};
	struct planned p;

	(void)state;
	assert_folder(&config, "/asked", "/asked", "/asked");
	assert_folder(&config, NULL, NULL, "/start");
	assert_folder(&config, "sub", "sub", "/start/sub");
	assert_folder(&config, "", "", NULL);
	config.cwd = "/default";
	assert_folder(&config, NULL, "/default", "/default");
	assert_folder(&config, "/asked", "/asked", "/asked");
	assert_folder(&config, "sub/dir", "/default/sub/dir", "/default/sub/dir");
	assert_folder(&config, "", "", NULL);
	config.cwd = "near";
	assert_folder(&config, NULL, "near", "/start/near");
	assert_folder(&config, "sub", "near/sub", "/start/near/sub");
	config.start_cwd = (char *)"/";
	assert_folder(&config, "sub", "near/sub", "/near/sub");
	/* A folder that has no name any more. */
	config.start_cwd = NULL;
	assert_folder(&config, "sub", "near/sub", NULL);
	p = plan(&config,
		 &(struct msg_exec_request){.cmd = TEXT("x"), .env = {.count = 2, .strv = own}});
	assert_string_equal(environ_get(p.plan->envp, "PWD"), "/said");
	assert_string_equal(environ_get(p.plan->envp, "_"), "said");
	assert_string_equal(environ_get(p.plan->envp, "KEEP"), "1");
	assert_null(environ_get(p.plan->envp, "OLDPWD"));
	forget(&p);
}

/* ---- what ---- */

static void assert_paths(const char *path, struct msg_text cmd, const char *const *paths)
{
	char *env[] = {(char *)path};
	struct planned p = plan(
		NULL, &(struct msg_exec_request){.cmd = cmd, .env = {.count = 1, .strv = env}});
	size_t i;

	assert_int_equal(p.result, 0);
	for (i = 0; paths[i]; i++)
		assert_string_equal(p.plan->child.paths[i], paths[i]);
	assert_null(p.plan->child.paths[i]);
	forget(&p);
}

#define PATHS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void command_is_looked_for_in_its_own_path(void **state)
{
	(void)state;
	assert_paths("PATH=/a:/b/c", TEXT("ls"), PATHS("/a/ls", "/b/c/ls"));
	assert_paths("PATH=:/b::", TEXT("ls"), PATHS("ls", "/b/ls", "ls", "ls"));
	assert_paths("PATH=", TEXT("ls"), PATHS("ls"));
	assert_paths("PATH=/a:/b", TEXT("./ls"), PATHS("./ls"));
	assert_paths("PATH=/a:/b", TEXT("/bin/ls"), PATHS("/bin/ls"));
	assert_paths("PATH=/a:/b", TEXT(""), PATHS(NULL));
}

static void command_gets_its_arguments(void **state)
{
	char *args[] = {(char *)"-c", (char *)"", (char *)"a b"};
	struct planned p =
		plan(NULL, &(struct msg_exec_request){.cmd = TEXT("sh"),
						      .args = {.count = 3, .strv = args}});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_string_equal(p.plan->child.argv[0], "sh");
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(p.plan->child.argv[i + 1], args[i]);
	assert_null(p.plan->child.argv[4]);
	forget(&p);
}

static void name_that_is_too_long_is_a_bad_argument(void **state)
{
	char name[257];
	struct planned p;

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_fails(NULL, &(struct msg_exec_request){.cmd = {name, 256}}, MSG_FAILURE_BAD_ARGS,
		     "execve", "File name too long");
	p = plan(NULL, &(struct msg_exec_request){.cmd = {name, 255}});
	assert_int_equal(p.result, 0);
	forget(&p);
}

static void path_that_the_kernel_would_refuse_is_a_bad_argument(void **state)
{
	size_t max = 128 * 1024;
	char *path = malloc(max + 6), *env[] = {path};
	const struct msg_exec_request request = {.cmd = TEXT("x"),
						 .env = {.count = 1, .strv = env}};
	struct planned p;

	(void)state;
	assert_non_null(path);
	memcpy(path, "PATH=", 5);
	memset(path + 5, 'p', max);
	path[5 + max] = '\0';
	assert_fails(NULL, &request, MSG_FAILURE_BAD_ARGS, "execve", "Argument list too long");
	path[4 + max] = '\0';
	p = plan(NULL, &request);
	assert_int_equal(p.result, 0);
	forget(&p);
	free(path);
}

static void login_shell_is_the_users_own(void **state)
{
	struct planned p =
		plan(NULL, &(struct msg_exec_request){.user = TEXT("alice"), .login_shell = true});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_string_equal(p.plan->child.paths[0], "/bin/zsh");
	assert_null(p.plan->child.paths[1]);
	assert_string_equal(p.plan->child.argv[0], "-zsh");
	assert_string_equal(p.plan->child.cwd, "/home/alice");
	assert_true(p.plan->child.cwd_optional);
	forget(&p);
	p = plan(NULL, &(struct msg_exec_request){
			       .user = TEXT("bare"), .cwd = TEXT("/x"), .login_shell = true});
	assert_string_equal(p.plan->child.paths[0], "/bin/sh");
	assert_string_equal(p.plan->child.argv[0], "-sh");
	assert_string_equal(p.plan->child.cwd, "/x");
	assert_false(p.plan->child.cwd_optional);
	forget(&p);
	/* Without a user it is the daemon's own. */
	p = plan(NULL, &(struct msg_exec_request){.login_shell = true});
	assert_string_equal(p.plan->child.paths[0], "/bin/bash");
	assert_string_equal(p.plan->child.cwd, "/root");
	assert_string_equal(planned_env(&p, "HOME"), "/root");
	assert_false(p.plan->child.switch_user);
	forget(&p);
}

static void user_shell_is_the_same_without_a_dash(void **state)
{
	char *args[] = {(char *)"-c", (char *)"a line"};
	struct planned p =
		plan(NULL, &(struct msg_exec_request){.user = TEXT("alice"),
						      .user_shell = true,
						      .args = {.count = 2, .strv = args}});

	(void)state;
	assert_int_equal(p.result, 0);
	assert_string_equal(p.plan->child.paths[0], "/bin/zsh");
	assert_null(p.plan->child.paths[1]);
	assert_string_equal(p.plan->child.argv[0], "zsh");
	assert_string_equal(p.plan->child.argv[1], "-c");
	assert_string_equal(p.plan->child.argv[2], "a line");
	assert_null(p.plan->child.argv[3]);
	assert_string_equal(p.plan->child.cwd, "/home/alice");
	assert_true(p.plan->child.cwd_optional);
	forget(&p);
	p = plan(NULL, &(struct msg_exec_request){
			       .user = TEXT("bare"), .cwd = TEXT("/x"), .user_shell = true});
	assert_string_equal(p.plan->child.paths[0], "/bin/sh");
	assert_string_equal(p.plan->child.argv[0], "sh");
	assert_string_equal(p.plan->child.cwd, "/x");
	forget(&p);
	/* Without a user it is the daemon's own, who is told who it is. */
	p = plan(NULL, &(struct msg_exec_request){.user_shell = true});
	assert_string_equal(p.plan->child.argv[0], "bash");
	assert_string_equal(planned_env(&p, "HOME"), "/root");
	assert_string_equal(planned_env(&p, "SHELL"), "/bin/bash");
	forget(&p);
	/* With both it is a login shell. */
	p = plan(NULL, &(struct msg_exec_request){.login_shell = true, .user_shell = true});
	assert_string_equal(p.plan->child.argv[0], "-bash");
	forget(&p);
}

static void hosts_defaults_are_for_what_a_request_leaves_open(void **state)
{
	char *own[] = {(char *)"A=own", (char *)"B=own", NULL};
	char *given[] = {(char *)"A=host", (char *)"HOME=/host"};
	char *asked[] = {(char *)"B=asked"};
	static const struct child_limit limits[] = {{RLIMIT_CORE, {0, 0}}, {RLIMIT_NOFILE, {5, 6}}};
	const struct msg_rlimit limit = {TEXT("nofile"), 7, 8};
	const struct spawn_config config = {
		.env = own,
		.env_count = 2,
		.default_env = given,
		.default_env_count = 2,
		.limits = limits,
		.limit_count = 2,
	};
	struct planned p = plan(&config, &(struct msg_exec_request){
						 .user = TEXT("alice"),
						 .env = {.count = 1, .strv = asked},
						 .rlimits = {.count = 1, .limits = &limit},
					 });

	(void)state;
	assert_string_equal(planned_env(&p, "A"), "host");
	assert_string_equal(planned_env(&p, "B"), "asked");
	assert_string_equal(planned_env(&p, "HOME"), "/host");
	assert_int_equal(p.plan->child.limit_count, 2);
	assert_int_equal(p.plan->child.limits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p.plan->child.limits[0].value.rlim_cur, 7);
	assert_int_equal(p.plan->child.limits[1].resource, RLIMIT_CORE);
	forget(&p);
	p = plan(&config, &(struct msg_exec_request){.cmd = TEXT("x")});
	assert_int_equal(p.plan->child.limit_count, 2);
	assert_int_equal(p.plan->child.limits[1].value.rlim_max, 6);
	forget(&p);
}

static void failure_reaches_the_client_however_long_the_names(void **state)
{
	char name[1000];

	(void)state;
	for (size_t shift = 0; shift < 2; shift++) {
		const struct msg_rlimit limit = {{name, 401 - shift}, 1, 1};

		name[0] = 'x';
		for (size_t i = 1 - shift; i < sizeof(name) - 2; i += 2)
			memcpy(name + i, "\xc3\xa9", 2);
		assert_fails(NULL,
			     &(struct msg_exec_request){.cmd = {name, 901 - shift},
							.user = TEXT("mallory")},
			     MSG_FAILURE_USER_SETUP_FAILED, "user", "mallory");
		assert_fails(NULL, &(struct msg_exec_request){.user = {name, 901 - shift}},
			     MSG_FAILURE_USER_SETUP_FAILED, "user", "user");
		assert_fails(NULL,
			     &(struct msg_exec_request){.rlimits = {.count = 1, .limits = &limit}},
			     MSG_FAILURE_RESOURCE_LIMIT, "setrlimit", "unknown resource limit");
	}
}

int main(void)
{
	const struct CMUnitTest spawn_plan_tests[] = {
		cmocka_unit_test_setup(request_wins_over_the_daemons_environment, unit_set_files),
		cmocka_unit_test_setup(nul_bytes_are_refused_by_name, unit_set_files),
		cmocka_unit_test_setup(limits_are_found_by_name_in_any_case, unit_set_files),
		cmocka_unit_test_setup(limit_that_is_not_known_fails, unit_set_files),
		cmocka_unit_test_setup(folder_is_the_requests_else_the_daemons, unit_set_files),
		cmocka_unit_test_setup(command_is_told_its_own_folder_and_not_the_daemons,
				       unit_set_files),
		cmocka_unit_test_setup(command_is_looked_for_in_its_own_path, unit_set_files),
		cmocka_unit_test_setup(command_gets_its_arguments, unit_set_files),
		cmocka_unit_test_setup(name_that_is_too_long_is_a_bad_argument, unit_set_files),
		cmocka_unit_test_setup(path_that_the_kernel_would_refuse_is_a_bad_argument,
				       unit_set_files),
		cmocka_unit_test_setup(daemons_own_limit_and_score_are_given_back, unit_set_files),
		cmocka_unit_test_setup(one_pipe_is_for_a_command_without_a_terminal,
				       unit_set_files),
		cmocka_unit_test_setup(login_shell_is_the_users_own, unit_set_files),
		cmocka_unit_test_setup(user_shell_is_the_same_without_a_dash, unit_set_files),
		cmocka_unit_test_setup(hosts_defaults_are_for_what_a_request_leaves_open,
				       unit_set_files),
		cmocka_unit_test_setup(failure_reaches_the_client_however_long_the_names,
				       unit_set_files),
	};

	return cmocka_run_group_tests(spawn_plan_tests, NULL, NULL);
}
