import { useQuery } from "@apollo/client/react";
import { type InputHTMLAttributes, useActionState, useId } from "react";
import type { UserError } from "../../../web/session/session.ts";
import { MeDocument } from "./gql/graphql.ts";
import { session } from "./session.ts";

export function Account({ onLogOut }: { onLogOut: () => void }) {
  const { data } = useQuery(MeDocument);
  return (
    <header>
      {data?.me && <h2>Signed in as {data.me.email}</h2>}
      <button type="button" onClick={onLogOut}>
        Log out
      </button>
    </header>
  );
}

export function SignedOut() {
  const [{ email, errors }, enter, busy] = useActionState(submit, { email: "", errors: [] });
  const about = (field?: string) => errors.filter((error) => error.field?.at(-1) === field);
  return (
    <form action={enter}>
      <Field
        label="E-mail address"
        name="email"
        type="email"
        autoComplete="username"
        defaultValue={email}
        errors={about("email")}
      />
      <Field
        label="Password"
        name="password"
        type="password"
        autoComplete="current-password"
        errors={about("password")}
      />
      <Mistakes errors={about()} />
      <div>
        <button name="mutation" value="login" disabled={busy}>
          Log in
        </button>
        <button name="mutation" value="register" disabled={busy}>
          Register
        </button>
      </div>
    </form>
  );
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  errors: UserError[];
}

function Field({ label, errors, ...input }: FieldProps) {
  const id = useId();
  return (
    <>
      <label>
        {label}
        <input {...input} required aria-invalid={errors.length > 0} aria-describedby={errors.length > 0 ? id : undefined} />
      </label>
      <Mistakes id={id} errors={errors} />
    </>
  );
}

function Mistakes({ id, errors }: { id?: string; errors: UserError[] }) {
  if (errors.length === 0) return null;
  return (
    <p id={id} role="alert">
      {errors.map(({ message }) => message).join(" ")}
    </p>
  );
}

async function submit(_: unknown, form: FormData): Promise<{ email: string; errors: UserError[] }> {
  const input = { email: String(form.get("email")), password: String(form.get("password")) };
  const mutation = form.get("mutation") === "register" ? "register" : "login";
  try {
    return { email: input.email, errors: await session[mutation](input) };
  } catch (error) {
    return { email: input.email, errors: [{ code: "", message: error instanceof Error ? error.message : String(error) }] };
  }
}
