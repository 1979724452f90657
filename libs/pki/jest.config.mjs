import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'pki', rootDir: import.meta.dirname };
