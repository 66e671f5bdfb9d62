// Plays what people's clients go through, with graphql-ws and graphql-sse as they come: node clients.js BINARY. Prints as JSON what
// they saw.
import { createClient as createStreamClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { House, until } from './house.js';

const query = 'subscription { securityEvents { id event current device } }';

/** Follows security events with graphql-ws, and notes what happens to the connection. */
function follow(house, token, options = {}) {
  const seen = { connected: [], closed: [], events: [], thrown: null };
  const client = createClient({
    url: house.socketURL,
    webSocketImpl: WebSocket,
    connectionParams: async () => ({ Authorization: `Bearer ${await token()}` }),
    on: {
      connected: () => seen.connected.push(Date.now()),
      closed: (event) => seen.closed.push({ code: event.code, at: Date.now() }),
    },
    ...options,
  });
  client.subscribe({ query }, {
    next: ({ data, errors }) => seen.events.push(data?.securityEvents.event ?? errors[0].extensions.code),
    error: (error) => { seen.thrown = error.code ?? error[0]?.extensions.code ?? String(error); },
    complete: () => seen.events.push('complete'),
  });
  return { client, seen };
}

/** Fails to log in until that is heard of: neither protocol says when a subscription has begun. */
async function knock(email, heard) {
  for (let i = 0; i < 50 && !heard(); i++) {
    await house.login(email, 'not the right secret');
    await until(heard, 200);
  }
}

/** The events, without those that say the same as the one before. */
const distinct = (events) => events.filter((event, i) => event !== events[i - 1]);

/** Lets a client go. One that is just being refused says so here, too. */
const dispose = async (client) => { try { await client.dispose(); } catch { /* it is in what was seen */ } };

const report = {};
const house = await House.build(process.argv[2], { ACCESS_TOKEN_TTL: '8s' });

// Events, over both, on one account.
{
  const { accessToken } = await house.register('ada@example.com');
  const { client, seen } = follow(house, () => accessToken);
  const streamed = [];
  const stream = createStreamClient({ url: house.url, headers: { Authorization: `Bearer ${accessToken}` }, retryAttempts: 0 });
  stream.subscribe({ query }, {
    next: ({ data, errors }) => streamed.push(data?.securityEvents.event ?? errors[0].extensions.code),
    error: (error) => streamed.push(String(error)),
    complete: () => streamed.push('complete'),
  });
  await knock('ada@example.com', () => seen.events.length > 0 && streamed.length > 0);
  const other = await house.login('ada@example.com');
  await house.logout(other.accessToken);
  await until(() => seen.events.includes('LOGGED_OUT'), 20000);
  report.events = distinct(seen.events);
  await until(() => streamed.includes('complete'), 20000);
  report.streamed = distinct(streamed);
  await dispose(client);
  stream.dispose();
}

// A client that always comes with the same token: its retries become rarer, and end.
{
  const { accessToken } = await house.register('bob@example.com');
  const began = Date.now();
  const { client, seen } = follow(house, () => accessToken, { retryAttempts: 2 });
  await until(() => seen.thrown !== null, 30000);
  report.stubborn = {
    connected: seen.connected.length, codes: seen.closed.map(({ code }) => code), thrown: seen.thrown, first: seen.closed[0]?.at - began,
  };
  await dispose(client);
}

// One that refreshes: it goes on as if nothing had happened.
{
  let tokens = await house.register('eve@example.com');
  const { client, seen } = follow(house, async () => {
    if (seen.closed.length > 0) tokens = (await house.refresh(tokens.refreshToken)) ?? tokens;
    return tokens.accessToken;
  });
  await until(() => seen.connected.length > 1, 20000);
  await knock('eve@example.com', () => seen.events.length > 0);
  report.refreshing = {
    connected: seen.connected.length, codes: seen.closed.map(({ code }) => code), events: distinct(seen.events),
  };

  // Its session is ended elsewhere: no token of it will do any more, and it stops.
  const closed = seen.closed.length;
  const began = Date.now();
  await house.logout(tokens.accessToken);
  await until(() => seen.closed.length > closed, 20000);
  report.revoked = { code: seen.closed[closed]?.code, after: Date.now() - began };
  await until(() => seen.thrown !== null, 20000);
  report.revoked.thrown = seen.thrown;
  await dispose(client);
}

// A restart, before which no token ends: all are sent away with one code, and come back one by one.
await house.stop();
house.settings.ACCESS_TOKEN_TTL = '10m';
await house.start();
{
  const { accessToken } = await house.register('zoe@example.com');
  const followers = Array.from({ length: 50 }, () => follow(house, () => accessToken));
  await until(() => followers.every(({ seen }) => seen.connected.length === 1), 20000);
  const stopped = await house.stop();
  await house.start();
  const back = await until(() => followers.every(({ seen }) => seen.connected.length > 1), 20000);
  const times = followers.map(({ seen }) => seen.connected[1] - seen.closed[0].at);
  report.restart = {
    stopped, back,
    codes: [...new Set(followers.map(({ seen }) => seen.closed[0].code))],
    attempts: Math.max(...followers.map(({ seen }) => seen.closed.length)),
    soonest: Math.min(...times), latest: Math.max(...times),
  };
  await Promise.all(followers.map(({ client }) => dispose(client)));
}

// Server-sent events over a restart: what breaks off without an end is begun again.
{
  const { accessToken } = await house.register('max@example.com');
  const streamed = [];
  const stream = createStreamClient({ url: house.url, headers: { Authorization: `Bearer ${accessToken}` } });
  stream.subscribe({ query }, {
    next: ({ data, errors }) => streamed.push(data?.securityEvents.event ?? errors[0].extensions.code),
    error: (error) => streamed.push(String(error)),
    complete: () => streamed.push('complete'),
  });
  await knock('max@example.com', () => streamed.length > 0);
  report.resumed = distinct(streamed);
  streamed.length = 0;
  await house.stop();
  await house.start();
  await knock('max@example.com', () => streamed.length > 0);
  report.resumed.push(...distinct(streamed));
  stream.dispose();
}

await house.stop();
console.log(JSON.stringify(report));
process.exit(0);
