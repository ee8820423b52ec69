/*
 * msb-exec whole, on a loop that it shares with its agent, its writer and its readers: stdin that
 * stopped goes on with credit or room, output that stopped goes on when it is read, and nothing
 * hangs. stdin and stdout are pipes that take their place.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/exec/exec.h"
#include "cli/options/exit.h"
#include "shared/log.h"
#include "unit_loop.h"

#define MUCH   3000000
#define WINDOW 10000

static struct exec exec;
static char folder[64], path[128];
static int saved_in, saved_out;

/* The agent: what it is like, what the client's request was, and what it has seen and said. */
static struct {
	uint32_t features;
	size_t frame;	     /* bytes of output in each frame */
	size_t left;	     /* bytes of output still to be said */
	uint64_t max_ahead;  /* the most that was in flight */
	bool deafens;	     /* it reads nothing more after the request, */
	bool deaf;	     /* for now */
	bool hangs_up;	     /* instead of saying how the command ended */
	bool started, ended; /* its request came; the end of stdin did */
	bool told;
	uint32_t id;
	struct credit output;
	struct credit_account input;
	struct loop_source listener;
	struct link link;
} agent;

/* The pipes' other ends: what writes our stdin and reads our stdout. */
static struct {
	int in_fd, out_fd;
	size_t to_write, piece, got;
	bool waits; /* until the state that is tested has come */
	struct loop_source in, out;
	struct loop_timer look;
} user;

static void agent_say(void)
{
	static uint8_t zeros[1 << 20];
	struct buf *out = link_out(&agent.link);

	while (agent.started && agent.left && link_unsent(&agent.link) < 4 * sizeof(zeros)) {
		size_t n = agent.left < agent.frame ? agent.left : agent.frame;
		uint8_t *space;

		n = credit_room(&agent.output, n);
		if (!n)
			return;
		assert_int_equal(msg_data_begin(out, n, &space), 0);
		memset(space, 'x', n);
		msg_data_end(out, agent.id, MSG_EXEC_STDOUT, n);
		agent.left -= n;
		agent.output.sent += n;
		if (agent.output.sent - agent.output.consumed > agent.max_ahead)
			agent.max_ahead = agent.output.sent - agent.output.consumed;
	}
	if (agent.started && agent.ended && !agent.left && !agent.told && !agent.hangs_up) {
		struct msg_exec_exited exited = {.code = 7};

		agent.told = true;
		assert_int_equal(msg_put(out, agent.id, MSG_EXEC_EXITED, &exited), 0);
	}
}

static void agent_hear(const struct frame *frame)
{
	struct msg_exec_request request;
	struct msg_exec_started started = {.pid = 1, .stdin_window = agent.input.window};
	struct msg_envelope envelope;
	struct msg_credit credit;
	struct msg_data data;

	assert_int_equal(msg_open(frame, &envelope), 0);
	switch (envelope.type) {
	case MSG_EXEC_REQUEST:
		assert_int_equal(msg_decode(envelope.type, envelope.payload, &request), 0);
		agent.id = frame->id;
		agent.started = true;
		agent.deaf = agent.deafens;
		agent.output.window = request.output_window;
		assert_int_equal(
			msg_put(link_out(&agent.link), agent.id, MSG_EXEC_STARTED, &started), 0);
		break;
	case MSG_EXEC_STDIN:
		assert_int_equal(msg_decode(envelope.type, envelope.payload, &data), 0);
		agent.input.received += data.data.len;
		agent.ended |= data.data.len == 0;
		break;
	case MSG_EXEC_OUTPUT_CREDIT:
		assert_int_equal(msg_decode(envelope.type, envelope.payload, &credit), 0);
		credit_consumed(&agent.output, credit.consumed);
		break;
	default:
		break;
	}
}

static enum link_wish agent_wish(struct link *link)
{
	(void)link;
	return agent.deaf ? LINK_WAIT : LINK_TAKE;
}

static int agent_take(struct link *link, const struct frame *frame)
{
	(void)link;
	agent_hear(frame);
	return 0;
}

static void agent_flushed(struct link *link, bool emptied)
{
	uint64_t consumed;

	(void)emptied;
	if (credit_due(&agent.input, 0, &consumed))
		assert_int_equal(
			msg_put_credit(link_out(link), agent.id, MSG_EXEC_STDIN_CREDIT, consumed),
			0);
	agent_say();
	link_flush(link);
	if (agent.hangs_up && agent.started && !agent.left && !link_unsent(link))
		link_release(link);
}

static void agent_lost(struct link *link, enum link_end how, int error)
{
	(void)how;
	(void)error;
	link_stop(link);
}

static const struct link_calls agent_calls = {
	.wish = agent_wish,
	.on_frame = agent_take,
	.on_flushed = agent_flushed,
	.on_end = agent_lost,
};

static void agent_accept(struct loop_source *source, uint32_t ready)
{
	struct msg_ready greeting = {.agent_version = {"test", 4}, .features = agent.features};
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
	uint8_t range[8];

	(void)ready;
	assert_true(fd >= 0);
	link_init(&agent.link, &loop, fd, fd, 1 << 26, NULL, &agent_calls, LINK_TO_THE_LAST);
	frame_put_u32(range, 1);
	frame_put_u32(range + 4, 1000);
	assert_int_equal(buf_append(link_out(&agent.link), range, sizeof(range)), 0);
	assert_int_equal(msg_put(link_out(&agent.link), 0, MSG_READY, &greeting), 0);
	link_mark(&agent.link);
}

static void user_writes(struct loop_source *source, uint32_t ready)
{
	static uint8_t zeros[65536];
	ssize_t n = 1;

	(void)ready;
	while (user.to_write && n > 0) {
		size_t len = user.to_write < sizeof(zeros) ? user.to_write : sizeof(zeros);

		n = write(source->fd, zeros, len);
		user.to_write -= n > 0 ? (size_t)n : 0;
	}
	if (user.to_write)
		return;
	loop_remove(&loop, source);
	close(user.in_fd);
	user.in_fd = -1;
}

static void user_reads(struct loop_source *source, uint32_t ready)
{
	static uint8_t waste[65536];
	ssize_t n = read(source->fd, waste, user.piece);

	(void)ready;
	assert_true(n != 0);
	user.got += n > 0 ? (size_t)n : 0;
}

/* What has stopped, stands: now what makes it go on. */
static void user_looks(struct loop_timer *timer)
{
	bool input_stands = agent.started && exec.in.stream.source.want == 0;
	bool output_stands = agent.started && !exec.client.link.in_source.want;

	/* With credit it is the agent that has stopped. */
	output_stands |= agent.output.window &&
			 agent.output.sent - agent.output.consumed == agent.output.window;
	if (agent.deaf ? !input_stands : !output_stands) {
		loop_arm(&loop, timer, 5);
		return;
	}
	user.waits = false;
	if (agent.deaf) {
		agent.deaf = false;
		link_mark(&agent.link);
	}
	loop_want(&loop, &user.out, LOOP_IN);
}

static void open_pipes(void)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(stdout);
	dup2(in[0], STDIN_FILENO);
	dup2(out[1], STDOUT_FILENO);
	close(in[0]);
	close(out[1]);
	user.in_fd = in[1];
	user.out_fd = out[0];
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	loop_source_init(&user.in, user.in_fd, user_writes);
	loop_source_init(&user.out, user.out_fd, user_reads);
}

static void listen_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(folder, "/tmp/msb-wake.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/agent", folder);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	loop_source_init(&agent.listener, fd, agent_accept);
	loop_want(&loop, &agent.listener, LOOP_IN);
}

static int set_up(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("test", LOG_LEVEL_NONE);
	memset(&agent, 0, sizeof(agent));
	memset(&user, 0, sizeof(user));
	memset(&exec, 0, sizeof(exec));
	agent.frame = 30000;
	user.look.on_due = user_looks;
	user.piece = 7000;
	saved_in = dup(STDIN_FILENO);
	saved_out = dup(STDOUT_FILENO);
	if (unit_set_up(state))
		return 1;
	listen_there();
	open_pipes();
	return 0;
}

static int tear_down(void **state)
{
	int listener = agent.listener.fd;

	loop_remove(&loop, &user.in);
	loop_remove(&loop, &user.out);
	loop_remove(&loop, &agent.listener);
	close(listener);
	if (user.in_fd >= 0)
		close(user.in_fd);
	close(user.out_fd);
	link_release(&agent.link);
	dup2(saved_in, STDIN_FILENO);
	dup2(saved_out, STDOUT_FILENO);
	close(saved_in);
	close(saved_out);
	unlink(path);
	rmdir(folder);
	return unit_tear_down(state);
}

/* Runs msb-exec with so much for its stdin, until its end. */
static void run_exec(size_t input, bool user_waits)
{
	static char *command[] = {(char *)"command", NULL};
	struct opts opts = {
		.endpoint = path,
		.connect_ms = 8000,
		.tty = OPTS_TTY_NEVER,
		.linger_ms = 500,
		.timeout_signal = SIGTERM,
		.escape_char = ESCAPE_OFF,
		.command = command,
		.command_len = 1,
	};
	struct buf_spare spare = {0};

	user.to_write = input;
	user.waits = user_waits;
	loop_want(&loop, &user.in, LOOP_OUT);
	if (user_waits)
		loop_arm(&loop, &user.look, 5);
	else
		loop_want(&loop, &user.out, LOOP_IN);
	loop.stopped = false;
	exec_run(&exec, &opts, &loop, &spare);
	exec_release(&exec);
	buf_spare_release(&spare);
	while (read(user.out_fd, (char[4096]){0}, 1) > 0)
		user.got++;
	assert_false(user.waits);
}

/* ---- stdin ---- */

static void input_goes_on_with_each_credit(void **state)
{
	(void)state;
	agent.features = MSG_FEATURE_STDIN_WINDOW;
	agent.input.window = WINDOW;
	run_exec(MUCH, false);
	assert_int_equal(exec.status, 7);
	assert_int_equal(agent.input.received, MUCH);
}

/* However little it is, and whatever the pieces are. */
static void input_goes_on_in_a_window_of_a_byte_or_two(void **state)
{
	(void)state;
	agent.features = MSG_FEATURE_STDIN_WINDOW;
	agent.input.window = 2;
	run_exec(5000, false);
	assert_int_equal(exec.status, 7);
	assert_int_equal(agent.input.received, 5000);
}

/* An agent that reads nothing at first, and knows of no credit. */
static void input_goes_on_when_the_agent_reads_again(void **state)
{
	(void)state;
	agent.deafens = true;
	run_exec(MUCH, true);
	assert_int_equal(exec.status, 7);
	assert_int_equal(agent.input.received, MUCH);
}

/* ---- output ---- */

static void output_goes_on_when_its_reader_does(void **state)
{
	(void)state;
	agent.left = MUCH;
	run_exec(0, true);
	assert_int_equal(exec.status, 7);
	assert_int_equal(user.got, MUCH);
}

static void output_with_credit_goes_on_when_its_reader_does(void **state)
{
	(void)state;
	agent.features = MSG_FEATURE_OUTPUT_WINDOW;
	agent.left = 3 * MUCH;
	run_exec(0, true);
	assert_int_equal(exec.status, 7);
	assert_int_equal(user.got, 3 * MUCH);
	assert_true(agent.max_ahead <= agent.output.window);
}

/* Frames so large that they are moved to the pipe, past our memory. */
static void large_frames_go_on_when_their_reader_does(void **state)
{
	(void)state;
	agent.left = 3 * MUCH;
	agent.frame = 900000;
	run_exec(0, true);
	assert_int_equal(exec.status, 7);
	assert_int_equal(user.got, 3 * MUCH);
}

static void both_ways_at_once_go_on(void **state)
{
	(void)state;
	agent.features = MSG_FEATURE_OUTPUT_WINDOW | MSG_FEATURE_STDIN_WINDOW;
	agent.input.window = WINDOW;
	agent.left = MUCH;
	user.piece = 1000;
	run_exec(MUCH, false);
	assert_int_equal(exec.status, 7);
	assert_int_equal(agent.input.received, MUCH);
	assert_int_equal(user.got, MUCH);
}

/* All that it said before it went is written, to a reader that takes it late. */
static void what_a_lost_agent_said_is_written_when_its_reader_goes_on(void **state)
{
	(void)state;
	agent.left = MUCH;
	agent.hangs_up = true;
	run_exec(0, true);
	assert_int_equal(exec.status, EXIT_FAILED);
	assert_int_equal(user.got, MUCH);
}

int main(void)
{
	const struct CMUnitTest wake_exec_tests[] = {
#define WAKE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		WAKE(input_goes_on_with_each_credit),
		WAKE(input_goes_on_in_a_window_of_a_byte_or_two),
		WAKE(input_goes_on_when_the_agent_reads_again),
		WAKE(output_goes_on_when_its_reader_does),
		WAKE(output_with_credit_goes_on_when_its_reader_does),
		WAKE(large_frames_go_on_when_their_reader_does),
		WAKE(both_ways_at_once_go_on),
		WAKE(what_a_lost_agent_said_is_written_when_its_reader_goes_on),
	};

	return cmocka_run_group_tests(wake_exec_tests, NULL, NULL);
}
