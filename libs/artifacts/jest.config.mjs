import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'artifacts', rootDir: import.meta.dirname };
