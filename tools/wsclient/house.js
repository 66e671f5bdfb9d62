// What the scripts beside this one share: a server of their own, its API by plain HTTP, and time.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until holds() is true, at most for the given milliseconds, and returns whether it came to be. */
export async function until(holds, ms) {
  const end = Date.now() + ms;
  while (!holds() && Date.now() < end) await sleep(5);
  return holds();
}

/**
 * Returns a port that nobody listens on. It is below those that systems give to outgoing connections: one of them could take it
 * before the server listens, also between its end and its next start.
 */
async function freePort() {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer();
    const free = await new Promise((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** A server on a database of its own, which can be stopped and started again at the same address. */
export class House {
  static async build(binary, settings = {}) {
    const house = new House();
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-'));
    house.binary = binary;
    house.address = `127.0.0.1:${await freePort()}`;
    house.settings = {
      ADDR: house.address, LOG_FORMAT: 'json', DATABASE_URL: `sqlite://${join(folder, 'gatehouse.db')}`, ...settings,
    };
    await house.start();
    return house;
  }

  get url() { return `http://${this.address}/graphql`; }

  get socketURL() { return `ws://${this.address}/graphql`; }

  async start() {
    this.process = spawn(this.binary, [], { env: { ...process.env, ...this.settings }, stdio: ['ignore', 'ignore', 'pipe'] });
    this.exited = new Promise((resolve) => this.process.once('exit', resolve));
    await new Promise((resolve, reject) => {
      createInterface({ input: this.process.stderr }).on('line', (line) => line.includes('is ready') && resolve());
      this.exited.then(() => reject(new Error('the server ended')));
    });
  }

  /** Stops the server as an orchestrator does, and returns how long that took, in milliseconds. */
  async stop() {
    const began = Date.now();
    this.process.kill('SIGTERM');
    await this.exited;
    return Date.now() - began;
  }

  /** What the process holds in memory, in bytes. */
  async memory() {
    const status = await readFile(`/proc/${this.process.pid}/status`, 'utf8');
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)[1]);
  }

  async ask(query, token) {
    const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(this.url, { method: 'POST', headers, body: JSON.stringify({ query }) });
    const { data, errors } = await answer.json();
    if (errors) throw new Error(errors[0].message);
    return data;
  }

  async register(email) {
    const input = `{email: "${email}", password: "a long enough secret"}`;
    const { register } = await this.ask(`mutation { register(input: ${input}) { tokens { accessToken refreshToken } } }`);
    return register.tokens;
  }

  async login(email, password = 'a long enough secret') {
    const input = `{email: "${email}", password: "${password}"}`;
    return (await this.ask(`mutation { login(input: ${input}) { tokens { accessToken } } }`)).login.tokens;
  }

  async refresh(refreshToken) {
    const input = `{refreshToken: "${refreshToken}"}`;
    return (await this.ask(`mutation { refresh(input: ${input}) { tokens { accessToken refreshToken } } }`)).refresh.tokens;
  }

  async logout(token) {
    await this.ask('mutation { logout { endedSessions } }', token);
  }
}
