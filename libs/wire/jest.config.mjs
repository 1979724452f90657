import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'wire', rootDir: import.meta.dirname };
