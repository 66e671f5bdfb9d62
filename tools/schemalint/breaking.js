// Compares schema.graphqls with the schema of the last release, released.graphqls beside this file, and fails over what would break
// a client of that release: make check runs it. At a release, once CHANGELOG.md has a heading for the version,
//
//	node tools/schemalint/breaking.js --release
//
// keeps the schema as that of the new version. Where something breaks, only a new major version is kept; before 1.0.0, a new minor
// one. Until CHANGELOG.md names a version, nothing is released, and there is nothing to break.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { CriticalityLevel, diff } from "@graphql-inspector/core";
import { buildSchema } from "graphql";

const released = new URL("released.graphqls", import.meta.url);
const heading = "# The schema of ";

// breaks returns what of the schema's text would break a client that was made for the one before, a line each.
export async function breaks(before, now) {
  const changes = await diff(buildSchema(before), buildSchema(now));
  return changes
    .filter((change) => change.criticality.level === CriticalityLevel.Breaking)
    .map((change) => `${change.path ?? "the schema"}: ${change.message}`);
}

// lastVersion returns the newest version that a changelog names; undefined where there is none.
export function lastVersion(changelog) {
  return /^## \[?(\d+\.\d+\.\d+)\]?/m.exec(changelog)?.[1];
}

// mayBreak reports whether a version may break what an earlier one promised, by https://semver.org.
export function mayBreak(version, earlier) {
  const [major, minor] = version.split(".").map(Number);
  const [majorBefore, minorBefore] = earlier.split(".").map(Number);
  return major > majorBefore || (major === 0 && majorBefore === 0 && minor > minorBefore);
}

// judge returns what is wrong, a line each. kept is what released.graphqls says, undefined where there is none.
export async function judge({ changelog, kept, now }) {
  const version = lastVersion(changelog);
  if (!version && kept === undefined) return [];
  if (!version) return ["released.graphqls is of a release that CHANGELOG.md does not name"];
  if (kept === undefined || !kept.startsWith(`${heading}${version}.\n`)) {
    return [`the schema of ${version} is not kept: run node tools/schemalint/breaking.js --release`];
  }
  return breaks(kept, now);
}

// release returns what to keep for the changelog's version. It fails where a version that may not break anything does.
export async function release({ changelog, kept, now }) {
  const version = lastVersion(changelog);
  if (!version) throw new Error("CHANGELOG.md names no version to release");
  const earlier = kept?.split("\n", 1)[0].slice(heading.length, -1);
  if (earlier && !mayBreak(version, earlier)) {
    const broken = await breaks(kept, now);
    if (broken.length > 0) throw new Error(`${version} would break clients of ${earlier}:\n${broken.join("\n")}`);
  }
  return `${heading}${version}.\n\n${now}`;
}

if (import.meta.filename === process.argv[1]) {
  const root = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), "utf8");
  const state = {
    changelog: root("CHANGELOG.md"),
    kept: existsSync(released) ? readFileSync(released, "utf8") : undefined,
    now: root("schema.graphqls"),
  };
  if (process.argv[2] === "--release") {
    writeFileSync(released, await release(state));
  } else {
    const wrong = await judge(state);
    if (wrong.length > 0) {
      console.error(wrong.join("\n"));
      process.exitCode = 1;
    }
  }
}
