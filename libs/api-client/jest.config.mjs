import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'api-client', rootDir: import.meta.dirname };
