/* How the guest's shell is started: see starter.h. */
#include "starter.h"

#include <stdio.h>
#include <string.h>

#define EDGE  "\036"
#define FIELD "\037"

const char *const shell_kinds[] = {"sh", "bash", "zsh", "busybox"};

/* Names that nobody exports: what does reaches the shell, and the nonce is in one of them. */
static const char beginning[] =
	"msb_s=$1\n"
	"case $msb_s${SHELL##*/} in zsh)command -v zsh >/dev/null 2>&1&&msb_s=zsh;;esac\n"
	"[ \"$msb_s\" ]||{ command -v bash >/dev/null 2>&1&&msb_s=bash;}\n"
	"[ \"$msb_s\" ]||msb_s=/bin/sh\n"
	"case $msb_s in bash)msb_k=bash;;*)\n"
	"msb_k=$(readlink -f \"$(command -v \"${msb_s%% *}\")\" 2>/dev/null)\n"
	"case ${msb_k##*/} in "
	"bash*)msb_k=bash;;zsh*)msb_k=zsh;;busybox*)msb_k=busybox;;*)msb_k=sh;;esac;;esac\n"
	"msb_i=$(id 2>/dev/null);msb_i=${msb_i#*=};msb_u=${msb_i%%[!0-9]*}\n"
	"case ${msb_i%% *} in "
	"*\\(*)msb_i=${msb_i#*\\(};msb_i=${msb_i%%\\)*};;*)msb_i=${USER:-$msb_u};;esac\n"
	"read -r msb_h </proc/sys/kernel/hostname||msb_h=$(uname -n)\n"
	"printf %s \"${msb_n}h$msb_i$msb_f$msb_h$msb_f$msb_k$msb_f$HOME$msb_f$msb_u$msb_e\"\n"
	"case $msb_k in\n"
	"zsh)exec $msb_s -o histignorespace +Z -i;;\n"
	"bash)exec $msb_s --noediting --rcfile /dev/fd/9 -i 9<<'E'\n"
	"[ ! -f ~/.bashrc ]||. ~/.bashrc\n"
	"exec 9<&-;declare +x PS0 PS1 PS2\n";

/* Behind each its prompts. A newer mksh would edit, too. */
static const char of_busybox[] = "\nE\n"
				 ";;busybox)ENV=/dev/fd/9 exec $msb_s -i 9<<'E'\n"
				 "unset ENV PS1 PS2\n";
static const char of_sh[] = "\nexec 9<&-\nE\n"
			    ";;esac;ENV=/dev/fd/9 exec $msb_s -i 9<<'E'\n"
			    "unset ENV PS1 PS2;[ -z \"${KSH_VERSION-}\" ]||set +o emacs +o vi\n";
static const char end[] = "\nexec 9<&-\nE\n";

/*
 * busybox's ash has an editor of its own, but not for a terminal without echo: so its prompts switch that
 * off, and say what the modes were.
 */
static const char *const prompts[] = {
	[SHELL_SH] = " PS1='%1$sp$?%3$s${PWD-}%3$s${PATH-}%2$s' PS2='%1$sc$?%2$s'",
	[SHELL_BASH] = " unset PROMPT_COMMAND;PS0='%1$sx$?%2$s' PS2='%1$sc$?%2$s' "
		       "PS1='%1$sp$?%3$s${PWD-}%3$s${PATH-}%2$s'",
	[SHELL_ZSH] = " unset PROMPT_COMMAND precmd_functions;unset -f precmd 2>/dev/null;"
		      "unsetopt promptsp promptcr promptsubst;setopt promptpercent;"
		      "PS1='%1$sp%%?%3$s%%/%2$s' PS2='%1$sc%%?%2$s'",
	[SHELL_BUSYBOX] =
		" PS1='%1$sp$?%3$s${PWD-}%3$s${PATH-}%3$s$({ set +x;command stty -g;"
		"command stty -echo;} 2>/dev/null)%3$s${LINENO-}%2$s' PS2='%1$sc$?%3$s$({ set +x;"
		"command stty -g;command stty -echo;} 2>/dev/null)%3$s${LINENO-}%2$s'",
};

/* The same where the shell's own output goes somewhere else than to its terminal. */
#define TO_TTY(kind, fields) \
	"$(s=$?;{ set +x;command printf \"%1$s" kind "%%s" fields "%2$s\" \"$s\" "
static const char diverted[] =
	" PS1='" TO_TTY("p", "%3$s%%s%3$s%%s") "\"${PWD-}\" \"${PATH-}\";} 2>/dev/null >/dev/tty)' "
					       "PS2='" TO_TTY("c", "") ";} 2>/dev/null >/dev/tty)'";

static int put(struct buf *out, const char *fmt, const char *nonce)
{
	char begin[64], tail[64], text[1024];
	int len;

	snprintf(begin, sizeof(begin), EDGE "%s", nonce);
	snprintf(tail, sizeof(tail), EDGE "%s.", nonce);
	len = snprintf(text, sizeof(text), fmt, begin, tail, FIELD);
	return buf_append(out, text, (size_t)len);
}

int starter_put_prompts(struct buf *out, const char *nonce, enum shell_kind kind, bool is_diverted)
{
	is_diverted &= kind == SHELL_SH || kind == SHELL_BASH;
	return put(out, is_diverted ? diverted : prompts[kind], nonce);
}

int starter_put(struct buf *out, const char *nonce)
{
	int r = put(out, "msb_n='%1$s' msb_e='%2$s' msb_f='%3$s'\n", nonce);

	if (r == 0)
		r = buf_append(out, beginning, strlen(beginning));
	if (r == 0)
		r = starter_put_prompts(out, nonce, SHELL_BASH, false);
	if (r == 0)
		r = buf_append(out, of_busybox, strlen(of_busybox));
	if (r == 0)
		r = starter_put_prompts(out, nonce, SHELL_BUSYBOX, false);
	if (r == 0)
		r = buf_append(out, of_sh, strlen(of_sh));
	if (r == 0)
		r = starter_put_prompts(out, nonce, SHELL_SH, false);
	return r < 0 ? r : buf_append(out, end, sizeof(end));
}
