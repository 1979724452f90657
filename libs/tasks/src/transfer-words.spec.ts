import { bytesText, TransferMeter } from './transfer-words';

it.each([[0, '0 B'], [812, '812 B'], [1000, '1.0 kB'], [12_345_678, '12.3 MB'], [3.2e9, '3.2 GB']])('%d bytes are %s', (n, text) => expect(bytesText(n)).toBe(text)); // prettier-ignore

it('tells what, how many of how many, how fast and how long still', () => {
  const meter = new TransferMeter(50_000_000);
  expect(meter.tell('fetching runc', 10_000_000, 0)).toBe('fetching runc: 10.0 MB of 50.0 MB'); // nothing came yet: it was there
  expect(meter.tell('fetching runc', 10_600_000, 5_000)).toBe('fetching runc: 10.6 MB of 50.0 MB, 120.0 kB/s, about 5 min left');
});
it('says that a line stalls, by the rate of late', () => {
  const meter = new TransferMeter(1_000_000);
  for (const s of [0, 1, 2]) meter.tell('x', s * 100_000, s * 1000);
  for (const s of [10, 20, 30]) meter.tell('x', 200_000, s * 1000);
  expect(meter.tell('x', 200_000, 31_000)).toBe('x: 200.0 kB of 1.0 MB, 0 B/s');
  expect(meter.rate(31_000, 5_000)).toBe(0);
});
