/** Serves the fake plant beside the page in `vite` and `vite preview`. */

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Plugin } from "vite";
import { WebSocketServer } from "ws";
import { FakePlant } from "./plant.ts";

const PATHS = /^\/(me|status|kpis|scene|history|alarms|commands|discovered|twins|digitaltwins|session)(\/|\?|$)/;

export function fakePlant(): Plugin {
  const plant = new FakePlant(() => Date.now());
  const listen = (server: { httpServer: unknown; middlewares: { use: (handler: (request: IncomingMessage, response: ServerResponse, next: () => void) => void) => void } }): void => {
    server.middlewares.use((request, response, next) => {
      if (!PATHS.test(request.url ?? "")) return next();
      void reply(plant, request, response);
    });
    watch(plant, server.httpServer as Server);
  };
  return { name: "fake-plant", configureServer: listen, configurePreviewServer: listen };
}

async function reply(plant: FakePlant, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const url = new URL(request.url ?? "/", "http://fake.invalid");
  const body = chunks.length ? (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, never>) : {};
  const [status, answer] = plant.answer(request.method ?? "GET", url.pathname, url.searchParams, body);
  if (answer instanceof ArrayBuffer) {
    response.writeHead(status, { "content-type": "application/vnd.gemel.columns" });
    response.end(Buffer.from(answer));
    return;
  }
  response.writeHead(status, { "content-type": "application/json" });
  response.end(status === 204 ? undefined : JSON.stringify(answer));
}

function watch(plant: FakePlant, server: Server): void {
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (request.url === "/live") sockets.handleUpgrade(request, socket, head, (one) => sockets.emit("connection", one));
  });
  plant.say = (message) => sockets.clients.forEach((one) => one.send(JSON.stringify(message)));
  sockets.on("connection", (one) => {
    let twins = new Set<string>();
    const values = setInterval(() => twins.size && one.send(plant.frame(twins)), 250);
    const status = setInterval(() => one.send(JSON.stringify({ type: "status", status: plant.status() })), 1000);
    one.on("message", (data) => {
      const message = JSON.parse(String(data)) as { type: string; twins?: string[]; id?: number };
      if (message.type === "ping") one.send(JSON.stringify({ type: "pong", id: message.id }));
      if (message.type !== "subscribe") return;
      twins = new Set(message.twins ?? []);
      one.send(JSON.stringify({ type: "series", series: plant.series.filter((row) => twins.has(row[1])) }));
    });
    one.on("close", () => {
      clearInterval(values);
      clearInterval(status);
    });
    one.send(JSON.stringify({ type: "hello", version: "0.0.0", time: new Date().toISOString() }));
  });
}
