import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRelyingSite } from './relying-site.ts';

/*
 * The demo relying site as a program of its own. Settings: ISSUER, CLIENT_ID, CLIENT_SECRET; PORT (default 3001), HOST (default
 * 127.0.0.1) and URL, by which it is reached (default http://localhost:PORT). To a parent process it says { url } once it listens.
 */
const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT = '3001', HOST = '127.0.0.1', URL: ownUrl } = process.env;
if (!ISSUER || !CLIENT_ID || !CLIENT_SECRET) {
  console.error('The demo relying site needs ISSUER, CLIENT_ID and CLIENT_SECRET; `npm start` gives them.');
  process.exit(1);
}

const server = createServer();
try {
  server.listen(Number(PORT), HOST);
  await once(server, 'listening');
} catch (error) {
  console.error(`DEMO_PORT: the demo relying site cannot listen on ${HOST}:${PORT} (${(error as NodeJS.ErrnoException).code}); choose another port`);
  process.exit(1);
}
const url = ownUrl ?? `http://localhost:${(server.address() as AddressInfo).port}`;
const site = createRelyingSite({ issuer: ISSUER, clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, url });
site.on('error', (error: Error) => console.error(`demo relying site: ${error.message}`));
server.on('request', site.callback());

function stop() {
  server.close();
  server.closeAllConnections();
  if (process.connected) process.disconnect();
}
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
// When the program that started it is gone, it has no reason to stay.
process.once('disconnect', stop);
if (process.send) process.send({ url });
else console.log(`The demo relying site listens at ${url}`);
