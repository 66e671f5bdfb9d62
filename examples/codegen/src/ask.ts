import type { TypedDocumentString } from "./gql/graphql.js";

/** What stands in `errors`: see docs/errors.md for the codes, and what to do about each. */
export interface TopLevelError {
  message: string;
  path?: (string | number)[];
  extensions: { code: string; reason?: string; retryAfter?: number; requestId?: string };
}

/** An answer with errors in it that are for the program, not for a person. */
export class RequestError extends Error {
  constructor(readonly errors: TopLevelError[]) {
    super(errors.map((e) => `${e.extensions.code}: ${e.message}`).join("; "));
  }

  /** Why the caller counts as nobody, where that is what is wrong. */
  get reason(): string | undefined {
    return this.errors.find((e) => e.extensions.code === "UNAUTHENTICATED")?.extensions.reason;
  }

  /** Whether one of the errors has the code. */
  has(code: string): boolean {
    return this.errors.some((e) => e.extensions.code === code);
  }
}

export interface Options {
  accessToken?: string;
  /** Name the document by its hash: for a server that has persisted-documents.json in TRUSTED_DOCUMENTS. */
  byHash?: boolean;
}

/** Asks the server at url. The document says which variables it takes and what comes back. */
export async function ask<Data, Variables>(
  url: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  { accessToken, byHash = false }: Options = {},
): Promise<Data> {
  const headers: Record<string, string> = {
    "Content-Type": "application/json",
    Accept: "application/graphql-response+json",
  };
  if (accessToken) headers.Authorization = `Bearer ${accessToken}`;
  const named = byHash ? { documentId: `sha256:${document.__meta__?.hash}` } : { query: document.toString() };
  const response = await fetch(`${url}/graphql`, {
    method: "POST",
    headers,
    body: JSON.stringify({ ...named, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: TopLevelError[] };
  if (errors || !data) throw new RequestError(errors ?? []);
  return data;
}
