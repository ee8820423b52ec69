/*
 * The reference SDK, from where run.sh installed it, and commands run through it. Its client moves
 * frames whose bodies are ours to encode: with cbor-x, as programs that are written for it do. That
 * writes every map's head in three bytes, and byte strings with a tag where we hand it a Uint8Array.
 */
import { strict as assert } from 'node:assert';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const installed = createRequire(`${process.env.INTEROP}/package.json`);
const load = (name) => import(pathToFileURL(installed.resolve(name)));

export const { AgentClient, FLAG_SESSION_START, FLAG_SHUTDOWN } = await load('microsandbox');
const { encode, decode } = await load('cbor-x');

export const SLOW = Number(process.env.SLOW ?? 1);

/* A promise that must not take for ever: the SDK itself has no time-outs once it is connected. */
export function soon(promise, what, seconds = 10) {
	let timer;
	const late = new Promise((_, reject) => {
		const fail = () => reject(new Error(`${what}: nothing for ${seconds * SLOW} s`));
		timer = setTimeout(fail, seconds * 1000 * SLOW);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/* Waits until check() holds. */
export async function until(check, what, seconds = 10) {
	const end = Date.now() + seconds * 1000 * SLOW;
	while (!(await check())) {
		assert.ok(Date.now() < end, `gave up waiting until ${what}`);
		await new Promise((next) => setTimeout(next, 20));
	}
}

/* A Buffer is written plain, a Uint8Array with tag 64: each message has one of them in each place. */
export function body(type, payload = {}, v = 5) {
	return encode({ v, t: type, p: new Uint8Array(encode(payload)) });
}

export function message(frame) {
	const { v, t, p } = decode(frame.body);
	return { id: frame.id, flags: frame.flags, v, type: t, ...decode(p) };
}

export function readyOf(client) {
	const { v, t, p } = decode(client.readyBytes());
	return { v, type: t, ...decode(p) };
}

export async function ask(client, type, payload, flags = 0) {
	return message(await soon(client.request(flags, body(type, payload)), type));
}

/* One command on a client: what it said so far, and how it ended. */
export class Session {
	/* A request with all its nine keys, as the SDK's own typed clients send it. */
	static open(client, request) {
		const whole = { cmd: '/bin/sh', args: [], env: [], cwd: undefined, user: null };
		const rest = { tty: false, rows: 24, cols: 80, rlimits: [] };
		return Session.bare(client, { ...whole, ...rest, ...request });
	}

	static async bare(client, request) {
		const sent = body('core.exec.request', request);
		return new Session(client, await soon(client.stream(FLAG_SESSION_START, sent), 'open'));
	}

	constructor(client, stream) {
		this.client = client;
		this.stream = stream;
		this.chunks = { stdout: [], stderr: [] };
		this.events = [];
		this.bytes = 0;
	}

	get id() {
		return this.stream.id;
	}

	text(name = 'stdout') {
		return Buffer.concat(this.chunks[name]).toString();
	}

	/* The next message, or null at the end. */
	async next(seconds) {
		const { done, value } = await soon(this.stream.next(), 'a frame', seconds);
		if (done)
			return null;
		const said = message(value);
		assert.equal(said.id, this.id);
		const name = /^core\.exec\.(stdout|stderr)$/.exec(said.type)?.[1];
		if (name) {
			this.chunks[name].push(Buffer.from(said.data));
			this.bytes += said.data.length;
		} else {
			this.events.push(said);
		}
		return said;
	}

	/* Reads until such a message has come. */
	async expect(type) {
		for (;;) {
			const said = await this.next();
			assert.ok(said, `the stream ended before ${type}`);
			if (said.type === type)
				return said;
		}
	}

	/* Reads until the output so far holds the pattern. */
	async until(pattern, name = 'stdout') {
		while (!pattern.test(this.text(name)))
			assert.ok(await this.next(), `no ${pattern} in ${this.text(name)}`);
		return pattern.exec(this.text(name));
	}

	/* Reads to the end, which is one terminal message and then nothing. */
	async end(seconds = 30) {
		while (await this.next(seconds))
			;
		const last = this.events.at(-1);
		assert.ok(last, 'the stream ended without a word');
		assert.equal(last.flags, 1, `${last.type} is terminal`);
		return last;
	}

	send(type, payload) {
		return soon(this.client.send(this.id, 0, body(type, payload)), type, 30);
	}

	input(data) {
		const bytes = Buffer.from(data);
		/* By turns tagged and untagged. */
		this.turn = !this.turn;
		return this.send('core.exec.stdin', { data: this.turn ? new Uint8Array(bytes) : bytes });
	}

	inputEnd() {
		return this.send('core.exec.stdin', { data: new Uint8Array(0) });
	}

	signal(signal) {
		return this.send('core.exec.signal', { signal });
	}
}

/* Runs a line of shell and returns its session, ended. */
export async function run(client, script, more = {}) {
	const session = await Session.open(client, { args: ['-c', script], ...more });
	session.last = await session.end();
	return session;
}

/* The failure of a request that cannot be run. */
export async function failure(client, request) {
	const last = await (await Session.open(client, request)).end();
	assert.equal(last.type, 'core.exec.failed');
	return last;
}
