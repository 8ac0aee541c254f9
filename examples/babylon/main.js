/** The plant of a Gemel server in Babylon.js: the exported scene, coloured and moved by the live stream. */

/* global BABYLON */
const COLOURS = { 1: "#ff6c70", 2: "#ff9b38", 3: "#f2d44a", 4: "#d58cf5" };
const canvas = document.querySelector("canvas");
const words = document.querySelector("p");
const engine = new BABYLON.Engine(canvas, false);
const scene = new BABYLON.Scene(engine);
scene.clearColor = BABYLON.Color4.FromHexString("#161c23ff");
new BABYLON.HemisphericLight("sky", new BABYLON.Vector3(0.3, 1, -0.4), scene).intensity = 1.3;

/** twin -> its nodes; each is a transform with the extras of the file. */
const nodes = new Map();
/** twin and property -> the newest value, and the number of a series -> its twin and property. */
const values = new Map();
const series = new Map();
const alarms = new Map();

// A mesh that things share would be an instance, and instances share one colour.
BABYLON.SceneLoader.OnPluginActivatedObservable.add((loader) => (loader.createInstances = false));
await BABYLON.SceneLoader.AppendAsync("/", "scene.glb", scene);

for (const node of [...scene.transformNodes, ...scene.meshes]) {
  const twin = node.metadata?.gltf?.extras?.twin;
  if (twin) nodes.set(twin, [...(nodes.get(twin) ?? []), node]);
}
const normal = scene.materials[0];
const painted = Object.fromEntries(
  Object.entries(COLOURS).map(([priority, colour]) => {
    const material = normal.clone(`priority ${priority}`);
    material.albedoColor = BABYLON.Color3.FromHexString(colour).toLinearSpace().scale(1.5);
    return [priority, material];
  }),
);
scene.createDefaultCamera(true, true, true);
scene.activeCamera.alpha = -0.9;
scene.activeCamera.beta = 1;

/** A twin takes the colour of its most urgent active alarm. */
function paint(twin) {
  const priority = Math.min(...[...alarms.values()].filter((one) => one.twin === twin && one.isActive).map((one) => one.priority), 9);
  for (const node of nodes.get(twin) ?? []) {
    const meshes = [...(node instanceof BABYLON.AbstractMesh ? [node] : []), ...node.getChildMeshes()];
    for (const mesh of meshes) if (mesh.material) mesh.material = painted[priority] ?? normal;
  }
  document.documentElement.dataset.abnormal = [...alarms.values()].filter((one) => one.isActive && nodes.has(one.twin)).length;
}

function takeAlarm(alarm) {
  if (alarm.state === "normal") alarms.delete(alarm.id);
  else alarms.set(alarm.id, alarm);
  paint(alarm.twin);
}

/** docs/reference/http.md, binary frame: base time, count, then rows of 16 bytes. */
function takeFrame(buffer) {
  const view = new DataView(buffer);
  const count = view.getUint16(8, true);
  for (let i = 0; i < count; i++) {
    const at = 12 + i * 16;
    const key = series.get(view.getUint32(at, true));
    const isBad = view.getUint16(at + 6, true) >= 128;
    if (key) values.set(key, isBad ? null : view.getFloat64(at + 8, true));
  }
  document.documentElement.dataset.values = values.size;
}

function follow() {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/live`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", twins: [...nodes.keys()] }));
  socket.onmessage = ({ data }) => {
    if (typeof data !== "string") return takeFrame(data);
    const message = JSON.parse(data);
    if (message.type === "series") for (const [number, twin, path] of message.series) series.set(number, `${twin}\n${path}`);
    else if (message.type === "alarm") takeAlarm(message.alarm);
    else if (message.type === "status") words.textContent = `${message.status.plant}: ${nodes.size} twins, ${Math.round(message.status.valuesPerSecond)} values/s`;
    return undefined;
  };
  socket.onclose = () => setTimeout(follow, 2000);
}

/** Parts that spin turn as fast as the value that drives their thing says. */
function move(seconds) {
  for (const [twin, own] of nodes) {
    for (const node of own) {
      const drive = node.metadata.gltf.extras.motion;
      if (!drive) continue;
      const value = values.get(`${drive.twin ?? twin}\n${drive.property}`);
      const speed = typeof value === "number" ? Math.max(-1.5, Math.min(1.5, value / (drive.rated ?? 1))) : 0;
      for (const part of node.getChildTransformNodes(true)) {
        const motion = part.metadata?.gltf?.extras?.motion;
        if (motion?.type !== "spin" || speed === 0) continue;
        part.rotate(BABYLON.Axis[motion.axis.toUpperCase()], seconds * speed * motion.perSecond * Math.PI * 2, BABYLON.Space.LOCAL);
      }
    }
  }
}

const open = await (await fetch("/alarms?state=active")).json();
for (const alarm of open.value) takeAlarm(alarm);
follow();
engine.runRenderLoop(() => {
  move(engine.getDeltaTime() / 1000);
  scene.render();
});
addEventListener("resize", () => engine.resize());
Object.assign(document.documentElement.dataset, { ready: "true", twins: String(nodes.size) });
/** What a test asks: the colour a twin has now. */
window.colourOf = (twin) => [...nodes.get(twin)[0].getChildMeshes(), nodes.get(twin)[0]].find((one) => one.material)?.material.name;
