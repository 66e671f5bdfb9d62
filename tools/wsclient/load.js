// Opens many sockets: node load.js BINARY COUNT. Prints as JSON
//   live: what each of those costs that listen, in bytes of the server's memory, and whether an event reaches them;
//   restart: how they are sent away when the server is stopped, and come back when it is there again;
//   expiry: how long after their token they end;
//   idle: how long those live on which nobody says who they are.
// Times are milliseconds.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { House, sleep, until } from './house.js';

const [binary, count] = [process.argv[2], Number(process.argv[3])];
const accounts = 4; // to check a password takes a while, on purpose
const lifetime = 25; // seconds of the token with which they come back
const atOnce = 100; // that are opened before the next are

// With an eager collector little of what the process holds is garbage that waits to be collected.
const house = await House.build(binary, {
  GOGC: '20', MAX_SOCKETS: String(2 * count), MAX_SOCKETS_PER_ACCOUNT: String(count), MAX_SOCKETS_PER_ADDRESS: String(2 * count),
});
const report = {};

const spread = (times) => ({ soonest: Math.min(...times), latest: Math.max(...times) });
const distinct = (values) => [...new Set(values)];

/** Makes sockets, some at a time, until there are enough. */
async function openMany(make, isOpen) {
  const all = [];
  while (all.length < count) {
    const some = Array.from({ length: Math.min(atOnce, count - all.length) }, (_, i) => make(all.length + i));
    all.push(...some);
    await until(() => some.every(isOpen), 20000);
  }
  return all;
}

const emails = Array.from({ length: accounts }, (_, i) => `user${i}@example.com`);
let tokens = [];
for (const email of emails) tokens.push((await house.register(email)).accessToken);
await house.stop(); // to check passwords takes memory, which a process keeps for a while
house.settings.ACCESS_TOKEN_TTL = `${lifetime}s`; // of those that are given from now on
await house.start();
await sleep(1000);

// Those that listen: as people's programs do.
let staying = true;
function follow(i) {
  const state = { connecting: [], connected: [], closed: [], events: 0, thrown: null };
  state.client = createClient({
    url: house.socketURL,
    webSocketImpl: class extends WebSocket {
      constructor(address, protocols) { super(address, protocols, { perMessageDeflate: false }); }
    },
    connectionParams: () => ({ Authorization: `Bearer ${tokens[i % accounts]}` }),
    shouldRetry: () => staying,
    on: {
      connecting: () => state.connecting.push(Date.now()),
      connected: () => state.connected.push(Date.now()),
      closed: (event) => state.closed.push({ code: event.code, at: Date.now() }),
    },
  });
  state.client.subscribe({ query: 'subscription { securityEvents { id event } }' }, {
    next: () => { state.events++; },
    error: (error) => { state.thrown = error.code ?? String(error); },
    complete: () => { state.thrown = 'complete'; },
  });
  return state;
}

/** Fails to log in to an account, and counts who hears of it. */
async function knock(all) {
  const listening = all.filter((_, i) => i % accounts === 0);
  const before = listening.map((s) => s.events);
  await house.login(emails[0], 'not the right secret');
  const heard = () => listening.filter((s, i) => s.events > before[i]).length;
  await until(() => heard() === listening.length, 10000);
  return { events: heard(), expected: listening.length };
}

const before = await house.memory();
const all = await openMany(follow, (s) => s.connected.length > 0 || s.thrown !== null);
await sleep(2000);
const each = Math.round((await house.memory() - before) / count);
report.live = { connected: all.filter((s) => s.connected.length === 1).length, each, ...await knock(all) };

// The server is restarted under them. In the meantime somebody asks something, over and over.
{
  const fresh = [];
  for (const email of emails) fresh.push((await house.login(email)).accessToken);
  tokens = fresh;
  report.expiry = { issued: Date.now() };
  const stopped = await house.stop();
  await house.start();
  let slowest = 0;
  const back = (s) => s.connected.length > 1 || s.thrown !== null;
  const end = Date.now() + 20000;
  while (!all.every(back) && Date.now() < end) {
    const began = Date.now();
    await house.ask('{ __typename }');
    slowest = Math.max(slowest, Date.now() - began);
    await sleep(20);
  }
  await sleep(500);
  const firstClosed = Math.min(...all.map((s) => s.closed[0]?.at));
  report.restart = {
    stopped, slowest,
    codes: distinct(all.map((s) => s.closed[0]?.code)),
    back: all.filter((s) => s.connected.length === 2 && s.thrown === null).length,
    attempts: Math.max(...all.map((s) => s.connecting.length - 1)),
    ...spread(all.map((s) => (s.connected[1] ?? Infinity) - firstClosed)),
    ...await knock(all),
  };
}

// Their token expires.
{
  staying = false;
  const ends = report.expiry.issued + lifetime * 1000;
  const closedBefore = all.map((s) => s.closed.length);
  await until(() => all.every((s, i) => s.closed.length > closedBefore[i]), ends + 10000 - Date.now());
  report.expiry = {
    codes: distinct(all.map((s, i) => s.closed[closedBefore[i]]?.code ?? 'none')),
    latest: Math.max(...all.map((s) => s.closed.at(-1).at)) - ends,
  };
}

// Those that say nothing.
{
  const silent = await openMany(() => {
    const socket = new WebSocket(house.socketURL, 'graphql-transport-ws', { perMessageDeflate: false });
    const state = { opened: 0, closed: 0, code: 0 };
    socket.on('open', () => { state.opened = Date.now(); });
    socket.on('close', (code) => { state.closed = Date.now(); state.code = code; });
    socket.on('error', () => {});
    return state;
  }, (s) => s.opened || s.closed);
  await until(() => silent.every((s) => s.closed), 20000);
  report.idle = {
    opened: silent.filter((s) => s.opened).length,
    codes: distinct(silent.map((s) => s.code)),
    longest: Math.max(...silent.map((s) => s.closed - s.opened)),
  };
}

await house.stop();
console.log(JSON.stringify(report));
process.exit(0);
