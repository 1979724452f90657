/** Ranges of addresses are a noun of the model; tasks know them by this name. */
export { overlap, rangeOf } from '@strata/model';
