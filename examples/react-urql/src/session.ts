import { Session } from "../../../web/session/session.ts";

const { VITE_GATEHOUSE_URL: server = "http://localhost:8080", VITE_GATEHOUSE_MODE: mode = "bearer" } = import.meta.env;

/** Where GraphQL answers. */
export const endpoint = new URL("/graphql", server).href;

/** Who is signed in: one for the page, which all tabs share. */
export const session = new Session({ endpoint, mode });
