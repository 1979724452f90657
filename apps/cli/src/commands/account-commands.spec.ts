import { parseSetUpLink } from '@strata/model';
import { invitationText, linkOf } from './account-commands';

const [code, pin] = [`strata_setup_${'a'.repeat(32)}`, '0'.repeat(64)];
const path = `/setup#${code}.${pin}`;

test('a link is the address that the invited can reach, and what is told of it says how to open it', () => {
  expect(linkOf({ path }, 'https://10.0.0.1:7443/anything')).toBe(`https://10.0.0.1:7443${path}`);
  for (const url of ['http://10.0.0.1:7443', '10.0.0.1', '']) expect(() => linkOf({ path }, url)).toThrow('is not an address that a link can begin with');
  const words = invitationText({ name: 'ada', role: 'admin', path, expiresAt: '2030-01-02T00:00:00.000Z', link: `https://10.0.0.1:7443${path}` });
  expect(words).toMatch(/^ada becomes admin .* once, until 2030-01-02.*\n {2}https:\/\/10\.0\.0\.1:7443\/setup#/);
});

test('a link is taken apart whole, or not at all', () => {
  expect(parseSetUpLink(`  https://h:7443${path}\n`)).toEqual({ server: 'https://h:7443', code, caPin: pin });
  for (const text of [`http://h:7443${path}`, `https://h:7443/setup#${code}`, `https://h:7443/other#${code}.${pin}`, `https://h${path} x`, code, ''])
    expect(parseSetUpLink(text)).toBeNull();
});
