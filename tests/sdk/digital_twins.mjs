// Uses the JavaScript SDK of Azure Digital Twins against a server as a program of a user would.
// Usage: node digital_twins.mjs FOLDER URL TOKEN   where FOLDER/node_modules has the SDK
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, url, token] = process.argv.slice(2);
const { DigitalTwinsClient } = createRequire(join(folder, "package.json"))("@azure/digital-twins-core");
const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3600_000 }) };
const client = new DigitalTwinsClient(url, credential, { retryOptions: { maxRetries: 0 } });

const done = [];
const part = async (name, run) => {
  await run();
  done.push(name);
};
const all = async (pages) => {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
};
const refused = (promise, status) =>
  assert.rejects(promise, (error) => (assert.equal(error.statusCode, status, error.message), true));

const ROOM = "dtmi:com:example:js:Room;1";
const SENSOR = "dtmi:com:example:js:Sensor;1";
const context = "dtmi:dtdl:context;3";
const models = [
  {
    "@id": SENSOR, "@type": "Interface", "@context": context, displayName: "Sensor",
    contents: [
      { "@type": "Property", name: "offset", schema: "double", writable: true },
      { "@type": "Telemetry", name: "temperature", schema: "double" },
    ],
  },
  {
    "@id": ROOM, "@type": "Interface", "@context": context, displayName: { en: "Room", de: "Raum" },
    contents: [
      { "@type": "Property", name: "temperature", schema: "double" },
      { "@type": "Property", name: "name", schema: "string" },
      { "@type": "Telemetry", name: "noise", schema: "double" },
      { "@type": "Component", name: "thermometer", schema: SENSOR },
      {
        "@type": "Relationship", name: "leadsTo",
        properties: [{ "@type": "Property", name: "width", schema: "double" }],
      },
    ],
  },
];
const room = (number) => JSON.stringify({
  $metadata: { $model: ROOM }, temperature: number, name: `room ${number}`,
  thermometer: { $metadata: {}, offset: 0 },
});

await part("models", async () => {
  const made = await client.createModels(models);
  assert.deepEqual(made.map((one) => one.id).sort(), [ROOM, SENSOR]);
  await refused(client.createModels(models), 409);
  const one = await client.getModel(ROOM, true);
  assert.equal(one.model["@id"], ROOM);
  assert.equal(one.decommissioned, false);
  const listed = await all(client.listModels([ROOM], true));
  assert.deepEqual(listed.map((model) => model.id).sort(), [ROOM, SENSOR]);
  await refused(client.getModel("dtmi:com:example:js:None;1"), 404);
  await refused(client.createModels([{ "@id": "dtmi:x;1", "@type": "Interface" }]), 400);
});

await part("twins", async () => {
  const made = await client.upsertDigitalTwin("js-1", room(1));
  assert.equal(made.body.$dtId, "js-1");
  assert.ok(made.etag);
  const read = await client.getDigitalTwin("js-1");
  assert.equal(read.body.temperature, 1);
  const patch = [{ op: "replace", path: "/temperature", value: 21.5 }];
  const changed = await client.updateDigitalTwin("js-1", patch);
  assert.ok(changed.etag && changed.etag !== read.etag);
  assert.equal((await client.getDigitalTwin("js-1")).body.temperature, 21.5);
  await refused(client.updateDigitalTwin("js-1", [{ op: "replace", path: "/nothing", value: 1 }]), 400);
  await refused(client.getDigitalTwin("js-none"), 404);
});

await part("etags", async () => {
  const old = (await client.getDigitalTwin("js-1")).etag;
  const patch = [{ op: "replace", path: "/temperature", value: 22 }];
  await client.updateDigitalTwin("js-1", patch, { ifMatch: old });
  await refused(client.updateDigitalTwin("js-1", patch, { ifMatch: old }), 412);
  await refused(client.upsertDigitalTwin("js-1", room(1), { ifNoneMatch: "*" }), 412);
  await refused(client.deleteDigitalTwin("js-1", { ifMatch: old }), 412);
});

await part("components", async () => {
  const patch = [{ op: "replace", path: "/offset", value: 0.5 }];
  await client.updateComponent("js-1", "thermometer", patch);
  assert.equal((await client.getComponent("js-1", "thermometer")).body.offset, 0.5);
  await refused(client.getComponent("js-1", "nothing"), 404);
});

await part("relationships", async () => {
  for (let number = 2; number <= 5; number++) await client.upsertDigitalTwin(`js-${number}`, room(number));
  for (let number = 2; number <= 5; number++) {
    const link = { $relationshipId: `to-${number}`, $sourceId: "js-1", $targetId: `js-${number}`, $relationshipName: "leadsTo", width: number };
    await client.upsertRelationship("js-1", `to-${number}`, link);
  }
  const one = await client.getRelationship("js-1", "to-2");
  assert.equal(one.body.width, 2);
  await client.updateRelationship("js-1", "to-2", [{ op: "replace", path: "/width", value: 2.5 }]);
  await refused(client.updateRelationship("js-1", "to-2", [{ op: "replace", path: "/width", value: 3 }], { ifMatch: one.body.$etag }), 412);
  assert.equal((await all(client.listRelationships("js-1"))).length, 4);
  const incoming = await all(client.listIncomingRelationships("js-2"));
  assert.deepEqual(incoming.map((link) => link.relationshipId), ["to-2"]);
  await refused(client.deleteDigitalTwin("js-1"), 409);
});

await part("queries and pages", async () => {
  const pages = client.queryTwins("SELECT * FROM DIGITALTWINS T WHERE STARTSWITH(T.$dtId, 'js-')", 2).byPage();
  const sizes = [];
  for await (const page of pages) sizes.push((page.value ?? page).length);
  assert.equal(sizes.reduce((sum, size) => sum + size, 0), 5);
  assert.ok(sizes.length >= 3, `pages of ${sizes}`);
  const joined = await all(client.queryTwins(
    "SELECT R, L FROM DIGITALTWINS T JOIN R RELATED T.leadsTo L WHERE T.$dtId = 'js-1' AND L.width > 3"));
  assert.deepEqual(joined.map((row) => row.R.$dtId).sort(), ["js-4", "js-5"]);
  await refused(all(client.queryTwins("SELECT * FORM DIGITALTWINS")), 400);
});

await part("telemetry", async () => {
  await client.publishTelemetry("js-1", { noise: 40 }, "message-1");
  // release 1.1.0 sends its third argument as the message id and its fourth as the payload
  await client.publishComponentTelemetry("js-1", "thermometer", "message-2", { temperature: 20 });
  await refused(client.publishTelemetry("js-none", { noise: 40 }, "message-3"), 404);
});

await part("event routes", async () => {
  const made = await fetch(`${url}/endpoints/js`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ url: "https://example.com/events" }),
  });
  assert.ok(made.ok, await made.text());
  await client.upsertEventRoute("js-route", "js", "type = 'Microsoft.DigitalTwins.Twin.Update'");
  assert.equal((await client.getEventRoute("js-route")).endpointName, "js");
  assert.ok((await all(client.listEventRoutes())).some((route) => route.id === "js-route"));
  await client.deleteEventRoute("js-route");
  await refused(client.getEventRoute("js-route"), 404);
});

await part("deletion", async () => {
  for (let number = 2; number <= 5; number++) await client.deleteRelationship("js-1", `to-${number}`);
  for (let number = 1; number <= 5; number++) await client.deleteDigitalTwin(`js-${number}`);
  await client.decomissionModel(ROOM);
  assert.equal((await client.getModel(ROOM)).decommissioned, true);
  await refused(client.deleteModel(SENSOR), 409);
  await client.deleteModel(ROOM);
  await client.deleteModel(SENSOR);
});

process.stdout.write(JSON.stringify(done) + "\n");
