// Reads tables through npm's @odata/client: node odata_client.mjs FOLDER URL TOKEN
import { createRequire } from "node:module";
const [folder, serviceEndpoint, token] = process.argv.slice(2);
const { OData } = createRequire(folder + "/")("@odata/client");
const headers = { Authorization: `Bearer ${token}` };
const client = OData.New4({ serviceEndpoint, commonHeaders: headers });
const twins = client.getEntitySet("Twins");
const filter = "startswith(Id,'p')";
const param = client.newParam().filter(filter).orderby("Id", "desc").top(2).select(["Id", "ModelName"]);
console.log(JSON.stringify({
  one: await twins.retrieve("p1"),
  some: await twins.query(param),
  count: await twins.count(client.newFilter().property("ModelName").eq("Pump")),
  expanded: await twins.query(client.newParam().expand("Parent").filter("Id eq 'p0'")),
}));
