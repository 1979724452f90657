import { ApiRole } from '@strata/model';

/** Each role may do what the ones before it may. */
export const roles = ApiRole.options;

/** `METHOD /path` of every route, and the least role that may use it. A route that is not here is refused to everybody. */
export const routePolicy: Readonly<Record<string, ApiRole | 'public'>> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /v1/version': 'viewer',
  'GET /v1/openapi.json': 'viewer',
  'GET /v1/clusters': 'viewer',
  'POST /v1/clusters': 'operator',
  'GET /v1/clusters/:id': 'viewer',
  'DELETE /v1/clusters/:id': 'admin',
  'POST /v1/clusters/:id/runs': 'operator',
  'GET /v1/clusters/:id/nodes': 'viewer',
  'POST /v1/clusters/:id/nodes': 'operator',
  'GET /v1/clusters/:id/nodes/:name': 'viewer',
  'DELETE /v1/clusters/:id/nodes/:name': 'operator',
  'POST /v1/clusters/:id/nodes/:name/join-command': 'operator',
  'POST /v1/machines/look': 'operator',
  'GET /v1/clusters/:id/kubeconfig': 'admin',
  'GET /v1/doctor': 'viewer',
  'GET /v1/clusters/:id/doctor': 'viewer',
  'GET /v1/clusters/:id/storage': 'viewer',
  'GET /v1/clusters/:id/pods': 'viewer',
  'GET /v1/clusters/:id/pods/stream': 'viewer',
  'GET /v1/clusters/:id/pods/:namespace/:name/events': 'viewer',
  'GET /v1/clusters/:id/pods/:namespace/:name/logs': 'operator',
  'GET /v1/clusters/:id/health': 'viewer',
  'GET /v1/clusters/:id/images': 'viewer',
  'GET /v1/clusters/:id/apps': 'viewer',
  'GET /v1/clusters/:id/apps/:namespace/:name/logs': 'operator',
  'GET /v1/available-apps': 'viewer',
  'GET /v1/support': 'admin',
  'GET /v1/clusters/:id/nodes/:name/evidence': 'admin',
  'GET /v1/clusters/:id/nodes/:name/changes': 'viewer',
  'GET /v1/runs': 'viewer',
  'GET /v1/runs/:id': 'viewer',
  'GET /v1/runs/:id/events': 'viewer',
  'POST /v1/runs/:id/cancel': 'operator',
  'POST /v1/runs/:id/resume': 'operator',
  'POST /v1/runs/:id/steps/:key/retry': 'operator',
  'GET /v1/runs/:id/steps/:key/logs': 'viewer',
  'GET /v1/artifacts/:name/:version': 'viewer',
  'GET /v1/artifacts/:name/:version/content': 'viewer',
  'GET /setup': 'public',
  'POST /v1/setup': 'public', // its body is the right to it: 192 random bits, once
  'GET /v1/accounts': 'admin',
  'POST /v1/accounts': 'admin',
  'DELETE /v1/accounts/:name': 'admin',
  'GET /v1/bundle-files': 'viewer',
  'POST /v1/bundle-files': 'admin',
  'POST /v1/bundle-files/made': 'admin',
  'GET /v1/bundle-files/made/:id': 'admin',
  'GET /v1/bundle-files/made/:id/content': 'admin',
  'GET /v1/bundle-keys': 'viewer',
  'POST /v1/bundle-keys': 'admin',
  'DELETE /v1/bundle-keys/:fingerprint': 'admin',
};

/** Whether `role` may use a route. Unknown routes: no. */
export function allowed(role: ApiRole | null, method: string, path: string): boolean {
  const needed = routePolicy[`${method} ${path}`];
  if (needed === undefined) return false;
  if (needed === 'public') return true;
  return role !== null && roles.indexOf(role) >= roles.indexOf(needed);
}
