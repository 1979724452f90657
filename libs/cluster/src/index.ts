export { deleteBootstrapToken, mintBootstrapToken } from './bootstrap-token';
export { Helm, type HelmOptions } from './helm';
export { connectCluster } from './kube-cluster';
export { PodEvents } from './pod-events';
export { type LogLine, type LogsOf, PodLogs, type LogWish } from './pod-logs';
export { PodWatch } from './pod-watch';
export { ReleaseBook, type SeenRelease } from './release-book';
export { SharedVolumes } from './shared-volumes';
export { StorageMarks, storageTaint } from './storage-marks';
