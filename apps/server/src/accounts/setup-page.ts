import { createHash } from 'node:crypto';

const style = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 40rem; margin: 12vh auto; padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; }
button { font: inherit; padding: .5rem 1.2rem; border-radius: .4rem; border: 1px solid #2563eb; background: #2563eb; color: #fff; cursor: pointer; }
button:disabled { opacity: .5; cursor: default; }
pre { padding: .8rem 1rem; border: 1px solid #8886; border-radius: .4rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.wrong { color: #c2410c; }
[hidden] { display: none; }
`;
/** The code is in the fragment: taken out of the address bar at once, sent only when the button is pressed. */
const script = `
const [code = '', pin = ''] = location.hash.slice(1).split('.');
history.replaceState(null, '', location.pathname);
const at = (id) => document.getElementById(id);
const wrong = (words) => { at('wrong').textContent = words; at('wrong').hidden = false; };
if (!code) { at('go').disabled = true; wrong('This page needs a setup link: ask an administrator for one (strata user invite).'); }
at('go').addEventListener('click', async () => {
  at('go').disabled = true;
  try {
    const answer = await fetch('/v1/setup', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ code }) });
    const said = await answer.json();
    if (!answer.ok) return wrong(said.detail + '. ' + said.remedy + '.');
    at('who').textContent = said.name + ' (' + said.role + ')';
    at('config').textContent = 'current: strata\\ncontexts:\\n  strata:\\n    server: ' + location.origin + '\\n    caPin: ' + pin + '\\n    token: ' + said.token + '\\n';
    at('before').hidden = true; at('after').hidden = false;
  } catch (error) { at('go').disabled = false; wrong('The server did not answer: ' + error.message + '. Try again.'); }
});
at('copy').addEventListener('click', () => navigator.clipboard.writeText(at('config').textContent));
`;
/** What a setup link shows in a browser: it works alone, and asks nobody but this server. */
export const setUpPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Strata: your access</title><style>${style}</style></head>
<body><h1>Strata</h1>
<div id="before"><p>This link gives you access to this control server. It works once.</p><button id="go">Set up my access</button>
<p>In a terminal instead: <code>strata login</code>, then paste the link.</p></div>
<div id="after" hidden><p>You are <strong id="who"></strong>. This is shown only now: keep it as <code>~/.config/strata/config.yaml</code> (mode 0600), and <code>strata status</code> answers.</p>
<pre id="config"></pre><button id="copy">Copy</button></div>
<p id="wrong" class="wrong" hidden></p>
<script>${script}</script></body></html>
`;

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text, 'utf8').digest('base64')}'`;
export const setUpPageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': `default-src 'none'; style-src ${hash(style)}; script-src ${hash(script)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};
