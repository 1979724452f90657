/** Of this build; the same number as package.json, checked by a spec. */
export const version = '0.1.0';
