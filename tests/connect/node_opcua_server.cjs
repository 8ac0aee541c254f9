// A second, independent OPC UA server (node-opcua) for tests: `node node_opcua_server.cjs PORT FOLDER PACKAGES`
// prints `ready`; each line it then reads is `step N` (counts on at once, N times) or `pace N` (one
// each millisecond), or `deny CODE` (of writes to Level), and is answered with `done`.

const path = require("node:path");
const readline = require("node:readline");
const [port, folder, packages] = process.argv.slice(2);
const named = (name) => require(path.join(packages, "node_modules", name));
const { OPCUAServer } = named("node-opcua-server");
const { OPCUACertificateManager } = named("node-opcua-certificate-manager");
const { DataType, Variant } = named("node-opcua-variant");
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
  let denied = StatusCodes.Good;
  let level = 5;
  own.addVariable({ componentOf: press, browseName: "Level", nodeId: "s=Press.Level", dataType: "Double", minimumSamplingInterval: 0, value: { get: () => new Variant({ dataType: DataType.Double, value: level }), set: (variant) => { if (denied === StatusCodes.Good) level = variant.value; return denied; } } });
  own.addVariable({ componentOf: press, browseName: "Locked", nodeId: "s=Press.Locked", dataType: "Double", accessLevel: "CurrentRead | CurrentWrite", userAccessLevel: "CurrentRead", value: { dataType: DataType.Double, value: 1 } });
  const dose = own.addMethod(press, { browseName: "Dose", inputArguments: [{ name: "Amount", dataType: DataType.UInt16 }], outputArguments: [{ name: "Left", dataType: DataType.Int32 }, { name: "Note", dataType: DataType.String }] });
  dose.bindMethod((inputs, _, done) => inputs[0].value > 500 ? done(null, { statusCode: StatusCodes.BadInvalidArgument, inputArgumentResults: [StatusCodes.BadOutOfRange] }) : done(null, { statusCode: StatusCodes.Good, outputArguments: [{ dataType: DataType.Int32, value: 1000 - inputs[0].value }, { dataType: DataType.String, value: "dosed" }] }));
  let at = 0;
  const set = () => count.setValueFromSource({ dataType: DataType.Int32, value: at }, StatusCodes.Good, new Date(Date.now()));
  set();
  await server.start();
  console.log("ready");
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [word, times] = line.split(" ");
    if (word === "deny") {
      denied = StatusCodes[times];
      console.log("done");
      continue;
    }
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
