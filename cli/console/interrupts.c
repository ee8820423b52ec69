/* Ctrl-C that a command was given: see interrupts.h. */
#include "interrupts.h"

#include "shared/base.h"
#include "shared/duration.h"

#define ENDS_MS	  2000 /* for a second one, which kills */
#define PROMPT_MS 300  /* for the prompt behind one */
#define LOOK_MS	  1000 /* for the guest to say what the shell does */
#define CTRL_C	  '\x03'

/*
 * Of what has the shell's terminal, but not of what reads keys itself, as editors do. A shell that has
 * stopped itself goes on.
 */
static void kill_foreground(struct interrupts *interrupts)
{
	static const char script[] =
		"read -r s </proc/$1/stat||exit;set -- $1 ${s##*) };"
		"[ $2 != T ]||kill -CONT $1;"
		"[ $4 != $7 ]||exit;"
		"case $(stty -a </proc/$1/fd/0 2>/dev/null) in *-icanon*|*-isig*)exit;;esac;"
		"kill -KILL -$7";

	/* A key that came after the kill would be for the shell. */
	remote_flush(&interrupts->guest->shell->remote);
	interrupts_end(interrupts);
	interrupts->side.on_done = NULL;
	guest_ask(interrupts->guest, &interrupts->side,
		  (struct side_terms){.script = script, .within_ms = DURATION_INFINITE});
}

static bool is_running(const struct guest *guest)
{
	return guest->shell && guest->shell->state == SHELL_RUNNING;
}

static void on_looked(struct side *side, int status)
{
	struct interrupts *interrupts = side->owner;
	struct guest *guest = interrupts->guest;

	if (!is_running(guest))
		return;
	if (status == 0)
		shell_set_prompts(guest->shell);
	else if (guest->shell->loses_prompts)
		interrupts_expect_prompt(interrupts);
}

/*
 * Ctrl-C has ended what the shell did itself, and yet there is no prompt of ours: if it has the terminal
 * and waits, it is at another one, as of a ~/.bashrc that was read anew.
 */
static void on_due(struct loop_timer *timer)
{
	struct interrupts *interrupts = container_of(timer, struct interrupts, due);
	struct side_terms terms = {.script = "read -r s </proc/$1/stat&&p=$1&&set -- ${s##*) }&&"
					     "[ \"$1$3\" = \"S$6\" ]&&! grep -q "
					     "'^SigIgn:.*[2367abefABEF]$' /proc/$p/status",
				   .within_ms = LOOK_MS};

	if (!is_running(interrupts->guest))
		return;
	interrupts->side.owner = interrupts;
	interrupts->side.on_done = on_looked;
	guest_ask(interrupts->guest, &interrupts->side, terms);
}

void interrupts_release(struct interrupts *interrupts)
{
	side_release(&interrupts->side);
}

void interrupts_begin(struct interrupts *interrupts)
{
	interrupts->count = 0;
}

void interrupts_count(struct interrupts *interrupts, const char *keys, size_t len)
{
	uint64_t now = loop_now_ms();

	for (size_t i = 0; i < len; i++) {
		if (keys[i] != CTRL_C)
			continue;
		if (now - interrupts->last_ms > ENDS_MS)
			interrupts->count = 0;
		interrupts->last_ms = now;
		if (++interrupts->count >= 2 && interrupts->guest->shell->remote.pid)
			kill_foreground(interrupts);
		else
			interrupts_expect_prompt(interrupts);
	}
}

void interrupts_expect_prompt(struct interrupts *interrupts)
{
	interrupts->due.on_due = on_due;
	loop_arm(interrupts->guest->loop, &interrupts->due, PROMPT_MS);
}

void interrupts_end(struct interrupts *interrupts)
{
	loop_disarm(interrupts->guest->loop, &interrupts->due);
}

void interrupts_lose(struct interrupts *interrupts)
{
	interrupts_end(interrupts);
	side_release(&interrupts->side);
}

void interrupts_cancel(struct interrupts *interrupts)
{
	side_cancel(&interrupts->side);
}
