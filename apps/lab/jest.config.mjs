import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'lab', rootDir: import.meta.dirname };
