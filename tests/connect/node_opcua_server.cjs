// A second, independent OPC UA server (node-opcua) for tests: `node node_opcua_server.cjs PORT FOLDER PACKAGES`
// prints `ready`; each line it then reads is `step N` (counts on at once, N times) or `pace N` (one
// each millisecond), and is answered with `done`.

const path = require("node:path");
const readline = require("node:readline");
const [port, folder, packages] = process.argv.slice(2);
const named = (name) => require(path.join(packages, "node_modules", name));
const { OPCUAServer } = named("node-opcua-server");
const { OPCUACertificateManager } = named("node-opcua-certificate-manager");
const { DataType } = named("node-opcua-variant");
const { StatusCodes } = named("node-opcua-status-code");

async function main() {
  const certificates = new OPCUACertificateManager({ automaticallyAcceptUnknownCertificate: true, rootFolder: path.join(folder, "pki") });
  await certificates.initialize();
  const server = new OPCUAServer({ port: Number(port), resourcePath: "/press", hostname: "127.0.0.1", serverCertificateManager: certificates, allowAnonymous: true, serverCapabilities: { minSupportedSampleRate: 0, operationLimits: { maxNodesPerBrowse: 3, maxNodesPerRead: 7, maxMonitoredItemsPerCall: 4 } } });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.getOwnNamespace();
  const plant = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Plant" });
  const press = own.addObject({ componentOf: plant, browseName: "Press" });
  const count = own.addVariable({ componentOf: press, browseName: "Count", nodeId: "s=Press.Count", dataType: "Int32", minimumSamplingInterval: 0 });
  for (let i = 0; i < 40; i++) own.addVariable({ componentOf: press, browseName: `V${i}`, dataType: "Double", value: { dataType: DataType.Double, value: i } });
  let at = 0;
  const set = () => count.setValueFromSource({ dataType: DataType.Int32, value: at }, StatusCodes.Good, new Date(Date.now()));
  set();
  await server.start();
  console.log("ready");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, times] = line.split(" ");
    for (let i = 0; i < Number(times); i++) {
      at += 1;
      set();
      if (word === "pace") await new Promise((then) => setTimeout(then, 2));
    }
    console.log("done");
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
