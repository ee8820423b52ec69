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
const clients = new Set();

/* A program whose log is read in the end. */
function start(name, args) {
	const ours = name.startsWith('msb-');
	const path = ours ? `${process.env.BUILD}/${name}` : name;
	const child = spawn(path, ours ? ['--log-level', 'info', ...args] : args, {
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

/* A relay, a serial line, and a daemon on its other end. */
function startRelayed() {
	const chardev = new URL('../chardev.py', import.meta.url).pathname;
	start('python3', ['-B', chardev, `${folder}/chardev`, `${folder}/port`]);
	start('msb-execd', ['--listen', `serial:${folder}/port`]);
	start('msb-relayd', ['--agent', `unix:${folder}/chardev`, '--listen', `unix:${socketPath}`]);
}

before(async () => {
	if (relayed)
		startRelayed();
	else
		start('msb-execd', ['--listen', `unix:${socketPath}`]);
	await until(answers, 'the daemon answers');
	for (const program of programs)
		program.before = descriptorsOf(program);
});

/* The program is as it was before the tests: no commands, no former client's descriptors. */
async function looksAsBefore(program) {
	await until(() => childrenOf(program) === '', `${program.name} has no children`);
	await until(
		() => descriptorsOf(program) <= program.before,
		`${program.name} has no descriptors of former clients`,
	);
}

/* Ends it, or hears that it has ended by itself. */
async function stop(program) {
	program.child.kill('SIGTERM');
	const how = await soon(program.ended, `the end of ${program.name}`);
	assert.deepEqual(how, [0, null], `${program.name} ended well: ${program.log}`);
	assert.doesNotMatch(program.log, /Sanitizer|runtime error/);
}

after(async () => {
	for (const client of clients)
		await client.close();
	const alive = programs.filter(({ child }) => child.exitCode === null);
	/* All are stopped, whatever one of them is like. */
	const found = [
		...(await Promise.allSettled(alive.map(looksAsBefore))),
		...(await Promise.allSettled(programs.reverse().map(stop))),
	];
	rmSync(folder, { recursive: true });
	for (const { reason } of found)
		assert.ifError(reason);
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

/* The daemon ends by itself; that it was a good end, `after` makes sure of. */
export function daemonEnds() {
	return soon(programs.find(({ name }) => name === 'msb-execd').ended, 'the end of msb-execd');
}

export const needRoot = { skip: isRoot ? false : 'needs root' };

export function isGone(pid) {
	try {
		return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
	} catch {
		return true;
	}
}
