// What stands between a browser and what it talks to: servers of pages, and a wire on which every request is seen as it is sent.
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, request as send } from "node:http";
import { extname, join, normalize } from "node:path";

const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** Serves the files of a folder, and its index.html for every other path. Without a folder every path is an empty page. */
export async function site(folder) {
  const server = createServer(async (request, response) => {
    const path = folder && join(folder, normalize(new URL(request.url, "http://page").pathname));
    const file = path && (await stat(path).catch(() => undefined))?.isFile() ? path : folder && join(folder, "index.html");
    response.setHeader("Content-Type", types[file ? extname(file) : ".html"] ?? "application/octet-stream");
    if (file) createReadStream(file).pipe(response);
    else response.end('<!doctype html><html lang="en"><title>A page</title>');
  });
  return listening(server);
}

/** Passes everything on to the server at target, a URL that is set later, and keeps what it has passed on. */
export async function tap() {
  const exchanges = [];
  const forward = (request) => {
    const { cookie, origin, "content-type": type } = request.headers;
    const exchange = { method: request.method, path: request.url, type, origin, cookie, socket: "upgrade" in request.headers };
    exchanges.push(exchange);
    const { hostname, port } = new URL(wire.target);
    const onward = send({ hostname, port, method: request.method, path: request.url, headers: request.rawHeaders });
    const note = (answer) => {
      exchange.status = answer.statusCode;
      exchange.set = answer.headers["set-cookie"];
    };
    return onward.on("response", note).on("upgrade", note);
  };
  const server = createServer((request, response) => {
    const onward = forward(request);
    onward.on("response", (answer) => answer.pipe(response.writeHead(answer.statusCode, answer.rawHeaders)));
    onward.on("error", () => response.destroy());
    request.pipe(onward);
  });
  server.on("upgrade", (request, socket) => {
    const onward = forward(request);
    const reply = (answer) => {
      const headers = [];
      const raw = answer.rawHeaders;
      for (let i = 0; i < raw.length; i += 2) headers.push(`${raw[i]}: ${raw[i + 1]}\r\n`);
      socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${headers.join("")}\r\n`);
    };
    onward.on("upgrade", (answer, upstream, head) => {
      reply(answer);
      socket.write(head);
      upstream.on("error", () => socket.destroy()).pipe(socket).pipe(upstream);
      socket.on("close", () => upstream.destroy());
    });
    onward.on("response", (answer) => (reply(answer), answer.pipe(socket)));
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
    onward.end();
  });
  const wire = { ...(await listening(server)), target: "", exchanges };
  return wire;
}

async function listening(server) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  return { port, url: `http://localhost:${port}`, close: () => (server.closeAllConnections(), server.close()) };
}
