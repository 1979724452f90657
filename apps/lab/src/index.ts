/** The lab as an API for programs of this app; everything else starts `strata lab` with `-o json`. */
export { LabFailure, failureText } from './failure';
export { down, listLabs, up, viewLab, type LabView, type NodeView, type UpOptions } from './lab';
export { changeAddress, crash, cut, exec, full, heal, off, on, reboot, slow, unfull, type Target } from './node-actions';
export { readSettings, type Settings } from './settings';
