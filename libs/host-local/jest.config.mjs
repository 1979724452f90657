import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'host-local', rootDir: import.meta.dirname };
