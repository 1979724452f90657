import { type CatalogEntry } from '@strata/model';
import type { PlanContext } from './context';
import { entryOf } from './context';
import type { Distribution } from './distribution';

/** placeholder, replaced below */
export function k3s(c: PlanContext): Distribution {
  void entryOf;
  void ({} as CatalogEntry);
  throw new Error(`not yet ${c.cluster}`);
}
