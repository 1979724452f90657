export { supervise } from './supervise';
export type { LastExit, PartName, PartState, PartStatus, Status } from './status';
