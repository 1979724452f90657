import { nativeTasks } from '@strata/tasks';
import { artifact, type Line, obtaining } from './steps';

/** The node takes artifacts from the server as soon as the server has them. */
export function fetch(line: Line, as: string, names: readonly string[]): void {
  line.step(
    nativeTasks.artifactsFetch,
    { artifacts: names.map(artifact) },
    { as, needs: obtaining(names), title: `${names.length} artifacts (${as}) are on the node` },
  );
}
