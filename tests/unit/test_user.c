/* Users and groups of the guest, from files that the tests answer for. */
#include "../../daemon/user.h"

#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"
#include "unit_files.h"

static struct user resolve(const char *spec)
{
	unit_held struct msg_bytes exact = unit_copy(spec, strlen(spec));
	struct user user;
	struct err err = {.text = ""};

	if (user_resolve((char *)exact.ptr, exact.len, &user, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	return user;
}

static void assert_refused(const char *spec, const char *why)
{
	unit_held struct msg_bytes exact = unit_copy(spec, strlen(spec));
	struct user user = {.uid = 12345};
	struct err err;

	assert_true(user_resolve((char *)exact.ptr, exact.len, &user, &err) < 0);
	assert_string_equal(err.stage, "user");
	assert_non_null(strstr(err.text, why));
	assert_int_equal(user.uid, 12345);
}

static void assert_ids(const char *spec, uid_t uid, gid_t gid)
{
	struct user user = resolve(spec);

	assert_int_equal(user.uid, uid);
	assert_int_equal(user.gid, gid);
	user_release(&user);
}

static void name_gives_all_of_its_entry(void **state)
{
	static const gid_t groups[] = {1001, 29, 2000, 2088};
	struct user user = resolve("alice");

	(void)state;
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 1001);
	assert_string_equal(user.name, "alice");
	assert_string_equal(user.home, "/home/alice");
	assert_string_equal(user.shell, "/bin/zsh");
	assert_int_equal(user.group_count, UNIT_COUNT(groups));
	assert_memory_equal(user.groups, groups, sizeof(groups));
	user_release(&user);
	assert_null(user.name);
	assert_null(user.groups);
}

static void uid_with_an_entry_is_that_user(void **state)
{
	struct user user = resolve("1000");

	(void)state;
	assert_int_equal(user.gid, 1001);
	assert_string_equal(user.name, "alice");
	assert_int_equal(user.group_count, 4);
	user_release(&user);
}

static void group_that_is_given_replaces_the_users_own(void **state)
{
	static const gid_t groups[] = {2000, 29, 2088, 1001};
	struct user user = resolve("alice:extra");

	(void)state;
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.gid, 2000);
	assert_int_equal(user.group_count, UNIT_COUNT(groups));
	assert_memory_equal(user.groups, groups, sizeof(groups));
	user_release(&user);
	assert_ids("alice:0", 1000, 0);
	assert_ids("alice:31337", 1000, 31337);
	assert_ids("0:audio", 0, 29);
}

static void digits_are_a_number_even_if_something_is_named_so(void **state)
{
	struct user user = resolve("77");

	(void)state;
	assert_int_equal(user.uid, 77);
	assert_null(user.name);
	user_release(&user);
	assert_ids("0:88", 0, 88);
	assert_ids("007", 7, 4242);
}

static void uid_without_an_entry_gets_no_groups_and_the_daemons_gid(void **state)
{
	struct user user = resolve("4294967294");

	(void)state;
	assert_int_equal(user.uid, 4294967294u);
	assert_int_equal(user.gid, 4242);
	assert_null(user.name);
	assert_null(user.home);
	assert_null(user.shell);
	assert_int_equal(user.group_count, 0);
	user_release(&user);
	assert_ids("12345:54321", 12345, 54321);
}

static void blanks_around_the_parts_do_not_count(void **state)
{
	(void)state;
	assert_ids(" alice ", 1000, 1001);
	assert_ids("\talice : extra\n", 1000, 2000);
	assert_ids(" 5 : 6 ", 5, 6);
}

static void part_that_is_empty_is_refused(void **state)
{
	(void)state;
	assert_refused("", "user is empty");
	assert_refused("  ", "user is empty");
	assert_refused(":", "user is empty");
	assert_refused(":0", "user is empty");
	assert_refused("0:", "group is empty");
	assert_refused("alice: ", "group is empty");
}

/* The kernel takes -1 for "leave it as it is": a command would keep the daemon's own. */
static void minus_one_is_refused(void **state)
{
	(void)state;
	assert_refused("4294967295", "not a usable uid");
	assert_refused("4294967295:0", "not a usable uid");
	assert_refused("0:4294967295", "not a usable gid");
	assert_refused("0004294967295", "not a usable uid");
}

static void what_is_in_neither_file_is_refused(void **state)
{
	(void)state;
	assert_refused("mallory", "mallory");
	assert_refused("alic", "alic");
	assert_refused("alicex", "alicex");
	assert_refused("ALICE", "no such user");
	assert_refused("-1", "no such user");
	assert_refused("+5", "no such user");
	assert_refused("0x10", "no such user");
	assert_refused("4294967296", "no such user");
	assert_refused("99999999999999999999999999", "no such user");
	assert_refused("alice:nobody", "no such group");
	assert_refused("alice:aud", "no such group");
	assert_refused("alice:4294967296", "no such group");
	assert_refused("alice:extra:audio", "no such group");
}

static void entry_with_empty_fields_has_empty_texts(void **state)
{
	static const gid_t groups[] = {3001, 29, 2000};
	struct user user = resolve("bare");

	(void)state;
	assert_string_equal(user.home, "");
	assert_string_equal(user.shell, "");
	assert_int_equal(user.group_count, UNIT_COUNT(groups));
	assert_memory_equal(user.groups, groups, sizeof(groups));
	user_release(&user);
}

static void guest_without_the_files_knows_numbers_only(void **state)
{
	(void)state;
	unit_passwd = unit_group = NULL;
	assert_ids("5", 5, 4242);
	assert_ids("0:6", 0, 6);
	assert_refused("root", "no such user");
	assert_refused("0:root", "no such group");
}

static void guest_without_groups_has_the_users_own(void **state)
{
	struct user user;

	(void)state;
	unit_group = NULL;
	user = resolve("alice");
	assert_int_equal(user.group_count, 1);
	assert_int_equal(user.groups[0], 1001);
	user_release(&user);
}

static void file_that_cannot_be_read_is_an_error(void **state)
{
	struct user user;
	struct err err;

	(void)state;
	unit_denied = "/etc/passwd";
	assert_int_equal(user_resolve("root", 4, &user, &err), -EACCES);
	assert_int_equal(err.num, EACCES);
	assert_int_equal(user_resolve("5", 1, &user, &err), -EACCES);
	unit_denied = "/etc/group";
	assert_int_equal(user_resolve("5:audio", 7, &user, &err), -EACCES);
	assert_int_equal(user_resolve("alice", 5, &user, &err), -EACCES);
	assert_int_equal(err.num, EACCES);
}

static void entry_that_is_very_long_is_read(void **state)
{
	size_t len = 100000;
	char *text = malloc(2 * len), *at = text;
	struct user user;

	(void)state;
	assert_non_null(text);
	at = stpcpy(at, "root:x:0:0:");
	memset(at, 'g', len);
	strcpy(at + len, ":/root:/bin/sh\nlate:x:9:9::/late:/bin/sh\n");
	unit_passwd = text;
	user = resolve("late");
	assert_string_equal(user.home, "/late");
	user_release(&user);
	free(text);
}

static void uid_is_looked_up_by_itself(void **state)
{
	struct user user;

	(void)state;
	assert_int_equal(user_by_uid(1000, &user), 0);
	assert_int_equal(user.uid, 1000);
	assert_string_equal(user.name, "alice");
	assert_string_equal(user.home, "/home/alice");
	user_release(&user);
	assert_int_equal(user_by_uid(5555, &user), 0);
	assert_int_equal(user.uid, 5555);
	assert_null(user.name);
	user_release(&user);
}

/* The seed's, on this machine's own files. */
static void resolve_user_spec_for_current_uid_gid(void **state)
{
	char spec[64];

	(void)state;
	unit_passwd = unit_group = "";
	unit_gid = (gid_t)syscall(SYS_getgid);
	snprintf(spec, sizeof(spec), "%u:%u", getuid(), unit_gid);
	assert_ids(spec, getuid(), unit_gid);
}

int main(void)
{
	const struct CMUnitTest user_tests[] = {
		cmocka_unit_test_setup(name_gives_all_of_its_entry, unit_set_files),
		cmocka_unit_test_setup(uid_with_an_entry_is_that_user, unit_set_files),
		cmocka_unit_test_setup(group_that_is_given_replaces_the_users_own, unit_set_files),
		cmocka_unit_test_setup(digits_are_a_number_even_if_something_is_named_so,
				       unit_set_files),
		cmocka_unit_test_setup(uid_without_an_entry_gets_no_groups_and_the_daemons_gid,
				       unit_set_files),
		cmocka_unit_test_setup(blanks_around_the_parts_do_not_count, unit_set_files),
		cmocka_unit_test_setup(part_that_is_empty_is_refused, unit_set_files),
		cmocka_unit_test_setup(minus_one_is_refused, unit_set_files),
		cmocka_unit_test_setup(what_is_in_neither_file_is_refused, unit_set_files),
		cmocka_unit_test_setup(entry_with_empty_fields_has_empty_texts, unit_set_files),
		cmocka_unit_test_setup(guest_without_the_files_knows_numbers_only, unit_set_files),
		cmocka_unit_test_setup(guest_without_groups_has_the_users_own, unit_set_files),
		cmocka_unit_test_setup(file_that_cannot_be_read_is_an_error, unit_set_files),
		cmocka_unit_test_setup(entry_that_is_very_long_is_read, unit_set_files),
		cmocka_unit_test_setup(uid_is_looked_up_by_itself, unit_set_files),
		cmocka_unit_test_setup(resolve_user_spec_for_current_uid_gid, unit_set_files),
	};

	return cmocka_run_group_tests(user_tests, NULL, NULL);
}
