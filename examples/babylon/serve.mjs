/**
 * Serves the example and passes /scene.glb, /alarms and /live on to a Gemel server with a token, so that the token stays
 * out of the browser.
 *
 *   GEMEL_URL=http://127.0.0.1:8080 GEMEL_TOKEN=gml_... node serve.mjs [port]
 */

import { createReadStream } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const gemel = new URL(process.env.GEMEL_URL ?? "http://127.0.0.1:8080");
const token = process.env.GEMEL_TOKEN ?? "";
const here = (name) => new URL(name, import.meta.url).pathname;
const FILES = {
  "/": [here("index.html"), "text/html"],
  "/main.js": [here("main.js"), "text/javascript"],
  "/vendor/babylon.js": [require.resolve("babylonjs/babylon.js"), "text/javascript"],
  "/vendor/loaders.js": [require.resolve("babylonjs-loaders/babylonjs.loaders.min.js"), "text/javascript"],
};
const PASSED = ["/scene.glb", "/alarms", "/live"];

const server = createServer((asked, answer) => {
  const { pathname } = new URL(asked.url, gemel);
  if (FILES[pathname]) {
    const [file, type] = FILES[pathname];
    answer.writeHead(200, { "content-type": type });
    createReadStream(file).pipe(answer);
  } else if (asked.method === "GET" && PASSED.includes(pathname)) {
    const passed = request(new URL(asked.url, gemel), { headers: { authorization: `Bearer ${token}` } }, (found) => {
      answer.writeHead(found.statusCode, { "content-type": found.headers["content-type"] ?? "application/json" });
      found.pipe(answer);
    });
    passed.on("error", () => answer.writeHead(502).end("the Gemel server does not answer"));
    passed.end();
  } else answer.writeHead(404).end();
});

server.on("upgrade", (asked, socket, head) => {
  if (asked.url !== "/live") return socket.destroy();
  const { origin: _origin, host: _host, ...headers } = asked.headers;
  const passed = request(new URL("/live", gemel), { headers: { ...headers, host: gemel.host, authorization: `Bearer ${token}` } });
  passed.on("upgrade", (found, other, first) => {
    const lines = Object.entries(found.headers).map(([name, value]) => `${name}: ${value}`);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("\r\n")}\r\n\r\n`);
    socket.write(first);
    other.write(head);
    other.pipe(socket).on("error", () => other.destroy());
    socket.pipe(other).on("error", () => socket.destroy());
  });
  passed.on("error", () => socket.destroy());
  return passed.end();
});

server.listen(Number(process.argv[2] ?? 8090), "127.0.0.1", () => console.log(`The plant is at http://127.0.0.1:${server.address().port}`));
