// Uses node-wot as somebody's application would: `node wot_peer.mjs FOLDER URL TOKEN TWIN`.
// FOLDER has node-wot in its node_modules. Prints one JSON object for each thing done.
import { createRequire } from 'node:module';
import { join } from 'node:path';
const [folder, url, token, twin] = process.argv.slice(2);
const require = createRequire(join(folder, 'node_modules', 'x.js'));
const { Servient } = require('@node-wot/core');
const { HttpClientFactory } = require('@node-wot/binding-http');
const Ajv = require('ajv').default;
const addFormats = require('ajv-formats').default;
const schema = require('wot-thing-description-types/schema/td-json-schema-validation.json');
const say = (what, value) => console.log(JSON.stringify({ what, value }));

const answer = await fetch(`${url}/wot/${twin}`, { headers: { Authorization: `Bearer ${token}` } });
const td = await answer.json();
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const isValid = ajv.validate(schema, td);
say('valid', isValid ? [] : ajv.errors.map((e) => `${e.instancePath} ${e.message}`));

const servient = new Servient();
servient.addClientFactory(new HttpClientFactory());
servient.addCredentials({ [td.id]: { token } });
const wot = await servient.start();
const thing = await wot.consume(td);
say('flow', await (await thing.readProperty('flow')).value());
say('limits', await (await thing.readProperty('limits')).value());
say('bearing', await (await thing.readProperty('bearing.temperature')).value());
await thing.writeProperty('target', 55.5);
say('written', true);
const command = await (await thing.invokeAction('setSpeed', 40)).value();
say('invoked', { command: command.command, arguments: command.arguments });
const alarm = new Promise((resolve) => thing.subscribeEvent('alarm', async (found) => resolve(await found.value())));
const observed = new Promise((resolve) => {
  thing.observeProperty('flow', async (found) => resolve(await found.value())).then(() => say('observing', true));
});
say('observed', await observed);
say('alarm', (await alarm).twin);
process.exit(0);
