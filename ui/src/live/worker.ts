/** Owns the WebSocket: reconnects, decodes frames, and hands over the newest values when asked. */

import { decode, Pending, reconnectDelay } from "./frames.ts";
import type { FromWorker, ServerMessage, ToWorker } from "./messages.ts";

const SILENCE = 10_000;
const TOGETHER = 8;
const scope = self as unknown as DedicatedWorkerGlobalScope;
const pending = new Pending();
let socket: WebSocket | null = null;
let url = "";
let twins: string[] = [];
let attempt = 0;
let timer = 0;
let lastHeard = 0;
let isDirtyTold = false;
let heard: ServerMessage[] = [];
let tellTimer = 0;

function say(message: FromWorker, transfer: Transferable[] = []): void {
  scope.postMessage(message, transfer);
}

function open(): void {
  clearTimeout(timer);
  say({ type: "state", state: "connecting", since: Date.now() });
  const mine = new WebSocket(url);
  socket = mine;
  mine.binaryType = "arraybuffer";
  lastHeard = Date.now();
  mine.onopen = () => {
    attempt = 0;
    say({ type: "state", state: "online", since: Date.now() });
    subscribe();
  };
  mine.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
    lastHeard = Date.now();
    if (typeof event.data === "string") hear(event.data);
    else {
      pending.add(decode(event.data));
      tellDirty();
    }
  };
  mine.onclose = () => {
    if (socket === mine) lost();
  };
}

function hear(text: string): void {
  let message: ServerMessage;
  try {
    message = JSON.parse(text) as ServerMessage;
  } catch {
    return;
  }
  if (message.type === "pong") return;
  heard.push(message);
  tellTimer ||= setTimeout(tellHeard, TOGETHER) as unknown as number;
}

/** In a flood hundreds come at a time: the page hears them together, and before the values that follow them. */
function tellHeard(): void {
  clearTimeout(tellTimer);
  tellTimer = 0;
  if (heard.length === 0) return;
  const messages = heard;
  heard = [];
  say({ type: "messages", messages });
}

function lost(): void {
  socket = null;
  say({ type: "state", state: "offline", since: lastHeard });
  clearTimeout(timer);
  timer = setTimeout(open, reconnectDelay(attempt++, Math.random()) * 1000) as unknown as number;
}

function subscribe(): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "subscribe", twins }));
}

function tellDirty(): void {
  if (isDirtyTold || pending.count === 0) return;
  isDirtyTold = true;
  say({ type: "dirty" });
}

function flush(): void {
  isDirtyTold = false;
  tellHeard();
  const rows = pending.take();
  say({ type: "rows", rows }, [rows.series.buffer, rows.time.buffer, rows.quality.buffer, rows.value.buffer]);
}

setInterval(() => {
  if (socket?.readyState !== WebSocket.OPEN) return;
  if (Date.now() - lastHeard > SILENCE) {
    const silent = socket;
    silent.onclose = null;
    silent.close();
    lost();
  } else socket.send(JSON.stringify({ type: "ping", id: Date.now() }));
}, 4000);

scope.onmessage = (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if (message.type === "open") {
    url = message.url;
    open();
  } else if (message.type === "subscribe") {
    twins = message.twins;
    subscribe();
  } else if (message.type === "flush") flush();
  else if (message.type === "retry") {
    attempt = 0;
    if (!socket) open();
  } else if (message.type === "close") {
    clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close();
  }
};
