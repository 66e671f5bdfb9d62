import { useQuery, useSubscription } from "@apollo/client/react";
import { useEffect, useState } from "react";
import type { SocketStatus } from "./client.ts";
import { SecurityEventsDocument, SecurityLogDocument, type AuditEvent } from "./gql/graphql.ts";

interface Event {
  id: string;
  createdAt: string;
  event: AuditEvent;
}

export function Events({ status }: { status: SocketStatus }) {
  const [told, setTold] = useState<Event[]>([]);
  useSubscription(SecurityEventsDocument, {
    ignoreResults: true,
    onData: ({ data: { data } }) => data && setTold((events) => [...events, data.securityEvents]),
  });

  // What happened before. It is asked for again each time the subscription has begun, so that nothing is missed in between.
  const { data, refetch } = useQuery(SecurityLogDocument);
  useEffect(() => {
    if (status !== "live") return;
    const begun = setTimeout(() => void refetch(), 1000);
    return () => clearTimeout(begun);
  }, [status, refetch]);

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

/** Each event once, whichever way and however often it came. */
function newestFirst(events: Event[]): Event[] {
  const once = new Map(events.map((event) => [event.id, event]));
  return [...once.values()].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
}
