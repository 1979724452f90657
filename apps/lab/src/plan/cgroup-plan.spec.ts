import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabFailure } from '../failure';
import { planCgroups, type CgroupTree } from './cgroup-plan';

const tree = (path: string): CgroupTree => JSON.parse(readFileSync(join(__dirname, path), 'utf8')) as CgroupTree;
const hybrid = tree('../testing/hybrid-tree.json');
const unified = tree('../../../../test/fixtures/cgroup-v2/tree.json');
const GiB = 2 ** 30;

describe('cgroups of a node on a hybrid v1 machine', () => {
  const plan = planCgroups(hybrid, 'strata-lab-a-n1', 4 * GiB);

  it('takes a folder of its own in every hierarchy, systemd and unified included', () => {
    expect(plan.version).toBe('hybrid');
    expect(plan.dirs).toEqual(hybrid.mounts.map((m) => `${m.dir}/strata-lab-a-n1`));
    expect(plan.enter).toContain('/sys/fs/cgroup/unified/strata-lab-a-n1/cgroup.procs');
    expect(plan.enter).toContain('/sys/fs/cgroup/systemd/strata-lab-a-n1/cgroup.procs');
  });

  it('fills the cpuset before anything enters, and limits memory', () => {
    expect(plan.writes).toEqual([
      { path: '/sys/fs/cgroup/cpuset/strata-lab-a-n1/cpuset.cpus', value: hybrid.files['/sys/fs/cgroup/cpuset/cpuset.cpus'] },
      { path: '/sys/fs/cgroup/cpuset/strata-lab-a-n1/cpuset.mems', value: hybrid.files['/sys/fs/cgroup/cpuset/cpuset.mems'] },
      { path: '/sys/fs/cgroup/memory/strata-lab-a-n1/memory.limit_in_bytes', value: String(4 * GiB) },
      { path: '/sys/fs/cgroup/memory/strata-lab-a-n1/memory.memsw.limit_in_bytes', value: String(4 * GiB), optional: true },
    ]);
  });

  it('puts commands run from outside under the limits, but not into hierarchies that systemd keeps', () => {
    expect(plan.enterExec).toContain('/sys/fs/cgroup/memory/strata-lab-a-n1/cgroup.procs');
    expect(plan.enterExec.filter((f) => /systemd|unified/.test(f))).toEqual([]);
  });

  it('touches nothing outside its own folders', () => {
    expect(plan.prepare).toEqual([]);
    for (const path of [...plan.dirs, ...plan.writes.map((w) => w.path), ...plan.enter, ...plan.lookIn]) expect(path).toContain('/strata-lab-a-n1');
  });

  it('knows a machine without the unified hierarchy, and controllers mounted together', () => {
    const joint: CgroupTree = {
      mounts: [
        { type: 'cgroup', dir: '/sys/fs/cgroup/cpu,cpuacct', options: 'rw,cpu,cpuacct' },
        { type: 'cgroup', dir: '/sys/fs/cgroup/systemd', options: 'rw,xattr,name=systemd' },
      ],
      files: {},
    };
    const v1 = planCgroups(joint, 'x', GiB);
    expect(v1.version).toBe('v1');
    expect(v1.dirs).toEqual(['/sys/fs/cgroup/cpu,cpuacct/x', '/sys/fs/cgroup/systemd/x']);
    expect(v1.enterExec).toEqual(['/sys/fs/cgroup/cpu,cpuacct/x/cgroup.procs']);
  });
});

describe('cgroups of a node on a v2 machine', () => {
  const plan = planCgroups(unified, 'strata-lab-a-n1', 2 * GiB);

  it('takes one folder', () => {
    expect(plan.version).toBe('v2');
    expect(plan.dirs).toEqual(['/sys/fs/cgroup/strata-lab-a-n1']);
    expect(plan.enter).toEqual(['/sys/fs/cgroup/strata-lab-a-n1/cgroup.procs']);
  });

  it('hands down only the controllers that the root has and does not hand down yet', () => {
    expect(plan.prepare).toEqual([
      { path: '/sys/fs/cgroup/cgroup.subtree_control', value: '+cpuset' },
      { path: '/sys/fs/cgroup/cgroup.subtree_control', value: '+io' },
    ]);
  });

  it('limits memory, and shows the limit inside', () => {
    expect(plan.writes[0]).toEqual({ path: '/sys/fs/cgroup/strata-lab-a-n1/memory.max', value: String(2 * GiB) });
    expect(plan.afterStart).toEqual([{ path: '/sys/fs/cgroup/strata-lab-a-n1/payload/memory.max', value: String(2 * GiB) }]);
  });

  it('puts commands into a leaf: an inner folder with controllers may hold no process', () => {
    expect(plan.enterExec).toEqual(['/sys/fs/cgroup/strata-lab-a-n1/payload/init.scope/cgroup.procs']);
  });
});

it('says what to do where no cgroups are mounted', () => {
  expect(() => planCgroups({ mounts: [], files: {} }, 'x', 1)).toThrow(LabFailure);
});
