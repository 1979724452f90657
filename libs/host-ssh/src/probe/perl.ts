/**
 * The probe in Perl: what every Debian and Ubuntu has without asking (perl-base: no JSON, no Time::HiRes). One loop serves listeners,
 * tries and the sniffer together; nothing blocks it, and it ends when its input ends, or a minute after the last word. `python.ts` is its twin: a spec
 * holds the same conversation with both. The words of the conversation: `conversation.ts`.
 */
export const perlProbe = String.raw`
use strict; use Socket; use POSIX ();
$SIG{PIPE}='IGNORE'; $SIG{CHLD}='IGNORE'; alarm 60;
my %clocks=(x86_64=>228,aarch64=>113,riscv64=>113,i686=>265,armv7l=>263,ppc64le=>246,s390x=>260);
my $nr=$clocks{(POSIX::uname())[4]};
my $fine=eval{require Time::HiRes;1};
sub now { return Time::HiRes::clock_gettime(1)*1e6 if $fine;
  if($nr){my $b="\0"x16; if(syscall($nr,1,$b)==0){my($s,$n)=unpack('l!l!',$b); return $s*1e6+$n/1e3}}
  return (POSIX::times())[0]*1e6/POSIX::sysconf(POSIX::_SC_CLK_TCK()) }
my ($me,%listen,%conn,$sniff,%seen,%ports,@tries,@batches,@flows,$in)=('?');
$in='';
sub say_ { my $t=$_[0]."\n"; while(length $t){my $n=syswrite(STDOUT,$t); exit 1 unless $n; substr($t,0,$n)=''} }
sub calm { my $f=fcntl($_[0],POSIX::F_GETFL(),0); fcntl($_[0],POSIX::F_SETFL(),$f|POSIX::O_NONBLOCK()) }
sub open_ { my($proto,$port,$addr)=@_;
  socket(my $s,PF_INET,$proto eq 'tcp'?SOCK_STREAM:SOCK_DGRAM,0) or return $!+0;
  setsockopt($s,SOL_SOCKET,SO_REUSEADDR,1) if $proto eq 'tcp';
  unless(bind($s,sockaddr_in($port,inet_aton($addr)))) { my $e=$!+0; return $e unless $e==99 && bind($s,sockaddr_in($port,INADDR_ANY)) }
  if($proto eq 'tcp'){listen($s,64) or return $!+0}
  calm($s); $listen{fileno $s}={s=>$s,proto=>$proto,port=>$port}; $ports{$port}=1; return 0 }
sub cmd_listen { my($id,$name,$addr,@w)=@_; $me=$name; my @r;
  if(socket(my $s,17,2,unpack('S',pack('n',0x800)))){setsockopt($s,SOL_SOCKET,SO_RCVBUF,1<<20);calm($s);$sniff=$s}
  for(@w){my($proto,$port)=split /:/; my $e=open_($proto,$port,$addr); $ports{$port}=1; push @r,qq(["$proto",$port,$e])}
  say_(qq({"id":$id,"listen":[).join(',',@r).qq(],"sniffs":).($sniff?'true':'false').'}') }
sub sum_ { my $d=$_[0].(length($_[0])%2?"\0":''); my $s=0; $s+=$_ for unpack('n*',$d); $s=($s>>16)+($s&0xffff) while $s>>16; ~$s&0xffff }
sub begin { my($t)=@_; my $to=inet_aton($t->{addr}); my $s;
  if($t->{kind} eq 'tcp'){
    socket($s,PF_INET,SOCK_STREAM,0) or return over($t,'no',$!+0); calm($s); $t->{s}=$s; $t->{t0}=now();
    return if connect($s,sockaddr_in($t->{port},$to)) || $!==POSIX::EINPROGRESS(); return over($t,'no',$!+0) }
  socket($s,PF_INET,$t->{kind} eq 'udp'?SOCK_DGRAM:SOCK_RAW,$t->{kind} eq 'udp'?0:1) or return over($t,'no',$!+0);
  setsockopt($s,0,10,pack('i',3)); calm($s);
  connect($s,sockaddr_in($t->{kind} eq 'udp'?$t->{port}:0,$to)) or return over($t,'no',$!+0);
  $t->{s}=$s; $t->{t0}=now() }
sub push_ { my($t)=@_; my $p="strata $me $t->{n} ";
  my $room=$t->{size}-28-length $p; $p.='.'x$room if $room>0;
  if($t->{kind} eq 'icmp'){my $h=pack('CCnnn',8,0,0,$$&0xffff,$t->{n}&0xffff).$p; substr($h,2,2)=pack('n',sum_($h)); $p=$h}
  $t->{sent}++; $t->{last}=now(); return if defined send($t->{s},$p,0); return if $!==POSIX::EAGAIN(); over($t,'no',$!+0) }
sub over { my($t,$how,$e)=@_; return if $t->{done}; my $b=$t->{batch};
  my $us=int(now()-($t->{kind} eq 'tcp'?$t->{t0}:$t->{last}||$t->{t0})); $us=0 if $us<0;
  $t->{done}=1; close $t->{s} if $t->{s}; delete $t->{s};
  push @{$b->{r}},qq([$t->{n},"$how",$us,).($e||0).']';
  return if --$b->{left}; say_(qq({"id":$b->{id},"tries":[).join(',',@{$b->{r}}).']}') }
sub cmd_try { my($id,$ms,@w)=@_; my $b={id=>$id,left=>scalar @w,r=>[]}; my $now=now();
  return say_(qq({"id":$id,"tries":[]})) unless @w;
  for(@w){my($n,$kind,$addr,$port,$size,$sends,$delay)=split /:/;
    push @tries,{n=>$n,kind=>$kind,addr=>$addr,port=>$port,size=>$size,sends=>$sends,at=>$now+$delay*1e3,due=>$now+($delay+$ms)*1e3,gap=>$ms*1e3/$sends,sent=>0,t0=>$now,batch=>$b}} }
sub hear { my($t)=@_;
  if($t->{kind} eq 'tcp'){my $e=unpack('i',getsockopt($t->{s},SOL_SOCKET,SO_ERROR)); return over($t,$e?'no':'ok',$e)}
  for(1..64){my $d; my $from=recv($t->{s},$d,65535,0); unless(defined $from){return if $!==POSIX::EAGAIN(); return over($t,'no',$!+0)}
    return over($t,'ok',0) if $t->{kind} eq 'udp' && $d=~/^strata-got /;
    if($t->{kind} eq 'icmp'){my $h=(ord($d)&15)*4; my($type,undef,undef,$i,$q)=unpack('CCnnn',substr($d,$h,8)); return over($t,'ok',0) if $type==0 && $i==($$&0xffff) && $q==($t->{n}&0xffff)}} }
sub cmd_flow { my($id,$addr,$port,$bytes,$ms)=@_; my $f={id=>$id,want=>$bytes,due=>now()+$ms*1e3+15e5,ms=>$ms,sent=>0,got=>''};
  socket(my $s,PF_INET,SOCK_STREAM,0); calm($s); $f->{s}=$s; connect($s,sockaddr_in($port,inet_aton($addr))); push @flows,$f }
sub flow_over { my($f,$bytes)=@_; my $us=$f->{t0}?int(now()-$f->{t0}):0; $f->{done}=1; close $f->{s}; say_(qq({"id":$f->{id},"bytes":).($bytes+0).qq(,"us":$us})) }
my $chunk='.'x65536;
sub flow_step { my($f)=@_;
  unless($f->{t0}){my $e=unpack('i',getsockopt($f->{s},SOL_SOCKET,SO_ERROR)); return flow_over($f,0) if $e; $f->{t0}=now()}
  for(1..16){ if($f->{sent}>=$f->{want}||now()-$f->{t0}>=$f->{ms}*1e3){$f->{shut}=1; shutdown($f->{s},1); return}
    my $n=syswrite($f->{s},$chunk); unless(defined $n){return if $!==POSIX::EAGAIN(); return flow_over($f,0)} $f->{sent}+=$n } }
sub flow_read { my($f)=@_; my $n=sysread($f->{s},my $d,64); return if !defined $n && $!==POSIX::EAGAIN(); return flow_over($f,$1) if ($f->{got}.=$d//'')=~/^(\d+)\n/; flow_over($f,0) unless $n }
sub cmd_sync { my($id,$dir,$n,$ms)=@_; my $pid=fork(); return say_(qq({"id":$id,"us":[]})) unless defined $pid; return if $pid;
  close $_->{s} for values %listen; close $sniff if $sniff; close $_ for map{$_->{s}} values %conn; alarm int($ms/1e3)+10;
  $dir=~s{/[^/]*$}{} while length $dir && !-d $dir; $dir='/' unless length $dir;
  my $arm=(POSIX::uname())[4]=~/^(aarch64|arm|ppc)/; my $flags=POSIX::O_RDWR()|0x1000; my $f;
  unless(sysopen($f,$dir,$flags|0x400000|($arm?040000:0200000),0600)){my $p="$dir/.strata-sync-$$"; sysopen($f,$p,$flags|POSIX::O_CREAT()|POSIX::O_EXCL(),0600) and unlink $p}
  my @us; my $ok=$f && syswrite($f,"\0"x65536); my $end=now()+$ms*1e3;
  for(my $i=0;$ok && $i<$n && now()<$end;$i++){sysseek($f,($i%16)*4096,0); my $t=now(); last unless syswrite($f,"\1"x2300); push @us,int(now()-$t)}
  say_(qq({"id":$id,"us":[).join(',',@us).']}'); POSIX::_exit(0) }
sub cmd_seen { my($id)=@_; smell() if $sniff; say_(qq({"id":$id,"seen":[).join(',',map{my($a,$p,$q,$w)=split / /; qq(["$a","$p",$q,"$w"])} sort keys %seen).']}') }
sub smell { for(1..500){my $d; my $from=recv($sniff,$d,2048,0); return unless defined $from;
  my $h=(ord($d)&15)*4; my($p,$src)=(ord(substr($d,9,1)),inet_ntoa(substr($d,12,4))); my $port=unpack('n',substr($d,$h+2,2)||"\0\0");
  next unless $ports{$port};
  if($p==6){$seen{"$src tcp $port -"}=1 if (ord(substr($d,$h+13,1))&0x12)==2}
  elsif($p==17){$seen{"$src udp $port $1"}=1 if substr($d,$h+8,80)=~/^strata ([a-z0-9.-]+) /}} }
sub serve { my($l)=@_;
  if($l->{proto} eq 'tcp'){for(1..32){last unless accept(my $c,$l->{s}); calm($c); $conn{fileno $c}={s=>$c,n=>0}} return}
  for(1..64){my $d; my $from=recv($l->{s},$d,65535,0); last unless defined $from; next unless $d=~/^strata [a-z0-9.-]+ (\d+) /; send($l->{s},"strata-got $1 ".length($d),0,$from)} }
sub take { my($c)=@_; for(1..16){my $n=sysread($c->{s},my $d,65536); if(!defined $n){return if $!==POSIX::EAGAIN(); $n=0}
  if($n){$c->{n}+=$n; next} syswrite($c->{s},"$c->{n}\n"); delete $conn{fileno $c->{s}}; close $c->{s}; return} }
my %verbs=(listen=>\&cmd_listen,try=>\&cmd_try,flow=>\&cmd_flow,sync=>\&cmd_sync,seen=>\&cmd_seen);
say_('{"id":0,"probe":"perl"}');
while(1){
  my($r,$w)=('',''); my $now=now(); my $wait=1e6;
  vec($r,fileno STDIN,1)=1; vec($r,$_,1)=1 for keys %listen,keys %conn; vec($r,fileno $sniff,1)=1 if $sniff;
  @tries=grep{!$_->{done}} @tries; @flows=grep{!$_->{done}} @flows;
  for my $t (@tries){
    if(!$t->{s}){ if($now>=$t->{at}){begin($t)} }
    next if $t->{done};
    if($t->{s} && $t->{kind} ne 'tcp' && $t->{sent}<$t->{sends} && $now>=$t->{at}+$t->{sent}*$t->{gap}){push_($t)}
    next if $t->{done};
    if($now>=$t->{due}){over($t,'late',0); next}
    my $next=!$t->{s}?$t->{at}:($t->{kind} ne 'tcp' && $t->{sent}<$t->{sends})?$t->{at}+$t->{sent}*$t->{gap}:$t->{due};
    $wait=$next-$now if $next-$now<$wait;
    if($t->{s}){vec($t->{kind} eq 'tcp'?$w:$r,fileno $t->{s},1)=1}}
  for my $f (@flows){ if($now>=$f->{due}){flow_over($f,0); next} vec($f->{shut}?$r:$w,fileno $f->{s},1)=1 }
  $wait=0 if $wait<0; my($ro,$wo);
  my $n=select($ro=$r,$wo=$w,undef,$wait/1e6+0.0005); next if $n<=0;
  if(vec($ro,fileno STDIN,1)){ my $got=sysread(STDIN,$in,65536,length $in); exit 0 unless $got;
    while($in=~s/^([^\n]*)\n//){my($id,$verb,@rest)=split / /,$1; alarm 60; $verbs{$verb}->($id,@rest) if $verb && $verbs{$verb}} }
  for(keys %listen){serve($listen{$_}) if vec($ro,$_,1)}
  for(keys %conn){take($conn{$_}) if $conn{$_} && vec($ro,$_,1)}
  smell() if $sniff && vec($ro,fileno $sniff,1);
  for my $t (@tries){hear($t) if $t->{s} && !$t->{done} && vec($t->{kind} eq 'tcp'?$wo:$ro,fileno $t->{s},1)}
  for my $f (@flows){next if $f->{done}; if(!$f->{shut}){flow_step($f) if vec($wo,fileno $f->{s},1)} elsif(vec($ro,fileno $f->{s},1)){flow_read($f)}}
}
`;
