import { useMutation, useQuery } from "@apollo/client/react";
import { RevokeSessionDocument, SessionsDocument } from "./gql/graphql.ts";

export function Sessions() {
  const { data, refetch } = useQuery(SessionsDocument, { variables: { first: 100 } });
  const [revoke, { data: revoked, error, loading }] = useMutation(RevokeSessionDocument, { refetchQueries: [SessionsDocument] });
  const problem = error ?? revoked?.revokeSession.userErrors[0];
  return (
    <section aria-label="Sessions">
      <h3>Sessions</h3>
      <ul>
        {data?.me?.sessions?.nodes.map(({ id, device, current, lastSeenAt }) => (
          <li key={id}>
            <span>
              {device} {current && <em>this one</em>}
              <small>
                last seen <time dateTime={lastSeenAt}>{new Date(lastSeenAt).toLocaleString()}</time>
              </small>
            </span>
            <button
              type="button"
              aria-label={`Revoke ${device}`}
              disabled={loading}
              onClick={() => void revoke({ variables: { input: { sessionId: id } } })}
            >
              Revoke
            </button>
          </li>
        ))}
      </ul>
      {problem && <p role="alert">The session could not be revoked. {problem.message}</p>}
      <button type="button" onClick={() => void refetch()}>
        Show again
      </button>
    </section>
  );
}
