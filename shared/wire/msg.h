/*
 * The messages of the wire as typed structs, and their CBOR both ways (protocol generation 7 and
 * the optional keys of msb-execd). The only part of the project that knows libcbor.
 *
 * Decoding hands out pointers into the frame's body, valid until the queue that holds it changes;
 * it never allocates. Encoding appends whole frames to a queue.
 */
#ifndef MSB_MSG_H
#define MSB_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "shared/buf.h"

#define MSG_GENERATION	    7 /* what we advertise and stamp */
#define MSG_GENERATION_ERR  5 /* the first whose peers can decode core.error */
#define MSG_GENERATION_PING 6 /* the first whose agents answer a ping */

#define MSG_INPUT_UNASKED (64 * 1024) /* bytes of stdin that may go before a window is known */

/* A text that is not terminated; ptr is NULL where an optional one is absent or null. */
struct msg_text {
	const char *ptr;
	size_t len;
};

struct msg_bytes {
	uint8_t *ptr;
	size_t len;
};

struct msg_rlimit {
	struct msg_text resource;
	uint64_t soft, hard; /* UINT64_MAX: no limit */
};

/* A list inside a message: cbor when decoded (walk it once), else what it is encoded from. */
struct msg_list {
	struct msg_bytes cbor;
	size_t count;			 /* elements, in each form */
	char *const *strv;		 /* of texts, or of pairs as K=V */
	const struct msg_rlimit *limits; /* of limits */
};

enum msg_type {
	MSG_UNKNOWN,
	MSG_READY,
	MSG_INIT_RESOLVED,
	MSG_INIT_ACK,
	MSG_SHUTDOWN,
	MSG_RELAY_CLIENT_DISCONNECTED,
	MSG_CLOCK_SYNC,
	MSG_ERROR,
	MSG_PING,
	MSG_PONG,
	MSG_TOUCH,
	MSG_TOUCHED,
	MSG_BOOTSTRAP,
	MSG_EXEC_REQUEST,
	MSG_EXEC_STARTED,
	MSG_EXEC_STDIN,
	MSG_EXEC_STDIN_ERROR,
	MSG_EXEC_STDOUT,
	MSG_EXEC_STDERR,
	MSG_EXEC_EXITED,
	MSG_EXEC_FAILED,
	MSG_EXEC_RESIZE,
	MSG_EXEC_SIGNAL,
	MSG_EXEC_OUTPUT_CLOSE,
	MSG_EXEC_STDIN_CREDIT,
	MSG_EXEC_OUTPUT_CREDIT,
	MSG_FS_REQUEST,
	MSG_FS_DATA,
	MSG_FS_RESPONSE,
	MSG_TCP_CONNECT,
	MSG_TCP_DATA,
	MSG_TCP_EOF,
	MSG_TCP_CLOSE,
	MSG_TCP_FAILED,
	MSG_TRANSPORT_CREDIT,
	MSG_SESSION_LIST,
	MSG_SESSION_ENTRY,
	MSG_SESSION_ATTACH,
	MSG_SESSION_INPUT,
	MSG_SESSION_ATTACHED,
	MSG_SESSION_SKIPPED,
	MSG_SESSION_DETACH,
	MSG_SESSION_REFUSED,
	MSG_SESSION_DETACHED,
	MSG_SESSION_SIGNAL,
	MSG_SESSION_REMOVE,
	MSG_SESSION_DONE,
	MSG_TYPE_COUNT,
};

/* Why an exec request failed, in the reference's closed set. */
enum msg_failure {
	MSG_FAILURE_NOT_FOUND,
	MSG_FAILURE_PERMISSION_DENIED,
	MSG_FAILURE_NOT_EXECUTABLE,
	MSG_FAILURE_BAD_CWD,
	MSG_FAILURE_BAD_ARGS,
	MSG_FAILURE_RESOURCE_LIMIT,
	MSG_FAILURE_USER_SETUP_FAILED,
	MSG_FAILURE_OUT_OF_MEMORY,
	MSG_FAILURE_PTY_SETUP_FAILED,
	MSG_FAILURE_OTHER,
};

/* Why a message was refused (core.error), in the reference's closed set. */
enum msg_refusal {
	MSG_REFUSAL_MALFORMED_MESSAGE,
	MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
	MSG_REFUSAL_UNSUPPORTED_PROTOCOL_GENERATION,
	MSG_REFUSAL_INVALID_FLAGS,
	MSG_REFUSAL_INVALID_PAYLOAD,
	MSG_REFUSAL_INVALID_SESSION,
};

/* What becomes of a session whose client is gone. */
enum msg_on_disconnect { MSG_DISCONNECT_KILL, MSG_DISCONNECT_HANGUP, MSG_DISCONNECT_KEEP };

enum msg_stream { MSG_STREAM_STDOUT, MSG_STREAM_STDERR };

/* exec_features of core.ready: a bit for each that the agent lists. */
enum msg_feature {
	MSG_FEATURE_TIMEOUT = 1 << 0,
	MSG_FEATURE_LINGER = 1 << 1,
	MSG_FEATURE_ON_DISCONNECT = 1 << 2,
	MSG_FEATURE_LOGIN_SHELL = 1 << 3,
	MSG_FEATURE_USAGE = 1 << 4,
	MSG_FEATURE_OUTPUT_CLOSE = 1 << 5,
	MSG_FEATURE_STDIN_WINDOW = 1 << 6,
	MSG_FEATURE_OUTPUT_WINDOW = 1 << 7,
	MSG_FEATURE_PIXELS = 1 << 8,
	MSG_FEATURE_SESSIONS = 1 << 9,
	MSG_FEATURE_MERGE_OUTPUT = 1 << 10,
	MSG_FEATURE_USER_SHELL = 1 << 11,
	MSG_FEATURE_CGROUP = 1 << 12,
	MSG_FEATURE_FRAME_MARK = 1 << 13, /* of a stream that many share */
};

/* How one comes to a kept session: what it wants of it. */
enum msg_attach {
	MSG_ATTACH_TAKE,  /* to be the one that has it; who had it is detached */
	MSG_ATTACH_WATCH, /* to look on */
	MSG_ATTACH_LOGS,  /* what it has printed so far */
	MSG_ATTACH_WAIT,  /* its end, which is fetched with it */
};

/* Why an id is no longer attached to its session. */
enum msg_detached {
	MSG_DETACHED_ASKED,   /* by core.session.detach */
	MSG_DETACHED_TAKEN,   /* somebody else has it now */
	MSG_DETACHED_REMOVED, /* it is no more */
	MSG_DETACHED_DONE,    /* all that was asked for has been sent */
};

#define MSG_SESSION_ID_LEN   12 /* of lower case hexadecimal digits */
#define MSG_SESSION_NAME_MAX 64 /* bytes */

struct msg_ready {
	uint64_t boot_time_ns, init_time_ns, ready_time_ns;
	struct msg_text agent_version;
	uint32_t features;   /* enum msg_feature */
	uint32_t frame_mark; /* what follows has this one, see frame.h; 0: none */
};

/* From a host: it is new, or has heard whom commands run as. */
struct msg_init_ack {
	uint32_t frame_mark; /* that it wants, and gives; 0: none */
};

struct msg_pair {
	struct msg_text key, value;
};

/* The guest's configuration, as far as its commands are concerned; ptr NULL: not given. */
struct msg_bootstrap {
	struct msg_text user, security_profile, default_cwd;
	struct msg_list default_env; /* walk with msg_next_pair() */
	struct msg_list rlimits;     /* walk with msg_next_rlimit() */
};

struct msg_identity {
	uint32_t uid, gid;
};

struct msg_init_resolved {
	struct msg_identity default_user;
};

/* Of core.relay.client.disconnected: the ids that client had. */
struct msg_id_range {
	uint32_t start, end; /* end is exclusive */
};

struct msg_exec_request {
	struct msg_text cmd;
	struct msg_list args;	   /* without argv[0] */
	struct msg_list env;	   /* K=V */
	struct msg_text cwd, user; /* ptr NULL: not given */
	bool tty;
	uint16_t rows, cols;
	struct msg_list rlimits; /* walk with msg_next_rlimit() */

	/* Ours. */
	uint16_t xpixel, ypixel; /* of the whole window; 0: not known */
	uint64_t timeout_ms;	 /* 0: none */
	int32_t timeout_signal;
	uint64_t kill_after_ms;
	bool has_linger;
	uint64_t linger_ms;
	struct msg_text on_disconnect; /* as sent; see msg_on_disconnect_parse() */
	bool login_shell;
	bool user_shell;	/* the same shell, but no login shell */
	bool merge_output;	/* one pipe is stdout and stderr */
	bool cgroup;		/* it is in one of its own; each of these implies that: */
	uint64_t memory_max;	/* bytes; 0: no limit, as of those below */
	uint64_t cpu_millis;	/* thousandths of a processor */
	uint64_t pids_max;	/* processes and threads */
	bool stdin_window;	/* the client counts credit for stdin */
	uint64_t output_window; /* bytes of output that may be in flight; 0: any */
	struct msg_text name;	/* of the kept session */
	uint64_t hold_ms; /* a kept session drops no output for so long once its client is lost */
	bool detached;	  /* the client leaves once it runs, and nothing of it is for that */
	bool has_for_uid; /* said by a relay alone: */
	uint32_t for_uid; /* whose request it is */
};

struct msg_exec_started {
	uint32_t pid;
	uint64_t stdin_window; /* bytes of stdin that may be in flight; 0: the agent does not say */
	struct msg_text session; /* its id, if it is kept */
	uint32_t turn;		 /* as of msg_session_attached */
};

struct msg_data {
	struct msg_bytes data;
};

struct msg_stdin_error {
	int32_t num; /* errno, 0 when unknown */
	struct msg_text name;
	struct msg_text message;
};

struct msg_usage {
	uint64_t user_us, sys_us, wall_us, max_rss_kib;
};

struct msg_exec_exited {
	int32_t code;
	uint8_t signal; /* 0: none, or the agent does not say */
	bool core_dumped;
	bool timed_out;
	bool oom_killed;
	struct msg_usage usage;
	bool has_usage;
};

struct msg_exec_failed {
	struct msg_text kind;
	int32_t num; /* errno, 0 when unknown */
	struct msg_text num_name;
	struct msg_text message;
	struct msg_text stage;
};

struct msg_exec_resize {
	uint16_t rows, cols;
	uint16_t xpixel, ypixel; /* of the whole window; 0: not known */
};

struct msg_exec_signal {
	int32_t signal;
};

struct msg_output_close {
	struct msg_text stream;
};

/* Of stdin or of output: how many bytes, since the session began, its receiver is done with. */
struct msg_credit {
	uint64_t consumed;
};

/* ---- kept sessions; a session is named by its id or by its name ---- */

struct msg_session_list {
	bool has_for_uid;
	uint32_t for_uid;
};

struct msg_session_entry {
	struct msg_text session, name; /* ptr NULL: it has no name */
	struct msg_text user;	       /* that it runs as, a name or a number */
	uint32_t pid;
	bool tty, ended;
	uint64_t age_ms; /* since its start */
	uint64_t cpu_us;
	uint32_t attached;	 /* how many are, to have it or to look on */
	struct msg_list command; /* maybe cut short */
	/* Of the bytes since its start: the first that is still there, and the one behind the last. */
	uint64_t stdout_begin, stdout_end, stderr_begin, stderr_end;
	struct msg_exec_exited exited; /* if it has ended */
};

struct msg_session_attach {
	struct msg_text session;
	struct msg_text mode; /* as sent; see msg_attach_parse() */
	/* The first byte that is wanted; without it the first that is there. */
	bool has_stdout_since, has_stderr_since;
	uint64_t stdout_since, stderr_since;
	uint16_t rows, cols; /* 0: its terminal stays as it is */
	uint16_t xpixel, ypixel;
	bool stdin_window;
	uint64_t output_window;
	uint64_t hold_ms; /* as of msg_exec_request */
	uint32_t turn;	  /* only if nobody has had it since that; 0: whoever has it */
	bool has_for_uid;
	uint32_t for_uid;
};

struct msg_session_attached {
	struct msg_text session, name;
	uint32_t pid;
	bool tty;
	/* The first byte that comes; what lies between the one that was wanted and it is gone. */
	uint64_t stdout_at, stderr_at;
	uint64_t stdin_at;     /* bytes of its stdin that came so far from whoever had it */
	uint64_t stdin_window; /* as of msg_exec_started */
	uint32_t turn;	       /* how often somebody else has come to have it */
	/* For a terminal that begins in the midst: what to print first. */
	struct msg_bytes restore;
};

/* To one that looks on and is too slow: so many bytes are gone before what comes next. */
struct msg_session_skipped {
	struct msg_text stream;
	uint64_t bytes;
};

struct msg_session_detach {
	struct msg_bytes restore; /* what its terminal's modes are, to be printed first */
};

/* It cannot be kept, and goes on as it is. */
struct msg_session_refused {
	struct msg_text message;
};

struct msg_session_detached {
	struct msg_text why; /* see msg_detached_parse() */
	struct msg_text session, name;
};

struct msg_session_signal {
	struct msg_text session;
	int32_t signal;
	bool has_for_uid;
	uint32_t for_uid;
};

struct msg_session_remove {
	struct msg_text session;
	bool has_for_uid;
	uint32_t for_uid;
};

/*
 * Of core.workload.transport.credit: what a host may have sent in all, since the stream began, of
 * frames of two kinds (generation 9).
 */
struct msg_transport_credit {
	uint64_t control_bytes, control_frames, bulk_bytes, bulk_frames;
};

struct msg_error {
	struct msg_text kind;
	struct msg_text message;
	struct msg_text offending_type;
};

/* A frame's body, opened: the payload is still CBOR. */
struct msg_envelope {
	uint8_t v;
	enum msg_type type;
	struct msg_text type_name;
	struct msg_bytes payload;
};

/* ---- decoding: 0, or -EBADMSG for what the peer must not send ---- */

/* If the type could be read, *ret holds v and type_name even when -EBADMSG is returned. */
int msg_open(const struct frame *frame, struct msg_envelope *ret);

/*
 * Decodes the payload into the struct that goes with the type: msg_exec_request for
 * MSG_EXEC_REQUEST and so on; msg_data for stdin, stdout and stderr; msg_id_range for
 * MSG_RELAY_CLIENT_DISCONNECTED; msg_session_attach for MSG_SESSION_INPUT, too; NULL for a type that has no fields. Keys that nobody knows are passed over.
 */
int msg_decode(enum msg_type type, struct msg_bytes payload, void *ret_struct);

/* Whether the payload is a whole map with keys of text, whatever they say. Changes nothing. */
int msg_check(struct msg_bytes payload);

/*
 * The next element of a decoded list: 1 and the element, 0 at the end. Texts were checked when
 * the list was decoded; a limit or a pair can still be -EBADMSG.
 */
int msg_next_text(struct msg_list *list, struct msg_text *ret_text);

/*
 * The same for who comes before the one that walks the list: nothing in it is changed. A text that was sent in pieces
 * is put together in the caller's room, and there is no more, as at the end, if it is longer.
 */
int msg_peek_text(struct msg_list *list, uint8_t *room, size_t room_len, struct msg_text *ret_text);
int msg_next_rlimit(struct msg_list *list, struct msg_rlimit *ret_limit);
int msg_next_pair(struct msg_list *list, struct msg_pair *ret_pair);

/* Each returns the enumeration's value, or -EINVAL. */
int msg_failure_parse(struct msg_text text);
int msg_on_disconnect_parse(struct msg_text text);
int msg_stream_parse(struct msg_text text);
int msg_attach_parse(struct msg_text text);
int msg_detached_parse(struct msg_text text);

/* The word for it, static. */
const char *msg_on_disconnect_name(enum msg_on_disconnect what);
const char *msg_stream_name(enum msg_stream stream);

/* Which one MSG_EXEC_STDOUT or MSG_EXEC_STDERR is of. */
static inline enum msg_stream msg_stream_of(enum msg_type type)
{
	return type == MSG_EXEC_STDERR ? MSG_STREAM_STDERR : MSG_STREAM_STDOUT;
}

const char *msg_attach_name(enum msg_attach mode);
const char *msg_detached_name(enum msg_detached why);

/* Whether it is an id of a session: so many lower case hexadecimal digits. */
bool msg_is_session_id(struct msg_text text);

/* Whether it may be the name of a session: letters, digits and ._- behind a letter or a digit, and no id. */
bool msg_is_session_name(struct msg_text text);

/* The flags that exactly a frame of this type carries. */
uint8_t msg_flags(enum msg_type type);

/* The type's name on the wire, static. */
const char *msg_name(enum msg_type type);

/* ---- encoding: appends one frame; 0, -ENOBUFS, -ENOMEM, or -EMSGSIZE over the wire's limit ----
 */

/*
 * The message that the struct is, of the type that it goes with, as msg_decode() has it. Keys that
 * say nothing are null or left out, as msg_tables.c has it. The lists of a request as they were decoded,
 * too, which walks them: -EBADMSG for a limit that is none. A bootstrap's default_env are K=V entries.
 */
int msg_put(struct buf *out, uint32_t id, enum msg_type type, const void *message);

/* What says more than its struct, or less. */
int msg_put_empty(struct buf *out, uint32_t id, enum msg_type type);
int msg_put_stdin_error(struct buf *out, uint32_t id, int num);
int msg_put_exec_failed(struct buf *out, uint32_t id, enum msg_failure kind, int num,
			const char *message, const char *stage);
int msg_put_exec_signal(struct buf *out, uint32_t id, int signal);
int msg_put_output_close(struct buf *out, uint32_t id, enum msg_stream stream);
/* type: MSG_EXEC_STDIN_CREDIT or MSG_EXEC_OUTPUT_CREDIT. */
int msg_put_credit(struct buf *out, uint32_t id, enum msg_type type, uint64_t consumed);
int msg_put_error(struct buf *out, uint32_t id, enum msg_refusal kind, const char *message,
		  struct msg_text offending_type);
int msg_put_touched(struct buf *out, uint32_t id, uint64_t activity_seq);
int msg_put_fs_refusal(struct buf *out, uint32_t id, const char *message);
int msg_put_tcp_refusal(struct buf *out, uint32_t id, const char *message);

/*
 * What a relay passes on as it came, in an envelope of our own: the map that the payload is, byte
 * for byte, and nothing that stands behind it. -EBADMSG if it is no whole map, which one that
 * msg_decode() took always is; but that may have changed it, so decode a copy.
 */
int msg_put_payload(struct buf *out, uint32_t id, enum msg_type type, struct msg_bytes payload);

/* What a relay says with a request of its client's. */
struct msg_relayed {
	/* Flow control, on behalf of a client that does not know it. */
	bool input;
	uint64_t output; /* bytes; 0: none */
	/* Whose request it is, in place of whatever the client said of that. */
	bool has_for_uid;
	uint32_t for_uid;
};

/*
 * A request that was decoded, with that: encoded anew from what was understood, never by patching
 * what came, which another decoder may read otherwise. Keys that we do not know are gone from it.
 * Errors as of msg_put().
 */
int msg_put_request_with(struct buf *out, uint32_t id, const struct msg_exec_request *request,
			 const struct msg_relayed *add);

/*
 * A frame of stdin, stdout or stderr without a copy: begin gives room for up to max bytes, the
 * caller reads into it, end puts the header before them. End with len 0 is the end of file.
 * A begin that is not ended, or that nothing was read for, costs nothing but buf_settle().
 */
int msg_data_begin(struct buf *out, size_t max, uint8_t **ret_space);
void msg_data_end(struct buf *out, uint32_t id, enum msg_type type, size_t len);

/* Bytes before a payload that does not fit into 64 KiB. */
#define MSG_BULK_HEAD_STDIN  49
#define MSG_BULK_HEAD_OUTPUT 50
#define MSG_DATA_HEAD_MAX    96 /* bytes that come before the payload, at most */

/* The same without the payload, whose len bytes the caller sends right behind. */
int msg_data_head(struct buf *out, uint32_t id, enum msg_type type, size_t len);

/*
 * Whether the queue begins with such a head, of that id and type, and a payload so large that it
 * is worth the trouble: the head's length, and the payload's. 0 when not, or when an agent writes its heads another way.
 */
size_t msg_peek_data(const struct buf *in, uint32_t id, enum msg_type type, size_t *ret_len);

#endif
