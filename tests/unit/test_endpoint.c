/* The text of addresses: what each kind takes, who may use it, and what is refused. */
#include "shared/address/endpoint.h"

#include "unit.h"

static struct endpoint parsed(const char *text, enum endpoint_side side)
{
	struct err err = {.text = ""};
	struct endpoint endpoint = {0};

	if (endpoint_parse(text, side, &endpoint, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	return endpoint;
}

/* What it says about an address that it must refuse, and leave the result alone. */
static struct err refused(const char *text, enum endpoint_side side)
{
	struct err err = {.text = ""};
	struct endpoint endpoint, before;

	memset(&endpoint, 0x5a, sizeof(endpoint));
	before = endpoint;
	if (endpoint_parse(text, side, &endpoint, &err) == 0)
		fail_msg("%s was taken", text);
	assert_memory_equal(&endpoint, &before, sizeof(endpoint));
	assert_true(strlen(err.text) > 0 && !strchr(err.text, '\n'));
	return err;
}

static void unix_paths_come_with_and_without_the_kind(void **state)
{
	static const char *const texts[] = {"/run/a.sock", "unix:/run/a.sock"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		struct endpoint e = parsed(texts[i], ENDPOINT_CLIENT);

		assert_int_equal(e.kind, ENDPOINT_UNIX);
		assert_string_equal(e.path, "/run/a.sock");
		assert_int_equal(e.path_len, 11);
		assert_int_equal(parsed(texts[i], ENDPOINT_DAEMON).kind, ENDPOINT_UNIX);
	}
	assert_string_equal(parsed("unix:beside", ENDPOINT_CLIENT).path, "beside");
	assert_string_equal(parsed("x.sock", ENDPOINT_CLIENT).path, "x.sock");
	assert_string_equal(parsed("./x:5", ENDPOINT_DAEMON).path, "./x:5");
	assert_string_equal(parsed("a/b:5", ENDPOINT_CLIENT).path, "a/b:5");
	assert_string_equal(parsed("/vsock:1:2", ENDPOINT_CLIENT).path, "/vsock:1:2");
}

static void abstract_address_is_as_long_as_its_name(void **state)
{
	struct endpoint e = parsed("unix:@name", ENDPOINT_CLIENT);
	struct sockaddr_un address;

	(void)state;
	assert_int_equal(e.kind, ENDPOINT_UNIX);
	assert_false(endpoint_is_file(&e));
	assert_int_equal(endpoint_unix_address(&e, &address),
			 offsetof(struct sockaddr_un, sun_path) + 5);
	assert_memory_equal(address.sun_path, "\0name", 5);
	assert_string_equal(parsed("@name", ENDPOINT_DAEMON).path, "@name");
	e = parsed("./@name", ENDPOINT_CLIENT);
	assert_true(endpoint_is_file(&e));
	assert_int_equal(endpoint_unix_address(&e, &address), sizeof(address));
	assert_string_equal(address.sun_path, "./@name");
}

static void unix_path_of_107_bytes_fits_and_one_more_does_not(void **state)
{
	char path[109];

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[108] = '\0';
	assert_int_equal(refused(path, ENDPOINT_CLIENT).num, ENAMETOOLONG);
	path[107] = '\0';
	assert_int_equal(parsed(path, ENDPOINT_CLIENT).path_len, 107);
}

static void vsock_is_cid_and_port_for_clients_and_a_port_for_the_daemon(void **state)
{
	struct endpoint e = parsed("vsock:3:1024", ENDPOINT_CLIENT);

	(void)state;
	assert_int_equal(e.kind, ENDPOINT_VSOCK);
	assert_int_equal(e.cid, 3);
	assert_int_equal(e.port, 1024);
	e = parsed("vsock:4294967294:4294967294", ENDPOINT_CLIENT);
	assert_int_equal(e.cid, 4294967294);
	assert_int_equal(e.port, 4294967294);
	e = parsed("vsock:0", ENDPOINT_DAEMON);
	assert_int_equal(e.cid, ENDPOINT_CID_ANY);
	assert_int_equal(e.port, 0);
}

static void vsock_with_other_numbers_is_refused(void **state)
{
	static const char *const client[] = {
		"vsock:",
		"vsock::",
		"vsock:3",
		"vsock:3:",
		"vsock::1024",
		"vsock:3:1:2",
		"vsock:-3:1",
		"vsock:3:+1",
		"vsock: 3:1",
		"vsock:3:1 ",
		"vsock:3:0x1",
		"vsock:any:1",
		"vsock:3:1.5",
		"vsock:4294967295:1",
		"vsock:3:4294967295",
		"vsock:3:4294967296",
		"vsock:3:18446744073709551617",
	};
	static const char *const daemon[] = {
		"vsock:", "vsock:3:1024", "vsock:x", "vsock:4294967295", "vsock:99999999999",
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(client); i++)
		assert_non_null(strstr(refused(client[i], ENDPOINT_CLIENT).text, client[i]));
	for (size_t i = 0; i < UNIT_COUNT(daemon); i++)
		assert_non_null(strstr(refused(daemon[i], ENDPOINT_DAEMON).text, "vsock:PORT"));
}

static void hvsock_splits_at_the_last_colon(void **state)
{
	struct endpoint e = parsed("hvsock:/run/a:b/v.sock:52", ENDPOINT_CLIENT);

	(void)state;
	assert_int_equal(e.kind, ENDPOINT_HVSOCK);
	assert_int_equal(e.path_len, strlen("/run/a:b/v.sock"));
	assert_memory_equal(e.path, "/run/a:b/v.sock", e.path_len);
	assert_int_equal(e.port, 52);
}

static void hvsock_without_a_path_or_a_port_is_refused(void **state)
{
	static const char *const texts[] = {
		"hvsock:",	"hvsock:/v",   "hvsock:/v:",
		"hvsock::5",	"hvsock:v:5",  "hvsock:52",
		"hvsock:/v:5x", "hvsock:/v:-", "hvsock:/v:4294967295",
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++)
		refused(texts[i], ENDPOINT_CLIENT);
	memset(text, 'x', sizeof(text));
	memcpy(text, "hvsock:/", 8);
	strcpy(text + 7 + 108, ":5");
	assert_int_equal(refused(text, ENDPOINT_CLIENT).num, ENAMETOOLONG);
	strcpy(text + 7 + 107, ":5");
	assert_int_equal(parsed(text, ENDPOINT_CLIENT).path_len, 107);
}

static void exec_keeps_its_command_as_it_is(void **state)
{
	(void)state;
	assert_string_equal(parsed("exec:ssh -p 22 host 'a:b'", ENDPOINT_CLIENT).command,
			    "ssh -p 22 host 'a:b'");
	assert_string_equal(parsed("exec: ssh x", ENDPOINT_CLIENT).command, "ssh x");
	refused("exec:", ENDPOINT_CLIENT);
	refused("exec: \t", ENDPOINT_CLIENT);
}

static void names_do_not_lead_out_of_their_folder(void **state)
{
	static const char *const bad[] = {"", ".", "..", "a/b", "../a", "/"};
	char text[300];

	(void)state;
	assert_string_equal(parsed("sandbox:web 1", ENDPOINT_CLIENT).name, "web 1");
	assert_string_equal(parsed("serial:agent", ENDPOINT_DAEMON).name, "agent");
	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		snprintf(text, sizeof(text), "sandbox:%s", bad[i]);
		refused(text, ENDPOINT_CLIENT);
		snprintf(text, sizeof(text), "serial:%s", bad[i]);
		if (bad[i][0] != '/')
			refused(text, ENDPOINT_DAEMON);
	}
	memset(text, 'x', sizeof(text));
	memcpy(text, "sandbox:", 8);
	text[8 + 256] = '\0';
	refused(text, ENDPOINT_CLIENT);
	text[8 + 255] = '\0';
	assert_int_equal(strlen(parsed(text, ENDPOINT_CLIENT).name), 255);
}

static void serial_takes_a_name_or_a_device(void **state)
{
	struct endpoint e = parsed("serial:/dev/vport0p1", ENDPOINT_DAEMON);

	(void)state;
	assert_int_equal(e.kind, ENDPOINT_SERIAL);
	assert_string_equal(e.path, "/dev/vport0p1");
	assert_null(e.name);
	assert_null(parsed("serial:agent", ENDPOINT_DAEMON).path);
}

static void what_stands_alone_takes_nothing_more(void **state)
{
	(void)state;
	assert_int_equal(parsed("local:", ENDPOINT_CLIENT).kind, ENDPOINT_LOCAL);
	assert_int_equal(parsed("stdio:", ENDPOINT_DAEMON).kind, ENDPOINT_STDIO);
	refused("local:x", ENDPOINT_CLIENT);
	refused("stdio:x", ENDPOINT_DAEMON);
	refused("local", ENDPOINT_CLIENT);
}

static void the_wrong_side_is_told_so(void **state)
{
	static const char *const daemons[] = {"serial:agent", "stdio:"};
	static const char *const clients[] = {"hvsock:/v:5", "exec:ssh x", "sandbox:a", "local:"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(daemons); i++)
		assert_non_null(strstr(refused(daemons[i], ENDPOINT_CLIENT).text,
				       "is an address for msb-execd"));
	for (size_t i = 0; i < UNIT_COUNT(clients); i++)
		assert_non_null(strstr(refused(clients[i], ENDPOINT_DAEMON).text,
				       "is an address for clients"));
}

static void other_texts_are_refused(void **state)
{
	static const char *const texts[] = {
		"",  "unix:",	"unix",	 "tcp:1.2.3.4:5", "unix:@",
		":", "UNIX:/x", "vsock", "ssh:x",	  "stdio",
	};
	char *text = malloc(100001);

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		refused(texts[i], ENDPOINT_CLIENT);
		refused(texts[i], ENDPOINT_DAEMON);
	}
	assert_non_null(text);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	assert_int_equal(refused(text, ENDPOINT_CLIENT).num, ENAMETOOLONG);
	text[0] = '/';
	assert_int_equal(refused(text, ENDPOINT_CLIENT).num, ENAMETOOLONG);
	text[1] = ':';
	assert_int_equal(refused(text + 1, ENDPOINT_CLIENT).num, 0);
	free(text);
}

static void messages_name_every_address_with_its_kind(void **state)
{
	static const char *const texts[] = {
		"unix:/a", "vsock:3:5", "hvsock:/a:b:5", "exec:ssh x", "sandbox:a", "local:",
	};
	char name[ENDPOINT_NAME_MAX];
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(texts); i++) {
		e = parsed(texts[i], ENDPOINT_CLIENT);
		assert_string_equal(endpoint_name(&e, name, sizeof(name)), texts[i]);
	}
	e = parsed("/a", ENDPOINT_CLIENT);
	assert_string_equal(endpoint_name(&e, name, sizeof(name)), "unix:/a");
	assert_string_equal(endpoint_name(&e, name, 8), "unix:/a");
	assert_string_equal(endpoint_name(&e, name, 7), "uni...");
	assert_string_equal(endpoint_name(&e, name, 3), "un");
	e = parsed("vsock:5", ENDPOINT_DAEMON);
	assert_string_equal(endpoint_name(&e, name, sizeof(name)), "vsock:5");
	e = parsed("serial:agent", ENDPOINT_DAEMON);
	assert_string_equal(endpoint_name(&e, name, sizeof(name)), "serial:agent");
}

int main(void)
{
	const struct CMUnitTest endpoint_tests[] = {
		cmocka_unit_test(unix_paths_come_with_and_without_the_kind),
		cmocka_unit_test(abstract_address_is_as_long_as_its_name),
		cmocka_unit_test(unix_path_of_107_bytes_fits_and_one_more_does_not),
		cmocka_unit_test(vsock_is_cid_and_port_for_clients_and_a_port_for_the_daemon),
		cmocka_unit_test(vsock_with_other_numbers_is_refused),
		cmocka_unit_test(hvsock_splits_at_the_last_colon),
		cmocka_unit_test(hvsock_without_a_path_or_a_port_is_refused),
		cmocka_unit_test(exec_keeps_its_command_as_it_is),
		cmocka_unit_test(names_do_not_lead_out_of_their_folder),
		cmocka_unit_test(serial_takes_a_name_or_a_device),
		cmocka_unit_test(what_stands_alone_takes_nothing_more),
		cmocka_unit_test(the_wrong_side_is_told_so),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(messages_name_every_address_with_its_kind),
	};

	return cmocka_run_group_tests(endpoint_tests, NULL, NULL);
}
