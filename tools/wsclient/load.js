// Opens many sockets: node load.js BINARY COUNT. Prints as JSON how long those lived that never said who they are, what each of those
// costs that listen, in bytes of the server's memory, and how long after their tokens they ended.
import WebSocket from 'ws';
import { House, sleep, until } from './house.js';

const [binary, count] = [process.argv[2], Number(process.argv[3])];
const perAccount = 100;
const lifetime = 20 + Math.ceil(count / 50); // seconds: opening them takes a while

// With an eager collector little of what the process holds is garbage that waits to be collected.
const house = await House.build(binary, { ACCESS_TOKEN_TTL: `${lifetime}s`, GOGC: '20' });
const report = {};

function open(onMessage = () => {}) {
  const socket = new WebSocket(house.socketURL, 'graphql-transport-ws', { perMessageDeflate: false });
  const state = { socket, opened: 0, closed: 0, code: 0 };
  socket.on('open', () => { state.opened = Date.now(); });
  socket.on('message', (text) => onMessage(state, JSON.parse(text)));
  socket.on('close', (code) => { state.closed = Date.now(); state.code = code; });
  socket.on('error', () => {});
  return state;
}

async function openMany(make) {
  const all = [];
  for (let i = 0; i < count; i++) {
    all.push(make(i));
    if (i % 50 === 49) await until(() => all.every((s) => s.opened || s.closed), 10000);
  }
  await until(() => all.every((s) => s.opened || s.closed), 10000);
  return all;
}

// Those that listen.
{
  const accounts = Math.ceil(count / perAccount);
  const tokens = [];
  for (let i = 0; i < accounts; i++) tokens.push((await house.register(`user${i}@example.com`)).accessToken);
  const issued = Date.now();
  await house.stop(); // checking passwords takes memory, which a process keeps for a while
  await house.start();
  await sleep(1000);
  const before = await house.memory();
  let events = 0;
  const all = await openMany((i) => {
    const state = open((s, message) => {
      if (message.type === 'connection_ack') {
        s.acknowledged = true;
        s.socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: 'subscription { securityEvents { id event } }' } }));
      } else if (message.type === 'next') events++;
    });
    const token = tokens[i % accounts];
    state.socket.on('open', () => {
      state.socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }));
    });
    return state;
  });
  await until(() => all.every((s) => s.acknowledged), 20000);
  await sleep(2000);
  const after = await house.memory();
  await house.login('user0@example.com');
  const expected = all.filter((_, i) => i % accounts === 0).length;
  await until(() => events >= expected, 10000);
  report.live = {
    acknowledged: all.filter((s) => s.acknowledged).length, each: Math.round((after - before) / count), events, expected,
  };
  await until(() => all.every((s) => s.closed), (lifetime + 20) * 1000);
  report.expiry = {
    codes: [...new Set(all.map((s) => s.code))],
    latest: Math.max(...all.map((s) => s.closed)) - (issued + lifetime * 1000),
  };
}

// Those that say nothing.
{
  const all = await openMany(() => open());
  await until(() => all.every((s) => s.closed), 20000);
  report.idle = {
    opened: all.filter((s) => s.opened).length,
    codes: [...new Set(all.map((s) => s.code))],
    longest: Math.max(...all.map((s) => s.closed - s.opened)),
  };
}

await house.stop();
console.log(JSON.stringify(report));
process.exit(0);
