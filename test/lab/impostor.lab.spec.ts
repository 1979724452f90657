import { webcrypto } from 'node:crypto';
import { request } from 'node:https';
import 'reflect-metadata';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { newRun, ready } from './support/cluster';
import { until } from './support/program';
import { RunWatch } from './support/run-watch';
import { hold, letGo, placeWitness } from './support/witness';
import { World } from './support/world';

/** Whoever gets hold of the token with which a worker joins cannot become another node with it, and it is worth nothing afterwards. */
const long = 10 * 60_000;
let world: World;
let token: string;
let whileItJoins: Answer;

interface Answer {
  status: number;
  body: { metadata?: { name?: string }; message?: string };
}
/** Asks the cluster's API, with this bearer token, for a client certificate of a node of this name. */
async function askForCertificate(name: string, node: string): Promise<Answer> {
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const csr = await Pkcs10CertificateRequestGenerator.create({ name: `O=system:nodes, CN=system:node:${node}`, keys, signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' } }); // prettier-ignore
  const body = JSON.stringify({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: {
      request: Buffer.from(`${csr.toString('pem')}\n`).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
      usages: ['digital signature', 'client auth'],
    },
  });
  const path = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const options = { host: world.lab.node('n1').address, port: 6443, path, method: 'POST', headers, rejectUnauthorized: false, timeout: 20_000 };
    const asked = request(options, (answer) => {
      let text = '';
      answer.on('data', (part: Buffer) => (text += part.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) as Answer['body'] }));
    });
    asked.once('error', reject).end(body);
  });
}

/** n2 is kept in the midst of its join, with its token on its disk, until the impostor has asked. */
beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  await placeWitness(world.lab, 'n2');
  await hold(world.lab, 'n2', 'join');
  await world.server.strata(['apply', '-f', await world.specFile(), '--yes', '--detach'], { timeoutMs: long });
  const { id } = await newRun(world, [], 180_000);
  const watch = new RunWatch(world, id);
  const heard = watch.hearAll(300_000);
  await watch.first('n2 to ask for its certificate', long, (e) => e.kind === 'OrderProgressed' && e.step === 'n2/kubernetes.join');
  const file = await until('the token on n2', 60_000, async () => {
    const { code, stdout } = await world.lab.exec('n2', ['cat', '/etc/kubernetes/strata/join.yaml']);
    return code === 0 ? stdout : null;
  });
  token = /tlsBootstrapToken: "?([a-z0-9]{6}\.[a-z0-9]{16})/.exec(file)?.[1] ?? '';
  whileItJoins = await askForCertificate('impostor', 'n1');
  await letGo(world.lab, 'n2', 'join');
  await heard;
  watch.stop();
}, long);
afterAll(() => world?.dispose(), 300_000);

test('the cluster takes the request, for the token is good, and the node joins meanwhile', async () => {
  expect([whileItJoins.status, whileItJoins.body.metadata?.name]).toEqual([201, 'impostor']);
  expect(await ready(world)).toEqual({ n1: true, n2: true });
}, 120_000);
test("n2's token asking for a certificate in n1's name stays pending", async () => {
  const kubectl = ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', 'get', 'csr', '-o', 'json'];
  const { items } = JSON.parse(await world.lab.must('n1', kubectl)) as { items: { metadata: { name: string }; status: { conditions?: { type: string }[] } }[] };
  const conditions = (test: (name: string) => boolean): string[][] =>
    items.filter((i) => test(i.metadata.name)).map((i) => (i.status.conditions ?? []).map((c) => c.type));
  expect(conditions((name) => name === 'impostor')).toEqual([[]]);
  expect(conditions((name) => name !== 'impostor')).toContainEqual(['Approved']); // n2's own
}, 60_000);
test('the token is worth nothing once the node is in, and is not on its disk any more', async () => {
  const secret = ['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', '-n', 'kube-system', 'get', 'secret', '-o', 'name'];
  expect(await world.lab.must('n1', secret)).not.toContain(`bootstrap-token-${token.slice(0, 6)}`);
  // kube-apiserver believes a token that it found good for 10 s more without another look (kubeapiserver's TokenSuccessCacheTTL)
  await until('the token to be refused', 30_000, async () => (await askForCertificate('late', 'n2')).status === 401);
  expect((await world.lab.exec('n2', ['grep', '-rqs', token, '/etc', '/var/lib/strata', '/var/lib/kubelet'])).code).toBe(1);
}, 60_000);
