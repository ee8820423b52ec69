/*
 * What a file of tests talks to: msb-execd on a Unix socket, or msb-relayd before an msb-execd on a
 * serial line, as $AGENT says. Started before the tests; after them it must look as before and end
 * well.
 */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { after, before, test as nodeTest } from 'node:test';
import { AgentClient, SLOW, soon, until } from './sdk.mjs';

export const relayed = process.env.AGENT === 'relayd';
export const isRoot = process.getuid() === 0;

const folder = mkdtempSync('/tmp/msb-interop.');
export const socketPath = `${folder}/s`;
const programs = [];
let descriptors;
const clients = new Set();

/* A program of ours whose log is read in the end. */
function start(name, args) {
	const child = spawn(`${process.env.BUILD}/${name}`, ['--log-level', 'info', ...args], {
		stdio: ['ignore', 'ignore', 'pipe'],
	});
	const program = { name, child, log: '' };
	child.stderr.on('data', (data) => (program.log += data));
	program.ended = new Promise((resolve) => child.on('exit', (...how) => resolve(how)));
	programs.push(program);
	return program;
}

const descriptorsOf = ({ child }) => readdirSync(`/proc/${child.pid}/fd`).length;
const childrenOf = ({ child }) =>
	readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();

async function answers() {
	try {
		const client = await AgentClient.connect(socketPath, { timeoutMs: 1000 });
		await client.close();
		return true;
	} catch {
		return false;
	}
}

before(async () => {
	start('msb-execd', ['--listen', `unix:${socketPath}`]);
	await until(answers, 'the daemon answers');
	descriptors = programs.map(descriptorsOf);
});

after(async () => {
	for (const client of clients)
		await client.close();
	try {
		for (const [i, program] of programs.entries()) {
			await until(() => childrenOf(program) === '', `${program.name} has no children`);
			await until(
				() => descriptorsOf(program) <= descriptors[i],
				`${program.name} has no descriptors of former clients`,
			);
		}
	} finally {
		for (const program of programs.reverse()) {
			program.child.kill('SIGTERM');
			const how = await soon(program.ended, `the end of ${program.name}`);
			assert.deepEqual(how, [0, null], `${program.name} ended well: ${program.log}`);
			assert.doesNotMatch(program.log, /Sanitizer|runtime error/);
		}
		rmSync(folder, { recursive: true });
	}
});

/* Connected for this file of tests, and closed with it. */
export async function connect() {
	const client = await AgentClient.connect(socketPath);
	clients.add(client);
	return client;
}

/* A test with a client of its own. Names say to whom the SDK talked: the files run for each. */
export function test(name, check, options = {}) {
	const whole = `sdk to ${relayed ? 'msb-relayd' : 'msb-execd'}: ${name}`;
	nodeTest(whole, { timeout: 120000 * SLOW, ...options }, async () => {
		const client = await connect();
		try {
			await check(client);
		} finally {
			await client.close();
			clients.delete(client);
		}
	});
}

export const needRoot = { skip: isRoot ? false : 'needs root' };

export function isGone(pid) {
	try {
		return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
	} catch {
		return true;
	}
}
