/** The look of the precheck page: light and dark as the reader's system has it, and ink-saving on paper. Colour never stands alone: each state has a sign and a word. */
export const precheckStyle = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#16202b;--soft:#5b6877;--line:#dfe4ea;--good:#0f7b4f;--good-bg:#e5f5ed;--warn:#8a5a00;--warn-bg:#fff3d6;--bad:#b3261e;--bad-bg:#fde8e6;--info:#2459a8;--info-bg:#e8f0fc;--none:#eef1f4;--shadow:0 1px 2px rgba(16,24,40,.06),0 4px 16px rgba(16,24,40,.05)}
@media (prefers-color-scheme:dark){:root{--bg:#0e1318;--card:#171e26;--ink:#e7edf3;--soft:#94a3b3;--line:#2a3440;--good:#5fd39b;--good-bg:#10291e;--warn:#f2bd57;--warn-bg:#2e2410;--bad:#ff8f85;--bad-bg:#351917;--info:#8ab8ff;--info-bg:#14233a;--none:#131a21;--shadow:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:26px;line-height:1.2;margin:0;letter-spacing:-.01em}h2{font-size:18px;margin:36px 0 12px}
code,.num{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.92em}
.soft{color:var(--soft)}small{color:var(--soft)}
header .mark{color:var(--soft);font-size:13px;letter-spacing:.08em;text-transform:uppercase;margin-bottom:6px}
.verdict{display:flex;gap:14px;align-items:center;margin:18px 0;padding:16px 20px;border-radius:14px;font-size:17px;font-weight:600;border:1px solid currentColor}
.verdict .sign{font-size:26px;line-height:1}.verdict p{margin:0}.verdict small{display:block;font-weight:400;font-size:14px}
.good{color:var(--good);background:var(--good-bg)}.warning{color:var(--warn);background:var(--warn-bg)}.blocker{color:var(--bad);background:var(--bad-bg)}.info{color:var(--info);background:var(--info-bg)}.unknown{color:var(--soft);background:var(--none)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:var(--shadow)}
.tile{padding:12px 16px}.tile b{display:block;font-size:22px;line-height:1.25}.tile span{color:var(--soft);font-size:13px}
.scroll{overflow-x:auto;padding:2px}
table.matrix{border-collapse:separate;border-spacing:8px;margin:0 -8px;min-width:100%}
.matrix th{font-weight:600;text-align:left;font-size:14px;vertical-align:bottom;white-space:nowrap;padding:2px 4px}
.matrix th small{display:block;font-weight:400}.matrix tbody th{vertical-align:middle;padding-right:10px}
.matrix td{border-radius:12px;padding:10px 12px;vertical-align:top;min-width:170px;border:1px solid transparent}
.matrix td.self{background:repeating-linear-gradient(45deg,var(--none),var(--none) 6px,transparent 6px,transparent 12px);border-color:var(--line)}
.matrix td .head{font-weight:650;display:block;line-height:1.35}.matrix td .figs{color:var(--ink);font-size:13px;display:block;margin:2px 0 6px}
.bar{display:block;height:5px;border-radius:3px;background:color-mix(in srgb,var(--info) 20%,transparent);margin:4px 0 7px}.bar i{display:block;height:5px;border-radius:3px;background:var(--info);min-width:3px}details{margin-top:14px}summary{cursor:pointer;color:var(--soft);padding:6px 0}details .findings{margin-top:8px}
.chips{display:flex;flex-wrap:wrap;gap:4px}.chip{font:600 11.5px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;padding:1px 6px;border-radius:6px;border:1px solid currentColor;white-space:nowrap;background:var(--card)}
.chip.good{color:var(--good)}.chip.blocker{color:var(--bad)}.chip.unknown{color:var(--soft)}.chip.spare{opacity:.62;border-style:dashed}
.matrix .do{color:var(--ink);font-size:12.5px;line-height:1.4;margin:7px 0 0;padding:6px 0 0;border-top:1px solid color-mix(in srgb,currentColor 18%,transparent)}.do b{font-weight:600}
table.many{border-spacing:4px}table.many td{min-width:64px;padding:5px 7px;border-radius:8px}table.many .head,table.many .figs{font-size:12px;line-height:1.3;margin:0}table.many .unknown .figs{display:none}table.many th{font-size:12.5px}table.many .chips,table.many .do,table.many .bar{display:none}
.legend{display:flex;flex-wrap:wrap;gap:8px 18px;margin:10px 0 0;padding:0;list-style:none;font-size:13px;color:var(--soft)}.legend .chip{margin-right:5px}
.findings{list-style:none;margin:0;padding:0;display:grid;gap:10px}
.findings li{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--soft);border-radius:12px;padding:12px 16px;overflow-wrap:anywhere}
.findings li.f-blocker{border-left-color:var(--bad)}.findings li.f-warning{border-left-color:var(--warn)}.findings li.f-info{border-left-color:var(--info)}
.badge{display:inline-block;font-size:12px;font-weight:700;padding:1px 8px;border-radius:20px;margin-right:8px;vertical-align:1px}
.findings p{margin:6px 0 0}.findings .what{color:var(--ink)}.findings .remedy::before{content:"\\2192\\00a0";color:var(--soft)}
.nodes{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:12px}
.card{padding:14px 16px;overflow-wrap:anywhere}.card h3{margin:0;font-size:16px}.card dl{display:grid;grid-template-columns:auto 1fr;gap:3px 12px;margin:10px 0 0;font-size:13.5px}.card dt{color:var(--soft)}.card dd{margin:0}
.gauge{position:relative;height:8px;border-radius:4px;margin:10px 0 3px;background:linear-gradient(90deg,var(--good) 0 var(--mark),var(--bad) var(--mark) 100%);opacity:.85}.gauge i{position:absolute;top:-4px;width:4px;height:16px;border-radius:2px;background:var(--ink);outline:2px solid var(--card)}
footer{margin-top:40px;padding-top:14px;border-top:1px solid var(--line);font-size:13px;color:var(--soft)}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--good:#0a5c3a;--good-bg:#fff;--warn:#6b4500;--warn-bg:#fff;--bad:#8f1d16;--bad-bg:#fff;--info:#1c4580;--info-bg:#fff;--none:#fff;--shadow:none}body{font-size:11px}main{max-width:none;padding:0}.scroll{overflow:visible}.matrix td,.tile,.card,.findings li{break-inside:avoid;border-color:currentColor}.matrix td{min-width:0}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
`;
