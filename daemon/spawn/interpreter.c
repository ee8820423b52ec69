/* What a program's file says it is run by: see interpreter.h. */
#include "interpreter.h"

#include <elf.h>
#include <string.h>

/* A text that ends at the first of these bytes, or with what there is. */
static void copy(const unsigned char *text, size_t len, const char *ends, char *out, size_t out_len)
{
	size_t n = 0;

	while (n < len && n + 1 < out_len && text[n] && !strchr(ends, text[n]))
		n++;
	memcpy(out, text, n);
	out[n] = '\0';
}

static void of_script(const unsigned char *head, size_t len, char *out, size_t out_len)
{
	size_t at = 2;

	while (at < len && (head[at] == ' ' || head[at] == '\t'))
		at++;
	/* As the kernel has it, a carriage return and all. */
	copy(head + at, len - at, " \t\n", out, out_len);
}

/* The two widths differ in their types alone. Of what lies beyond the beginning nothing is said. */
#define OF_ELF(bits)                                                                               \
	static void of_elf##bits(const unsigned char *head, size_t len, char *out, size_t out_len) \
	{                                                                                          \
		Elf##bits##_Ehdr file;                                                             \
		Elf##bits##_Phdr part;                                                             \
                                                                                                   \
		if (len < sizeof(file))                                                            \
			return;                                                                    \
		memcpy(&file, head, sizeof(file));                                                 \
		for (size_t i = 0; i < file.e_phnum; i++) {                                        \
			size_t skip = i * sizeof(part);                                            \
                                                                                                   \
			if (file.e_phoff > len || skip + sizeof(part) > len - file.e_phoff)        \
				return;                                                            \
			memcpy(&part, head + file.e_phoff + skip, sizeof(part));                   \
			if (part.p_type == PT_INTERP && part.p_offset < len)                       \
				copy(head + part.p_offset, len - part.p_offset, "", out, out_len); \
		}                                                                                  \
	}

OF_ELF(32)
OF_ELF(64)

const char *interpreter_of(const unsigned char *head, size_t len, char *out, size_t out_len)
{
	out[0] = '\0';
	if (len > 2 && head[0] == '#' && head[1] == '!')
		of_script(head, len, out, out_len);
	else if (len > EI_CLASS && memcmp(head, ELFMAG, SELFMAG) == 0 &&
		 head[EI_CLASS] == ELFCLASS32)
		of_elf32(head, len, out, out_len);
	else if (len > EI_CLASS && memcmp(head, ELFMAG, SELFMAG) == 0)
		of_elf64(head, len, out, out_len);
	return out;
}
