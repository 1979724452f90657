import type { Task } from '../define-task';
import { agentUninstall } from './agent-uninstall';
import { artifactsFetch } from './artifacts-fetch';
import { cniInstall } from './cni-install';
import { containerdInstall } from './containerd-install';
import { dnsConfigure } from './dns-configure';
import { firewallOpen } from './firewall-open';
import { hostnameSet } from './hostname-set';
import { hostsBlock } from './hosts-block';
import { imagesImport } from './images-import';
import { kernelModules } from './kernel-modules';
import { kernelSysctl } from './kernel-sysctl';
import { limitsConfigure } from './limits-configure';
import { localfsLayout } from './localfs-layout';
import { ntpConfigure } from './ntp-configure';
import { packagesInstall } from './packages-install';
import { precheckClock } from './precheck-clock';
import { precheckDns } from './precheck-dns';
import { precheckIdentity } from './precheck-identity';
import { precheckInit } from './precheck-init';
import { precheckKernel } from './precheck-kernel';
import { precheckNetwork } from './precheck-network';
import { precheckOs } from './precheck-os';
import { precheckPackages } from './precheck-packages';
import { precheckPeers } from './precheck-peers';
import { precheckPorts } from './precheck-ports';
import { precheckResources } from './precheck-resources';
import { precheckRuntime } from './precheck-runtime';
import { precheckSecurity } from './precheck-security';
import { runcInstall } from './runc-install';
import { sshdConfigure } from './sshd-configure';
import { swapPolicy } from './swap-policy';

export {
  agentUninstall, artifactsFetch, cniInstall, containerdInstall, dnsConfigure, firewallOpen, hostnameSet, hostsBlock, imagesImport, kernelModules,
  kernelSysctl, limitsConfigure, localfsLayout, ntpConfigure, packagesInstall, precheckClock, precheckDns, precheckIdentity, precheckInit, precheckKernel,
  precheckNetwork, precheckOs, precheckPackages, precheckPeers, precheckPorts, precheckResources, precheckRuntime, precheckSecurity, runcInstall,
  sshdConfigure, swapPolicy,
}; // prettier-ignore

/** The tasks of the native layer. One line a task. */
export const nativeTasks: readonly Task[] = [
  precheckOs,
  precheckInit,
  precheckKernel,
  precheckResources,
  precheckPorts,
  precheckRuntime,
  precheckIdentity,
  precheckNetwork,
  precheckClock,
  precheckDns,
  precheckPackages,
  precheckSecurity,
  precheckPeers,
  packagesInstall,
  hostnameSet,
  hostsBlock,
  dnsConfigure,
  ntpConfigure,
  sshdConfigure,
  kernelModules,
  kernelSysctl,
  swapPolicy,
  limitsConfigure,
  firewallOpen,
  localfsLayout,
  artifactsFetch,
  runcInstall,
  containerdInstall,
  cniInstall,
  imagesImport,
  agentUninstall,
];
