import { type Finding, NodeName } from '@strata/model';
import { z } from 'zod';
import { defineServerTask, type ServerContext } from '../define-task';
import type { SigningRequest } from '../ports/cluster';
import { until } from '../wait';

const Input = z.strictObject({ node: NodeName });
type Context = Pick<ServerContext<z.infer<typeof Input>>, 'cluster' | 'control' | 'input'>;

/** True if this is the planned node, with the token that was made for it, asking for its own name and nothing else. */
export function mayBeAdmitted(request: SigningRequest, node: string, tokenId: string | null): boolean {
  return (
    tokenId !== null &&
    request.pending &&
    request.signer === 'kubernetes.io/kube-apiserver-client-kubelet' &&
    request.username === `system:bootstrap:${tokenId}` &&
    request.commonName === `system:node:${node}` &&
    request.organizations.length === 1 &&
    request.organizations[0] === 'system:nodes'
  );
}
function foreign(requests: readonly SigningRequest[], node: string, tokenId: string | null): Finding[] {
  return requests
    .filter((r) => r.pending && tokenId !== null && r.username === `system:bootstrap:${tokenId}` && !mayBeAdmitted(r, node, tokenId))
    .map((r) => ({
      severity: 'warning',
      code: 'csr.foreign-name',
      message: `the token of ${node} was used to ask for a certificate of "${r.commonName}" (request ${r.name}): it stays pending`,
      remedy: `find out what runs on ${node}; deny it with \`kubectl certificate deny ${r.name}\``,
      node,
    }));
}
async function look({ cluster, control, input }: Context): Promise<{ admitted: boolean; findings: Finding[]; mine: SigningRequest[] }> {
  const [node, tokenId] = [await cluster.node(input.node), await control.mintedTokenId(input.node)];
  if (node !== null && node.ready) return { admitted: true, findings: [], mine: [] };
  const requests = await cluster.signingRequests();
  const mine = requests.filter((r) => mayBeAdmitted(r, input.node, tokenId));
  return { admitted: mine.length === 0 && node !== null, findings: foreign(requests, input.node, tokenId), mine };
}

/**
 * Approves one certificate request: that of this node, made with the token that was minted for it. Everything else stays pending.
 * Runs beside `kubernetes.join`, which waits for the certificate.
 */
export const kubernetesAdmit = defineServerTask({
  name: 'kubernetes.admit', version: 1, layer: 'orchestration', timeout: '10m', attempts: 4,
  title: "The node's certificate is approved",
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(context) {
    const { admitted, findings } = await look(context);
    if (admitted) return { state: 'satisfied', output: {}, findings };
    return { state: 'unsatisfied', reason: `${context.input.node} is not in the cluster`, before: {}, findings };
  },
  async apply({ cluster, control, input, clock, signal, log, progress }) {
    const warned = new Set<string>();
    const remedy = `see what step kubernetes.join of ${input.node} says, then retry the step`;
    await until(clock, { what: `${input.node} to ask for its certificate and to register`, timeoutMs: 540_000, everyMs: 250, signal, remedy }, async () => {
      const { admitted, findings, mine } = await look({ cluster, control, input });
      for (const f of findings) if (!warned.has(f.message)) log(f.message);
      for (const f of findings) warned.add(f.message);
      for (const request of mine) {
        progress(0.5, `approves ${request.name}`);
        await cluster.approve(request.name);
      }
      return admitted ? true : null;
    });
  },
  undo: { never: 'the certificate goes with the node: `kubernetes.node-delete` takes it out of the cluster' },
}); // prettier-ignore
