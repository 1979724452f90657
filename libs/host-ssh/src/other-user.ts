import { marker } from './shell';
import { SshError } from './ssh-error';

/**
 * What a forced command says that sends people to another account, as cloud images have it in root's authorized_keys:
 * `Please login as the user "ubuntu" rather than the user "root".` Null when nothing of the kind was said ahead of our own output.
 */
export function otherUser(said: string, name: string): SshError | null {
  const before = said.split(marker)[0] ?? '';
  const user = /please log ?in as (?:the )?(?:user )?["'“]?([a-z_][a-z0-9_-]{0,31})["'”]?/i.exec(before)?.[1];
  if (user === undefined || user === name.split('@')[0]) return null;
  return new SshError('other-user', `${name} is closed; log in as "${user}": the machine says so`, {
    remedy: `set ssh.user: ${user}; its sudo asks for no password on most cloud images, else add ssh.sudoPasswordFrom`,
  });
}
