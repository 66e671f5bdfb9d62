// Puts the build where the Go binary embeds it, each file compressed as well as can be: once here rather than at every request.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const page = "index.html";
const built = fileURLToPath(new URL("dist", import.meta.url));
const embedded = fileURLToPath(new URL("../../internal/web/playground", import.meta.url));

const files = readdirSync(built, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(built.length + 1))
  // The page comes last: where it is, all that it needs is there too.
  .sort((a, b) => Number(a === page) - Number(b === page));

for (const name of readdirSync(embedded)) {
  if (name !== ".gitignore") rmSync(join(embedded, name), { recursive: true });
}
let original = 0;
let compressed = 0;
for (const name of files) {
  const content = readFileSync(join(built, name));
  const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } });
  const target = join(embedded, name);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(`${target}.br`, brotli);
  writeFileSync(`${target}.gz`, gzipSync(content, { level: 9 }));
  original += content.length;
  compressed += brotli.length;
}
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
console.log(`${files.length} files packed: ${megabytes(original)} MB, ${megabytes(compressed)} MB compressed`);
