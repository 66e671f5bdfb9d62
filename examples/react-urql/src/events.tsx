import { useEffect } from "react";
import { type RequestPolicy, useQuery, useSubscription } from "urql";
import type { SocketStatus } from "./client.ts";
import { type AuditEvent, SecurityEventsDocument, type SecurityEventsSubscription, SecurityLogDocument } from "./gql/graphql.ts";

interface Event {
  id: string;
  createdAt: string;
  event: AuditEvent;
}

export function Events({ requestPolicy, status }: { requestPolicy: RequestPolicy; status: SocketStatus }) {
  const [{ data: told = [], error }, begin] = useSubscription({ query: SecurityEventsDocument }, append);
  useEffect(() => again(error, begin), [error, begin]);

  // What happened before. It is asked for again each time the subscription has begun, so that nothing is missed in between.
  const [{ data }, ask] = useQuery({ query: SecurityLogDocument, requestPolicy });
  useEffect(() => {
    if (status !== "live") return;
    const begun = setTimeout(() => ask({ requestPolicy: "network-only" }), 1000);
    return () => clearTimeout(begun);
  }, [status, ask]);

  return (
    <section aria-label="Security events">
      <h3>Security events</h3>
      <p role="status">{status}</p>
      <ol>
        {newestFirst([...(data?.me?.securityLog?.nodes ?? []), ...told]).map(({ id, createdAt, event }) => (
          <li key={id}>
            {event} <time dateTime={createdAt}>{new Date(createdAt).toLocaleString()}</time>
          </li>
        ))}
      </ol>
    </section>
  );
}

function append(told: Event[] = [], { securityEvents }: SecurityEventsSubscription): Event[] {
  return [...told, securityEvents];
}

/** The socket gives up where its token is refused, whatever the session has got instead: begins anew a while after a failure. */
function again(failure: object | undefined, begin: () => void): (() => void) | undefined {
  if (!failure) return undefined;
  const timer = setTimeout(begin, 3000 + 3000 * Math.random());
  return () => clearTimeout(timer);
}

/** Each event once, whichever way and however often it came. */
function newestFirst(events: Event[]): Event[] {
  const once = new Map(events.map((event) => [event.id, event]));
  return [...once.values()].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
}
