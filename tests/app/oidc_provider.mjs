// A certified provider of single sign-on for tests: node oidc_provider.mjs PACKAGES
// Listens on a free port and prints it; then reads lines from its input, and answers each with `done`:
//   serve URL    Gemel is at this address: its log-ins are taken from now on
//   rotate       signs with a new key, and publishes no other
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

console.info = console.warn = console.error; // what it says of itself is no answer to the test
const [packages] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${packages}/node_modules/oidc-provider/lib/index.js`));

const ROLES = { ann: ["plant-operators"], eve: ["canteen"], max: ["plant-operators", "plant-heads"] };
const AUDIENCE = "urn:gemel";

let gemel = "";
let answer;
let signing = key();
const server = createServer((request, response) => answer(request, response));
server.listen(0, "127.0.0.1", () => {
  provide();
  console.log(server.address().port);
});

function key() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
}

function provide() {
  const issuer = `http://localhost:${server.address().port}`;
  const provider = new Provider(issuer, {
    jwks: { keys: [signing] },
    cookies: { keys: ["for tests"] },
    pkce: { required: () => true },
    claims: { openid: ["sub"], profile: ["preferred_username", "roles"] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, roles: ROLES[id] ?? [] }) }),
    extraTokenClaims: (_, token) => (token.clientId === "historian" ? { roles: ["plant-writers"] } : undefined),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: "write", audience: AUDIENCE, accessTokenFormat: "jwt", accessTokenTTL: 300 }),
      },
    },
    clients: gemel === "" ? [] : [
      {
        client_id: "gemel",
        client_secret: "se:cret/+ %",
        redirect_uris: [`${gemel}/login/oidc/callback`],
        post_logout_redirect_uris: [`${gemel}/app/login`],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
      { client_id: "historian", client_secret: "other", redirect_uris: [], response_types: [], grant_types: ["client_credentials"] },
    ],
  });
  provider.on("server_error", (_, error) => console.error(error));
  answer = provider.callback();
}

for await (const line of createInterface({ input: process.stdin })) {
  const [word, value] = line.split(" ");
  if (word === "serve") gemel = value;
  if (word === "rotate") signing = key();
  provide();
  console.log("done");
}
process.exit(0);
