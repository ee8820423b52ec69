/* What the console says to the guest's shell: see console_guest.h. */
#include "console_guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "console_marks.h"

#define HALF	  (MARK_NONCE_LEN / 2)
#define PIECE_MAX 900 /* of one line of data: a terminal takes 4095 */
#define OCTAL_MAX 200 /* the same for bytes that become five */
#define STEP_LEN  3072

/*
 * The nonce is kept in halves, so that no listing of the shell's variables shows a mark, and out
 * of the environment. Marks go to the terminal whatever the shell's own output was made to be.
 */
static const char functions[] =
	"__msb_u=$(printf '\\037');__msb_e=$(printf '\\036');__msb_n='\n"
	"'\n"
	"__msb_m() { printf '%%s%%s%%s%%s%%s' \"$__msb_e\" \"$__msb_a\" \"$__msb_b\" \"$1\" "
	"\"$__msb_e\" %s; }\n"
	"__msb_in() {\n"
	"__msb_m i;__msb_t=\n"
	"while IFS= read -r __msb_l %s;do case $__msb_l in\n"
	"'#.')break;;\n"
	"'#c')__msb_m c;;\n"
	"'#l'*)__msb_t=$__msb_t${__msb_l#??}$__msb_n;;\n"
	"'#p'*)__msb_t=$__msb_t${__msb_l#??};;\n"
	"'#b'*)__msb_l=$(printf '%%b.' \"${__msb_l#??}\");__msb_t=$__msb_t${__msb_l%%.};;\n"
	"esac;done\n"
	"__msb_m s;return \"$__msb_s\"\n"
	"}\n"
	"__msb_out() {\n"
	"__msb_s=$?;__msb_t=;%s\n"
	"__msb_m \"e$__msb_s$__msb_u$PWD$__msb_u$PATH\"\n"
	"}\n"
	"__msb_m \"h$(id -un 2>/dev/null||echo \"${USER:-?}\")$__msb_u$(uname -n)$__msb_u"
	"${BASH_VERSION:+bash}$__msb_u$HOME$__msb_u$(id -u)\"\n"
	" (exit \"$__msb_s\");__msb_out\n";

/* Every time anew, since a line may have set them, a sourced ~/.bashrc above all. */
static const char prompts[] = "PS1=$__msb_e'$__msb_a${__msb_b}p'$__msb_e;PS2=;PROMPT_COMMAND=";

int guest_put_functions(struct buf *out, const char *nonce, bool tty, int status)
{
	char text[2048];
	int len;

	len = snprintf(text, sizeof(text),
		       "__msb_a=%.*s;__msb_b=%s;__msb_s=%d;__msb_t=;__msb_l=;%s\n", HALF, nonce,
		       nonce + HALF, status,
		       tty ? "unset HISTFILE;set +o history 2>/dev/null" : "exec 9>&2");
	len += snprintf(text + len, sizeof(text) - (size_t)len, functions,
			tty ? ">/dev/tty" : ">&9", tty ? "</dev/tty" : "", tty ? prompts : "");
	return buf_append(out, text, (size_t)len);
}

static bool is_plain(char c)
{
	return (unsigned char)c >= ' ' && c != '\x7f';
}

static int put_line(struct buf *out, const char *kind, const char *data, size_t len)
{
	int r = buf_append(out, kind, 2);

	if (r == 0)
		r = buf_append(out, data, len);
	return r < 0 ? r : buf_append(out, "\n", 1);
}

/* Bytes that a terminal would act upon. */
static int put_octal(struct buf *out, const char *data, size_t len)
{
	char octal[OCTAL_MAX * 5 + 1];
	size_t at = 0;

	for (size_t i = 0; i < len; i++)
		at += (size_t)sprintf(octal + at, "\\0%03o", (unsigned char)data[i]);
	return put_line(out, "#b", octal, at);
}

int guest_put_text(struct buf *out, const char *text)
{
	size_t began = buf_len(out);
	int r = 0;

	while (*text && r == 0) {
		size_t len = 0;
		bool plain = is_plain(*text);

		while (text[len] && text[len] != '\n' && is_plain(text[len]) == plain &&
		       len < (plain ? PIECE_MAX : OCTAL_MAX))
			len++;
		if (text[len] == '\n' && (plain || len == 0)) {
			r = put_line(out, "#l", text, len);
			text++;
		} else if (plain) {
			r = put_line(out, "#p", text, len);
		} else {
			r = put_octal(out, text, len);
		}
		text += len;
		if (r == 0 && buf_len(out) - began >= STEP_LEN) {
			r = buf_append(out, GUEST_STEP, strlen(GUEST_STEP));
			began = buf_len(out);
		}
	}
	return r < 0 ? r : put_line(out, "#.", "", 0);
}
