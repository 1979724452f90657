import { HttpMethod, KubernetesObjectApi, type KubernetesObject, PatchStrategy } from '@kubernetes/client-node';

type Patch = Parameters<KubernetesObjectApi['patch']>;
/**
 * The generic client, which sends objects as they are. The library's own puts them through its types first, and leaves out what these do not have, or have
 * under another name, without a word: the `from` of a NetworkPolicy, which then lets everybody in, and the `default` of a LimitRange or of a definition.
 */
export class PlainObjects extends KubernetesObjectApi {
  override async patch<T extends KubernetesObject>(spec: T, ...[, , fieldManager, force, strategy]: Patch extends [unknown, ...infer R] ? R : never): Promise<T> {
    const context = this.configuration.baseServer.makeRequestContext(await this.specUriPath(spec, 'patch'), HttpMethod.PATCH);
    context.setHeaderParam('Accept', 'application/json, */*;q=0.8');
    context.setHeaderParam('Content-Type', strategy ?? PatchStrategy.StrategicMergePatch);
    if (fieldManager !== undefined) context.setQueryParam('fieldManager', fieldManager);
    if (force !== undefined) context.setQueryParam('force', String(force));
    context.setBody(JSON.stringify(spec));
    return this.requestPromise<T>(context);
  } // prettier-ignore
}
