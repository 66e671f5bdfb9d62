import { authExchange } from "@urql/exchange-auth";
import { createClient as createSocket, type Sink } from "graphql-ws";
import { cacheExchange, Client, type Exchange, fetchExchange, makeOperation, mapExchange, subscriptionExchange } from "urql";
import { endpoint, session } from "./session.ts";

/** How the socket for subscriptions is doing. */
export type SocketStatus = "live" | "connecting" | "offline";

/** Makes a client for whoever is signed in, and tells how it fares. Somebody else gets another, with a cache of its own. */
export function createClient(onAnswer: (answered: boolean) => void, onSocket: (status: SocketStatus) => void): Client {
  const reachability = mapExchange({ onResult: ({ error }) => onAnswer(!error?.networkError) });
  return new Client({
    url: endpoint,
    fetch: session.fetch,
    preferGetMethod: false, // URLs end up in the logs of proxies
    // Subscriptions take another way before authorization: a socket is given its token when it connects.
    exchanges: [cacheExchange, subscriptions(onSocket), reachability, authorization, fetchExchange],
  });
}

// A token that has ended or is refused is renewed once, however many operations need it. Those refused are then sent once more.
const authorization = authExchange(async ({ appendHeaders }) => {
  let refused: [token: string, reason: unknown] | undefined;
  return {
    addAuthToOperation(operation) {
      const token = session.state.signedIn && session.state.accessToken;
      if (!token) return operation;
      return appendHeaders(makeOperation(operation.kind, operation, { token }), { Authorization: `Bearer ${token}` });
    },
    willAuthError: () => session.stale,
    didAuthError({ graphQLErrors }, { context }) {
      const refusal = graphQLErrors.find(({ extensions }) => extensions.code === "UNAUTHENTICATED");
      if (refusal) refused = [context.token, refusal.extensions.reason];
      return refusal !== undefined;
    },
    async refreshAuth() {
      const next = await (refused ? session.refused(...refused) : session.accessToken());
      refused = undefined;
      if (!next) throw new Error("Nobody is signed in any more.");
    },
  };
});

function subscriptions(onSocket: (status: SocketStatus) => void): Exchange {
  let unanswered: ReturnType<typeof setTimeout>;
  const socket = createSocket({
    url: endpoint.replace(/^http/, "ws"),
    connectionParams: async () => {
      const token = await session.accessToken();
      return token ? { Authorization: `Bearer ${token}` } : {};
    },
    // A page may be left open for days: it comes back whenever the server does, and waits longer each time that it does not.
    shouldRetry: () => true,
    retryAttempts: Infinity,
    retryWait: (retries) => new Promise((done) => setTimeout(done, 1000 * (Math.min(2 ** retries, 16) + 3 * Math.random()))),
    keepAlive: 10_000,
    on: {
      connecting: () => onSocket("connecting"),
      connected: () => onSocket("live"),
      closed: (event) => {
        onSocket("offline");
        clearTimeout(unanswered);
        // Closed for its token. Why, expired or revoked, the session learns by asking.
        if (event instanceof CloseEvent && [4401, 4403].includes(event.code)) session.check().catch(() => undefined);
      },
      ping: (received) => {
        if (!received) unanswered = setTimeout(() => socket.terminate(), 5000);
      },
      pong: (received) => {
        if (received) clearTimeout(unanswered);
      },
    },
  });
  return subscriptionExchange({
    forwardSubscription: ({ query = "", ...request }) => ({
      subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, ...request }, sink as Sink) }),
    }),
  });
}
