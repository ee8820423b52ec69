/* Users and groups of the guest, from files that the tests answer for. */
#include "daemon/spawn/user.h"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"

/* WRAP: open */
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

static void digits_are_a_number_unless_something_is_named_so(void **state)
{
	struct user user = resolve("77");

	(void)state;
	assert_int_equal(user.uid, 2000);
	assert_string_equal(user.home, "/home/77");
	user_release(&user);
	user = resolve("078");
	assert_int_equal(user.uid, 78);
	assert_null(user.name);
	user_release(&user);
	assert_ids("0:88", 0, 2088);
	assert_ids("0:089", 0, 89);
	assert_ids("007", 7, 4242);
	/* Be the entry of that number before the one of that name or behind it. */
	unit_passwd = "first:x:5:6::/first:/bin/sh\n5:x:7:8::/named:/bin/sh\n"
		      "9:x:10:11::/nine:/bin/sh\nlate:x:9:12::/late:/bin/sh\n";
	assert_ids("5", 7, 8);
	assert_ids("9", 10, 11);
	assert_ids("05", 5, 6);
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
	unit_passwd = "none:x:4294967295:1::/:/bin/sh\nalice:x:1000:4294967295::/:/bin/sh\n";
	unit_group = "nogroup:x:4294967295:\n";
	assert_refused("none", "not a usable uid");
	assert_refused("alice", "not a usable gid");
	assert_refused("0:nogroup", "not a usable gid");
}

/* What root in the guest has made of them is not waited for, and takes no memory. */
static void file_that_is_none_is_refused(void **state)
{
	char folder[] = "/tmp/msb-unit-XXXXXX", fifo[64], large[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	snprintf(large, sizeof(large), "%s/large", folder);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	close(open(large, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(truncate(large, 1ll << 40), 0);
	for (int i = 0; i < 2; i++) {
		const char **file = i ? &unit_group : &unit_passwd;
		const char *spec = i ? "0:audio" : "0", *usual = *file;

		*file = fifo;
		assert_refused(spec, "is no regular file");
		*file = "/dev/zero";
		assert_refused(spec, "is no regular file");
		*file = "/";
		assert_refused(spec, "is no regular file");
		*file = large;
		assert_refused(spec, "is over 4 MiB");
		*file = usual;
	}
	unlink(fifo);
	unlink(large);
	rmdir(folder);
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
	/* One that looks at each byte once does not notice; one that begins anew at each KiB, for seconds. */
	size_t len = 4000000;
	char *text = malloc(len + 100), *at = text;
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

/* Names of NIS stand for others' users, whose numbers these lines do not have. */
static void line_of_nis_is_nobodys(void **state)
{
	struct user user;

	(void)state;
	unit_passwd = "+::::::\n+alice::::::\n-bob\n+carol:x:0:0::/:/bin/sh\n"
		      " -dave:x:0:0::/:/bin/sh\nroot:x:0:0::/root:/bin/sh\n+\n";
	unit_group = "+:::\n+wheel:::\n-staff:x:0:root\n";
	assert_refused("+", "no such user");
	assert_refused("+alice", "no such user");
	assert_refused("-bob", "no such user");
	assert_refused("+carol", "no such user");
	assert_refused("-dave", "no such user");
	assert_refused("0:+wheel", "no such group");
	assert_refused("0:-staff", "no such group");
	/* Nor do they stand before the one of their number. */
	user = resolve("0");
	assert_string_equal(user.home, "/root");
	assert_int_equal(user.group_count, 1);
	user_release(&user);
}

static void line_that_is_no_entry_hides_none(void **state)
{
	struct user user;

	(void)state;
	unit_passwd =
		"\n \t\n#alice:x:1:1::/:/bin/sh\nalice\nalice:x\nalice:x:\nalice:x::1::/:/bin/sh\n"
		"alice:x:-5:1::/:/bin/sh\nalice:x:5:-1::/:/bin/sh\nalice:x:0x5:1::/:/bin/sh\n"
		"alice:x:4294967296:1::/:/bin/sh\nalice:x:1:99999999999999999999::/:/bin/sh\n"
		":x:6:6::/:/bin/sh\nbob:x:7:x::/:/bin/sh\n  alice:x:7:8::/a:/bin/a:b\n"
		"alice:x:9:9::/:/bin/sh\n";
	unit_group = "staff\nstaff:x\nstaff:x:y:alice\nstaff:x:-1:alice\n:x:3:\nstaff:x:50: bob , "
		     "alice\n"
		     "staff:x:51:alice";
	user = resolve("alice:staff");
	assert_int_equal(user.uid, 7);
	assert_int_equal(user.gid, 50);
	assert_string_equal(user.home, "/a");
	assert_string_equal(user.shell, "/bin/a:b");
	assert_int_equal(user.group_count, 2);
	assert_int_equal(user.groups[1], 51);
	user_release(&user);
	assert_refused("bob", "no such user");
	assert_ids("6", 6, 4242);
	assert_ids("7", 7, 8);
}

/* As a text it would end there, and be another's name. */
static void line_with_a_nul_is_none(void **state)
{
	static const char passwd[] = "alice\0:x:0:0::/:/bin/sh\nalice:x:1\0:0::/:/bin/sh\n"
				     "alice:x:1000:1001::/home\0:/bin/sh\nbob:x:5:6::/:/bin/sh\0\n"
				     "\0\0\n\0carol:x:8:8::/:/bin/sh";
	static const char group[] = "staff:x:7:bob\0,alice\nadm:x:8:bob";

	(void)state;
	unit_passwd = passwd;
	unit_passwd_len = sizeof(passwd) - 1;
	unit_group = group;
	unit_group_len = sizeof(group) - 1;
	assert_refused("alice", "no such user");
	assert_refused("bob", "no such user");
	assert_refused("carol", "no such user");
	assert_refused("0:staff", "no such group");
	assert_ids("0:adm", 0, 8);
}

static void last_line_needs_no_end(void **state)
{
	(void)state;
	unit_passwd = "root:x:0:0::/root:/bin/sh\nlast:x:5:6";
	unit_group = "adm:x:4:\nlast:x:7";
	assert_ids("last", 5, 6);
	assert_ids("last:last", 5, 7);
}

/* More than the kernel takes would fail as setgroups(2), which says nothing of the reason. */
static void groups_without_end_are_refused(void **state)
{
	enum { COUNT = 100000 };
	char *text = malloc(COUNT * 32), *at = text;
	struct user user;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < COUNT; i++) {
		at += sprintf(at, "g%d:x:%d:alice\n", i, 5000 + i);
		if (i == 65534) {
			unit_group = text;
			user = resolve("alice");
			assert_int_equal(user.group_count, 65536);
			assert_int_equal(user.groups[0], 1001);
			assert_int_equal(user.groups[1], 5000);
			assert_int_equal(user.groups[65535], 5000 + 65534);
			user_release(&user);
		}
	}
	assert_refused("alice", "user alice is in over 65536 groups");
	assert_ids("bare", 3000, 3001);
	free(text);
}

static void uid_is_looked_up_by_itself(void **state)
{
	struct user user;
	struct err err;

	(void)state;
	assert_int_equal(user_by_uid(1000, &user, &err), 0);
	assert_int_equal(user.uid, 1000);
	assert_string_equal(user.name, "alice");
	assert_string_equal(user.home, "/home/alice");
	user_release(&user);
	assert_int_equal(user_by_uid(5555, &user, &err), 0);
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
		cmocka_unit_test_setup(digits_are_a_number_unless_something_is_named_so,
				       unit_set_files),
		cmocka_unit_test_setup(uid_without_an_entry_gets_no_groups_and_the_daemons_gid,
				       unit_set_files),
		cmocka_unit_test_setup(blanks_around_the_parts_do_not_count, unit_set_files),
		cmocka_unit_test_setup(part_that_is_empty_is_refused, unit_set_files),
		cmocka_unit_test_setup(minus_one_is_refused, unit_set_files),
		cmocka_unit_test_setup(file_that_is_none_is_refused, unit_set_files),
		cmocka_unit_test_setup(what_is_in_neither_file_is_refused, unit_set_files),
		cmocka_unit_test_setup(entry_with_empty_fields_has_empty_texts, unit_set_files),
		cmocka_unit_test_setup(guest_without_the_files_knows_numbers_only, unit_set_files),
		cmocka_unit_test_setup(guest_without_groups_has_the_users_own, unit_set_files),
		cmocka_unit_test_setup(file_that_cannot_be_read_is_an_error, unit_set_files),
		cmocka_unit_test_setup(entry_that_is_very_long_is_read, unit_set_files),
		cmocka_unit_test_setup(line_of_nis_is_nobodys, unit_set_files),
		cmocka_unit_test_setup(line_that_is_no_entry_hides_none, unit_set_files),
		cmocka_unit_test_setup(line_with_a_nul_is_none, unit_set_files),
		cmocka_unit_test_setup(last_line_needs_no_end, unit_set_files),
		cmocka_unit_test_setup(groups_without_end_are_refused, unit_set_files),
		cmocka_unit_test_setup(uid_is_looked_up_by_itself, unit_set_files),
		cmocka_unit_test_setup(resolve_user_spec_for_current_uid_gid, unit_set_files),
	};

	return cmocka_run_group_tests(user_tests, NULL, NULL);
}
