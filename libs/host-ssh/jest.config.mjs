import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'host-ssh', rootDir: import.meta.dirname };
