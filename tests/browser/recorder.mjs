// Stands between the browser and the collector: notes every event and its answer, and answers itself while a case wants the collector away.
import { createServer, request } from 'node:http';

/** Name of the case that a page belongs to: its host without `.example`. */
export const caseOf = (address) => {
  try {
    return new URL(address).hostname.replace(/\.example$/, '');
  } catch {
    return '';
  }
};

/**
 * Starts it before the collector at `target`.
 * @returns {Promise<{url: string, sent: Sent[], away: Map<string, {status: number, headers?: object}>, cookies: string[], close: () => void}>}
 */
export async function recorder(target) {
  const sent = [];
  const away = new Map();
  const cookies = [];
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    let note = () => {};
    let refusal;
    if (incoming.method === 'POST' && incoming.url === '/api/event') {
      const parsed = JSON.parse(body.toString());
      const batch = Array.isArray(parsed) ? parsed : [parsed];
      const name = caseOf(batch[0].u ?? batch[0].url);
      const entries = batch.map((event) => ({
        name, event, batch: batch.length, bytes: body.length, array: Array.isArray(parsed), at: Date.now(),
        origin: incoming.headers.origin, type: incoming.headers['content-type'], keepalive: undefined,
      }));
      sent.push(...entries);
      note = (status, headers, text) => entries.forEach((entry) => Object.assign(entry, { status, dropped: headers['x-dropped-reason'], text }));
      refusal = away.get(name);
    }
    if (incoming.headers.cookie) cookies.push(`sent: ${incoming.headers.cookie}`);
    if (refusal?.hang) {
      note('none', {}, '');
      return;
    }
    if (refusal) {
      note(refusal.status, {}, '');
      outgoing.writeHead(refusal.status, {
        'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after', ...refusal.headers,
      });
      outgoing.end();
      return;
    }
    const forwarded = request(`${target}${incoming.url}`, { method: incoming.method, headers: incoming.headers }, async (answer) => {
      if (answer.headers['set-cookie']) cookies.push(`set: ${answer.headers['set-cookie']}`);
      const parts = [];
      for await (const part of answer) parts.push(part);
      const whole = Buffer.concat(parts);
      note(answer.statusCode, answer.headers, whole.toString());
      outgoing.writeHead(answer.statusCode, answer.headers);
      outgoing.end(whole);
    });
    forwarded.on('error', (error) => {
      note('none', {}, '');
      outgoing.destroy(error);
    });
    forwarded.end(body);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${server.address().port}`, sent, away, cookies,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
