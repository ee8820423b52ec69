/* Finding a virtio port by its name, in a folder made like /sys/class/virtio-ports. */
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/serve/port.h"
#include "unit.h"

static char folder[64];

static void add(const char *entry, const char *name)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, entry);
	assert_int_equal(mkdir(path, 0700), 0);
	if (!name)
		return;
	strcat(path, "/name");
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(name, file);
	fclose(file);
}

static void drop(const char *entry)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s/name", folder, entry);
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s", folder, entry);
	rmdir(path);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/msb-port.XXXXXX");
	return !mkdtemp(folder);
}

static int tear_down(void **state)
{
	(void)state;
	drop("vport0p1");
	drop("vport1p2");
	drop("vport2p1");
	return rmdir(folder);
}

static void port_is_found_by_its_whole_name(void **state)
{
	char path[64] = "";

	(void)state;
	add("vport0p1", "agent.0\n");
	add("vport1p2", "agent\n");
	add("vport2p1", NULL);
	assert_int_equal(port_find(folder, "agent", path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/vport1p2");
	assert_int_equal(port_find(folder, "agent.0", path, sizeof(path)), 0);
	assert_string_equal(path, "/dev/vport0p1");
	assert_int_equal(port_find(folder, "age", path, sizeof(path)), -ENODEV);
	assert_int_equal(port_find(folder, "", path, sizeof(path)), -ENODEV);
	assert_string_equal(path, "/dev/vport0p1");
}

/* Whoever is root in the guest may put another folder there. */
static void name_that_is_no_file_is_not_waited_for(void **state)
{
	char path[256], found[64];

	(void)state;
	add("vport0p1", NULL);
	snprintf(path, sizeof(path), "%s/vport0p1/name", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	add("vport1p2", "agent\n");
	/* One that is not there is looked for in all. */
	assert_int_equal(port_find(folder, "nosuch", found, sizeof(found)), -ENODEV);
	assert_int_equal(port_find(folder, "agent", found, sizeof(found)), 0);
	assert_string_equal(found, "/dev/vport1p2");
}

static void port_that_is_not_there_is_no_device(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(port_find(folder, "agent", path, sizeof(path)), -ENODEV);
	assert_int_equal(port_find("/nowhere/at/all", "agent", path, sizeof(path)), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest port_tests[] = {
		cmocka_unit_test_setup_teardown(port_is_found_by_its_whole_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(name_that_is_no_file_is_not_waited_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(port_that_is_not_there_is_no_device, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(port_tests, NULL, NULL);
}
