import { QuickstartError } from './programs';

/** Of the bundle `notes`: applications that keep what they are told, each at its path of the ingress. */
const applications = ['guestbook', 'board'] as const;
const patienceMs = 30_000; // until every node's ingress has the route
const askMs = 10_000;

/**
 * From this host, which is outside the cluster: a note is kept by each application through the first node's ingress, and read through that of every node.
 * @returns the addresses of the pages. @throws QuickstartError with the address and its last answer
 */
export async function proveFromOutside(addresses: readonly string[], note: string): Promise<string[]> {
  for (const name of applications) {
    await until(`http://${addresses[0] ?? ''}/${name}/notes`, { method: 'POST', body: note }, (answer) => answer.status === 201);
    await Promise.all(
      addresses.map((address) => until(`http://${address}/${name}/notes`, {}, (answer) => answer.status === 200 && answer.text.includes(note))),
    );
  }
  return applications.map((name) => `http://${addresses[0] ?? ''}/${name}/`);
}

interface Answer {
  status: number;
  text: string;
}
async function until(url: string, request: RequestInit, good: (answer: Answer) => boolean): Promise<void> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const words = await ask(url, request).then((answer) => (good(answer) ? null : `it answered ${answer.status}: ${answer.text.trim().slice(0, 200)}`), (error: Error) => `no answer: ${error.cause instanceof Error ? error.cause.message : error.message}`); // prettier-ignore
    if (words === null) return;
    if (performance.now() > end) throw new QuickstartError(`${request.method ?? 'GET'} ${url}: ${words}; see \`./strata pods --troubled\`, and whether something drops port 80 of that node`, 1); // prettier-ignore
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
async function ask(url: string, request: RequestInit): Promise<Answer> {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(askMs) });
  return { status: response.status, text: await response.text() };
}
