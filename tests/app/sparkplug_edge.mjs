// An edge node by Eclipse Tahu's client: node sparkplug_edge.mjs FOLDER URL TOKEN.
// Reads lines: `data VALUE`, `lose` (a message is lost), `end`. Writes what it hears as JSON lines.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [folder, serverUrl, password] = process.argv.slice(2);
const { newClient } = createRequire(`${folder}/`)("sparkplug-client");
const say = (kind, what) => console.log(JSON.stringify({ kind, what }));
const metric = (name, alias, type, value) => ({ name, alias, type, value });
const values = { flow: 12.5, target: 1, setSpeed: -5, on: true, label: "P-1" };
const pump = () => [
  metric("flow", 10, "Double", values.flow),
  metric("target", 11, "Float", values.target),
  metric("setSpeed", 12, "Int16", values.setSpeed),
  metric("on", 13, "Boolean", values.on),
  metric("label", 14, "String", values.label),
];

const client = newClient({
  serverUrl,
  password,
  username: "edge",
  groupId: "g",
  edgeNode: "edge",
  clientId: "edge",
  version: "spBv1.0",
  publishDeath: true,
});
client.on("error", (error) => say("error", error.message));
const birth = () => {
  const rebirth = { name: "Node Control/Rebirth", type: "Boolean", value: false };
  client.publishNodeBirth({ timestamp: Date.now(), metrics: [rebirth] });
  client.publishDeviceBirth("pump", { timestamp: Date.now(), metrics: pump() });
  say("birth", null);
};
client.on("birth", birth);
client.on("ncmd", (payload) => {
  say("ncmd", payload.metrics.map((m) => [m.name, m.value]));
  if (payload.metrics.some((m) => m.name === "Node Control/Rebirth" && m.value)) birth();
});
client.on("dcmd", (device, payload) => {
  const names = { 10: "flow", 11: "target", 12: "setSpeed" };
  const set = payload.metrics.map((m) => [names[Number(m.alias)], m.value]);
  for (const [name, value] of set) values[name] = value;
  say("dcmd", set);
  client.publishDeviceData("pump", { timestamp: Date.now(), metrics: pump().filter((m) => set.some(([n]) => n === m.name)) });
});
createInterface({ input: process.stdin }).on("line", (line) => {
  const [word, value] = line.split(" ");
  if (word === "data") client.publishDeviceData("pump", { timestamp: Date.now(), metrics: [metric("flow", 10, "Double", Number(value))] });
  if (word === "lose") client.incrementSeqNum();
  if (word === "end") {
    client.stop();
    setTimeout(() => process.exit(0), 200);
  }
});
