#!/usr/bin/env node
/*
 * run.mjs SOCKET COMMAND [ARG]...: runs a command by the msb-execd that listens on that Unix socket, with the
 * reference's client for Node, and ends with its status. Once, in the folder of this file:
 *
 *	npm install microsandbox cbor-x
 *
 * The client moves frames, gives each command an id and says which frame belongs to which; what is in them is
 * for us to encode: v, the protocol's generation; t, the message's type; p, its payload, which is CBOR in CBOR.
 */
import { decode, encode } from 'cbor-x';
import { AgentClient, FLAG_SESSION_START } from 'microsandbox';

const statusOf = { not_found: 127, permission_denied: 126, not_executable: 126 };

const body = (t, payload) => encode({ v: 7, t, p: encode(payload) });

function message(frame) {
	const { t, p } = decode(frame.body);
	return { type: t, ...decode(p) };
}

/* Waits until whoever reads has taken it: a command that prints faster than that waits, too. */
function write(stream, data) {
	return new Promise((resolve, reject) =>
		stream.write(data, (error) => (error ? reject(error) : resolve())));
}

/* Our stdin becomes the command's; a message without a byte is its end. */
async function feed(client, id) {
	for await (const data of process.stdin)
		for (let at = 0; at < data.length; at += 32768)
			await client.send(id, 0, body('core.exec.stdin', { data: data.subarray(at, at + 32768) }));
	await client.send(id, 0, body('core.exec.stdin', { data: Buffer.alloc(0) }));
}

async function run(path, [cmd, ...args]) {
	const client = await AgentClient.connect(path);
	const request = { cmd, args, env: [], cwd: null, user: null, tty: false, rows: 24, cols: 80, rlimits: [] };
	const session = await client.stream(FLAG_SESSION_START, body('core.exec.request', request));
	/* If this fails the connection is lost, and the loop below ends by itself. */
	feed(client, session.id).catch(() => {});
	for (const signal of ['SIGINT', 'SIGTERM'])
		process.on(signal, (name, number) =>
			client.send(session.id, 0, body('core.exec.signal', { signal: number })));
	for (let next = await session.next(); !next.done; next = await session.next()) {
		const says = message(next.value);
		if (says.type === 'core.exec.stdout')
			await write(process.stdout, says.data);
		else if (says.type === 'core.exec.stderr')
			await write(process.stderr, says.data);
		else if (says.type === 'core.exec.exited')
			return says.signal ? 128 + says.signal : says.code & 255;
		else if (says.type === 'core.exec.failed' || says.type === 'core.error') {
			console.error(`run.mjs: ${says.message}`);
			return statusOf[says.kind] ?? 125;
		}
	}
	throw new Error('the agent closed the connection');
}

if (process.argv.length < 4) {
	console.error('usage: run.mjs SOCKET COMMAND [ARG]...');
	process.exit(125);
}
/* However we end, the connection closes, and then the agent ends a command that still runs. */
process.stdout.on('error', () => process.exit(141));
process.exit(await run(process.argv[2], process.argv.slice(3)).catch((error) => {
	console.error(`run.mjs: ${process.argv[2]}: ${error.message}`);
	return 125;
}));
