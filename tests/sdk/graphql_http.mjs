// Audits a server by the GraphQL over HTTP specification; prints what was not met, as JSON.
// Usage: node graphql_http.mjs FOLDER URL TOKEN   where FOLDER/node_modules has graphql-http
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, url, token] = process.argv.slice(2);
const { serverAudits } = createRequire(join(folder, "package.json"))("graphql-http");
const withToken = (address, init = {}) => {
  const headers = { ...init.headers, authorization: `Bearer ${token}` };
  return fetch(address, { ...init, headers });
};

const found = [];
for (const audit of serverAudits({ url, fetchFn: withToken })) {
  const result = await audit.fn();
  const { id, name, status, reason } = result;
  found.push({ id, name, status, reason: reason ?? "" });
  // a body that nobody reads keeps its connection
  if (result.response && !result.response.bodyUsed) await result.response.text();
}
console.log(JSON.stringify(found));
