/** The probe in Python, for machines without Perl (RHEL and its kin); without the module json, which Debian's python3-minimal has not. The twin of `perl.ts`: a spec holds the same conversation with both. */
export const pythonProbe = String.raw`
import os, time, socket, select, struct, signal, errno, re
signal.signal(signal.SIGPIPE, signal.SIG_IGN); signal.signal(signal.SIGCHLD, signal.SIG_IGN); signal.alarm(60)
now = lambda: time.monotonic() * 1e6
me = '?'; listen = {}; conn = {}; seen = set(); ports = set(); tries = []; flows = []; sniff = None; inbox = b''
AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK)
def text(o):
    if isinstance(o, dict): return '{' + ','.join('"%s":%s' % (k, text(v)) for k, v in o.items()) + '}'
    if isinstance(o, list): return '[' + ','.join(map(text, o)) + ']'
    return 'true' if o is True else 'false' if o is False else str(o) if isinstance(o, int) else '"%s"' % o
def say(o):
    t = (text(o) + '\n').encode()
    while t: t = t[os.write(1, t):]
def open_(proto, port, addr):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if proto == 'tcp' else socket.SOCK_DGRAM)
    try:
        if proto == 'tcp': s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try: s.bind((addr, port))
        except OSError as e:
            if e.errno != 99: raise
            s.bind(('', port))
        if proto == 'tcp': s.listen(64)
    except OSError as e:
        s.close(); return e.errno
    s.setblocking(False); listen[s.fileno()] = (s, proto, port); return 0
def cmd_listen(id, name, addr, *w):
    global me, sniff
    me = name; r = []
    try:
        sniff = socket.socket(17, socket.SOCK_DGRAM, socket.htons(0x800)); sniff.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20); sniff.setblocking(False)
    except OSError: sniff = None
    for x in w:
        proto, port = x.split(':'); ports.add(int(port)); r.append([proto, int(port), open_(proto, int(port), addr)])
    say({'id': id, 'listen': r, 'sniffs': sniff is not None})
def checksum(d):
    d += b'\0' * (len(d) % 2); s = sum(struct.unpack('!%dH' % (len(d) // 2), d))
    while s >> 16: s = (s >> 16) + (s & 0xffff)
    return ~s & 0xffff
class Try: pass
def begin(t):
    try:
        if t.kind == 'tcp':
            t.s = socket.socket(); t.s.setblocking(False); t.t0 = now(); e = t.s.connect_ex((t.addr, t.port))
            if e not in (0, errno.EINPROGRESS): over(t, 'no', e)
            return
        t.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if t.kind == 'udp' else socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)
        t.s.setsockopt(0, 10, 3); t.s.setblocking(False); t.s.connect((t.addr, t.port if t.kind == 'udp' else 0)); t.t0 = now()
    except OSError as e: over(t, 'no', e.errno)
def push(t):
    p = ('strata %s %d ' % (me, t.n)).encode(); p += b'.' * (t.size - 28 - len(p))
    if t.kind == 'icmp':
        h = struct.pack('!BBHHH', 8, 0, 0, os.getpid() & 0xffff, t.n & 0xffff) + p; p = h[:2] + struct.pack('!H', checksum(h)) + h[4:]
    t.sent += 1; t.last = now()
    try: t.s.send(p)
    except OSError as e:
        if e.errno not in AGAIN: over(t, 'no', e.errno)
def over(t, how, e):
    if t.done: return
    us = max(0, int(now() - (t.t0 if t.kind == 'tcp' else t.last or t.t0))); t.done = True
    if t.s: t.s.close()
    t.s = None; b = t.batch; b['r'].append([t.n, how, us, e]); b['left'] -= 1
    if b['left'] == 0: say({'id': b['id'], 'tries': b['r']})
def cmd_try(id, ms, *w):
    b = {'id': id, 'left': len(w), 'r': []}; at = now(); ms = int(ms)
    if not w: return say({'id': id, 'tries': []})
    for x in w:
        n, kind, addr, port, size, sends, delay = x.split(':'); t = Try(); t.s = None; t.done = False; t.sent = 0; t.last = 0; t.batch = b
        t.n = int(n); t.kind = kind; t.addr = addr; t.port = int(port); t.size = int(size); t.sends = int(sends)
        t.at = at + int(delay) * 1e3; t.due = t.at + ms * 1e3; t.gap = ms * 1e3 / t.sends; t.t0 = at; tries.append(t)
def hear(t):
    if t.kind == 'tcp':
        e = t.s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR); return over(t, 'no' if e else 'ok', e)
    for _ in range(64):
        try: d = t.s.recv(65535)
        except OSError as e:
            return None if e.errno in AGAIN else over(t, 'no', e.errno)
        if t.kind == 'udp' and d.startswith(b'strata-got '): return over(t, 'ok', 0)
        if t.kind == 'icmp':
            h = (d[0] & 15) * 4; kind, _c, _s, i, q = struct.unpack('!BBHHH', d[h:h + 8])
            if kind == 0 and i == os.getpid() & 0xffff and q == t.n & 0xffff: return over(t, 'ok', 0)
class Flow: pass
def cmd_flow(id, addr, port, size, ms):
    f = Flow(); f.id = id; f.want = int(size); f.ms = int(ms); f.due = now() + f.ms * 1e3 + 15e5; f.sent = 0; f.got = b''; f.t0 = 0; f.shut = False; f.done = False
    f.s = socket.socket(); f.s.setblocking(False); f.s.connect_ex((addr, int(port))); flows.append(f)
def flow_over(f, size):
    us = int(now() - f.t0) if f.t0 else 0; f.done = True; f.s.close(); say({'id': f.id, 'bytes': size, 'us': us})
chunk = b'.' * 65536
def flow_step(f):
    if not f.t0:
        if f.s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR): return flow_over(f, 0)
        f.t0 = now()
    for _ in range(16):
        if f.sent >= f.want or now() - f.t0 >= f.ms * 1e3:
            f.shut = True
            try: f.s.shutdown(socket.SHUT_WR)
            except OSError: pass
            return
        try: f.sent += f.s.send(chunk)
        except OSError as e:
            return None if e.errno in AGAIN else flow_over(f, 0)
def flow_read(f):
    try: d = f.s.recv(64)
    except OSError as e:
        if e.errno in AGAIN: return
        d = b''
    f.got += d; m = re.match(rb'(\d+)\n', f.got)
    if m: flow_over(f, int(m.group(1)))
    elif not d: flow_over(f, 0)
def cmd_sync(id, dir, n, ms):
    n = int(n); ms = int(ms)
    try: pid = os.fork()
    except OSError: return say({'id': id, 'us': []})
    if pid: return
    for s in [x[0] for x in listen.values()] + [c[0] for c in conn.values()] + ([sniff] if sniff else []): s.close()
    signal.alarm(ms // 1000 + 10); us = []
    try:
        while dir and not os.path.isdir(dir): dir = dir.rpartition('/')[0]
        dir = dir or '/'; flags = os.O_RDWR | os.O_DSYNC
        try: f = os.open(dir, flags | os.O_TMPFILE, 0o600)
        except OSError:
            p = '%s/.strata-sync-%d' % (dir, os.getpid()); f = os.open(p, flags | os.O_CREAT | os.O_EXCL, 0o600); os.unlink(p)
        os.write(f, b'\0' * 65536); end = now() + ms * 1e3; i = 0
        while i < n and now() < end:
            os.lseek(f, i % 16 * 4096, 0); t = now(); os.write(f, b'\1' * 2300); us.append(int(now() - t)); i += 1
    except OSError: pass
    say({'id': id, 'us': us}); os._exit(0)
def cmd_seen(id):
    if sniff: smell()
    say({'id': id, 'seen': [[a, p, q, w] for a, p, q, w in sorted(seen)]})
def smell():
    for _ in range(500):
        try: d = sniff.recv(2048)
        except OSError: return
        if len(d) < 24: continue
        h = (d[0] & 15) * 4; src = socket.inet_ntoa(d[12:16]); port = struct.unpack('!H', d[h + 2:h + 4] or b'\0\0')[0]
        if port not in ports: continue
        if d[9] == 6 and len(d) > h + 13 and d[h + 13] & 0x12 == 2: seen.add((src, 'tcp', port, '-'))
        elif d[9] == 17:
            m = re.match(rb'strata ([a-z0-9.-]+) ', d[h + 8:h + 88])
            if m: seen.add((src, 'udp', port, m.group(1).decode()))
def serve(s, proto, port):
    for _ in range(32):
        try:
            if proto == 'tcp':
                c, _a = s.accept(); c.setblocking(False); conn[c.fileno()] = [c, 0]
            else:
                d, a = s.recvfrom(65535); m = re.match(rb'strata [a-z0-9.-]+ (\d+) ', d)
                if m: s.sendto(b'strata-got %s %d' % (m.group(1), len(d)), a)
        except OSError: return
def take(c):
    for _ in range(16):
        try: d = c[0].recv(65536)
        except OSError as e:
            if e.errno in AGAIN: return
            d = b''
        if d: c[1] += len(d); continue
        try: c[0].send(b'%d\n' % c[1])
        except OSError: pass
        conn.pop(c[0].fileno(), None); c[0].close(); return
verbs = {'listen': cmd_listen, 'try': cmd_try, 'flow': cmd_flow, 'sync': cmd_sync, 'seen': cmd_seen}
say({'id': 0, 'probe': 'python3'})
while True:
    r = [0] + list(listen) + list(conn) + ([sniff.fileno()] if sniff else []); w = []; at = now(); wait = 1e6
    tries = [t for t in tries if not t.done]; flows = [f for f in flows if not f.done]
    for t in tries:
        if not t.s and at >= t.at: begin(t)
        if t.done: continue
        if t.s and t.kind != 'tcp' and t.sent < t.sends and at >= t.at + t.sent * t.gap: push(t)
        if t.done: continue
        if at >= t.due: over(t, 'late', 0); continue
        nxt = t.at if not t.s else t.at + t.sent * t.gap if t.kind != 'tcp' and t.sent < t.sends else t.due
        wait = min(wait, nxt - at)
        if t.s: (w if t.kind == 'tcp' else r).append(t.s.fileno())
    for f in flows:
        if at >= f.due: flow_over(f, 0); continue
        (r if f.shut else w).append(f.s.fileno())
    ro, wo, _x = select.select(r, w, [], max(0, wait) / 1e6 + 0.0005); ro = set(ro); wo = set(wo)
    if 0 in ro:
        got = os.read(0, 65536)
        if not got: os._exit(0)
        inbox += got
        while b'\n' in inbox:
            line, inbox = inbox.split(b'\n', 1); signal.alarm(60); p = line.decode().split(' ')
            if len(p) > 1 and p[1] in verbs: verbs[p[1]](int(p[0]), *p[2:])
    for k in list(listen):
        if k in ro: serve(*listen[k])
    for k in list(conn):
        if k in ro and k in conn: take(conn[k])
    if sniff and sniff.fileno() in ro: smell()
    for t in tries:
        if t.s and not t.done and t.s.fileno() in (wo if t.kind == 'tcp' else ro): hear(t)
    for f in flows:
        if f.done: continue
        if not f.shut and f.s.fileno() in wo: flow_step(f)
        elif f.shut and f.s.fileno() in ro: flow_read(f)
`;
