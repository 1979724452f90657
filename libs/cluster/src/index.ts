export { deleteBootstrapToken, mintBootstrapToken } from './bootstrap-token';
export { connectCluster } from './kube-cluster';
export { StorageMarks, storageTaint } from './storage-marks';
