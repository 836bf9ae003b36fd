import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { CERTIFICATE, CERTIFICATE_KEY } from '../support/certificate.ts';

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** As it came, with CRLF and without the dot that ends it. */
  readonly source: string;
}

export interface SmtpServer {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  /** Every line that clients sent as a command. */
  readonly commands: readonly string[];
  /** What the server says to a recipient; 250 unless told otherwise. */
  answerRecipient(answer: string): void;
  waitForMail(count?: number): Promise<ReceivedMail>;
  stop(): Promise<void>;
}

/**
 * A mail server of RFC 5321's smallest kind, on this machine.
 *
 * @param options `mute`: takes connections and never says a word; `tls`: speaks TLS from the start, with a certificate that nobody trusts
 */
export async function startSmtpServer({ port = 0, mute = false, tls = false }: { port?: number; mute?: boolean; tls?: boolean } = {}): Promise<SmtpServer> {
  const mails: ReceivedMail[] = [];
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  let recipientAnswer = '250 fine';

  function converse(socket: Socket) {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    if (mute) return;
    const say = (line: string) => void socket.write(`${line}\r\n`);
    let [from, to, data, rest]: [string, string[], string[] | undefined, string] = ['', [], undefined, ''];
    say('220 test');
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (data) {
          if (line !== '.') {
            data.push(line.replace(/^\./, ''));
            continue;
          }
          mails.push({ from, to, source: data.join('\r\n') });
          [to, data] = [[], undefined];
          say('250 taken');
          continue;
        }
        commands.push(line);
        const [, address = ''] = /<(.*)>/.exec(line) ?? [];
        if (/^EHLO/i.test(line)) say('250-test\r\n250 AUTH PLAIN');
        else if (/^AUTH/i.test(line)) say('535 wrong user or password');
        else if (/^MAIL FROM/i.test(line)) say(((from = address), '250 fine'));
        else if (/^RCPT TO/i.test(line)) {
          if (recipientAnswer.startsWith('2')) to.push(address);
          say(recipientAnswer.replace('{address}', address));
        } else if (/^DATA/i.test(line)) say(((data = []), '354 go on'));
        else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
        else say('502 unknown');
      }
    });
  }

  const server: Server = tls ? createTlsServer({ cert: CERTIFICATE, key: CERTIFICATE_KEY }, converse).on('tlsClientError', () => {}) : createServer(converse);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));

  return {
    port: (server.address() as AddressInfo).port,
    mails,
    commands,
    answerRecipient: (answer) => void (recipientAnswer = answer),
    async waitForMail(count = 1) {
      for (let tries = 0; mails.length < count; tries += 1) {
        if (tries === 500) throw new Error(`${mails.length} of ${count} mails came`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      return mails[count - 1]!;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** The headers of a mail, unfolded, and its parts; independent of what wrote it. */
export function readMail(source: string) {
  const { headers, body } = readPart(source);
  const boundary = /boundary="([^"]+)"/.exec(headers.get('content-type') ?? '')?.[1];
  if (boundary === undefined) throw new Error('the mail has no parts');
  const parts = body.split(new RegExp(`(?:^|\\r\\n)--${boundary.replace(/[^\w-]/g, '\\$&')}(?:--)?(?:\\r\\n|$)`)).slice(1, -1).map(readPart);
  const part = (type: string) => parts.find((each) => each.headers.get('content-type')?.startsWith(type))?.body ?? '';
  return { headers, text: part('text/plain').replaceAll('\r\n', '\n'), html: part('text/html').replaceAll('\r\n', '\n') };
}

function readPart(source: string) {
  const end = source.indexOf('\r\n\r\n');
  const headers = new Map<string, string>();
  for (const line of source.slice(0, end).replace(/\r\n[ \t]+/g, ' ').split('\r\n')) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    if (headers.has(name)) throw new Error(`the header ${name} is there twice`);
    headers.set(name, decodeWords(line.slice(line.indexOf(':') + 1).trim()));
  }
  const body = source.slice(end + 4);
  const encoding = headers.get('content-transfer-encoding');
  if (encoding === 'base64') return { headers, body: Buffer.from(body, 'base64').toString() };
  return { headers, body: encoding === 'quoted-printable' ? Buffer.from(unquote(body.replace(/=\r\n/g, '')), 'latin1').toString() : body };
}

const unquote = (text: string) => text.replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/** RFC 2047. */
function decodeWords(text: string): string {
  return text.replace(/\?=\s+=\?/g, '?==?').replace(/=\?utf-8\?([QB])\?([^?]*)\?=/gi, (_, kind: string, word: string) =>
    (kind.toUpperCase() === 'B' ? Buffer.from(word, 'base64') : Buffer.from(unquote(word.replaceAll('_', ' ')), 'latin1')).toString());
}
