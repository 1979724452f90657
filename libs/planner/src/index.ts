export { candidates, addressOf } from './addresses';
export { checkPlan, PlanFaulty } from './check-plan';
export { plan } from './plan';
export { type Precheck, precheckSteps } from './prechecks';
export { PlanRefused } from './refused';
export { renderPlan } from './render-plan';
export type { BundleContent, PlanRequest } from './request';
