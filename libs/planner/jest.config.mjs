import preset from '../../jest.preset.mjs';
export default { ...preset, displayName: 'planner', rootDir: import.meta.dirname };
