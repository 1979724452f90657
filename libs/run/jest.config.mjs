import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'run', rootDir: import.meta.dirname };
