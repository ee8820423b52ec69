/* dying.mjs SOCKET: runs three commands through the SDK, prints their pids, and waits to be killed. */
import { AgentClient, Session } from './sdk.mjs';

const client = await AgentClient.connect(process.argv[2]);
const pids = [];
for (const request of [{ cmd: 'cat' }, { cmd: 'cat', tty: true }, { cmd: 'sleep', args: ['600'] }]) {
	const session = await Session.open(client, request);
	pids.push((await session.expect('core.exec.started')).pid);
}
console.log(pids.join(' '));
setInterval(() => {}, 1000);
