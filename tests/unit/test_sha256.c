/* SHA-256 against the examples of FIPS 180-4 and the NIST's, and what sandboxes are called by it. */
#include "shared/address/sha256.h"

#include "shared/address/sandbox.h"
#include "unit.h"

static void check(const void *data, size_t len, const char *wanted)
{
	unit_held struct msg_bytes exact = unit_copy(data, len), want = unit_hex(wanted);
	uint8_t out[SHA256_LEN];

	sha256(exact.ptr, exact.len, out);
	assert_int_equal(want.len, SHA256_LEN);
	assert_memory_equal(out, want.ptr, SHA256_LEN);
}

static void published_examples(void **state)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const char long_one[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
				       "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

	(void)state;
	check("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	check("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	check(two_blocks, strlen(two_blocks),
	      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	check(long_one, strlen(long_one),
	      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
	check("\xbd", 1, "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
}

static void a_million_times_the_letter_a(void **state)
{
	char *data = malloc(1000000);

	(void)state;
	assert_non_null(data);
	memset(data, 'a', 1000000);
	check(data, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(data);
}

/* Where the padding takes one block more, and where it just does not. */
static void lengths_around_a_block(void **state)
{
	static const struct {
		size_t len;
		const char *hash;
	} rows[] = {
		{55, "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"},
		{56, "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"},
		{57, "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785"},
		{64, "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"},
	};
	char zeroes[64] = {0};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++)
		check(zeroes, rows[i].len, rows[i].hash);
}

/* SHA-256 of "web" begins with 4b5e57f6..., as sha256sum(1) says. */
static void places_of_a_sandbox(void **state)
{
	static const char *const wanted[SANDBOX_PLACES] = {
		"/h/run/sandboxes/4b5e57f6eb2f42b9039b3d1e/agent.sock",
		"/h/run/agent/4b5e57f6eb2f42b9039b3d1e13929295.sock",
		"/h/sandboxes/web/runtime/agent.sock",
	};
	char path[108];

	(void)state;
	for (size_t i = 0; i < SANDBOX_PLACES; i++) {
		assert_int_equal(sandbox_path("/h", "web", i, path, sizeof(path)), 0);
		assert_string_equal(path, wanted[i]);
	}
}

static void a_path_that_does_not_fit_is_cut_and_said_so(void **state)
{
	char home[108], path[108];

	(void)state;
	memset(home, 'x', sizeof(home) - 1);
	home[sizeof(home) - 1] = '\0';
	for (size_t i = 0; i < SANDBOX_PLACES; i++) {
		assert_int_equal(sandbox_path(home, "web", i, path, sizeof(path)), -ENAMETOOLONG);
		assert_int_equal(strlen(path), sizeof(path) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest sha256_tests[] = {
		cmocka_unit_test(published_examples),
		cmocka_unit_test(a_million_times_the_letter_a),
		cmocka_unit_test(lengths_around_a_block),
		cmocka_unit_test(places_of_a_sandbox),
		cmocka_unit_test(a_path_that_does_not_fit_is_cut_and_said_so),
	};

	return cmocka_run_group_tests(sha256_tests, NULL, NULL);
}
