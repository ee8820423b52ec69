/* The text of an address: see endpoint.h. Pure. */
#include "endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base.h"

#define UNIX_PATH_MAX (ENDPOINT_PATH_MAX - 1)
#define NAME_MAX_LEN  255 /* of one component of a path */
#define BOTH	      (ENDPOINT_CLIENT | ENDPOINT_DAEMON)

struct parse {
	const char *text; /* all of it, for messages */
	const char *rest; /* behind the prefix */
	enum endpoint_side side;
};

/* ---- parts ---- */

/* Decimal digits and nothing else, up to what is below the "any" of vsock. */
static bool read_number(const char *at, size_t len, uint32_t *ret)
{
	uint64_t number = 0;

	if (len == 0 || len > 10)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		number = number * 10 + (uint64_t)(at[i] - '0');
	}
	if (number >= UINT32_MAX)
		return false;
	*ret = (uint32_t)number;
	return true;
}

/* Whether it is an abstract one, which is no file. */
static bool is_abstract(const struct endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_UNIX && endpoint->path[0] == '@';
}

static int take_path(const struct parse *parse, size_t len, struct endpoint *ret, struct err *err)
{
	if (len > UNIX_PATH_MAX)
		return err_set(err, ENAMETOOLONG, NULL, "socket path %.*s (at most %zu bytes)",
			       (int)len, parse->rest, UNIX_PATH_MAX);
	ret->path = parse->rest;
	ret->path_len = len;
	return 0;
}

static int refuse_kind(const struct parse *parse, struct err *err)
{
	if (parse->text[0] && !parse->text[strspn(parse->text, "0123456789")]) {
		err_set(err, 0, NULL, "%.20s is not an address", parse->text);
		return err_hint(err, "a port is vsock:%s%.20s, a file ./%.20s",
				parse->side == ENDPOINT_CLIENT ? "CID:" : "", parse->text,
				parse->text);
	}
	if (parse->text[0])
		err_set(err, 0, NULL, "%.200s is not an address", parse->text);
	else
		err_set(err, 0, NULL, "the address is empty");
	return err_hint(err, "an address is %s",
			parse->side == ENDPOINT_CLIENT
				? "a path, unix:PATH, unix:@NAME, vsock:CID:PORT, "
				  "hvsock:PATH:PORT, exec:COMMAND, sandbox:NAME or local:"
				: "a path, unix:PATH, unix:@NAME, vsock:PORT, serial:NAME, "
				  "serial:PATH or stdio:");
}

static int refuse(const struct parse *parse, const char *shape, struct err *err)
{
	return err_set(err, 0, NULL, "%.200s is not an address; use %s", parse->text, shape);
}

/* ---- kinds ---- */

static int parse_unix(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	if (!parse->rest[0] || strcmp(parse->rest, "@") == 0)
		return refuse(parse, "unix:PATH or unix:@NAME", err);
	return take_path(parse, strlen(parse->rest), ret, err);
}

static int parse_vsock(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	const char *port = parse->rest, *colon = strchr(port, ':');

	ret->cid = ENDPOINT_CID_ANY;
	if (parse->side == ENDPOINT_CLIENT) {
		if (!colon || !read_number(port, (size_t)(colon - port), &ret->cid))
			return refuse(parse, "vsock:CID:PORT, two numbers", err);
		port = colon + 1;
	}
	if (!read_number(port, strlen(port), &ret->port))
		return refuse(parse,
			      parse->side == ENDPOINT_CLIENT
				      ? "vsock:CID:PORT, two numbers"
				      : "vsock:PORT, a number, to listen for every CID",
			      err);
	return 0;
}

/* The path may hold colons, the port cannot. */
static int parse_hvsock(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	const char *colon = strrchr(parse->rest, ':');

	if (parse->rest[0] != '/' || !colon ||
	    !read_number(colon + 1, strlen(colon + 1), &ret->port))
		return refuse(parse, "hvsock:/path:PORT", err);
	return take_path(parse, (size_t)(colon - parse->rest), ret, err);
}

static int parse_exec(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	ret->command = parse->rest + strspn(parse->rest, " \t\n");
	return ret->command[0] ? 0 : refuse(parse, "exec:COMMAND", err);
}

/* A name becomes a part of a path, and must not lead out of it. */
static bool is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LEN && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0;
}

static int parse_sandbox(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	ret->name = parse->rest;
	return is_name(ret->name) ? 0 : refuse(parse, "sandbox:NAME, a name without a slash", err);
}

static int parse_serial(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	if (parse->rest[0] == '/') {
		ret->path = parse->rest;
		ret->path_len = strlen(parse->rest);
		return 0;
	}
	ret->name = parse->rest;
	return is_name(ret->name) ? 0 : refuse(parse, "serial:NAME or serial:/path", err);
}

static int parse_bare(const struct parse *parse, struct endpoint *ret, struct err *err)
{
	(void)ret;
	if (parse->rest[0])
		return err_set(err, 0, NULL, "%s is not an address; nothing may follow the colon",
			       parse->text);
	return 0;
}

/* Every kind, who may use it, and how the rest of its text is read. */
static const struct kind {
	const char *prefix;
	unsigned sides;
	int (*parse)(const struct parse *parse, struct endpoint *ret, struct err *err);
} kinds[] = {
	[ENDPOINT_UNIX] = {"unix:", BOTH, parse_unix},
	[ENDPOINT_VSOCK] = {"vsock:", BOTH, parse_vsock},
	[ENDPOINT_HVSOCK] = {"hvsock:", ENDPOINT_CLIENT, parse_hvsock},
	[ENDPOINT_EXEC] = {"exec:", ENDPOINT_CLIENT, parse_exec},
	[ENDPOINT_SANDBOX] = {"sandbox:", ENDPOINT_CLIENT, parse_sandbox},
	[ENDPOINT_LOCAL] = {"local:", ENDPOINT_CLIENT, parse_bare},
	[ENDPOINT_SERIAL] = {"serial:", ENDPOINT_DAEMON, parse_serial},
	[ENDPOINT_STDIO] = {"stdio:", ENDPOINT_DAEMON, parse_bare},
};

#define KINDS (ARRAY_LEN(kinds))

/* ---- the whole ---- */

/* A path, relative or not, is what has no colon, or a slash before the first; and no kind without its. */
static bool is_path(const char *text)
{
	size_t len = strcspn(text, ":/");

	for (size_t i = 0; i < KINDS; i++)
		if (strlen(kinds[i].prefix) == strlen(text) + 1 &&
		    strncmp(text, kinds[i].prefix, strlen(text)) == 0)
			return false;
	/* Nor a number, which somebody means for a port. */
	return text[strspn(text, "0123456789")] && text[len] != ':';
}

static const struct kind *find_kind(const char *text)
{
	if (is_path(text))
		return &kinds[ENDPOINT_UNIX];
	for (size_t i = 0; i < KINDS; i++)
		if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
			return &kinds[i];
	return NULL;
}

int endpoint_parse(const char *text, enum endpoint_side side, struct endpoint *ret, struct err *err)
{
	const struct kind *kind = find_kind(text);
	struct parse parse = {.text = text, .rest = text, .side = side};
	struct endpoint endpoint;
	int r;

	if (!kind)
		return refuse_kind(&parse, err);
	if (!(kind->sides & side))
		return err_set(err, 0, NULL, "%s is an address for %s", kind->prefix,
			       side == ENDPOINT_CLIENT ? "msb-execd, not for clients"
						       : "clients, not for listening");
	if (!is_path(text))
		parse.rest += strlen(kind->prefix);
	endpoint = (struct endpoint){.kind = (enum endpoint_kind)(kind - kinds)};
	r = kind->parse(&parse, &endpoint, err);
	if (r == 0)
		*ret = endpoint;
	return r;
}

socklen_t endpoint_unix_address(const struct endpoint *endpoint, struct sockaddr_un *ret)
{
	/* The parser has seen that it fits. */
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(ret->sun_path, endpoint->path, endpoint->path_len);
	if (!is_abstract(endpoint))
		return sizeof(*ret);
	ret->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + endpoint->path_len);
}

bool endpoint_of_user(char out[ENDPOINT_PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	out[0] = '\0';
	if (!runtime || runtime[0] != '/' ||
	    strlen(runtime) + sizeof("/msb-execd.sock") > ENDPOINT_PATH_MAX)
		return false;
	strcpy(stpcpy(out, runtime), "/msb-execd.sock");
	return true;
}

bool endpoint_is_file(const struct endpoint *endpoint)
{
	return endpoint->kind == ENDPOINT_UNIX && !is_abstract(endpoint);
}

const char *endpoint_name(const struct endpoint *endpoint, char *out, size_t len)
{
	const char *prefix = kinds[endpoint->kind].prefix;
	const char *rest = endpoint->path      ? endpoint->path
			   : endpoint->name    ? endpoint->name
			   : endpoint->command ? endpoint->command
					       : "";
	int n;

	if (endpoint->kind == ENDPOINT_HVSOCK)
		n = snprintf(out, len, "%s%.*s:%u", prefix, (int)endpoint->path_len, rest,
			     endpoint->port);
	else if (endpoint->kind != ENDPOINT_VSOCK)
		n = snprintf(out, len, "%s%s", prefix, rest);
	else if (endpoint->cid == ENDPOINT_CID_ANY)
		n = snprintf(out, len, "%s%u", prefix, endpoint->port);
	else
		n = snprintf(out, len, "%s%u:%u", prefix, endpoint->cid, endpoint->port);
	/* A command may be long; that it goes on is to be seen. */
	if (n >= (int)len && len > 4) {
		size_t at = len - 4;

		while (at && ((unsigned char)out[at] & 0xc0) == 0x80)
			at--;
		strcpy(out + at, "...");
	}
	return out;
}
