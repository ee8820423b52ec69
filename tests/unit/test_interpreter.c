/* What a program is run by, from how its file begins: scripts, ELF of both widths, and anything else. */
#include "daemon/spawn/interpreter.h"

#include <elf.h>

#include "unit.h"

static char name[64];

/* In memory of just that size, so that a byte too many is seen. */
static const char *of(const void *head, size_t len)
{
	unit_held struct msg_bytes bytes = unit_copy(head, len);

	return interpreter_of(bytes.ptr, bytes.len, name, sizeof(name));
}

static void script_names_it_behind_blanks(void **state)
{
	static const struct {
		const char *head, *name;
	} rows[] = {
		{"#!/bin/sh\n", "/bin/sh"},
		{"#! \t/bin/sh -e\nexit", "/bin/sh"},
		{"#!/bin/sh\r\n", "/bin/sh\r"},
		{"#!relative", "relative"},
		{"#!", ""},
		{"#!\n/bin/sh", ""},
		{"#", ""},
		{"", ""},
		{"exit 0\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(rows); i++)
		assert_string_equal(of(rows[i].head, strlen(rows[i].head)), rows[i].name);
}

static void name_that_is_too_long_is_cut(void **state)
{
	char head[200];

	(void)state;
	memset(head, 'x', sizeof(head));
	memcpy(head, "#!", 2);
	assert_int_equal(strlen(of(head, sizeof(head))), sizeof(name) - 1);
}

/* An ELF file of the width that has but one part, which says where its loader's name is. */
#define ELF(bits, class, at)                                                           \
	static size_t elf##bits(unsigned char *out)                                    \
	{                                                                              \
		Elf##bits##_Ehdr file = {.e_phoff = sizeof(file), .e_phnum = 2};       \
		Elf##bits##_Phdr parts[2] = {{.p_type = PT_LOAD},                      \
					     {.p_type = PT_INTERP, .p_offset = (at)}}; \
                                                                                       \
		memcpy(file.e_ident, ELFMAG, SELFMAG);                                 \
		file.e_ident[EI_CLASS] = (class);                                      \
		memcpy(out, &file, sizeof(file));                                      \
		memcpy(out + sizeof(file), parts, sizeof(parts));                      \
		memcpy(out + (at), "/lib/ld.so", sizeof("/lib/ld.so"));                \
		return (at) + sizeof("/lib/ld.so");                                    \
	}

ELF(32, ELFCLASS32, 300)
ELF(64, ELFCLASS64, 300)

static void elf_names_its_loader(void **state)
{
	unsigned char head[400] = {0};
	size_t len;

	(void)state;
	len = elf64(head);
	assert_string_equal(of(head, len), "/lib/ld.so");
	len = elf32(head);
	assert_string_equal(of(head, len), "/lib/ld.so");
}

static void elf_that_is_cut_or_lies_names_what_is_there(void **state)
{
	static const Elf64_Ehdr lies[] = {
		{.e_phoff = UINT64_MAX, .e_phnum = 2},
		{.e_phoff = UINT64_MAX - 55, .e_phnum = UINT16_MAX},
		{.e_phoff = 0, .e_phnum = UINT16_MAX},
		{.e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 0},
	};
	unsigned char head[400] = {0};
	size_t len = elf64(head);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_true(strlen(of(head, cut)) < sizeof("/lib/ld.so"));
	for (size_t i = 0; i < UNIT_COUNT(lies); i++) {
		elf64(head);
		memcpy(head + EI_NIDENT, (const char *)&lies[i] + EI_NIDENT,
		       sizeof(lies[i]) - EI_NIDENT);
		assert_string_equal(of(head, len), "");
	}
	/* Where the name is to be there is nothing. */
	elf64(head);
	((Elf64_Phdr *)(void *)(head + sizeof(Elf64_Ehdr)))[1].p_offset = UINT64_MAX;
	assert_string_equal(of(head, len), "");
}

int main(void)
{
	const struct CMUnitTest interpreter_tests[] = {
		cmocka_unit_test(script_names_it_behind_blanks),
		cmocka_unit_test(name_that_is_too_long_is_cut),
		cmocka_unit_test(elf_names_its_loader),
		cmocka_unit_test(elf_that_is_cut_or_lies_names_what_is_there),
	};

	return cmocka_run_group_tests(interpreter_tests, NULL, NULL);
}
