import { Asks, NoAnswer } from './asks';
import type { Session } from './sessions';

interface Sent {
  kind: string;
  id: string;
}
function sessionOf(name: string, looks: string[] = ['doctor']): { session: Session; sent: Sent[] } {
  const sent: Sent[] = [];
  const link = { send: (m: Sent) => Promise.resolve(void sent.push(m)) };
  return { session: { name, link, hello: { agentVersion: '0.1.0', looks } } as unknown as Session, sent };
}
const part = (id: string, text: string, last: boolean): Parameters<Asks['answered']>[1] => ({ id, part: Buffer.from(text), last, failure: '' });

test('an answer is put together from its parts; what comes from another node is not', async () => {
  const asks = new Asks();
  const [a, b] = [sessionOf('n1'), sessionOf('n2')];
  const answer = asks.ask(a.session, { what: 'doctor' }, 5_000);
  const id = a.sent[0]?.id ?? '';
  asks.answered(b.session, part(id, '"forged"', true));
  asks.answered(a.session, part(id, '[1,', false));
  asks.answered(a.session, part(id, '2]', true));
  expect(await answer).toEqual([1, 2]);
  asks.answered(a.session, part(id, '"late"', true)); // nobody waits any more
});
test('an older agent is not asked at all', async () => {
  const { session, sent } = sessionOf('n1', []);
  await expect(new Asks().ask(session, { what: 'doctor' }, 5_000)).rejects.toThrow(/is older than this look: update it/);
  expect(sent).toEqual([]);
});
test('silence, a failure, rubbish and a session that ends are each told', async () => {
  const asks = new Asks();
  const { session, sent } = sessionOf('n1');
  await expect(asks.ask(session, { what: 'doctor' }, 20)).rejects.toThrow(/has a session but did not answer in 0\.02 s/);
  const failed = asks.ask(session, { what: 'doctor' }, 5_000);
  asks.answered(session, { ...part(sent[1]?.id ?? '', '', true), failure: 'the disk hangs' });
  await expect(failed).rejects.toThrow('the agent of n1 says: the disk hangs');
  const rubbish = asks.ask(session, { what: 'doctor' }, 5_000);
  asks.answered(session, part(sent[2]?.id ?? '', '{', true));
  await expect(rubbish).rejects.toThrow(/cannot be read/);
  const gone = asks.ask(session, { what: 'doctor' }, 5_000);
  asks.ended(session);
  await expect(gone).rejects.toBeInstanceOf(NoAnswer);
});
