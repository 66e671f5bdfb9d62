// Drives one of the example apps in Chromium, as people use them: APP=react-apollo GATEHOUSE=BINARY node --test examples.js
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { sleep, stallStorage, withhold } from "./chromium.js";
import {
  asleep, attempts, cut, enter, eventually, expired, given, items, lifetime, live, lost, modes, refused, region, register, says,
  shows, signedIn, tryAgain, unaware, visit,
} from "./app.js";

const { APP: app, SCREENSHOTS: pictures } = process.env;

test("register, sessions, live events, log out", async (t) => {
  const { server } = modes.bearer;
  const { page } = await visit(t, modes.bearer); // nothing is refused, not even when the socket is closed at logging out
  assert.equal(await page.getByRole("status").innerText(), "");

  // A mistake stands below the field that it is about, and is what describes it.
  await enter(page, "Register", "ada@example.com", "short");
  const [mistake, field, other] = await Promise.all(
    [page.getByRole("alert"), page.getByLabel("Password"), page.getByLabel("E-mail address")].map((l) => l.boundingBox()),
  );
  const below = mistake.y - field.y - field.height;
  assert.ok(below >= 0 && below < 40 && field.y > other.y, "the mistake is not beside its field");
  const description = await page.getByLabel("Password").getAttribute("aria-describedby");
  assert.match(await page.locator(`[id="${description}"]`).innerText(), /at least 8 characters/);

  await register(page, "ada@example.com");
  assert.equal(await page.getByRole("alert").count(), 0);
  assert.equal(await items(page, "Sessions").count(), 1);
  assert.match(await items(page, "Sessions").innerText(), /Chrome on Linux.*this one.*last seen/s);

  // A login elsewhere is told at once, and is a session that can be revoked.
  const elsewhere = (await server.house.login("ada@example.com")).accessToken;
  await items(page, "Security events").filter({ hasText: "LOGGED_IN" }).first().waitFor();
  assert.equal((await shows(server, page))[0], "LOGGED_IN");
  await region(page, "Sessions").getByRole("button", { name: "Show again" }).click();
  const unknown = items(page, "Sessions").filter({ hasNotText: "this one" });
  await unknown.waitFor();
  await unknown.getByRole("button", { name: /^Revoke / }).click();
  await unknown.waitFor({ state: "detached" });
  await assert.rejects(server.house.ask("{ me { id } }", elsewhere), "the session elsewhere goes on");
  await items(page, "Security events").filter({ hasText: "SESSION_REVOKED" }).waitFor();

  // A page that is loaded anew knows what happened before.
  await page.reload();
  await signedIn(page, "ada@example.com");
  await live(page);
  assert.ok((await shows(server, page)).includes("SESSION_REVOKED"));

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("status").filter({ hasText: "You have logged out." }).waitFor();
  await enter(page, "Log in", "ada@example.com", "not the password");
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByRole("heading", { level: 2 }).count(), 0);
  await enter(page, "Log in", "ada@example.com");
  await signedIn(page, "ada@example.com");
});

test("what could not be done is said, and can be tried again", async (t) => {
  const { server } = modes.bearer;
  const { context, page } = await visit(t, modes.bearer, { expected: [cut] });
  await register(page, "refused@example.com");
  const elsewhere = async () => {
    const { accessToken } = await server.house.login("refused@example.com");
    await region(page, "Sessions").getByRole("button", { name: "Show again" }).click();
    await unknown.waitFor();
    return accessToken;
  };
  const unknown = items(page, "Sessions").filter({ hasNotText: "this one" });
  const revoke = unknown.getByRole("button", { name: /^Revoke / });
  const problem = region(page, "Sessions").getByRole("alert");

  // The list is out of date: the session has ended meanwhile.
  await server.house.ask("mutation { logout { endedSessions } }", await elsewhere());
  await revoke.click();
  await problem.filter({ hasText: "The session could not be revoked. You have no such session" }).waitFor();
  await unknown.waitFor({ state: "detached" });

  await elsewhere();
  const letGo = await withhold(context, "RevokeSession");
  await revoke.click();
  await problem.filter({ hasText: "The session could not be revoked. Failed to fetch" }).waitFor();
  await letGo();
  await revoke.click();
  await unknown.waitFor({ state: "detached" });
  await problem.waitFor({ state: "detached" });
});

for (const mode of ["bearer", "cookie"]) {
  test(`a logout of which the server hears nothing: ${mode}`, async (t) => {
    const { context, page } = await visit(t, modes[mode], { expected: [cut] });
    await register(page, "untold@example.com");
    const letGo = await withhold(context, "Logout");
    const out = page.getByRole("button", { name: "Log out" });
    const untold = page.getByRole("alert").filter({ hasText: "The server could not be told to end your session." });
    await out.click();
    await untold.waitFor();
    if (mode === "bearer") {
      // The page has forgotten its tokens, which is all it can do.
      await page.getByText("You have logged out.").waitFor();
      await enter(page, "Log in", "untold@example.com");
      await untold.waitFor({ state: "detached" });
    }
    await signedIn(page, "untold@example.com");
    await letGo();
    await out.click();
    await page.getByText("You have logged out.").waitFor();
    await untold.waitFor({ state: "detached" });
  });
}

test("somebody else finds nothing of who was there before", async (t) => {
  const { server } = modes.bearer;
  const { page, open } = await visit(t, modes.bearer);
  await register(page, "first@example.com");
  const second = await open();
  await live(second);
  await second.evaluate(() => {
    globalThis.said = [];
    const look = () => globalThis.said.push(document.body.innerText);
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, characterData: true });
  });
  // In one go: whoever sits at the other tab sees one person go and another come.
  await page.getByRole("button", { name: "Log out" }).click();
  await enter(page, "Register", "other@example.com");
  for (const tab of [page, second]) {
    await signedIn(tab, "other@example.com");
    await live(tab);
  }
  // The socket is the other's, too: it tells nothing about the first.
  await server.house.login("first@example.com");
  await server.house.login("other@example.com");
  for (const tab of [page, second]) {
    assert.deepEqual(await shows(server, tab), ["LOGGED_IN", "ACCOUNT_REGISTERED"]);
    assert.equal(await items(tab, "Sessions").count(), 1);
  }
  const said = await second.evaluate(() => globalThis.said);
  const gone = said.findIndex((text) => !text.includes("first@example.com"));
  assert.ok(gone >= 0);
  assert.deepEqual(said.slice(gone).filter((text) => text.includes("first@example.com")), []);

  // Straight from one to the next, as a tab sees it that was set aside in between.
  const third = await visit(t, modes.bearer);
  await register(third.page, "third@example.com");
  await page.evaluate((session) => Object.assign(localStorage, session), await third.page.evaluate(() => ({ ...localStorage })));
  await signedIn(second, "third@example.com");
  await live(second);
  await server.house.login("other@example.com");
  await server.house.login("third@example.com");
  await items(second, "Security events").filter({ hasText: "LOGGED_IN" }).waitFor();
  assert.deepEqual(await shows(server, second), ["LOGGED_IN", "ACCOUNT_REGISTERED"]);
  assert.equal(await items(second, "Sessions").count(), 1);
});

for (const [mode, script] of [["bearer", unaware], ["bearer", asleep], ["cookie", unaware]]) {
  test(`eight queries at once with an expired token: ${mode}, ${script.name}`, async (t) => {
    await lifetime(t, modes[mode], "3s");
    const { server } = modes[mode];
    const { context, page, open, refreshes, answers } = await visit(t, modes[mode], { expected: [refused], script });
    await context.routeWebSocket(/graphql/, () => {}); // it would ask for a new token as well, when this one ends
    await page.reload();
    const email = `${script.name}@example.com`;
    await enter(page, "Register", email);
    await signedIn(page, email);
    const tabs = [page];
    const round = async (stalled = 0) => {
      await expired(server, answers);
      if (stalled) await stallStorage(context.browser(), stalled);
      refreshes.length = answers.length = 0;
      await Promise.all(tabs.map((tab) => region(tab, "Many at once").getByRole("button", { name: "Ask eight times" }).click()));
      for (const tab of tabs) await says(tab, "Many at once", "8 answers, 0 errors");
      await eventually(() => assert.equal(answers.filter(({ text }) => /"me":\{/.test(text)).length, 8 * tabs.length));
      assert.equal(new Set(refreshes).size, refreshes.length, "a refresh token was used twice");
      return { refreshes: refreshes.length, refusals: answers.filter(({ status }) => status === 401).length };
    };
    assert.deepEqual(await round(), { refreshes: 1, refusals: script === unaware ? 8 : 0 });
    tabs.push(await open());
    await signedIn(tabs[1], email);
    const both = await round(mode === "bearer" ? 1000 : 0);
    // A token in a storage is every tab's, however slowly it tells them; with a cookie each tab has one of its own.
    assert.equal(both.refreshes, mode === "bearer" ? 1 : 2);
    assert.ok(script === unaware ? both.refusals >= 8 : both.refusals === 0, `${both.refusals} refusals`);
  });
}

test("what is refused is asked once more, and no more than once", async (t) => {
  await lifetime(t, modes.bearer, "3s");
  const { server } = modes.bearer;
  const { context, page, answers, seen } = await visit(t, modes.bearer, { expected: [refused], script: unaware });
  await context.routeWebSocket(/graphql/, () => {});
  await page.reload();
  await enter(page, "Register", "once@example.com");
  await signedIn(page, "once@example.com");
  await server.house.login("once@example.com");
  await region(page, "Sessions").getByRole("button", { name: "Show again" }).click();
  const unknown = items(page, "Sessions").filter({ hasNotText: "this one" });
  await unknown.waitFor();
  await expired(server, answers);
  seen.operations.length = 0;
  await unknown.getByRole("button", { name: /^Revoke / }).click(); // a mutation that is denied has done nothing
  await unknown.waitFor({ state: "detached" });
  assert.deepEqual(seen.operations, ["RevokeSession", "Refresh", "RevokeSession", "Sessions"]);

  // A server that refuses whatever token it is given is not asked for ever.
  const denial = {
    status: 401,
    contentType: "application/graphql-response+json",
    headers: { "Access-Control-Allow-Origin": "*" },
    body: JSON.stringify({ errors: [{ message: "no", extensions: { code: "UNAUTHENTICATED", reason: "EXPIRED" } }] }),
  };
  await context.route(`${server.origin}/graphql`, (route) =>
    /\brefresh\(input/.test(route.request().postData() ?? "")
      ? route.fallback()
      : route.fulfill(denial),
  );
  seen.operations.length = 0;
  await region(page, "Many at once").getByRole("button", { name: "Ask eight times" }).click();
  await says(page, "Many at once", "0 answers, 8 errors");
  const refreshes = seen.operations.filter((name) => name === "Refresh").length;
  assert.ok(refreshes >= 1 && refreshes <= 2, `${refreshes} refreshes`);
  assert.equal(seen.operations.length - refreshes, 16);
  await signedIn(page, "once@example.com");
});

test("offline, while the token ends, and back", async (t) => {
  await lifetime(t, modes.bearer, "3s");
  const { server } = modes.bearer;
  const { context, page, answers, unanswered, refreshes } = await visit(t, modes.bearer, { expected: [cut, refused] });
  await register(page, "offline@example.com");
  await context.setOffline(true);
  await expired(server, answers);
  await region(page, "Sessions").getByRole("button", { name: "Show again" }).click();
  await lost(page).waitFor();
  const gaveUp = 4; // a refresh is sent so often before it fails
  await eventually(() => assert.ok(unanswered.filter((body) => /\brefresh\(input/.test(body)).length >= gaveUp));
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  assert.ok(await lost(page).isVisible());
  await signedIn(page, "offline@example.com");
  await says(page, "Security events", /^(offline|connecting)$/);

  refreshes.length = 0;
  await server.house.login("offline@example.com"); // what is missed
  await context.setOffline(false);
  await tryAgain(page);
  await live(page);
  assert.equal((await shows(server, page))[0], "LOGGED_IN");
  await signedIn(page, "offline@example.com");
  assert.equal(new Set(refreshes).size, refreshes.length, "a refresh token was used twice");
});

for (const end of ["kill", "stop"]) {
  test(`the server goes (${end}) and comes back`, async (t) => {
    const { server } = modes.bearer;
    const email = `${end}@example.com`;
    const { page } = await visit(t, modes.bearer, { expected: [cut, refused], script: attempts });
    await register(page, email);
    await server.house.login(email); // told live now, and from the log when the page is back
    await items(page, "Security events").filter({ hasText: "LOGGED_IN" }).waitFor();
    await server[end]();
    await says(page, "Security events", /^(offline|connecting)$/);
    await region(page, "Sessions").getByRole("button", { name: "Show again" }).click();
    await lost(page).waitFor();
    await signedIn(page, email);
    const loadedAnew = end === "stop"; // while there is no server; then it comes to everything without a click
    if (loadedAnew) {
      await page.reload();
      await lost(page).waitFor();
    }
    const tried = () => page.evaluate(() => globalThis.attempts);
    const before = (await tried()).length;
    await eventually(async () => assert.ok((await tried()).length > before)); // it tries, and fails
    await server.start();
    if (!loadedAnew) await tryAgain(page);
    await live(page);
    await signedIn(page, email);
    await lost(page).waitFor({ state: "detached" });
    await server.house.login(email);
    await eventually(async () => {
      assert.deepEqual(await shows(server, page), ["LOGGED_IN", "LOGGED_IN", "ACCOUNT_REGISTERED"]);
    });
    await items(page, "Sessions").first().waitFor();
    const times = await tried();
    const pauses = times.slice(1).map((at, i) => Math.round(at - times[i]));
    t.diagnostic(`tried again after ${pauses} ms`);
    assert.ok(pauses.every((pause) => pause > 900), `a storm: ${pauses}`);
  });
}

test("four tabs without a server, when the token has ended", async (t) => {
  await lifetime(t, modes.bearer, "3s");
  const { server } = modes.bearer;
  const { page, open, answers } = await visit(t, modes.bearer, { expected: [cut, refused] });
  await register(page, "four@example.com");
  const tabs = [page, await open(), await open(), await open()];
  const all = (work) => Promise.all(tabs.map(work));
  const back = async (tab) => {
    await signedIn(tab, "four@example.com");
    await live(tab);
  };
  await all(back);
  await server.kill();
  await sleep(given(answers).end - Date.now());

  // Each tries by itself, and none of them waits for the others to give up.
  const ended = Date.now();
  await all((tab) => region(tab, "Sessions").getByRole("button", { name: "Show again" }).click());
  const told = await all(async (tab) => {
    await lost(tab).waitFor({ timeout: 10_000 });
    return Date.now() - ended;
  });
  t.diagnostic(`told after ${told} ms`);
  await page.getByRole("button", { name: "Log out" }).click();
  await all((tab) => tab.getByText("You have logged out.").waitFor({ timeout: 5000 }));
  await server.start();
  await enter(page, "Log in", "four@example.com");
  await all(back);
});

test("the server comes back with other signing keys", async (t) => {
  const { server } = modes.bearer;
  const { page } = await visit(t, modes.bearer, { expected: [cut, refused] });
  await register(page, "keys@example.com");
  await server.stop();
  server.run("keys", "rotate", "--revoke");
  await server.start();
  await live(page, 60_000); // it waits longer each time, at first for the server and then for a token that is good
  await server.house.login("keys@example.com");
  assert.deepEqual(await shows(server, page), ["LOGGED_IN", "ACCOUNT_REGISTERED"]);
});

test("logged out, or revoked, in one tab is so in the other", async (t) => {
  const { server } = modes.bearer;
  const { page, open } = await visit(t, modes.bearer, { expected: [refused] });
  await register(page, "tabs@example.com");
  const other = await open();
  await signedIn(other, "tabs@example.com");

  const both = async (text) => {
    await page.getByText(text).waitFor();
    await other.getByText(text).waitFor();
  };
  await page.getByRole("button", { name: "Log out" }).click();
  await both("You have logged out.");

  const again = async () => {
    await enter(page, "Log in", "tabs@example.com");
    await signedIn(page, "tabs@example.com");
    await signedIn(other, "tabs@example.com");
  };
  await again();
  await items(page, "Sessions").filter({ hasText: "this one" }).getByRole("button", { name: /^Revoke / }).click();
  await both("This session was revoked.");

  await again();
  await Promise.all([live(page), live(other)]);
  const { accessToken } = await server.house.login("tabs@example.com");
  const { me } = await server.house.ask("{ me { sessions { nodes { id current } } } }", accessToken);
  const { id } = me.sessions.nodes.find((session) => !session.current);
  await server.house.ask(`mutation { revokeSession(input: {sessionId: "${id}"}) { revokedSessionId } }`, accessToken);
  await both("This session was revoked."); // the server closes the socket, and a page asks why
});

test("the refresh token in a cookie", async (t) => {
  const { context, page, open, answers, refreshes } = await visit(t, modes.cookie);
  await register(page, "cookie@example.com");
  const kept = async () => (await context.cookies()).map((c) => [c.name, c.httpOnly, c.secure, c.sameSite, c.path]);
  assert.deepEqual(await kept(), [["__Host-gatehouse-refresh", true, true, "Strict", "/"]]);
  await page.reload();
  await signedIn(page, "cookie@example.com");
  await page.evaluate(() => localStorage.clear());
  await page.reload(); // nothing is left but the cookie
  await signedIn(page, "cookie@example.com");
  const other = await open();
  await signedIn(other, "cookie@example.com");
  await Promise.all([live(page), live(other)]);

  // Scripts find no token in anything that outlives the page.
  const found = await page.evaluate(async () => ({
    storage: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
    cookie: document.cookie,
    databases: await indexedDB.databases(),
    caches: await caches.keys(),
  }));
  assert.doesNotMatch(found.storage, /ghrt_|eyJ/);
  assert.deepEqual([found.cookie, found.databases, found.caches], ["", [], []]);
  assert.equal(refreshes[0], "none", "whether there was a cookie was not asked");
  assert.ok(refreshes.length >= 4, `${refreshes.length} refreshes`);
  assert.ok(refreshes.slice(1).every((cookie) => cookie.includes("ghrt_")));
  assert.ok(answers.some(({ text }) => text.includes('"accessToken"')));
  assert.deepEqual(answers.filter(({ text }) => text.includes("ghrt_")), []);

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("You have logged out.").waitFor();
  await other.getByText("You have logged out.").waitFor();
  assert.deepEqual(await kept(), []);
  await page.reload();
  await page.getByRole("button", { name: "Log in" }).waitFor();
});

test("pictures", { skip: !pictures }, async (t) => {
  mkdirSync(pictures, { recursive: true });
  const { server } = modes.bearer;
  await server.house.register("grace@example.com");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const { page } = await visit(t, modes.bearer, { colorScheme, viewport: { width, height: 800 }, expected: [refused] });
      const shoot = (name) =>
        page.screenshot({ path: join(pictures, `${app}-${colorScheme}-${width}-${name}.png`), fullPage: true });
      await enter(page, "Register", "grace@example.com", "short");
      await page.getByRole("alert").first().waitFor();
      await shoot("out");
      await enter(page, "Log in", "grace@example.com");
      await live(page);
      await region(page, "Many at once").getByRole("button", { name: "Ask eight times" }).click();
      await says(page, "Many at once", "8 answers, 0 errors");
      await shoot("in");
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${wide} px wide`);
    }
  }
});
